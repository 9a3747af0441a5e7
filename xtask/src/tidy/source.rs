//! Rules about the text of one Rust file, as rustfmt has left it.

use super::Finding;

/// More lines than this in a file are warned of.
const LONG_FILE: usize = 300;
/// More lines than this in a file are refused.
const TOO_LONG_FILE: usize = 400;
/// More lines than this in a function, from its name to its last brace, are refused.
const TOO_LONG_FUNCTION: usize = 70;
/// A file with this in its first line was written by a program.
const GENERATED: &str = "@generated";

/// What may not stay in the project. In pieces, as this file is checked too.
const MARKS: &[&str] = &[
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
];

/// Every rule that the file breaks. `name` is its path, for the findings.
pub(crate) fn check(name: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.first().is_some_and(|line| line.contains(GENERATED)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(file_length(name, lines.len()));
    for (index, line) in lines.iter().enumerate() {
        let place = format!("{name}:{}", index + 1);
        findings.extend(marks(&place, line));
        findings.extend(ignored_test(&place, line));
        findings.extend(silent_exception(&place, &lines[index..]));
        findings.extend(long_function(&place, &lines[index..]));
    }
    findings
}

fn file_length(name: &str, lines: usize) -> Option<Finding> {
    match lines {
        lines if lines <= LONG_FILE => None,
        lines if lines <= TOO_LONG_FILE => {
            Some(Finding::warning(name, format!("{lines} lines, more than {LONG_FILE}")))
        }
        _ => Some(Finding::error(name, format!("{lines} lines, more than {TOO_LONG_FILE}: divide it"))),
    }
}

fn marks<'a>(place: &'a str, line: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let found = MARKS.iter().filter(move |mark| has_word(line, mark));
    found.map(move |mark| {
        let word = mark.trim_end_matches('(');
        Finding::error(place, format!("`{word}`: finish it, or write it down where it will be found"))
    })
}

/// Whether `line` has `word` and no letter or digit goes on at either end.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !goes_on(before) && (word.ends_with('(') || !goes_on(after))
    })
}

fn ignored_test(place: &str, line: &str) -> Option<Finding> {
    let ignored = line.trim_start().starts_with("#[ignore");
    ignored.then(|| Finding::error(place, "a test that is never run proves nothing: mend it or remove it"))
}

/// `#[allow(…)]` and `#[expect(…)]` say why.
fn silent_exception(place: &str, from: &[&str]) -> Option<Finding> {
    let first = from.first()?.trim_start();
    let opens =
        ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|open| first.starts_with(open));
    if !opens {
        return None;
    }
    let end = from.iter().position(|line| line.trim_end().ends_with(")]")).unwrap_or(0);
    let reasoned = from[..=end].iter().any(|line| line.contains("reason = "));
    (!reasoned).then(|| Finding::error(place, "an exception from a lint needs a `reason = \"…\"`"))
}

/// rustfmt puts the last brace of a function into the column in which the function begins.
fn long_function(place: &str, from: &[&str]) -> Option<Finding> {
    let first = from.first()?;
    let indent = &first[..first.len() - first.trim_start().len()];
    let name = function_name(first.trim_start())?;
    let head_end = from.iter().find(|line| line.ends_with(['{', ';', '}']))?;
    if !head_end.ends_with('{') {
        return None;
    }
    let lines = from.iter().position(|line| line.strip_prefix(indent) == Some("}"))? + 1;
    let text = format!("fn {name} has {lines} lines, more than {TOO_LONG_FUNCTION}: divide it");
    (lines > TOO_LONG_FUNCTION).then(|| Finding::error(place, text))
}

/// The name, if the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line;
    if let Some(after) = rest.strip_prefix("pub(") {
        rest = after.split_once(") ")?.1;
    }
    while let Some(after) = ["pub ", "const ", "async ", "unsafe ", "extern \"C\" "]
        .iter()
        .find_map(|word| rest.strip_prefix(word))
    {
        rest = after;
    }
    let rest = rest.strip_prefix("fn ")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Severity;

    fn texts(text: &str) -> Vec<String> {
        check("a.rs", text)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.place, finding.text))
            .collect()
    }

    fn function(indent: &str, head: &str, lines: usize) -> String {
        let body = format!("{indent}    x();\n").repeat(lines - 2);
        format!("{indent}{head} {{\n{body}{indent}}}\n")
    }

    #[test]
    fn long_files_are_warned_of_then_refused() {
        let severity =
            |lines: usize| check("a.rs", &"\n".repeat(lines)).pop().map(|finding| finding.severity);
        assert_eq!(severity(300), None);
        assert_eq!(severity(301), Some(Severity::Warning));
        assert_eq!(severity(400), Some(Severity::Warning));
        assert_eq!(severity(401), Some(Severity::Error));
        assert!(check("a.rs", &format!("// {GENERATED}\n{}", "\n".repeat(500))).is_empty());
    }

    #[test]
    fn long_functions_are_refused_wherever_they_stand() {
        assert!(texts(&function("", "fn f()", 70)).is_empty());
        for head in ["fn f()", "pub(crate) async fn f<T>(t: T) -> u8", "pub const unsafe fn f()"] {
            for indent in ["", "    "] {
                let found = texts(&function(indent, head, 71));
                assert_eq!(found, ["a.rs:1: fn f has 71 lines, more than 70: divide it"], "{head}");
            }
        }
    }

    #[test]
    fn a_function_without_a_body_ends_at_its_semicolon() {
        let text = format!("    fn f();\n{}}}\n", "    x;\n".repeat(100));
        assert!(texts(&text).is_empty());
        let text = format!(
            "trait T {{\n    fn f(\n        a: u8,\n    );\n\n{}}}\n",
            function("    ", "fn g()", 69)
        );
        assert!(texts(&text).is_empty());
    }

    #[test]
    fn marks_of_unfinished_work_are_refused() {
        for mark in MARKS {
            assert_eq!(texts(&format!("x(); // {mark}: later\n")).len(), 1, "{mark}");
            assert!(texts(&format!("let a{mark}b = 1;\n")).is_empty() || mark.ends_with('('), "{mark}");
        }
    }

    #[test]
    fn ignored_tests_are_refused() {
        assert_eq!(texts("    #[ignore]\n").len(), 1);
        assert_eq!(texts("    #[ignore = \"slow\"]\n").len(), 1);
    }

    #[test]
    fn exceptions_without_a_reason_are_refused() {
        for word in ["allow", "expect"] {
            assert_eq!(texts(&format!("#[{word}(dead_code)]\n")).len(), 1);
            assert_eq!(texts(&format!("#![{word}(dead_code)]\n")).len(), 1);
            assert_eq!(texts(&format!("#[{word}(\n    a,\n    b\n)]\nreason = \n")).len(), 1);
            assert!(texts(&format!("#[{word}(dead_code, reason = \"so\")]\n")).is_empty());
            assert!(texts(&format!("#[{word}(\n    a,\n    reason = \"so\"\n)]\n")).is_empty());
        }
    }
}
