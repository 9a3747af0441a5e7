//! What each operation does to a database. Runs on a blocking thread.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
};

use db_broker::{
    Broker, BrokerError, DbLocation, Direction, Installed, MetadataCheck, Preallocation, ReceivedDb, Source,
    compare_with_reserve, quarantine,
};
use protocol::{
    BeyondHorizon, Horizon, Metadata, OwnRangeWithoutEpoch, PolicyClaim, ReplicationInfo, Request, SyncArgs,
    SyncPoint, SyncReply, adopts_remote_policy,
};
use settings::FallocateReserve;
use swift_types::{DbName, Timestamp, TmpName};
use tracing::{error, warn};
use warp::http::StatusCode;

use crate::{
    answer::Answer,
    server::{Refusal, ServerSettings},
    target::RpcTarget,
};

/// Answers one message. Stock: `ReplicatorRpc.dispatch` and the checks in the servers before it.
pub(crate) fn dispatch(settings: &ServerSettings, target: &RpcTarget, request: Request) -> Answer {
    let device_dir = match usable_device(settings, target) {
        Ok(device_dir) => device_dir,
        Err(answer) => return answer,
    };
    let place = Place { settings, target, device_dir, horizon: settings.horizon() };
    place.answer(request).unwrap_or_else(|error| refuse(target, &error))
}

/// The device's directory, if it is mounted and has room.
pub(crate) fn usable_device(settings: &ServerSettings, target: &RpcTarget) -> Result<PathBuf, Answer> {
    let insufficient = |reason: String| Answer::text(StatusCode::INSUFFICIENT_STORAGE, reason);
    let device_dir = walker::check_drive(&settings.devices, &target.device, settings.mount_check)
        .map_err(|_| insufficient(format!("{} is not mounted\n", target.device)))?;
    if !has_free_space(&device_dir, settings.fallocate_reserve, 0) {
        return Err(insufficient(format!("{} is below its fallocate_reserve\n", target.device)));
    }
    Ok(device_dir)
}

/// Whether `needed` more bytes leave the reserve untouched. A file system that cannot be asked counts as full.
pub(crate) fn has_free_space(dir: &Path, reserve: FallocateReserve, needed: u64) -> bool {
    compare_with_reserve(dir, reserve, needed).is_ok_and(Ordering::is_ge)
}

/// Where a message is addressed to, on a device that can be used.
struct Place<'a> {
    settings: &'a ServerSettings,
    target: &'a RpcTarget,
    device_dir: PathBuf,
    horizon: Horizon,
}

