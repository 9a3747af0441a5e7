//! A whole database file that a peer has put into `DEVICE/tmp`: checked, then put in place.

use std::{fs, io::ErrorKind, path::PathBuf};

use protocol::{Horizon, OwnRangeWithoutEpoch};
use swift_types::{HashPath, ServerType, TmpName};

use crate::{
    Broker, DbLocation,
    broker::{PENDING_LOCK_TIMEOUT, Place},
    connection::remove_orphan_journal,
    dir_lock::DirLock,
    durable,
    error::{BrokerError, Result},
    merge::Source,
    replaced,
    stat_metadata::MetadataCheck,
    sync_points::Direction,
};

/// Rows of the existing database fed into the received one at a time. Stock: 1000.
const PAGE: i64 = 1000;

/// A file in `DEVICE/tmp` named by the id of the database it was copied from.
#[derive(Debug)]
pub struct ReceivedDb {
    destination: DbLocation,
    sender_id: TmpName,
    path: PathBuf,
    horizon: Horizon,
}

/// What became of a received file.
#[derive(Debug, PartialEq, Eq)]
pub enum Installed {
    /// It is the live database now.
    Installed {
        /// A sender's own shard range without epoch that was not taken over, for the log.
        ignored: Option<OwnRangeWithoutEpoch>,
    },
    /// The place was taken (complete), or empty, sharding or merged into by now (merge): nothing was done.
    NotCalledFor,
}

