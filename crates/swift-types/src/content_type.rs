//! The `swift_bytes` parameter that hides the size of a large object in a row's content type.

use std::{fmt::Write as _, sync::LazyLock};

use regex::Regex;

/// One `;key[=value]` parameter as RFC 2616 spells tokens; a quoted value may hold anything.
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    let token = r#"[^()<>@,;:"/\[\]?={}\x00-\x20\x7f]+"#;
    let pattern = format!(r#"\s*;\s*({token})\s*(?:=\s*({token}|"(?:[^"\\]|\\.)*"))?"#);
    Regex::new(&pattern).expect("a constant pattern compiles")
});

/// Splits a content type into itself without `swift_bytes`, and the value of `swift_bytes`.
///
/// The other parameters are written back as stock writes them: no blanks, `;key=value` even where the value
/// is empty. Answers to stock's `extract_swift_bytes` over `parse_content_type`.
pub fn extract_swift_bytes(content_type: &str) -> (String, Option<String>) {
    let Some(parameters_at) = content_type.find(';') else {
        return (content_type.to_owned(), None);
    };
    let (bare, parameters) = content_type.split_at(parameters_at);
    let mut rest = bare.to_owned();
    let mut swift_bytes = None;
    for found in PARAMETER.captures_iter(parameters) {
        let text = |group| found.get(group).map_or("", |part: regex::Match<'_>| part.as_str()).trim();
        if text(1) == "swift_bytes" {
            swift_bytes = Some(text(2).to_owned());
        } else {
            let _ = write!(rest, ";{}={}", text(1), text(2));
        }
    }
    (rest, swift_bytes)
}

/// Puts a `swift_bytes` value back behind a content type; an empty or missing value adds nothing.
pub fn append_swift_bytes(content_type: &mut String, swift_bytes: Option<&str>) {
    if let Some(value) = swift_bytes.filter(|value| !value.is_empty()) {
        content_type.push_str(";swift_bytes=");
        content_type.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_stock() {
        // Expected values printed by stock 2.38.3's extract_swift_bytes.
        let cases = [
            ("text/plain", "text/plain", None),
            ("text/plain;swift_bytes=12", "text/plain", Some("12")),
            ("text/plain; charset=UTF-8; swift_bytes=12", "text/plain;charset=UTF-8", Some("12")),
            ("a/b;x;swift_bytes=1;swift_bytes=2", "a/b;x=", Some("2")),
            (r#"a/b; x="a;b"; swift_bytes=3"#, r#"a/b;x="a;b""#, Some("3")),
            ("a/b;x=a/b;swift_bytes=4", "a/b;x=a", Some("4")),
            (";swift_bytes=5", "", Some("5")),
            ("a/b;swift_bytes", "a/b", Some("")),
        ];
        for (input, rest, swift_bytes) in cases {
            let (left, right) = extract_swift_bytes(input);
            assert_eq!((left.as_str(), right.as_deref()), (rest, swift_bytes), "{input}");
        }
    }

    #[test]
    fn an_empty_value_is_not_put_back() {
        let mut content_type = String::from("a/b");
        append_swift_bytes(&mut content_type, Some(""));
        append_swift_bytes(&mut content_type, None);
        assert_eq!(content_type, "a/b");
        append_swift_bytes(&mut content_type, Some("7"));
        assert_eq!(content_type, "a/b;swift_bytes=7");
    }
}