impl Place<'_> {
    fn answer(&self, request: Request) -> Result<Answer, BrokerError> {
        let accepted = Answer::empty(StatusCode::ACCEPTED);
        match request {
            Request::CompleteRsync { tmp, name } => return self.complete(tmp, name),
            Request::RsyncThenMerge { tmp, name: _ } => return self.merge_received(tmp),
            Request::Sync(args) => return self.sync(&args),
            Request::GetShardRanges => return Ok(Answer::json(&self.open()?.shard_ranges()?)),
            Request::MergeSyncs(points) => self.open()?.merge_sync_points(Direction::Incoming, &points)?,
            Request::MergeItems { rows, source } => {
                let source = source.as_deref().map_or(Source::Local, Source::Replica);
                self.open()?.merge_items(rows, source)?;
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
            Ok(()) => sync(&self.find()?, self.settings.preallocation, args),
            Err(beyond) => Ok(too_far_ahead(self.target, "sync", &beyond)),
        }
    }

    fn destination(&self, name: &DbName) -> DbLocation {
        DbLocation::new(self.settings.server_type, &self.device_dir, self.target.partition, name)
    }

    fn find(&self) -> Result<DbLocation, BrokerError> {
        // Somebody may be about to send a whole file here.
        let tmp = self.device_dir.join("tmp");
        fs::create_dir_all(&tmp).map_err(|source| BrokerError::Io { path: tmp, source })?;
        DbLocation::find(
            self.settings.server_type,
            &self.device_dir,
            self.target.partition,
            self.target.digest,
        )
    }

    fn open(&self) -> Result<Broker, BrokerError> {
        Broker::open(self.find()?).map(|broker| broker.preallocating(self.settings.preallocation))
    }

    fn complete(&self, tmp: TmpName, name: Option<DbName>) -> Result<Answer, BrokerError> {
        let digest = self.target.digest;
        let name = name.unwrap_or_else(|| DbName::unsharded(digest));
        if name.digest != digest {
            let reason = format!("{name} does not belong into {digest}\n");
            return Ok(Answer::text(StatusCode::BAD_REQUEST, reason));
        }
        let received = ReceivedDb::find(self.destination(&name), tmp)?.within(self.horizon);
        Ok(installed(&received.complete(&self.settings.hash_path)?))
    }

    fn merge_received(&self, tmp: TmpName) -> Result<Answer, BrokerError> {
        let destination = self.destination(&DbName::unsharded(self.target.digest));
        let received = ReceivedDb::find(destination, tmp)?.within(self.horizon);
        Ok(installed(&received.merge_into_place(&self.settings.hash_path)?))
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

/// Takes over what the sender knows better, and answers with what this database was before.
///
/// Stock: `_handle_sync_request`, and for containers `_get_synced_replication_info`.
fn sync(
    location: &DbLocation,
    preallocation: Option<Preallocation>,
    args: &SyncArgs,
) -> Result<Answer, BrokerError> {
    let opened = Broker::open(location.clone()).and_then(|broker| {
        let mut broker = broker.preallocating(preallocation);
        let info = synced_info(&mut broker, args)?;
        Ok((broker, info))
    });
    let (mut broker, info) = match opened {
        Err(BrokerError::NoSuchTable { source, .. }) => {
            // Missing from now on: the peer may send a good one. Other damage stock tells with 500 first.
            error!("{}", quarantine(location, &source.to_string())?);
            return Ok(Answer::empty(StatusCode::NOT_FOUND));
        }
        other => other?,
    };
    match Metadata::parse(&args.metadata) {
        Ok(metadata) => broker.update_metadata(metadata, MetadataCheck::FromPeer)?,
        Err(error) => error!("Unable to decode remote metadata {:?}: {error}", args.metadata),
    }
    if info.created_at != args.created_at
        || info.put_timestamp != args.put_timestamp
        || info.delete_timestamp != args.delete_timestamp
    {
        broker.merge_timestamps(&args.created_at, &args.put_timestamp, &args.delete_timestamp, now())?;
    }
    let mut point = broker.sync_point(Direction::Incoming, &args.id)?;
    if args.hash == info.hash && point < args.max_row {
        let raised = SyncPoint { remote_id: args.id.clone(), sync_point: args.max_row };
        broker.merge_sync_points(Direction::Incoming, &[raised])?;
        point = args.max_row;
    }
    Ok(Answer::json(&SyncReply { info, point }))
}

/// This database's info, after it took over the sender's policy if that is the right one.
fn synced_info(broker: &mut Broker, args: &SyncArgs) -> Result<ReplicationInfo, BrokerError> {
    let info = broker.replication_info()?;
    if let (Some(local), Some(remote)) = (PolicyClaim::of_local(&info), PolicyClaim::of_sync(args))
        && adopts_remote_policy(&local, &remote)
    {
        broker.set_storage_policy_index(remote.storage_policy_index, now())?;
        return broker.replication_info();
    }
    Ok(info)
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
    fn horizon(&self) -> Horizon {
        self.future_limit.map_or(Horizon::UNBOUNDED, |ahead| Horizon::ahead_of(now(), ahead))
    }
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_seconds(since_epoch.map_or(0.0, |elapsed| elapsed.as_secs_f64()))
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
        BrokerError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        BrokerError::Quarantined { .. }
        | BrokerError::NoSuchTable { .. }
        | BrokerError::Sqlite { .. }
        | BrokerError::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match error {
        BrokerError::Missing { .. } => {}
        error => error!("ERROR answering REPLICATE for {}/{}: {error}", target.device, target.digest),
    }
    Answer::empty(status)
}
