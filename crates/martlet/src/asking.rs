//! The questions: REPLICATE `sync` in a form that neither stock nor ours learns anything from.

use std::{future::Future, io, sync::Arc, time::Duration};

use protocol::{ClusterSecrets, RemoteInfo, Request, SyncArgs};
use ring::Device;
use swift_types::Digest;
use sync_client::{CallError, ClientSettings, Reply, SyncClient, Target};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// A time of creation that no replica takes over. A receiver keeps the smaller of two as text (stock: `merge_timestamps`), and
/// as text this is larger than that of each database made before the year 2286; as a moment it is one of 1970, so that
/// it is not ahead of any clock (`future_timestamp_limit`).
const CREATED_LATER_THAN_ALL: &str = "9999999.99999";
/// Of these the receiver keeps the larger one.
const NEVER: &str = "0";
/// 507: the disk is gone or full.
const INSUFFICIENT_STORAGE: u16 = 507;

/// What a node says of its replica.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It has one.
    Here(Box<RemoteInfo>),
    /// It has none.
    Missing,
    /// Its disk is not there.
    NotMounted,
    /// It answers, and does not say. Why, and what to do.
    Refused(String),
    /// It does not answer. Why.
    Unreachable(String),
}

impl Answer {
    pub(crate) fn here(&self) -> Option<&RemoteInfo> {
        match self {
            Self::Here(info) => Some(info),
            _ => None,
        }
    }
}

/// How long is waited, and by what secret is asked.
pub(crate) struct Manner {
    pub(crate) node_timeout: Duration,
    pub(crate) conn_timeout: Duration,
    /// For how long at most a node that does not answer is left alone.
    pub(crate) peer_backoff: Duration,
    pub(crate) secrets: Option<ClusterSecrets>,
}

/// Whoever asks.
pub(crate) struct Asker {
    runtime: Runtime,
    client: SyncClient,
}

impl Asker {
    pub(crate) fn new(manner: Manner) -> io::Result<Self> {
        let settings = ClientSettings {
            node_timeout: manner.node_timeout,
            conn_timeout: manner.conn_timeout,
            peer_backoff: manner.peer_backoff,
            rsync_compress: false,
            // No file is sent.
            rsync_module: "{replication_ip}::none".parse().map_err(io::Error::other)?,
            secrets: manner.secrets,
            home: "/".into(),
        };
        let runtime = Runtime::new()?;
        let client = SyncClient::new(settings, runtime.handle().clone(), CancellationToken::new())?;
        Ok(Self { runtime, client })
    }

    /// The answers, in the order of the questions, all asked at once. Blocks until each has come or had its time.
    pub(crate) fn at_once(
        &self,
        questions: Vec<impl Future<Output = Answer> + Send + 'static>,
    ) -> Vec<Answer> {
        let asked: Vec<_> = questions.into_iter().map(|question| self.runtime.spawn(question)).collect();
        let lost = |error: tokio::task::JoinError| Answer::Unreachable(error.to_string());
        asked.into_iter().map(|answer| self.runtime.block_on(answer).unwrap_or_else(lost)).collect()
    }

    pub(crate) fn ask(
        &self,
        device: &Arc<Device>,
        (partition, digest): (u64, Digest),
        args: SyncArgs,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let (client, device) = (self.client.clone(), Arc::clone(device));
        async move {
            let target = Target { device: &device, partition, digest };
            let timeout = client.settings().node_timeout;
            understood(client.exchange(&target, &Request::Sync(args), timeout).await)
        }
    }
}

/// A question of who has nothing to tell. The answer has the point of the replica with that id.
pub(crate) fn telling_nothing(id: String) -> SyncArgs {
    SyncArgs {
        max_row: -1,
        hash: String::new(),
        id,
        created_at: CREATED_LATER_THAN_ALL.to_owned(),
        put_timestamp: NEVER.to_owned(),
        delete_timestamp: NEVER.to_owned(),
        metadata: String::new(),
        policy: None,
    }
}

fn understood(reply: Result<Reply, CallError>) -> Answer {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Answer::Unreachable(error.to_string()),
    };
    match reply.status {
        404 => Answer::Missing,
        INSUFFICIENT_STORAGE => Answer::NotMounted,
        _ if reply.is_success() => match RemoteInfo::parse(&reply.body) {
            Ok(info) => Answer::Here(Box::new(info)),
            Err(error) => Answer::Refused(format!("what it answers is no sync reply: {error}")),
        },
        status => Answer::Refused(refusal(status, &reply)),
    }
}

fn refusal(status: u16, reply: &Reply) -> String {
    match (reply.signature_fault(), status) {
        (Some(fault), _) => format!("{fault} (403): give --cluster-secret-file as that node's conf does"),
        (None, 403) => "it does not take REPLICATE from this machine (403): run this on a node of the ring, or name this \
                        machine's address in that node's replicate_from"
            .to_owned(),
        (None, 405) => "it takes no REPLICATE (405): the ring's replication port is not that of a replication server".to_owned(),
        (None, 503) => "it is too busy (503): ask again".to_owned(),
        (None, status) => format!("it answers {status}: its log says why"),
    }
}
