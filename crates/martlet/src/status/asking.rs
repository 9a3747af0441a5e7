//! The questions: REPLICATE `sync` in a form that neither stock nor ours learns anything from.

use std::{future::Future, sync::Arc};

use protocol::{RemoteInfo, Request, SyncArgs};
use ring::Device;
use settings::SecretFile;
use swift_types::Digest;
use sync_client::{CallError, ClientSettings, Reply, SyncClient, Target};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{StatusError, subject::Subject};
use crate::command_line::StatusArgs;

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

/// Whoever asks.
pub(crate) struct Asker {
    runtime: Runtime,
    client: SyncClient,
    devices: Vec<Arc<Device>>,
    partition: u64,
    digest: Digest,
}

impl Asker {
    /// Reads the secret, if there is one.
    pub(crate) fn new(args: &StatusArgs, subject: &Subject) -> Result<Self, StatusError> {
        let secret = |path: &std::path::PathBuf| {
            SecretFile::read(&path.to_string_lossy())
                .map(|file| file.secrets)
                .map_err(|why| StatusError::Secret { path: path.clone(), why })
        };
        let settings = ClientSettings {
            node_timeout: args.timeout,
            conn_timeout: args.timeout,
            peer_backoff: std::time::Duration::ZERO,
            rsync_compress: false,
            // No file is sent.
            rsync_module: "{replication_ip}::none".parse().map_err(std::io::Error::other)?,
            secrets: args.cluster_secret_file.as_ref().map(secret).transpose()?,
            home: "/".into(),
        };
        let runtime = Runtime::new()?;
        let client = SyncClient::new(settings, runtime.handle().clone(), CancellationToken::new())?;
        let devices = subject.places.iter().map(|place| Arc::clone(&place.device)).collect();
        Ok(Self { runtime, client, devices, partition: subject.partition, digest: subject.digest })
    }

    /// The answer of each device, all asked at once.
    pub(crate) fn all_replicas(&self) -> Vec<Answer> {
        let nobody = SyncArgs {
            max_row: -1,
            hash: String::new(),
            id: String::new(),
            created_at: CREATED_LATER_THAN_ALL.to_owned(),
            put_timestamp: NEVER.to_owned(),
            delete_timestamp: NEVER.to_owned(),
            metadata: String::new(),
            policy: None,
        };
        self.at_once((0..self.devices.len()).map(|asked| self.ask(asked, nobody.clone())).collect())
    }

    /// For each device how far it has received from each other, in the order of the devices; none where that is not known.
    ///
    /// The answer has the point of one other replica only, so each is asked once about each other.
    pub(crate) fn points(&self, answers: &[Answer]) -> Vec<Vec<Option<i64>>> {
        let pairs: Vec<_> = (0..answers.len())
            .flat_map(|asked| (0..answers.len()).map(move |other| (asked, other)))
            .filter_map(|(asked, other)| {
                let args = about(answers[asked].here()?, answers[other].here().filter(|_| asked != other)?);
                Some(((asked, other), self.ask(asked, args)))
            })
            .collect();
        let (pairs, questions): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut points = vec![vec![None; answers.len()]; answers.len()];
        for ((asked, other), answer) in pairs.into_iter().zip(self.at_once(questions)) {
            points[asked][other] = answer.here().map(|info| info.point);
        }
        points
    }

    fn at_once(&self, questions: Vec<impl Future<Output = Answer> + Send + 'static>) -> Vec<Answer> {
        let asked: Vec<_> = questions.into_iter().map(|question| self.runtime.spawn(question)).collect();
        let lost = |error: tokio::task::JoinError| Answer::Unreachable(error.to_string());
        asked.into_iter().map(|answer| self.runtime.block_on(answer).unwrap_or_else(lost)).collect()
    }

    fn ask(&self, asked: usize, args: SyncArgs) -> impl Future<Output = Answer> + Send + 'static {
        let (client, device) = (self.client.clone(), Arc::clone(&self.devices[asked]));
        let (partition, digest) = (self.partition, self.digest);
        async move {
            let target = Target { device: &device, partition, digest };
            let timeout = client.settings().node_timeout;
            understood(client.exchange(&target, &Request::Sync(args), timeout).await)
        }
    }
}

/// A question to `asked` about `other`. What the former has said itself is nothing new to it.
fn about(asked: &RemoteInfo, other: &RemoteInfo) -> SyncArgs {
    SyncArgs {
        max_row: -1,
        hash: String::new(),
        id: other.id.clone(),
        created_at: asked.created_at.clone(),
        put_timestamp: asked.put_timestamp.clone(),
        delete_timestamp: asked.delete_timestamp.clone(),
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
