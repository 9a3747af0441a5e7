//! docs/metrics.md holds what the code declares.

use std::{fs, path::Path};

use martlet_stats::Metrics;
use swift_types::ServerType;

const BEGIN: &str =
    "<!-- from here generated: `MARTLET_RENEW_DOCS=1 cargo test -p martlet-stats --test docs` -->\n";
const END: &str = "<!-- to here generated -->\n";

#[test]
fn the_page_shows_every_metric_as_it_is_declared() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/metrics.md has the line of the beginning");
    let (table, after) = rest.split_once(END).expect("docs/metrics.md has the line of the end");
    let declared = format!("\n{}\n", Metrics::new(ServerType::Container, "1").table());
    if std::env::var_os("MARTLET_RENEW_DOCS").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{declared}{END}{after}")).unwrap();
        return;
    }
    let differs = table.lines().zip(declared.lines()).find(|(shown, declared)| shown != declared);
    assert!(
        table == declared,
        "docs/metrics.md is not what crates/stats/src/metrics declares: run `MARTLET_RENEW_DOCS=1 cargo test -p \
         martlet-stats --test docs`. The first difference, page and code: {differs:#?}"
    );
}
