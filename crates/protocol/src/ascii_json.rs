use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// JSON in pure ASCII, for answers: stock's senders decode them as ASCII and fail on anything else.
///
/// # Errors
/// What `value`'s own `Serialize` refuses.
pub fn to_ascii_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, AsciiFormatter))?;
    Ok(json)
}

struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for run in fragment.split_inclusive(|c: char| !c.is_ascii()) {
            let last = run.chars().next_back().filter(|c| !c.is_ascii());
            let plain = run.len() - last.map_or(0, char::len_utf8);
            writer.write_all(&run.as_bytes()[..plain])?;
            for unit in last.into_iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_beyond_ascii_is_escaped_and_reads_back() {
        for text in ["", "plain", "ünï", "é", "a\u{1f600}b", "\"\\\n\u{1}é\u{7f}"] {
            let json = to_ascii_json(&text).unwrap();
            assert!(json.is_ascii(), "{text}");
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
        assert_eq!(to_ascii_json(&"é\u{1f600}").unwrap(), br#""\u00e9\ud83d\ude00""#);
    }
}