impl ReceivedDb {
    /// Names the file; looks only whether it is there.
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if it is not.
    pub fn find(destination: DbLocation, sender_id: TmpName) -> Result<Self> {
        let path = destination.tmp_dir().join(sender_id.as_str());
        // No link is followed out of the device.
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(BrokerError::Missing { path });
        }
        Ok(Self { destination, sender_id, path, horizon: Horizon::UNBOUNDED })
    }

    /// Refuses a file whose stat row or metadata is of a later moment, with [`BrokerError::BeyondHorizon`].
    #[must_use]
    pub fn within(self, horizon: Horizon) -> Self {
        Self { horizon, ..self }
    }

    /// Puts the file where no database is: checked, with a new id, synced, renamed if nothing is there still.
    ///
    /// The file is taken out of the peers' reach first, under a name of its own in `tmp`: another one that
    /// comes under the sender's name meanwhile is another transfer. In an empty directory no lock is taken, and
    /// no `.lock` comes of it, as with stock. Where something lies the directory's lock is held, as somebody may
    /// be removing the place's last database with all beside it.
    ///
    /// After a crash the file is in `tmp`, or in place and whole. Stock: `complete_rsync`.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] or [`BrokerError::BeyondHorizon`] if a check failed; else as any write. The file is
    /// removed.
    pub fn complete(mut self, hash_path: &HashPath) -> Result<Installed> {
        self.take_out_of_reach()?;
        let done = self.put_in_place(hash_path);
        self.forget_unless_installed(done)
    }

    /// Whoever sends the same again, or a second sender by the same name, writes to a name that is free.
    fn take_out_of_reach(&mut self) -> Result<()> {
        let own = self.destination.tmp_dir().join(format!("received-{}", uuid::Uuid::new_v4().simple()));
        durable::claim_file(&self.path, &own).map_err(BrokerError::io(&self.path))?;
        self.path = own;
        Ok(())
    }

    fn put_in_place(&self, hash_path: &HashPath) -> Result<Installed> {
        let place = self.destination.file().to_owned();
        if place.try_exists().map_err(BrokerError::io(&place))? {
            return Ok(Installed::NotCalledFor);
        }
        let mut received = self.open_checked(hash_path)?;
        received.take_new_id(self.sender_id.as_str())?;
        drop(received);
        durable::create_dirs(self.destination.dir()).map_err(BrokerError::io(self.destination.dir()))?;
        // First, as what else is made in an empty directory takes its lock, and none of it may come during the flush.
        durable::sync_file(&self.path).map_err(BrokerError::io(&self.path))?;
        let _lock = self.lock_unless_empty()?;
        match durable::rename_synced_new_file(&self.path, &place) {
            Ok(()) => Ok(Installed::Installed { ignored: None }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Installed::NotCalledFor),
            Err(error) => Err(BrokerError::io(place)(error)),
        }
    }

    /// The lock of a directory that has been in use; the journal of a database that is no more is gone then.
    fn lock_unless_empty(&self) -> Result<Option<DirLock>> {
        let (dir, place) = (self.destination.dir(), self.destination.file());
        if fs::read_dir(dir).map_err(BrokerError::io(dir))?.next().is_none() {
            return Ok(None);
        }
        let lock = DirLock::acquire(dir, crate::LOCK_TIMEOUT)?;
        if !place.try_exists().map_err(BrokerError::io(place))? {
            remove_orphan_journal(place)?;
        }
        Ok(Some(lock))
    }

    /// Feeds the existing database's rows, points, metadata and shard ranges into the file, then puts it in
    /// the existing one's place.
    ///
    /// The last rows are fed, and the rename done, with the directory lock and SQLite's write lock held, so
    /// that no row written meanwhile is lost. The replaced file stays locked for a while: whoever still holds it
    /// can read it, but neither write it nor take the new file's journal for its own. After a crash the old
    /// database or the merged one is in place, whole.
    ///
    /// The incoming point for the sender becomes the last row of its own that the file holds. Stock takes the
    /// last row of the merged file, and never asks for what the sender gets between the two.
    /// Answers to stock's `rsync_then_merge`.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] or [`BrokerError::BeyondHorizon`] if a check failed; else as any write. The existing
    /// database is untouched, and the file is removed.
    pub fn merge_into_place(mut self, hash_path: &HashPath) -> Result<Installed> {
        self.take_out_of_reach()?;
        let done = self.replace_existing(hash_path);
        self.forget_unless_installed(done)
    }

    fn replace_existing(&self, hash_path: &HashPath) -> Result<Installed> {
        let Some(mut existing) = self.open_existing()? else {
            return Ok(Installed::NotCalledFor);
        };
        let mut received = self.open_checked(hash_path)?;
        let senders_last_row = received.last_row()?;
        let point = feed(&mut existing, &mut received, -1)?;
        // All but the last rows are on the disk before anybody has to wait for the locks.
        durable::sync_file(&self.path).map_err(BrokerError::io(&self.path))?;
        let lock = existing.lock_dir(PENDING_LOCK_TIMEOUT)?;
        if !existing.is_in_place() {
            // Another merge was faster, with rows that this one has not seen.
            return Ok(Installed::NotCalledFor);
        }
        existing.commit_pending_locked(&lock)?;
        existing.run(|connection, _| Ok(connection.execute_batch("BEGIN IMMEDIATE")?))?;
        feed(&mut existing, &mut received, point)?;
        let ignored = inherit(&mut existing, &mut received)?;
        received.take_new_id_after(self.sender_id.as_str(), senders_last_row)?;
        drop(received);
        let sharding = existing.server_type() == ServerType::Container && existing.sharding_initiated()?;
        if sharding || !existing.is_in_place() || !existing.is_in_force()? {
            return Ok(Installed::NotCalledFor);
        }
        let place = existing.location().file();
        durable::rename_file(&self.path, place).map_err(BrokerError::io(place))?;
        replaced::keep_locked(existing);
        Ok(Installed::Installed { ignored })
    }

    /// A file that nobody will ask for again does not stay in `tmp` until it is old: two peers that find the
    /// same database missing both send it, and after an error the sender sends it anew. Stock leaves it.
    fn forget_unless_installed(&self, done: Result<Installed>) -> Result<Installed> {
        if !matches!(done, Ok(Installed::Installed { .. })) {
            let _ = fs::remove_file(&self.path);
        }
        done
    }

    /// The database that the file is to replace; none if there is none, or if its sharding has begun.
    fn open_existing(&self) -> Result<Option<Broker>> {
        let Some(location) = self.destination.db_files()?.pop() else {
            return Ok(None);
        };
        let mut existing = Broker::open(location)?;
        let sharding = existing.server_type() == ServerType::Container && existing.sharding_initiated()?;
        Ok((!sharding).then_some(existing))
    }

    /// Opens the file after SQLite has checked it, if it is the database that belongs in the destination.
    fn open_checked(&self, hash_path: &HashPath) -> Result<Broker> {
        let refused = |reason: String| BrokerError::Refused { path: self.path.clone(), reason };
        let mut received = Broker::open_at(self.destination.clone(), Place::Received(self.path.clone()))?;
        let verdict: String = received
            .run(|connection, _| Ok(connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
        if verdict != "ok" {
            return Err(refused(format!("quick_check says: {verdict}")));
        }
        let (account, container) = received.stored_names()?;
        if hash_path.of(&account, container.as_deref()) != self.destination.digest() {
            let name = container.map_or(account.clone(), |container| format!("{account}/{container}"));
            return Err(refused(format!("it is {name:?}, which does not belong here")));
        }
        let info = received.replication_info()?;
        let beyond = |source| BrokerError::BeyondHorizon { path: self.path.clone(), source };
        self.horizon.check_info(&info).map_err(beyond)?;
        Ok(received)
    }
}

/// Merges the rows above `since` page by page; returns the last row id seen.
fn feed(existing: &mut Broker, received: &mut Broker, since: i64) -> Result<i64> {
    let mut point = since;
    loop {
        let rows = existing.stored_rows_since(point, PAGE)?;
        let Some(last) = rows.last_rowid() else { return Ok(point) };
        received.merge_items(rows, Source::Local)?;
        point = last;
    }
}

/// Takes over what belongs to the receiver rather than to the copied sender.
fn inherit(existing: &mut Broker, received: &mut Broker) -> Result<Option<OwnRangeWithoutEpoch>> {
    received.merge_sync_points(Direction::Incoming, &existing.sync_points(Direction::Incoming)?)?;
    let ignored = match existing.server_type() {
        ServerType::Account => None,
        ServerType::Container => {
            let ranges = existing.shard_ranges()?;
            received.merge_peer_shard_ranges(ranges)?
        }
    };
    received.update_metadata(existing.metadata()?, MetadataCheck::FromPeer)?;
    Ok(ignored)
}
