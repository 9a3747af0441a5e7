//! Who may depend on whom: the table of docs/architecture.md, checked on what cargo says.

use std::path::Path;

use super::Finding;
use crate::workspace::{Dependency, Package};

/// The folders in the order of the table. A crate depends only on crates above it; those of one line stand
/// side by side.
const LAYERS: &[&[&str]] = &[
    &["crates/failpoint"],
    &["crates/swift-types"],
    &["crates/protocol"],
    &["crates/settings"],
    &["crates/ring"],
    &["crates/db-broker"],
    &["crates/walker"],
    &["crates/sync-client"],
    &["crates/rpc-server"],
    &["crates/stats"],
    &["crates/status-page"],
    &["crates/replicator"],
    &["crates/account-replicator", "crates/container-replicator", "crates/martlet"],
    &["tests"],
    &["xtask"],
];

/// Packages that only some folders may use: "the only crate that knows". `tests` and `xtask` are for
/// developers and may use what they need to look from outside.
const KNOWN_ONLY_TO: &[(&str, &[&str])] = &[
    ("rusqlite", &["crates/db-broker"]),
    ("libsqlite3-sys", &["crates/db-broker"]),
    ("serde-pickle", &["crates/db-broker"]),
    ("reqwest", &["crates/sync-client"]),
    ("warp", &["crates/rpc-server"]),
    ("hyper", &["crates/rpc-server"]),
    ("hyper-util", &["crates/rpc-server"]),
    ("prometheus", &["crates/stats"]),
    ("maud", &["crates/status-page"]),
    ("config", &["crates/settings"]),
    ("flate2", &["crates/ring"]),
    ("clap", &["crates/replicator", "crates/martlet"]),
    ("clap_complete", &["crates/martlet"]),
    ("clap_mangen", &["crates/martlet"]),
    ("crossterm", &["crates/martlet"]),
    ("indicatif", &["crates/martlet"]),
    ("ureq", &["crates/martlet"]),
    ("tracing-subscriber", &["crates/replicator"]),
    ("crossbeam-channel", &["crates/walker", "crates/stats", "crates/replicator", "crates/martlet"]),
    ("tokio", &["crates/sync-client", "crates/rpc-server", "crates/replicator", "crates/martlet"]),
];

const DEVELOPERS: &[&str] = &["tests", "xtask"];

/// Every dependency that the table does not allow.
pub(crate) fn check(packages: &[Package], root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let folder = folder(package.manifest_path.parent().unwrap_or(root), root);
        let Some(layer) = layer(&folder) else {
            let text = "is not in the table of layers: give it a place in xtask/src/tidy/architecture.rs";
            findings.push(Finding::error(&package.name, text));
            continue;
        };
        for dependency in &package.dependencies {
            let place = place(&package.name, dependency);
            findings.extend(upwards(&place, layer, dependency, root));
            findings.extend(foreign(&place, &folder, dependency));
        }
    }
    findings
}

fn place(package: &str, dependency: &Dependency) -> String {
    let kind = dependency.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    format!("{package} -> {}{kind}", dependency.name)
}

fn upwards(place: &str, layer: usize, dependency: &Dependency, root: &Path) -> Option<Finding> {
    let path = dependency.path.as_ref()?;
    let allowed = self::layer(&folder(path, root)).is_some_and(|other| other < layer);
    (!allowed)
        .then(|| Finding::error(place, "a crate depends only on crates above it in the table of layers"))
}

fn foreign(place: &str, folder: &str, dependency: &Dependency) -> Option<Finding> {
    let (_, owners) = KNOWN_ONLY_TO.iter().find(|(name, _)| *name == dependency.name)?;
    if owners.contains(&folder) || DEVELOPERS.contains(&folder) {
        return None;
    }
    let text = format!("only {} knows {}: ask it instead", owners.join(", "), dependency.name);
    Some(Finding::error(place, text))
}

fn folder(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn member(folder: &str, dependencies: Vec<Dependency>) -> Package {
        let name = folder.replace('/', "-");
        Package { name, manifest_path: Path::new("/repo").join(folder).join("Cargo.toml"), dependencies }
    }

    fn on_member(folder: &str, kind: Option<&str>) -> Dependency {
        let path = Some(PathBuf::from("/repo").join(folder));
        Dependency { name: folder.replace('/', "-"), kind: kind.map(str::to_owned), path }
    }

    fn on_package(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), kind: None, path: None }
    }

    fn texts(package: Package) -> Vec<String> {
        check(&[package], Path::new("/repo"))
            .into_iter()
            .map(|f| format!("{}: {}", f.place, f.text))
            .collect()
    }

    #[test]
    fn a_crate_above_is_allowed() {
        let dependencies = vec![on_member("crates/swift-types", None), on_package("rusqlite")];
        assert!(texts(member("crates/db-broker", dependencies)).is_empty());
    }

    #[test]
    fn a_crate_below_or_beside_is_refused_also_for_tests() {
        let found = texts(member("crates/ring", vec![on_member("crates/db-broker", Some("dev"))]));
        assert!(
            found[0].starts_with("crates-ring -> crates-db-broker (dev): a crate depends only"),
            "{found:?}"
        );
        let found =
            texts(member("crates/account-replicator", vec![on_member("crates/container-replicator", None)]));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_package_known_to_another_crate_is_refused() {
        let found = texts(member("crates/stats", vec![on_package("rusqlite")]));
        assert_eq!(found, ["crates-stats -> rusqlite: only crates/db-broker knows rusqlite: ask it instead"]);
        assert!(texts(member("xtask", vec![on_package("rusqlite"), on_package("clap")])).is_empty());
    }

    #[test]
    fn a_crate_without_a_place_is_refused() {
        let found = texts(member("crates/utils", Vec::new()));
        assert!(found[0].starts_with("crates-utils: is not in the table"), "{found:?}");
    }
}
