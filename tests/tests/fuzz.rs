//! Damaged bytes from outside, a fixed number of each kind: `cargo xtask fuzz` runs more of them.

use std::path::Path;

use anyhow::Result;
use martlet_testkit::{FuzzTarget, Mutants, Trial, limit_memory};

/// The same mutants in every run.
const SEED: u64 = 1;

/// What is kept, as it is, and then so many mutants.
fn hold(target: FuzzTarget, mutants: u64) -> Result<()> {
    limit_memory()?;
    let trial = Trial::in_folder(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz"))?;
    for (path, input) in target.fixed_inputs()? {
        trial.run(target, &path.file_name().unwrap_or_default().to_string_lossy(), &input)?;
    }
    let made = Mutants::new(target, SEED)?;
    (0..mutants).try_for_each(|number| {
        trial.run(target, &format!("seed {SEED}, mutant {number}"), &made.mutant(number))
    })
}

#[test]
fn ring() -> Result<()> {
    hold(FuzzTarget::Ring, 3000)
}

#[test]
fn ring_content() -> Result<()> {
    hold(FuzzTarget::RingContent, 3000)
}

#[test]
fn server_conf() -> Result<()> {
    hold(FuzzTarget::ServerConf, 600)
}

#[test]
fn swift_conf() -> Result<()> {
    hold(FuzzTarget::SwiftConf, 1500)
}

#[test]
fn pending() -> Result<()> {
    hold(FuzzTarget::Pending, 300)
}

#[test]
fn pending_entry() -> Result<()> {
    hold(FuzzTarget::PendingEntry, 300)
}

#[test]
fn message() -> Result<()> {
    hold(FuzzTarget::Message, 4000)
}

#[test]
fn merging() -> Result<()> {
    hold(FuzzTarget::Merging, 500)
}

#[test]
fn signature() -> Result<()> {
    hold(FuzzTarget::Signature, 4000)
}

#[test]
fn reply() -> Result<()> {
    hold(FuzzTarget::Reply, 4000)
}

#[test]
fn database() -> Result<()> {
    hold(FuzzTarget::Database, 250)
}

#[test]
fn first_request() -> Result<()> {
    hold(FuzzTarget::FirstRequest, 1000)
}

#[test]
fn path() -> Result<()> {
    hold(FuzzTarget::Path, 1000)
}

#[test]
fn headers() -> Result<()> {
    hold(FuzzTarget::Headers, 1500)
}

#[test]
fn answer() -> Result<()> {
    hold(FuzzTarget::Answer, 250)
}
