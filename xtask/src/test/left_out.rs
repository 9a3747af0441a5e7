//! Tests that not every machine can run.

use super::{Runner, setup};

/// Why something is skipped that needs a machine of its own.
pub(super) const NEEDS_NAMESPACES: &str = "a whole Swift needs namespaces of its own, which need root and a machine \
                                           that allows them (`unshare --mount --net --pid --fork true`)";
/// Tests on a machine of their own, by parts of their names.
const ON_THEIR_OWN: [&str; 11] = [
    "without_a_socket_lines_go_to_localhost",
    "the_process_is_as_stocks",
    "swift_init::",
    "strangers::",
    "the_copy_takes_no_room_and_stays_as_it_was",
    "full::",
    "nearly_full::",
    "io_errors::stock",
    "read_only::",
    "unmounted::",
    "hanging::",
];
/// Tests with a real browser.
const WITH_CHROMIUM: [&str; 1] = ["a_browser_"];
/// Tests with a real Prometheus, by parts of their names.
const WITH_PROMETHEUS: [&str; 4] =
    ["prometheus_answers", "promtool_", "each_panel_has_data", "one_pass_is_enough_to_see_each"];

/// What this machine cannot run, by parts of the names; says so, and what is missing.
pub(super) fn names(runner: &Runner<'_>) -> Vec<&'static str> {
    let mut skipped = Vec::new();
    if !setup::makes_namespaces(runner) {
        runner.screen.aside(&format!(" - without {}: {NEEDS_NAMESPACES}", ON_THEIR_OWN.join(", ")));
        skipped.extend(ON_THEIR_OWN);
    }
    if !(runner.succeeds("prometheus", &["--version"]) && runner.succeeds("promtool", &["--version"])) {
        let names = WITH_PROMETHEUS.join(", ");
        runner.screen.aside(&format!(" - without {names}: Debian's package prometheus is not installed"));
        skipped.extend(WITH_PROMETHEUS);
    }
    if !runner.succeeds("chromium", &["--version"]) {
        let names = WITH_CHROMIUM.join(", ");
        runner.screen.aside(&format!(" - without {names}: Debian's package chromium is not installed"));
        skipped.extend(WITH_CHROMIUM);
    }
    skipped
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The names that tests below a folder give to `on_its_own`.
    fn on_their_own(folder: &Path, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                on_their_own(&entry.path(), names);
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            let calls = text.split("on_its_own(\"").skip(1);
            names.extend(calls.filter_map(|call| call.split('"').next()).map(str::to_owned));
        }
    }

    #[test]
    fn whoever_needs_a_machine_of_its_own_is_left_out_where_none_can_be_had() {
        let mut names = Vec::new();
        on_their_own(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests"), &mut names);
        assert!(!names.is_empty());
        let kept: Vec<_> =
            names.iter().filter(|name| !ON_THEIR_OWN.iter().any(|part| name.contains(part))).collect();
        assert!(kept.is_empty(), "not in ON_THEIR_OWN: {kept:?}");
    }
}
