use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// What passes and servers bring about by themselves takes less.
const BOUND: Duration = Duration::from_secs(120);

/// How often one looks again: what is looked at has work to do as well.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Looks until it is so.
///
/// # Errors
/// When the look fails.
///
/// # Panics
/// With `what` is wrong, when it is not so in two minutes.
pub fn until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + BOUND;
    while !is_so()? {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(ASK_AGAIN);
    }
    Ok(())
}
