//! What the tasks print: lines that stay, and on a terminal one line that is written over.

use std::io::{self, IsTerminal as _, Write as _};

const GREEN: &str = "32";
const RED: &str = "31";
const DIM: &str = "2";
/// Back to the first column of an empty line.
const ERASE: &str = "\r\x1b[2K";

/// Standard output, and whether somebody watches it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    live: bool,
    colour: bool,
}

impl Screen {
    /// Colours and a live line only on a terminal; no colours where `NO_COLOR` is set.
    pub(crate) fn new() -> Self {
        let live = io::stdout().is_terminal();
        Self { live, colour: live && std::env::var_os("NO_COLOR").is_none() }
    }

    /// A line that stays.
    pub(crate) fn line(self, text: &str) {
        let erase = if self.live { ERASE } else { "" };
        // Somebody who looked at the head only has left; the exit status still says how it went.
        let _ = writeln!(io::stdout(), "{erase}{text}");
    }

    /// A line that stays, and says that something is as it should be.
    pub(crate) fn good(self, text: &str) {
        self.line(&format!(" {} {text}", self.paint(GREEN, "✓")));
    }

    /// A line that stays, and says that something is not as it should be.
    pub(crate) fn bad(self, text: &str) {
        self.line(&format!(" {} {text}", self.paint(RED, "✗")));
    }

    /// A line that stays, and matters less.
    pub(crate) fn aside(self, text: &str) {
        self.line(&self.paint(DIM, text));
    }

    /// The line that the next one takes the place of; nothing where nobody watches.
    pub(crate) fn progress(self, text: &str) {
        if self.live {
            let mut out = io::stdout();
            let _ = write!(out, "{ERASE}{}", self.paint(DIM, text)).and_then(|()| out.flush());
        }
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0_u64, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }
}
