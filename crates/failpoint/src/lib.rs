//! Named steps that write to a disk; before and after each a test can end the process, as a power cut would.
//!
//! Whoever writes wraps the write into [`around`]:
//!
//! ```
//! use std::path::Path;
//! use martlet_failpoint::{Step, around};
//!
//! let database = Path::new("/srv/node/sdb1/containers/7/66c/1f3522572150e768247ace931419066c");
//! assert_eq!(around(Step::SyncDir, database, || "synced"), "synced");
//! ```
//!
//! A process with [`CRASH_AT`] in its environment, a [`Point`] such as `before rename`, aborts when it gets there: once for
//! each database, as [`CRASH_REGISTER`] names a file in which the crashes that were are listed. So whoever starts the process
//! again until it ends by itself has crashed it there in every database that comes by. `cargo xtask crash` does.
//!
//! Only in builds with debug assertions: of a release build nothing is left but the work itself. This instead of the `fail`
//! crate, whose actions know panics, delays and errors but no abort, and which has no memory beyond the process.

use std::path::Path;

#[cfg(debug_assertions)]
mod crash;
mod point;

pub use point::{Moment, Point, Step, UnknownPoint};

/// The variable that names the [`Point`] to crash at.
pub const CRASH_AT: &str = "MARTLET_CRASH_AT";
/// The variable that names the file in which each crash is a line: the point, a tab and the database's hash.
pub const CRASH_REGISTER: &str = "MARTLET_CRASH_REGISTER";

/// Does the work of a step on a database, whose file or directory `about` is; where a test wants it so, the process ends before
/// or after it.
///
/// # Panics
/// In builds with debug assertions, if the environment asks for a point that does not exist, or for no register.
pub fn around<T>(step: Step, about: &Path, work: impl FnOnce() -> T) -> T {
    reach(Moment::Before, step, about);
    let done = work();
    reach(Moment::After, step, about);
    done
}

#[cfg(debug_assertions)]
fn reach(moment: Moment, step: Step, about: &Path) {
    crash::reach(Point { moment, step }, about);
}

#[cfg(not(debug_assertions))]
const fn reach(_: Moment, _: Step, _: &Path) {}
