use super::{contents::units, *};
use crate::build::TYPES;

fn contents() -> Contents {
    Contents {
        files: TYPES.into_iter().flat_map(units).collect(),
        architecture: "amd64".to_owned(),
        epoch: "1700000000".to_owned(),
    }
}

#[test]
fn each_unit_is_about_one_type_and_runs_the_packages_program() {
    for server_type in TYPES {
        for unit in units(server_type) {
            let text = String::from_utf8(unit.bytes).unwrap();
            assert!(
                text.contains(&format!("ExecStart=/usr/bin/{server_type}-replicator ${{CONFIG}}")),
                "{text}"
            );
            assert!(!text.contains('@'), "{text}");
            let has_conflict = text.contains(&format!("Conflicts=swift-{server_type}-replicator.service"));
            assert_eq!(has_conflict, unit.path.ends_with("-replicator.service"), "{}", unit.path);
        }
    }
}

#[test]
fn manual_pages_and_completions_know_the_options() {
    for server_type in TYPES {
        let files = pages::of(server_type).unwrap();
        assert_eq!(files.len(), 4);
        for file in files {
            let text = String::from_utf8(file.bytes).unwrap().replace('\\', "");
            assert!(text.contains("check-config"), "{}", file.path);
            assert!(text.contains(&format!("{server_type}-replicator")), "{}", file.path);
        }
    }
}

#[test]
fn the_operators_command_has_a_page_for_each_of_its_commands() {
    let files = pages::of_command().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let pages = [
        "martlet-completions.1",
        "martlet-diff.1",
        "martlet-man.1",
        "martlet-plan.1",
        "martlet-status.1",
        "martlet-top.1",
        "martlet.1",
    ];
    assert_eq!(paths[..7], pages.map(|page| format!("usr/share/man/man1/{page}")));
    assert_eq!(files.len(), 10);
    for file in files.iter().filter(|file| !file.path.contains("man1/martlet-")) {
        let text = String::from_utf8_lossy(&file.bytes);
        assert!(text.contains("status"), "{}", file.path);
    }
}

#[test]
fn a_package_is_the_same_twice() {
    let (contents, interrupt) = (contents(), Interrupt::default());
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let made = dirs.each_ref().map(|dir| {
        let name = tarball::write(&contents, dir.path()).unwrap();
        fs::read(dir.path().join(name)).unwrap()
    });
    assert_eq!(made[0], made[1]);
    if Command::new("dpkg-deb").arg("--version").output().is_ok() {
        let made = dirs.each_ref().map(|dir| {
            let name = package::write(&contents, "libc6 (>= 2.34)", dir.path(), &interrupt).unwrap();
            fs::read(dir.path().join(name)).unwrap()
        });
        assert_eq!(made[0], made[1]);
    }
}

#[test]
fn the_licences_of_all_that_is_linked_come_along() {
    let page = licences::of_crates().unwrap();
    let rule = "-".repeat(80);
    let (list, texts) = page.split_once(&rule).unwrap();
    let heads: Vec<&str> = texts.split(&rule).filter_map(|text| text.trim_start().lines().next()).collect();
    for line in list.lines().skip(2).filter(|line| !line.is_empty()) {
        let name = line.split(' ').next().unwrap();
        assert!(heads.iter().any(|head| head.split(", ").any(|one| one == name)), "{line}: no text");
    }
    assert!(texts.contains("Microsoft Corporation"), "mimalloc has been brought along by another crate");
    assert!(!page.contains("headless_chrome"), "what only tests need is not linked");
}
