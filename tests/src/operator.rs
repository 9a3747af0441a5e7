use anyhow::Result;

/// What the operator's command says to these words: the exit code, and both outputs.
///
/// # Errors
/// When an output is no text.
pub fn said(words: &[&str]) -> Result<(u8, String, String)> {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = martlet::run(["martlet"].iter().chain(words), &mut out, &mut errors);
    Ok((code, String::from_utf8(out)?, String::from_utf8(errors)?))
}
