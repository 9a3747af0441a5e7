use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;

use crate::{
    diff::{self, DiffArgs},
    plan::{self, PlanArgs},
    status::{self, StatusArgs},
    told::{AGREE, UNUSABLE, tell},
    top::{self, TopArgs},
};

/// Looks at the replicas of Swift's accounts and containers; changes nothing
#[derive(Debug, Parser)]
#[command(name = "martlet", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What each replica of one account or container holds, and what the next pass would do
    ///
    /// Exits 0 when all primaries agree, 1 when they do not, 2 when the question cannot be asked.
    Status(StatusArgs),
    /// Which rows differ between the replicas of one account or container that can be read here
    ///
    /// Exits 0 when no row differs, 1 when some do or a replica is missing, 2 when fewer than two can be read.
    Diff(DiffArgs),
    /// What the next pass of this node would send, remove and quarantine, without doing it
    ///
    /// Exits 0 when there would be nothing to do, 1 when there would, 2 when that cannot be said.
    Plan(PlanArgs),
    /// Follows a node live: its pass, devices, peers and queues, from its metrics page
    ///
    /// Ends with q. With --once: exits 0, or 2 when there is no page.
    Top(TopArgs),
    /// Prints what a shell needs to complete these words
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Writes the man pages, one for each command
    Man {
        /// A folder that exists, as /usr/local/share/man/man1
        folder: PathBuf,
    },
}

/// A number of seconds, more than none.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("more than 0 seconds are expected".to_owned()),
    }
}

/// The command line as its parser knows it, for manual pages and completions.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Does what the words say, the program's name first, and returns the exit code: 0 when all is as it should be, 1 when it is
/// not, 2 when the question could not be asked; why stands in `errors` then.
///
/// Blocks until all nodes have answered or had their time. Writes to no database. Must not be called on a thread of tokio's.
pub fn run(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> u8 {
    let done = match CommandLine::try_parse_from(words) {
        Ok(CommandLine { command: Command::Status(args) }) => {
            tell(status::report(&args), args.form, out, errors)
        }
        Ok(CommandLine { command: Command::Diff(args) }) => tell(diff::report(&args), args.form, out, errors),
        Ok(CommandLine { command: Command::Plan(args) }) => tell(plan::report(&args), args.form, out, errors),
        Ok(CommandLine { command: Command::Top(args) }) => top::run(&args, out, errors),
        Ok(CommandLine { command: Command::Completions { shell } }) => completions(shell, out),
        Ok(CommandLine { command: Command::Man { folder } }) => man_pages(&folder, errors),
        Err(error) => no_command(&error, out, errors),
    };
    // Nobody reads on (a pipe was closed): there is nobody left to tell.
    done.unwrap_or(UNUSABLE)
}

fn completions(shell: Shell, out: &mut impl Write) -> io::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "martlet", &mut script);
    out.write_all(&script).map(|()| AGREE)
}

fn man_pages(folder: &Path, errors: &mut impl Write) -> io::Result<u8> {
    match clap_mangen::generate_to(command(), folder) {
        Ok(()) => Ok(AGREE),
        Err(error) => {
            let folder = folder.display();
            writeln!(
                errors,
                "martlet: cannot write man pages into {folder}: {error}; name a folder that exists and is yours"
            )?;
            Ok(UNUSABLE)
        }
    }
}

/// Help and version are asked for as well.
fn no_command(error: &clap::Error, out: &mut impl Write, errors: &mut impl Write) -> io::Result<u8> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return write!(out, "{}", error.render()).map(|()| AGREE);
    }
    write!(errors, "{}", error.render()).map(|()| UNUSABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> (u8, String, String) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let code = run(["martlet"].iter().chain(words), &mut out, &mut errors);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap())
    }

    #[test]
    fn help_is_no_error_and_unknown_words_are_one() {
        let (code, out, errors) = said(&["status", "--help"]);
        assert_eq!((code, errors.as_str()), (0, ""));
        assert!(out.contains("ACCOUNT[/CONTAINER]"), "{out}");
        for bad in
            [&["repair"][..], &["status"], &["status", "a", "--timeout", "0"], &["plan"], &["diff"], &["top"]]
        {
            let (code, out, errors) = said(bad);
            assert_eq!((code, out.as_str()), (2, ""), "{bad:?}");
            assert!(errors.contains("error:"), "{errors}");
        }
    }

    #[test]
    fn what_cannot_be_asked_names_the_file() {
        let empty = tempfile::tempdir().unwrap();
        let dir = empty.path().to_str().unwrap();
        let (code, _, errors) = said(&["status", "AUTH_test", "--swift-dir", dir]);
        assert_eq!(code, 2);
        assert!(errors.contains(&format!("{dir}/swift.conf")), "{errors}");
        std::fs::write(empty.path().join("swift.conf"), "[swift-hash]\nswift_hash_path_suffix = x\n")
            .unwrap();
        let (code, _, errors) = said(&["status", "AUTH_test/c", "--swift-dir", dir]);
        assert_eq!(code, 2);
        assert!(
            errors.contains(&format!("{dir}/container.ring.gz")) && errors.contains("--swift-dir"),
            "{errors}"
        );
    }

    #[test]
    fn each_shell_and_each_page_knows_all_commands() {
        for shell in ["bash", "zsh", "fish"] {
            let (code, out, _) = said(&["completions", shell]);
            let words = ["status", "all-handoffs", "plan", "offline", "diff", "limit", "top", "metrics"];
            assert!(code == 0 && words.iter().all(|word| out.contains(word)), "{shell}: {out}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(said(&["man", folder.path().to_str().unwrap()]), (0, String::new(), String::new()));
        let page = std::fs::read_to_string(folder.path().join("martlet-status.1")).unwrap();
        assert!(page.contains("Exits 0 when all primaries agree"), "{page}");
        for command in ["plan", "diff", "top", "completions", "man"] {
            assert!(folder.path().join(format!("martlet-{command}.1")).exists(), "{command}");
        }
        let gone = folder.path().join("none");
        let (code, _, errors) = said(&["man", gone.to_str().unwrap()]);
        assert!(code == 2 && errors.contains(gone.to_str().unwrap()), "{errors}");
    }
}
