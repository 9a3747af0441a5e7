//! A whole database file that a peer has put into `DEVICE/tmp`: checked, then put in place.

use std::{fs, io::ErrorKind, path::Path};

use failpoint::{Step, around};
use protocol::{Horizon, OwnRangeWithoutEpoch, SyncPoint};
use swift_types::{HashPath, ServerType, TmpName};

use crate::{
    Broker, DbLocation,
    broker::{PENDING_LOCK_TIMEOUT, Place},
    connection::remove_orphan_journal,
    dir_lock::DirLock,
    durable,
    error::{BrokerError, Result},
    merge::Source,
    part_file::{OwnFile, PartFile},
    replaced,
    stat_metadata::MetadataCheck,
    sync_points::Direction,
};

/// Rows of the existing database fed into the received one at a time. Stock: 1000.
const PAGE: i64 = 1000;
/// From which size on, in bytes, a merged file's rows are not sent back to its sender. A smaller one's are, call by call as
/// between stock's.
const LARGE: u64 = 4 << 20;

/// A whole file in `DEVICE/tmp` that was copied from another replica, out of the peers' reach; removed when dropped.
///
/// So a file that nobody will ask for again does not stay in `tmp` until it is old: two peers that find the same database
/// missing both send it, and after an error the sender sends it anew. Stock leaves it.
#[derive(Debug)]
pub struct ReceivedDb {
    destination: DbLocation,
    sender_id: TmpName,
    file: OwnFile,
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
    /// The file that a peer has put there under the id of its database.
    ///
    /// It gets a name of its own: another one that comes under the sender's name meanwhile, of the same sender or of a
    /// second one by that name, is another transfer. After a crash it is there under one of the two.
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if it is not there, or is no file: a link is removed and not followed. [`BrokerError::Link`] if
    /// `tmp` is one.
    pub fn find(destination: DbLocation, sender_id: TmpName) -> Result<Self> {
        destination.refuse_linked_tmp()?;
        let tmp_dir = destination.tmp_dir();
        let path = tmp_dir.join(sender_id.as_str());
        let file = OwnFile::named(&tmp_dir, "received");
        match around(Step::ClaimFile, destination.file(), || durable::claim_file(&path, file.path())) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(BrokerError::Missing { path }),
            claimed => claimed.map_err(BrokerError::io(&path))?,
        }
        // No link is followed out of the device; looked at under the new name, at which nobody can put another one.
        if !file.path().symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(BrokerError::Missing { path });
        }
        Ok(Self { destination, sender_id, file, horizon: Horizon::UNBOUNDED })
    }

    /// A file that came with the message that is about it.
    pub fn of(destination: DbLocation, sender_id: TmpName, part: PartFile) -> Self {
        Self { destination, sender_id, file: part.own, horizon: Horizon::UNBOUNDED }
    }

    /// Refuses a file whose stat row or metadata is of a later moment, with [`BrokerError::BeyondHorizon`].
    #[must_use]
    pub fn within(self, horizon: Horizon) -> Self {
        Self { horizon, ..self }
    }

    /// Puts the file where no database is: checked, with a new id, synced, renamed if nothing is there still.
    ///
    /// In an empty directory no lock is taken, and no `.lock` comes of it, as with stock. Where something lies the
    /// directory's lock is held, as somebody may be removing the place's last database with all beside it.
    ///
    /// After a crash the file is in `tmp`, or in place and whole. Stock: `complete_rsync`.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] or [`BrokerError::BeyondHorizon`] if a check failed; else as any write.
    pub fn complete(self, hash_path: &HashPath) -> Result<Installed> {
        let place = self.destination.file().to_owned();
        if place.try_exists().map_err(BrokerError::io(&place))? {
            return Ok(Installed::NotCalledFor);
        }
        let mut received =
            around(Step::VerifyFile, self.destination.file(), || self.open_checked(hash_path))?;
        let last_row = received.last_row()?;
        self.take_new_id(&mut received, last_row)?;
        drop(received);
        durable::create_dirs(self.destination.dir()).map_err(BrokerError::io(self.destination.dir()))?;
        // First, as what else is made in an empty directory takes its lock, and none of it may come during the flush.
        durable::sync_file(self.path(), self.destination.file()).map_err(BrokerError::io(self.path()))?;
        let _lock = self.lock_unless_empty()?;
        match durable::rename_synced_new_file(self.path(), &place) {
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
    /// Of a large file it becomes the outgoing point too, as all rows up to it are the sender's own: under the new id stock
    /// sends it every row once it lacks one, as ours does of a small file. Answers to stock's `rsync_then_merge`.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] or [`BrokerError::BeyondHorizon`] if a check failed; else as any write. The existing
    /// database is untouched.
    pub fn merge_into_place(self, hash_path: &HashPath) -> Result<Installed> {
        let Some(mut existing) = self.open_existing()? else {
            return Ok(Installed::NotCalledFor);
        };
        let mut received =
            around(Step::VerifyFile, self.destination.file(), || self.open_checked(hash_path))?;
        let senders_last_row = received.last_row()?;
        let point = feed(&mut existing, &mut received, -1)?;
        // All but the last rows are on the disk before anybody has to wait for the locks.
        durable::sync_file(self.path(), self.destination.file()).map_err(BrokerError::io(self.path()))?;
        let lock = existing.lock_dir(PENDING_LOCK_TIMEOUT)?;
        if !existing.is_in_place() {
            // Another merge was faster, with rows that this one has not seen.
            return Ok(Installed::NotCalledFor);
        }
        existing.commit_pending_locked(&lock)?;
        existing.run(|connection, _| Ok(connection.execute_batch("BEGIN IMMEDIATE")?))?;
        feed(&mut existing, &mut received, point)?;
        let ignored = inherit(&mut existing, &mut received)?;
        self.take_new_id(&mut received, senders_last_row)?;
        drop(received);
        let sharding = existing.sharding_initiated()?;
        if sharding || !existing.is_in_place() || !existing.is_in_force()? {
            return Ok(Installed::NotCalledFor);
        }
        let place = existing.location().file();
        durable::rename_file(self.path(), place).map_err(BrokerError::io(place))?;
        replaced::keep_locked(existing);
        Ok(Installed::Installed { ignored })
    }

    /// It has the sender's rows up to `senders_last_row`, and of a large one the sender is known to have those, too.
    fn take_new_id(&self, received: &mut Broker, senders_last_row: i64) -> Result<()> {
        let sender = self.sender_id.as_str();
        received.take_new_id_after(sender, senders_last_row)?;
        if received.bytes_of_pages()? >= LARGE {
            let held_there = SyncPoint { remote_id: sender.to_owned(), sync_point: senders_last_row };
            received.merge_sync_points(Direction::Outgoing, &[held_there])?;
        }
        Ok(())
    }

    /// The database that the file is to replace; none if there is none, or if its sharding has begun.
    fn open_existing(&self) -> Result<Option<Broker>> {
        let Some(location) = self.destination.db_files()?.pop() else {
            return Ok(None);
        };
        let mut existing = Broker::open(location)?;
        let sharding = existing.sharding_initiated()?;
        Ok((!sharding).then_some(existing))
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    /// Opens the file after SQLite has checked it, if it is the database that belongs in the destination.
    fn open_checked(&self, hash_path: &HashPath) -> Result<Broker> {
        let refused = |reason: String| BrokerError::Refused { path: self.path().to_owned(), reason };
        let mut received =
            Broker::open_at(self.destination.clone(), Place::Received(self.path().to_owned()), |_| Ok(()))?;
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
        let beyond = |source| BrokerError::BeyondHorizon { path: self.path().to_owned(), source };
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
        let lacking = received.without_held(rows)?;
        received.merge_items(lacking, Source::Local)?;
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
