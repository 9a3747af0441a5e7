//! What each operation does to a database. Runs on a blocking thread.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
};

use db_broker::{
    Broker, BrokerError, DbLocation, Direction, Installed, PartFile, ReceivedDb, Source, compare_with_reserve,
};
use protocol::{BeyondHorizon, Comparative, Horizon, Mark, OwnRangeWithoutEpoch, Replica, Request, SyncArgs};
use settings::FallocateReserve;
use swift_types::{DbName, DeviceName};
use tracing::{error, warn};
use warp::http::StatusCode;

use crate::{
    answer::Answer,
    server::{Refusal, ServerSettings},
    service::Host,
    sync::{Seen, sync},
    target::RpcTarget,
};

/// Answers one message. Stock: `ReplicatorRpc.dispatch` and the checks in the servers before it.
pub(crate) fn dispatch(host: &Host, target: &RpcTarget, request: Request) -> Answer {
    let device_dir = match usable_device(&host.settings, &target.device) {
        Ok(device_dir) => device_dir,
        Err(answer) => return answer,
    };
    let place = Place::new(host, target, device_dir);
    place.answer(request).unwrap_or_else(|error| refuse(target, &error))
}

/// Answers a message with which the file came that it is about, on a device that [can be used](usable_device).
pub(crate) fn dispatch_with_file(
    host: &Host,
    target: &RpcTarget,
    device_dir: PathBuf,
    request: Request,
    file: PartFile,
) -> Answer {
    let place = Place::new(host, target, device_dir);
    let answer = match request {
        Request::CompleteRsync { tmp, name } => {
            place.complete(name, |destination| Ok(ReceivedDb::of(destination, tmp, file)))
        }
        Request::RsyncThenMerge { tmp, name: _ } => {
            place.merge_received(|destination| Ok(ReceivedDb::of(destination, tmp, file)))
        }
        request => place.answer(request),
    };
    answer.unwrap_or_else(|error| refuse(target, &error))
}

/// The device's directory, if it is mounted and has room.
pub(crate) fn usable_device(settings: &ServerSettings, device: &DeviceName) -> Result<PathBuf, Answer> {
    let device_dir = mounted_device(settings, device)?;
    if !has_free_space(&device_dir, settings.fallocate_reserve, 0) {
        let reason = format!("{device} is below its fallocate_reserve\n");
        return Err(Answer::text(StatusCode::INSUFFICIENT_STORAGE, reason));
    }
    Ok(device_dir)
}

/// The device's directory, if it is mounted.
pub(crate) fn mounted_device(settings: &ServerSettings, device: &DeviceName) -> Result<PathBuf, Answer> {
    walker::check_drive(&settings.devices, device, settings.mount_check)
        .map_err(|_| Answer::text(StatusCode::INSUFFICIENT_STORAGE, format!("{device} is not mounted\n")))
}

/// Whether `needed` more bytes leave the reserve untouched. A file system that cannot be asked counts as full.
pub(crate) fn has_free_space(dir: &Path, reserve: FallocateReserve, needed: u64) -> bool {
    compare_with_reserve(dir, reserve, needed).is_ok_and(Ordering::is_ge)
}

/// Where a message is addressed to, on a device that can be used.
pub(crate) struct Place<'a> {
    host: &'a Host,
    target: &'a RpcTarget,
    device_dir: PathBuf,
    horizon: Horizon,
}

impl<'a> Place<'a> {
    pub(crate) fn new(host: &'a Host, target: &'a RpcTarget, device_dir: PathBuf) -> Self {
        Self { host, target, device_dir, horizon: host.settings.horizon() }
    }

    /// How this database compares with one of which `args` tell, and the sender's `mark` stands for; the error is what `sync`
    /// answers.
    pub(crate) fn compare(&self, args: &SyncArgs, mark: Option<Mark>) -> Result<Comparative, Answer> {
        if let Err(beyond) = self.horizon.check_sync(args) {
            return Err(too_far_ahead(self.target, "sync", &beyond));
        }
        let usual = self.destination(&DbName::unsharded(self.target.digest));
        // What is remembered costs not even a look at the directory.
        let seen = Seen::look(self.host, &usual).map_err(|error| refuse(self.target, &error))?;
        let comparative = Comparative::of(&seen.replica, args);
        if comparative != Comparative::IN_SYNC {
            seen.keep_open(self.host);
        } else if let Some(mark) = mark {
            let is_it = |known: &Replica| *known == seen.replica;
            self.host.replicas.amend(&usual, |known| is_it(known).then(|| known.marked(mark)));
        }
        Ok(comparative)
    }

    fn answer(&self, request: Request) -> Result<Answer, BrokerError> {
        let accepted = Answer::empty(StatusCode::ACCEPTED);
        match request {
            Request::CompleteRsync { tmp, name } => {
                return self.complete(name, |destination| ReceivedDb::find(destination, tmp));
            }
            Request::RsyncThenMerge { tmp, name: _ } => {
                return self.merge_received(|destination| ReceivedDb::find(destination, tmp));
            }
            Request::Sync(args) => return self.sync(&args),
            Request::GetShardRanges => return Ok(Answer::json(&self.open()?.shard_ranges()?)),
            Request::MergeSyncs(points) => self.open()?.merge_sync_points(Direction::Incoming, &points)?,
            Request::MergeItems { rows, source, points } => {
                let replica = |id| Source::Replica { id, points: &points };
                let (count, mut broker) = (rows.len() as u64, self.open()?);
                broker.merge_items(rows, source.as_deref().map_or(Source::Local, replica))?;
                // Points come with the last rows, or after them.
                if points.is_empty() {
                    self.host.kept.keep(broker);
                }
                return Ok(Answer { rows: count, ..accepted });
            }
            Request::MergeShardRanges(ranges) => {
                let ignored = self.open()?.merge_peer_shard_ranges(ranges)?;
                log_ignored(ignored.as_ref(), "repl_req");
            }
        }
        Ok(accepted)
    }

