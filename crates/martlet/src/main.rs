//! The operator's command; everything is in the library beside it.

use std::{
    io::{stderr, stdout},
    process::ExitCode,
};

fn main() -> ExitCode {
    ExitCode::from(martlet::run(std::env::args_os(), &mut stdout().lock(), &mut stderr().lock()))
}
