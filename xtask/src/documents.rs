//! What the documents tell their readers to type.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// What a page has its readers type in its blocks, line by line.
pub(crate) fn typed(page: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lines = fenced(&text).0.into_iter().filter(|line| !line.trim().is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// What is typed in fenced blocks, the lines of `sh` and those of any other behind a prompt, and what there is outside of blocks.
pub(crate) fn fenced(text: &str) -> (Vec<&str>, String) {
    let (mut lines, mut rest, mut block) = (Vec::new(), String::new(), None);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language),
            (None, Some("sh")) => lines.push(line),
            (None, Some(_)) => lines.extend(line.trim_start().strip_prefix("$ ")),
            (None, None) => rest.extend([line, "\n"]),
        }
    }
    (lines, rest)
}
