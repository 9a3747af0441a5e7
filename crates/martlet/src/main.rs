//! The operator's command; everything is in the library beside it.

use std::{
    io::{stderr, stdout},
    process::ExitCode,
};

fn main() -> ExitCode {
    // Standard error is not locked: bars are drawn on it by a thread of their own.
    ExitCode::from(martlet::run(std::env::args_os(), &mut stdout().lock(), &mut stderr()))
}
