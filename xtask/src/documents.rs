//! What the documents tell their readers to type.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// What a page has its readers type in its blocks, line by line.
pub(crate) fn typed(page: &str) -> Result<Vec<String>> {
    let text = read(page)?;
    let lines = fenced(&text).0.into_iter().filter(|line| !line.trim().is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// The whole commands that a page speaks of in its prose, each once, in their order.
pub(crate) fn spoken_of(page: &str) -> Result<Vec<String>> {
    let text = read(page)?;
    let (_, prose) = fenced(&text);
    let mut commands = Vec::new();
    for span in prose.split('`').skip(1).step_by(2).filter(|span| is_whole_command(span)) {
        let command = span.split_whitespace().collect::<Vec<_>>().join(" ");
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    Ok(commands)
}

/// In the midst of prose, a command of ours with something to it.
pub(crate) fn is_whole_command(span: &str) -> bool {
    let ours = [
        "martlet ",
        "martlet-switch ",
        "container-replicator ",
        "account-replicator ",
        "cargo xtask ",
        "cargo test ",
    ];
    ours.iter().any(|start| span.starts_with(start))
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

/// A page by its path in the repository.
pub(crate) fn read(page: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}
