use std::fmt::Write as _;

use maud::{Markup, html};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 24.0;

/// The last values of something as a line; nothing if there are fewer than two. `what` is for those who do not see it.
pub(super) fn sparkline(values: &[f64], what: &str) -> Markup {
    let most = values.iter().copied().fold(0.0, f64::max);
    let (Some(last), true) = (values.last(), values.len() > 1) else { return html! {} };
    html! {
        svg.spark viewBox={"0 0 " (WIDTH) " " (HEIGHT)} role="img"
            aria-label={ (what) ", lately: " (format!("{last:.1}")) " of at most " (format!("{most:.1}")) } {
            polyline points=(points(values, most)) {}
        }
    }
}

fn points(values: &[f64], most: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "sixty at most")]
    let step = WIDTH / (values.len() - 1) as f64;
    let (mut points, mut x) = (String::new(), 0.0);
    for value in values {
        let share = if most > 0.0 { value / most } else { 0.0 };
        let y = 1.0 + (HEIGHT - 2.0) * (1.0 - share);
        let _ = write!(points, "{x:.1},{y:.1} ");
        x += step;
    }
    points.truncate(points.trim_end().len());
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_from_edge_to_edge() {
        assert_eq!(points(&[0.0, 5.0, 10.0], 10.0), "0.0,23.0 60.0,12.0 120.0,1.0");
        assert_eq!(points(&[0.0, 0.0], 0.0), "0.0,23.0 120.0,23.0");
        assert_eq!(sparkline(&[1.0], "x").into_string(), "");
    }
}
