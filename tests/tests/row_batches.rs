//! Rows between our own go in larger batches than towards stock, as many as fit into the peer's messages, and what
//! follows from them is stored at once.

use std::{fs, path::Path};

use anyhow::Result;
use db_broker::{Broker, Source};
use martlet_testkit::{Daemon, Scene, ServerType, Shape, Tuning, calls, node_of, object_row};
use protocol::{ObjectRow, Rows};

const KIND: ServerType = ServerType::Container;
const CASE: &str = "merged";
/// What all replicas have, and what only the sender has: more than half, so that no file is sent.
const COMMON: std::ops::Range<usize> = 0..600;
const NEW: std::ops::Range<usize> = 600..1000;
const PER_DIFF: u32 = 20;
/// Calls that stock would make for all rows, no point being known.
const CALLS_OF_STOCK: usize = 50;

fn object(number: usize) -> ObjectRow<'static> {
    object_row(format!("row-{number:04}"), "0000000009.00000")
}

/// One pass of a sender, after which both its peers have all its rows.
struct Brought {
    /// What it asks each of the peers for.
    asked: Vec<Vec<String>>,
    /// Transactions in which it stores what follows.
    commits: u32,
}

fn brought(everybody: &str) -> Result<Brought> {
    let tuning =
        Tuning { per_diff: PER_DIFF, max_diffs: 100, everybody: everybody.to_owned(), ..Tuning::default() };
    let mut scene = Scene::set(Shape { tuning, ..Shape::default() }, CASE, KIND)?;
    let primaries = scene.primaries(CASE)?;
    for device in &primaries {
        let mut broker = Broker::open(scene.database(CASE, device)?)?;
        broker.merge_items(Rows::Objects(COMMON.map(object).collect()), Source::Local)?;
        if *device == primaries[0] {
            broker.merge_items(Rows::Objects(NEW.map(object).collect()), Source::Local)?;
        }
    }
    scene.serve(KIND, Daemon::Martlet)?;
    let sender = scene.database(CASE, &primaries[0])?;
    let before = commits(sender.file())?;
    scene.cluster.pass(node_of(&primaries[0]), KIND, Daemon::Martlet)?;
    let commits = commits(sender.file())? - before;
    let rows = scene.rows(CASE)?;
    for peer in &primaries[1..] {
        assert!(
            NEW.map(object).all(|row| rows[peer].contains(&row.name.into_owned())),
            "{peer} has {}",
            rows[peer].len()
        );
    }
    let calls = calls(&scene.cluster.log_lines());
    let to_peers = calls.into_iter().filter(|((_, _, device), _)| *device != primaries[0]);
    Ok(Brought { asked: to_peers.map(|(_, calls)| calls).collect(), commits })
}

/// All that a database has ever seen, by SQLite's change counter.
fn commits(file: &Path) -> Result<u32> {
    let header = fs::read(file)?;
    Ok(u32::from_be_bytes(header[24..28].try_into()?))
}

fn count(calls: &[String], call: &str) -> usize {
    calls.iter().filter(|asked| *asked == call).count()
}

#[test]
fn fewer_calls_bring_all_rows_and_the_points() -> Result<()> {
    let Brought { asked, commits } = brought("")?;
    assert_eq!(commits, 1, "how far both peers are, and the reconciler");
    assert_eq!(asked.len(), 2, "{asked:?}");
    for calls in asked {
        assert!((2..CALLS_OF_STOCK).contains(&count(&calls, "merge_items 202")), "{calls:?}");
        assert_eq!(count(&calls, "merge_syncs 202"), 0, "{calls:?}");
    }
    Ok(())
}

#[test]
fn a_batch_that_is_too_large_for_the_peer_is_sent_in_parts() -> Result<()> {
    // Room for stock's batch, and for a few times that.
    for calls in brought("max_request_bytes = 12000\n")?.asked {
        assert!(count(&calls, "invalid 413") > 0, "{calls:?}");
        assert!((2..CALLS_OF_STOCK).contains(&count(&calls, "merge_items 202")), "{calls:?}");
    }
    Ok(())
}
