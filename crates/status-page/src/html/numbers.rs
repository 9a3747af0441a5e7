//! Numbers as people read them.

/// With a comma at each thousand.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

/// Databases by the second.
pub(super) fn rate(rate: f64) -> String {
    if rate >= 10.0 { count(whole(rate)) } else { format!("{rate:.1}") }
}

/// The two largest units of a time in seconds.
pub(super) fn span(seconds: f64) -> String {
    let seconds = whole(seconds);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// As [`span`], and of what took only a moment how short that was.
pub(super) fn took(seconds: f64) -> String {
    if seconds < 10.0 { format!("{:.1} s", seconds.max(0.0)) } else { span(seconds) }
}

/// How long before `now` a moment was.
pub(super) fn ago(now: f64, then: f64) -> String {
    format!("{} ago", span(now - then))
}

/// The time of day of a moment.
pub(super) fn moment(now: f64) -> String {
    let seconds = whole(now) % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "nothing negative, and times end before 2^63"
    )]
    let whole = number.max(0.0).round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.04, 9.96, 12.4, 2_500.0].map(rate), ["0.0", "10.0", "12", "2,500"]);
        let spans = [-1.0, 0.4, 59.0, 61.0, 3_600.0, 90_061.0].map(span);
        assert_eq!(spans, ["0 s", "0 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
        assert_eq!([0.04, 9.0, 61.0].map(took), ["0.0 s", "9.0 s", "1 min 1 s"]);
        assert_eq!(moment(86_400.0 * 3.0 + 3_661.0), "01:01:01 UTC");
    }
}
