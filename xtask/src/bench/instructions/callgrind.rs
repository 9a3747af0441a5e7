//! Programs run by valgrind's callgrind.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// The words that run a program which leaves its counts in `file`.
pub(super) fn words(file: &Path) -> Vec<String> {
    let out = format!("--callgrind-out-file={}", file.display());
    ["valgrind", "--quiet", "--tool=callgrind", &out].map(str::to_owned).to_vec()
}

/// All instructions of the process that wrote the file, in all threads.
pub(super) fn instructions(file: &Path) -> Result<f64> {
    let text =
        fs::read_to_string(file).with_context(|| format!("callgrind has left no {}", file.display()))?;
    total(&text).with_context(|| format!("{} has no total", file.display()))
}

fn total(text: &str) -> Option<f64> {
    let words = text.lines().find_map(|line| line.strip_prefix("totals: "))?;
    words.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_below_the_functions() {
        assert_eq!(total("events: Ir\nfn=(1) main\n12 7\n\ntotals: 71930\n"), Some(71_930.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
