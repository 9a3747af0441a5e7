//! Every command that the documents tell readers to type is one that its program takes.

use std::{fs, path::Path};

use clap::CommandFactory as _;
use testkit::ServerType;

use super::{
    Cli,
    documents::{fenced, is_whole_command, read},
};

/// What is not ours, as documents have it at the beginning of a command.
const FOREIGN: [&str; 9] = ["apt", "chmod", "chown", "curl", "openssl", "scp", "ssh", "systemctl", "umask"];

/// A command and where it stands.
struct Documented {
    place: String,
    words: Vec<String>,
}

fn documents() -> Vec<(String, String)> {
    let docs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")).unwrap();
    let paths = docs.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let pages = pages.map(|path| format!("docs/{}", path.file_name().unwrap().display()));
    pages.chain(["README.md".to_owned()]).map(|page| (page.clone(), read(&page).unwrap())).collect()
}

/// As a reader would type it, with something in the place of what he is to put there.
fn words(command: &str) -> Vec<String> {
    let typed = command.split(" #").next().unwrap_or_default().replace(['[', ']'], "");
    let meant = |word: &str| {
        if word.len() == 1 && word.chars().all(char::is_uppercase) { "1" } else { word }.to_owned()
    };
    typed.split_whitespace().map(meant).collect()
}

fn commands() -> Vec<Documented> {
    let mut commands = Vec::new();
    for (page, text) in documents() {
        let (lines, prose) = fenced(&text);
        let typed =
            lines.iter().flat_map(|line| line.split(" #").next().unwrap_or_default().split([';', '|', '&']));
        let spans = prose.split('`').skip(1).step_by(2).filter(|span| is_whole_command(span));
        let add = |command: &str| Documented { place: format!("{page}: {command}"), words: words(command) };
        commands.extend(typed.chain(spans).map(add).filter(|documented| !documented.words.is_empty()));
    }
    commands
}

/// Why a command would be refused.
fn refusal(words: &[String]) -> Option<String> {
    let program = words[0].rsplit('/').next().unwrap_or_default();
    let parsed = |command: clap::Command| refused_by(command, &words[1..]);
    match (program, words.get(1).map(String::as_str)) {
        ("martlet", _) => parsed(martlet::command()),
        ("container-replicator", _) => parsed(replicator::command(ServerType::Container)),
        ("account-replicator", _) => parsed(replicator::command(ServerType::Account)),
        ("martlet-switch", Some("on" | "off" | "status")) | ("cargo", Some("build" | "fuzz")) => None,
        ("cargo", Some("xtask")) => refused_by(Cli::command(), &words[2..]),
        ("cargo", Some("test")) => test_target(words),
        (program, _) if program.contains('=') && words.len() > 1 => refusal(&words[1..]),
        (program, _) if FOREIGN.contains(&program) => None,
        _ => Some("nobody knows this program: see xtask/src/documented.rs".to_owned()),
    }
}

/// A task or command that is only named has to be one.
fn refused_by(command: clap::Command, words: &[String]) -> Option<String> {
    match words {
        [name] if command.find_subcommand(name).is_some() => None,
        words => {
            let parsed = command.no_binary_name(true).try_get_matches_from(words);
            parsed.err().filter(clap::Error::use_stderr).map(|error| error.to_string())
        }
    }
}

/// Of a package with a test of that name.
fn test_target(words: &[String]) -> Option<String> {
    let after = |option: &str| words.iter().skip_while(|word| *word != option).nth(1);
    let package = after("-p")?.strip_prefix("martlet-")?;
    let folder = if package == "testkit" { "tests".to_owned() } else { format!("crates/{package}") };
    let name = after("--test")?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("tests");
    let found = tests.join(format!("{name}.rs")).exists() || tests.join(name).join("main.rs").exists();
    (!found).then(|| format!("there is no test {name} in {}", tests.display()))
}

#[test]
fn programs_take_what_the_documents_say() {
    let commands = commands();
    assert!(commands.len() > 60, "most were not found: {}", commands.len());
    let refused: Vec<_> = commands
        .iter()
        .filter_map(|documented| Some(format!("{}\n    {}", documented.place, refusal(&documented.words)?)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_is_typed_at_a_prompt_is_taken() {
    let text = "a\n```text\n$ martlet statsu\nan answer\n```\nb\n```sh\nmartlet top\n```\n";
    assert_eq!(fenced(text), (vec!["martlet statsu", "martlet top"], "a\nb\n".to_owned()));
}

/// One that is missing makes prose of all commands after it, and commands of the prose.
#[test]
fn backticks_come_in_pairs() {
    let odd: Vec<_> = documents()
        .into_iter()
        .filter(|(_, text)| !fenced(text).1.matches('`').count().is_multiple_of(2))
        .map(|(page, _)| page)
        .collect();
    assert!(odd.is_empty(), "the backticks of these pages are odd: {odd:?}");
}

#[test]
fn a_command_that_is_none_is_found() {
    for command in [
        "martlet statsu AUTH_a",
        "cargo xtask demo --kill 3",
        "cargo test -p martlet-testkit --test gone",
        "rm -rf /",
    ] {
        assert!(refusal(&words(command)).is_some(), "{command}");
    }
    for command in ["martlet status AUTH_a/c --json", "cargo xtask chaos --seeds N [--first S]"] {
        assert_eq!(refusal(&words(command)), None, "{command}");
    }
}
