//! The crash that the environment asks for.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{CRASH_AT, CRASH_REGISTER, Point};

/// Where this process is to end, and where that is noted; looked up once.
static WANTED: OnceLock<Option<Crash>> = OnceLock::new();

struct Crash {
    point: Point,
    /// Held from the look into the file to the end of the process.
    register: Mutex<PathBuf>,
}

pub(crate) fn reach(point: Point, about: &Path) {
    if let Some(crash) = WANTED.get_or_init(wanted).as_ref().filter(|crash| crash.point == point) {
        crash.happen(subject(about));
    }
}

fn wanted() -> Option<Crash> {
    let at = env::var(CRASH_AT).ok()?;
    let point = at.parse().unwrap_or_else(|error| panic!("{CRASH_AT}: {error}"));
    let register = env::var_os(CRASH_REGISTER).unwrap_or_else(|| panic!("{CRASH_AT} needs {CRASH_REGISTER}"));
    Some(Crash { point, register: Mutex::new(register.into()) })
}

impl Crash {
    fn happen(&self, subject: &str) {
        let register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{}\t{subject}\n", self.point);
        if is_first(&register, &line).unwrap_or_else(|error| panic!("{}: {error}", register.display())) {
            process::abort();
        }
    }
}

/// Whether the register has no such line, which it has then.
fn is_first(register: &Path, line: &str) -> io::Result<bool> {
    let mut file = fs::File::options().create(true).append(true).open(register)?;
    let is_there = fs::read_to_string(register)?.split_inclusive('\n').any(|known| known == line);
    if !is_there {
        file.write_all(line.as_bytes())?;
    }
    Ok(!is_there)
}

/// The hash of the database that a path leads to, else its last name.
fn subject(about: &Path) -> &str {
    let names = || about.iter().filter_map(|name| name.to_str());
    let is_hash = |name: &&str| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    names().find(is_hash).or_else(|| names().next_back()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_about_the_database_whose_hash_is_in_it() {
        let hash = "1f3522572150e768247ace931419066c";
        for path in ["7/66c/HASH", "7/66c/HASH/HASH.db", "7/66c/HASH/HASH_1.00000.db.pending"] {
            assert_eq!(subject(Path::new(&path.replace("HASH", hash))), hash);
        }
        assert_eq!(subject(Path::new("/var/cache/swift/container.recon")), "container.recon");
    }

    #[test]
    fn the_register_knows_each_crash_once() {
        let dir = tempfile::tempdir().unwrap();
        let register = dir.path().join("register");
        let told = ["before rename\ta\n", "before rename\tb\n", "before rename\ta\n"];
        assert_eq!(told.map(|line| is_first(&register, line).unwrap()), [true, true, false]);
        assert_eq!(fs::read_to_string(register).unwrap(), told[..2].concat());
    }
}
