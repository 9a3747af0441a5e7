//! How Python reads a value: what its `str.strip`, `int()`, `float()` and Swift's `config_true_value` accept.

use std::borrow::Cow;

/// The words that stock's `config_true_value` takes for true, in any case. Everything else is false.
const TRUE_VALUES: [&str; 6] = ["true", "1", "yes", "on", "t", "y"];

/// Whether Python's `str.isspace` holds: Unicode's white space and the four ASCII separators.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Python's `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Python's `int(text)`: blanks around, a sign, `_` between digits, leading zeros.
///
/// `None` where Python raises, for numbers beyond 128 bits, and for digits outside ASCII (which Python
/// would take).
pub fn int(text: &str) -> Option<i128> {
    without_underscores(text.trim())?.parse().ok()
}

/// Python's `float(text)`: as [`int`], and fractions, exponents, `inf`, `infinity` and `nan`.
///
/// `None` where Python raises, and for digits outside ASCII (which Python would take).
pub fn float(text: &str) -> Option<f64> {
    without_underscores(text.trim())?.parse().ok()
}

/// Stock's `config_true_value`: never an error, anything unknown is false. Blanks are not stripped.
pub fn true_value(text: &str) -> bool {
    TRUE_VALUES.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Drops the underscores of a number literal; `None` if one stands anywhere but between two digits.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let misplaced = bytes
        .iter()
        .enumerate()
        .filter(|&(_, &byte)| byte == b'_')
        .any(|(index, _)| index == 0 || !is_digit(index - 1) || !is_digit(index + 1));
    (!misplaced).then(|| Cow::Owned(text.replace('_', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_pythons_leniency() {
        assert_eq!(int(" +1_000\t"), Some(1000));
        assert_eq!(int("007"), Some(7));
        assert_eq!(float("1_0.5e-1"), Some(1.05));
        assert_eq!(float("-Infinity"), Some(f64::NEG_INFINITY));
        for bad in ["", "_1", "1_", "1__0", "1.0", "0x10", "1 0", "+-1"] {
            assert_eq!(int(bad), None, "{bad:?}");
        }
        for bad in ["", ".", "1e", "1_.0", "1._0", "0x1p3", "1,5"] {
            assert_eq!(float(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_six_words_are_true() {
        for word in ["TRUE", "1", "Yes", "oN", "t", "Y"] {
            assert!(true_value(word), "{word}");
        }
        for word in ["", "2", "enabled", " true", "no"] {
            assert!(!true_value(word), "{word}");
        }
    }
}
