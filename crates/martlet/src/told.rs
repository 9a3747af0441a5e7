//! An answer, as tables for people or as one JSON document.

use std::{
    fmt::Display,
    io::{self, Write},
};

use clap::Args;
use serde::Serialize;

/// What is asked for is as it should be.
pub(crate) const AGREE: u8 = 0;
/// It is not.
pub(crate) const DISAGREE: u8 = 1;
/// The question could not be asked.
pub(crate) const UNUSABLE: u8 = 2;

/// The words for the form of an answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FormArgs {
    /// One JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// A whole answer. Its fields are the JSON document.
pub(crate) trait Told: Serialize {
    /// Decides the exit code.
    fn is_as_it_should_be(&self) -> bool;

    /// In lines, for people.
    fn text(&self) -> String;
}

/// Writes an answer, or why there is none; returns the exit code.
pub(crate) fn tell(
    answer: Result<impl Told, impl Display>,
    form: FormArgs,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<u8> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return writeln!(errors, "martlet: {error}").map(|()| UNUSABLE),
    };
    if form.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
    } else {
        out.write_all(answer.text().as_bytes())?;
    }
    Ok(if answer.is_as_it_should_be() { AGREE } else { DISAGREE })
}
