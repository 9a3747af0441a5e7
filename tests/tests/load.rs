//! More connections than a server can serve, hostile all but one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_testkit::{Daemon, Load, Loaded};

/// Each opens thousands of connections in this process: one after the other, so that there are files enough and none is in the
/// other's way.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const CONNECTIONS: usize = 3000;
/// The conf's.
const MAX_CLIENTS: usize = 256;
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// After this long a server says again that it cannot take connections.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What memory may grow by, bytes: four of the largest bodies, but at least 1,040 KiB each; 64 KiB and a small body for each
/// connection and for a quarter more that close; SQLite's cache, 2 MB for each thread.
const MOST_MEMORY: usize =
    4 * (MAX_REQUEST_BYTES + (16 << 10)) + MAX_CLIENTS * 5 / 4 * (80 << 10) + 16 * 2 * 1_000_000;

fn put_through(server: Daemon, connections: usize, open_files: Option<u64>) -> Result<Loaded> {
    Ok(timed(server, connections, open_files)?.0)
}

/// And how long it took.
fn timed(server: Daemon, connections: usize, open_files: Option<u64>) -> Result<(Loaded, Duration)> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let everybody = format!("max_clients = {MAX_CLIENTS}\nmax_request_bytes = {MAX_REQUEST_BYTES}");
    let begun = Instant::now();
    let loaded = Load { server, connections, everybody, open_files }.run()?;
    println!("{}: {loaded}", server.name());
    Ok((loaded, begun.elapsed()))
}

fn count(loaded: &Loaded, words: &str) -> usize {
    loaded.log.iter().filter(|line| line.contains(words)).count()
}

#[test]
fn ours_serves_a_healthy_peer_within_its_memory() -> Result<()> {
    let loaded = put_through(Daemon::Martlet, CONNECTIONS, None)?;
    assert_eq!(loaded.right, loaded.asked, "{loaded}");
    assert!(loaded.memory - loaded.memory_before < MOST_MEMORY as u64, "{loaded}");
    let told = loaded.answered.values().sum::<usize>() + loaded.closed;
    // A quarter more may be hearing or sending the last of it.
    assert!(CONNECTIONS - told <= MAX_CLIENTS * 5 / 4, "{loaded}");
    assert!(loaded.answered.keys().all(|status| [200, 503].contains(status)), "{loaded}");
    Ok(())
}

#[test]
fn stock_serves_nobody_while_its_clients_say_nothing() -> Result<()> {
    let loaded = put_through(Daemon::Stock, 2 * MAX_CLIENTS, None)?;
    assert!(loaded.right < loaded.asked, "{loaded}");
    assert!(loaded.held > MAX_CLIENTS, "{loaded}");
    Ok(())
}

#[test]
fn ours_takes_half_as_many_connections_as_files_may_be_open() -> Result<()> {
    let loaded = put_through(Daemon::Martlet, 200, Some(64))?;
    assert!(
        count(&loaded, "32 connections are taken") == 1 && count(&loaded, "ERROR") == 0,
        "{:#?}",
        loaded.log
    );
    assert_eq!(loaded.right, loaded.asked, "{loaded}");
    Ok(())
}

/// Its own files take more than the other half, so that connections cannot be taken and databases not be opened. It comes to
/// itself when there are files again, which `run` sees to.
#[test]
fn ours_outlives_that_no_file_can_be_opened() -> Result<()> {
    let (loaded, took) = timed(Daemon::Martlet, 200, Some(24))?;
    let most = took.as_secs() / TELL_AGAIN.as_secs() + 1;
    let told = count(&loaded, "ERROR taking connections") as u64;
    assert!((1..=most).contains(&told), "not one for each try, within {took:?}: {:#?}", loaded.log);
    assert_eq!(count(&loaded, "Quarantine"), 0, "{:#?}", loaded.log);
    Ok(())
}
