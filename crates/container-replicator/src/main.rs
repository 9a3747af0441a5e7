//! The container replicator daemon: settings to replicator, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    replicator::main_for(swift_types::ServerType::Container)
}
