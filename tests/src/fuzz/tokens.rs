//! Words, numbers and quoted texts as the pieces of JSON and conf files.

use std::ops::Range;

use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};

/// What comes in place of a word or a number, or between two.
const WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "0.5",
    "1e3",
    "1e308",
    "1e999",
    "-1e-999",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "100000000000000000000000000000000000000000",
    "nan",
    "inf",
    "NaN",
    "[]",
    "{}",
    "[[]]",
    "%",
    "%%",
    "%(name)s",
    "%(",
    "{device}",
    "{",
    "}",
    "=",
    ":",
    "\n",
    "\r",
    "\n ",
    "\n[DEFAULT]\n",
    "[",
    "]",
    "#",
    ";",
    "::1",
    "0.0.0.0",
    "1_000",
    "\u{660}\u{661}",
    "\u{85}",
    "\u{feff}",
];

/// What comes in place of a quoted text, quotes included.
const QUOTED: &[&str] = &[
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"-1\"",
    "\"1.5\"",
    "\"1e5\"",
    "\"nan\"",
    "\"9999999999.99999\"",
    "\"99999999999999999999.00000\"",
    "\"-0000000001.00000\"",
    "\"0000000001.00000_ffffffffffffffff\"",
    "\"0000000001.00000_fffffffffffffffff\"",
    "\"0000000001.00000+0+0\"",
    "\"0000000001.00000-ffffffffffff+7fffffffffffffff\"",
    "\"0000000001.00000+8000000000000000+1\"",
    "\"1700000000.12345_0000000000000001\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{10ffff}\"",
    "\"../x\"",
    "\"a/b\"",
    "\".\"",
    "\"..\"",
    "\"{}\"",
    "\"{\\\"k\\\": [\\\"v\\\", \\\"1\\\"]}\"",
    "\"[[[[[[[[\"",
    "\"text/plain;swift_bytes=9999999999999999999999\"",
    "\"text/plain;swift_bytes=-1\"",
    "\"d41d8cd98f00b204e9800998ecf8427e\"",
    "\"ffffffffffffffffffffffffffffffffffff\"",
];

/// What is no text, or ends one.
const STRAY: &[&[u8]] =
    &[b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x1b", b"\"", b"\\"];

/// Swaps one token for another, takes one out, or adds something beside it.
pub(super) fn swap(bytes: &mut Vec<u8>, dice: &mut StdRng) {
    let tokens = tokens(bytes);
    let place = tokens.choose(dice).cloned().unwrap_or(0..0);
    let other = tokens.choose(dice).cloned().unwrap_or(0..0);
    let is_quoted = bytes.get(place.start) == Some(&b'"');
    let new = match dice.random_range(0..10) {
        0..=3 if is_quoted => pick(QUOTED, dice).as_bytes().to_vec(),
        0..=4 => pick(WORDS, dice).as_bytes().to_vec(),
        5 => bytes[other].to_vec(),
        6 => pick(STRAY, dice).to_vec(),
        7 => nested(dice),
        8 => long(dice),
        _ => Vec::new(),
    };
    let place = if dice.random_ratio(1, 5) { place.end..place.end } else { place };
    bytes.splice(place, new);
}

fn pick<'w, T: ?Sized>(words: &[&'w T], dice: &mut StdRng) -> &'w T {
    words.choose(dice).expect("the lists above are not empty")
}

/// Deeper than anything means it, and sometimes deeper than a stack.
fn nested(dice: &mut StdRng) -> Vec<u8> {
    let depth = [3, 100, 130, 20_000].choose(dice).copied().unwrap_or(3);
    let (open, close) = if dice.random() { ("[", "]") } else { ("{\"a\":", "}") };
    let middle = if dice.random() { "1" } else { "[]" };
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth)).into_bytes()
}

fn long(dice: &mut StdRng) -> Vec<u8> {
    let length = [100, 300, 5000, 70_000].choose(dice).copied().unwrap_or(100);
    let letters = pick(&["a", "9", "\u{e9}", "\\n", "%%", "-"], dice).repeat(length);
    if dice.random() { format!("\"{letters}\"").into_bytes() } else { letters.into_bytes() }
}

/// Quoted texts as a whole, and runs of what words and numbers are made of.
fn tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let length = match rest[0] {
            b'"' => quoted_length(rest),
            _ => rest.iter().take_while(|byte| is_of_word(**byte)).count(),
        };
        if length > 0 {
            found.push(start..start + length);
        }
        start += length.max(1);
    }
    found
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".+-_%/".contains(&byte)
}

/// To the quote that is not escaped, or to the end.
fn quoted_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text[1..].iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_token_with_its_quotes_and_so_is_a_number() {
        let text = br#"["sync", -1.5, "a \"b\" c", null]"#;
        let found: Vec<_> =
            tokens(text).into_iter().map(|range| text[range].escape_ascii().to_string()).collect();
        assert_eq!(found, [r#"\"sync\""#, "-1.5", r#"\"a \\\"b\\\" c\""#, "null"]);
        assert_eq!(quoted_length(b"\"open"), 5);
    }
}
