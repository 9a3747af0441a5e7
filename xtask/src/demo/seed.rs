//! Writes the planned databases to the disks, as they would be after a bad week.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use db_broker::{Broker, DbLocation, MetadataCheck, NewDb, Source};
use swift_types::{DbName, Timestamp};

use super::{
    cluster::Cluster,
    expected::rows,
    plan::{Database, Replica},
};
use crate::{
    interrupt::Interrupt,
    screen::{Screen, thousands},
};

/// Writing waits for the disk more than for the processor.
const WRITERS: usize = 4;

/// Writes every replica of every database.
pub(crate) fn write(
    cluster: &Cluster,
    databases: &[Database],
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<()> {
    let replicas: Vec<_> = databases
        .iter()
        .flat_map(|database| database.replicas.iter().map(move |replica| (database, replica)))
        .collect();
    let next = AtomicUsize::new(0);
    let write_some = || -> Result<()> {
        loop {
            interrupt.check()?;
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((database, replica)) = replicas.get(number) else { return Ok(()) };
            write_replica(cluster, database, replica).with_context(|| database.title())?;
            if number.is_multiple_of(20) {
                let all = thousands(replicas.len());
                screen.progress(&format!("   writing replica {} of {all}", thousands(number)));
            }
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write_some)).collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| anyhow!("a writer of the demo panicked"))?)
    })
}

fn write_replica(cluster: &Cluster, database: &Database, replica: &Replica) -> Result<()> {
    let server_type = database.server_type;
    let device_dir = cluster.device_dir(replica.device);
    let name = DbName::unsharded(database.digest);
    let location = DbLocation::new(server_type, &device_dir, replica.partition, &name);
    let contents = &replica.contents;
    let new = NewDb {
        account: &database.account,
        container: database.container.as_deref(),
        put_timestamp: contents.times.put,
        created_at: contents.times.created,
        storage_policy_index: 0,
    };
    let mut broker = Broker::create(location, new)?;
    broker.merge_items(rows(server_type, &contents.writes), Source::Local)?;
    broker.update_metadata(contents.metadata.clone(), MetadataCheck::FromPeer)?;
    let times = contents.times;
    if times.delete > Timestamp::ZERO {
        let [created, put, delete] = [times.created, times.put, times.delete].map(Timestamp::internal);
        broker.merge_timestamps(&created, &put, &delete, times.delete)?;
    }
    if !contents.pending.is_empty() {
        broker.put(&rows(server_type, &contents.pending))?;
    }
    Ok(())
}