    fn sync(&self, args: &SyncArgs) -> Result<Answer, BrokerError> {
        match self.horizon.check_sync(args) {
            Ok(()) => sync(self.host, &self.usual()?, args),
            Err(beyond) => Ok(too_far_ahead(self.target, "sync", &beyond)),
        }
    }

    fn destination(&self, name: &DbName) -> DbLocation {
        DbLocation::new(self.host.settings.server_type, &self.device_dir, self.target.partition, name)
    }

    /// The place under the usual name, whatever is in force there.
    fn usual(&self) -> Result<DbLocation, BrokerError> {
        // Somebody may be about to send a whole file here.
        let tmp = self.device_dir.join("tmp");
        fs::create_dir_all(&tmp).map_err(|source| BrokerError::Io { path: tmp, source })?;
        Ok(self.destination(&DbName::unsharded(self.target.digest)))
    }

    fn open(&self) -> Result<Broker, BrokerError> {
        let usual = self.usual()?;
        usual.refuse_links()?;
        let location = usual.in_force()?;
        match self.host.kept.take(&location) {
            Some(broker) => Ok(broker),
            None => Ok(Broker::open(location)?.preallocating(self.host.settings.preallocation)),
        }
    }

    fn complete(
        &self,
        name: Option<DbName>,
        received: impl FnOnce(DbLocation) -> Result<ReceivedDb, BrokerError>,
    ) -> Result<Answer, BrokerError> {
        let digest = self.target.digest;
        let name = name.unwrap_or_else(|| DbName::unsharded(digest));
        if name.digest != digest {
            let reason = format!("{name} does not belong into {digest}\n");
            return Ok(Answer::text(StatusCode::BAD_REQUEST, reason));
        }
        let destination = self.destination(&name);
        destination.refuse_links()?;
        let received = received(destination)?.within(self.horizon);
        Ok(installed(&received.complete(&self.host.settings.hash_path)?))
    }

    fn merge_received(
        &self,
        received: impl FnOnce(DbLocation) -> Result<ReceivedDb, BrokerError>,
    ) -> Result<Answer, BrokerError> {
        let destination = self.destination(&DbName::unsharded(self.target.digest));
        destination.refuse_links()?;
        let received = received(destination)?;
        Ok(installed(&received.within(self.horizon).merge_into_place(&self.host.settings.hash_path)?))
    }
}

fn installed(installed: &Installed) -> Answer {
    match installed {
        Installed::Installed { ignored } => {
            log_ignored(ignored.as_ref(), "rsync");
            Answer::empty(StatusCode::NO_CONTENT)
        }
        Installed::NotCalledFor => Answer::empty(StatusCode::NOT_FOUND),
    }
}

/// `source` is stock's word for the message that the ranges came with.
fn log_ignored(ignored: Option<&OwnRangeWithoutEpoch>, source: &str) {
    if let Some(ignored) = ignored {
        warn!("Ignoring remote osr w/o epoch, {ignored}, source: {source}");
    }
}

/// Nothing of the message is merged. The sender logs our status, goes on with its other databases, and tries again in
/// its next pass.
fn too_far_ahead(target: &RpcTarget, what: &str, beyond: &BeyondHorizon) -> Answer {
    error!(
        "ERROR refused {what} for {}/{}: {beyond}: check the clocks; raise future_timestamp_limit if it is meant",
        target.device, target.digest
    );
    Answer::refusal(StatusCode::UNPROCESSABLE_ENTITY, Refusal::FutureTimestamp, format!("{beyond}\n"))
}

impl ServerSettings {
    pub(crate) fn horizon(&self) -> Horizon {
        self.future_limit.map_or(Horizon::UNBOUNDED, |ahead| Horizon::ahead_of(self.clock.now(), ahead))
    }
}

/// The status for an error, which is logged here and of which the peer hears no details.
fn refuse(target: &RpcTarget, error: &BrokerError) -> Answer {
    if let BrokerError::BeyondHorizon { source, .. } = error {
        return too_far_ahead(target, "a received file", source);
    }
    let status = match error {
        BrokerError::Missing { .. } => StatusCode::NOT_FOUND,
        BrokerError::BadValue { .. } => StatusCode::BAD_REQUEST,
        BrokerError::Refused { .. } | BrokerError::BeyondHorizon { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        BrokerError::LockTimeout { .. } | BrokerError::Replaced { .. } => StatusCode::SERVICE_UNAVAILABLE,
        error if error.is_out_of_space() => StatusCode::INSUFFICIENT_STORAGE,
        BrokerError::Quarantined { .. }
        | BrokerError::NoSuchTable { .. }
        | BrokerError::Link { .. }
        // Of who only looks, which no answer does.
        | BrokerError::Damaged { .. }
        | BrokerError::NotAtRest { .. }
        | BrokerError::Sqlite { .. }
        | BrokerError::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match error {
        BrokerError::Missing { .. } => {}
        error => error!("ERROR answering REPLICATE for {}/{}: {error}", target.device, target.digest),
    }
    Answer::empty(status)
}
