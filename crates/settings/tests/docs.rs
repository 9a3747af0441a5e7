//! docs/configuration.md holds what the code declares.

use std::{fs, path::Path};

use martlet_settings::ReplicatorConf;

const BEGIN: &str =
    "<!-- from here generated: `MARTLET_RENEW_DOCS=1 cargo test -p martlet-settings --test docs` -->\n";
const END: &str = "<!-- to here generated -->\n";

#[test]
fn the_page_shows_every_key_as_it_is_declared() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/configuration.md has the line of the beginning");
    let (tables, after) = rest.split_once(END).expect("docs/configuration.md has the line of the end");
    let declared = format!("\n{}", ReplicatorConf::reference());
    if std::env::var_os("MARTLET_RENEW_DOCS").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{declared}{END}{after}")).unwrap();
        return;
    }
    let differs = tables.lines().zip(declared.lines()).find(|(shown, declared)| shown != declared);
    assert!(
        tables == declared,
        "docs/configuration.md is not what crates/settings/src/conf/keys declares: run `MARTLET_RENEW_DOCS=1 cargo test -p \
         martlet-settings --test docs`. The first difference, page and code: {differs:#?}"
    );
}
