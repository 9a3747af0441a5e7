use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor},
    ser::SerializeSeq,
};
use swift_types::{DbName, ServerType, TmpName};

use crate::{PolicyArgs, Rows, ShardRange, SyncArgs, SyncPoint, lenient};

/// One REPLICATE message: the closed set of operations that stock's peers send. Its rows borrow from the body that they were
/// read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// "This is me; are we in sync?"
    Sync(SyncArgs),
    /// The sender's incoming points, merged into the receiver's.
    MergeSyncs(Vec<SyncPoint>),
    /// Rows to merge, and the sender's id, whose incoming point they raise.
    MergeItems {
        /// The rows, in the order of their row ids.
        rows: Rows<'a>,
        /// The sender's database id; none leaves the points alone.
        source: Option<String>,
        /// With its last rows the sender's incoming points, as in [`MergeSyncs`](Self::MergeSyncs): between Martlet
        /// peers only, as a third argument that stock would ignore.
        points: Vec<SyncPoint>,
    },
    /// A whole file lies in `DEVICE/tmp`: put it in place of a missing database.
    CompleteRsync {
        /// The file in `DEVICE/tmp`, which is the sender's database id.
        tmp: TmpName,
        /// The file name to give it; none means `HASH.db`.
        name: Option<DbName>,
    },
    /// A whole file lies in `DEVICE/tmp`: merge the database into it and put it in its place.
    RsyncThenMerge {
        /// The file in `DEVICE/tmp`, which is the sender's database id.
        tmp: TmpName,
        /// The sender's file name. Stock sends it; nobody goes by it, as the receiver's file keeps its own.
        name: Option<DbName>,
    },
    /// Containers only: shard ranges to merge.
    MergeShardRanges(Vec<ShardRange>),
    /// Containers only: asks for all shard ranges.
    GetShardRanges,
}

/// The body is not a message that this kind of server understands; answer 400 with this text.
#[derive(Debug, thiserror::Error)]
#[error("bad REPLICATE message: {0}")]
pub struct BadRequest(#[from] serde_json::Error);

impl<'a> Request<'a> {
    /// Reads a body. Arguments beyond those known are ignored, as stock does.
    ///
    /// # Errors
    /// [`BadRequest`] if it is not a JSON list in UTF-8, the operation is unknown for the kind of server, or an
    /// argument is missing, of the wrong type, or a name that could leave its directory.
    pub fn parse(server_type: ServerType, body: &'a [u8]) -> Result<Self, BadRequest> {
        // Looked at as a whole, it costs less than text by text.
        let body = str::from_utf8(body).map_err(serde_json::Error::custom)?;
        let mut json = serde_json::Deserializer::from_str(body);
        let request = RequestSeed(server_type).deserialize(&mut json)?;
        json.end()?;
        Ok(request)
    }

    /// The body to send.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("messages hold nothing that JSON cannot")
    }

    /// The operation's name on the wire; also a bounded label for metrics.
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::MergeSyncs(_) => "merge_syncs",
            Self::MergeItems { .. } => "merge_items",
            Self::CompleteRsync { .. } => "complete_rsync",
            Self::RsyncThenMerge { .. } => "rsync_then_merge",
            Self::MergeShardRanges(_) => "merge_shard_ranges",
            Self::GetShardRanges => "get_shard_ranges",
        }
    }
}

impl Serialize for Request<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(self.op())?;
        match self {
            Self::Sync(args) => args.serialize_into(&mut list)?,
            Self::MergeSyncs(points) => list.serialize_element(points)?,
            Self::MergeItems { rows, source, points } => {
                list.serialize_element(rows)?;
                list.serialize_element(source)?;
                if !points.is_empty() {
                    list.serialize_element(points)?;
                }
            }
            Self::CompleteRsync { tmp, name } | Self::RsyncThenMerge { tmp, name } => {
                list.serialize_element(tmp.as_str())?;
                if let Some(name) = name {
                    list.serialize_element(&name.to_string())?;
                }
            }
            Self::MergeShardRanges(ranges) => list.serialize_element(ranges)?,
            Self::GetShardRanges => {}
        }
        list.end()
    }
}

impl SyncArgs {
    pub(crate) fn serialize_into<S: SerializeSeq>(&self, list: &mut S) -> Result<(), S::Error> {
        list.serialize_element(&self.max_row)?;
        for text in [
            &self.hash,
            &self.id,
            &self.created_at,
            &self.put_timestamp,
            &self.delete_timestamp,
            &self.metadata,
        ] {
            list.serialize_element(text)?;
        }
        if let Some(policy) = &self.policy {
            list.serialize_element(&policy.status_changed_at)?;
            list.serialize_element(&policy.count)?;
            list.serialize_element(&policy.storage_policy_index)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Text(#[serde(deserialize_with = "lenient::text_or_empty")] String);

#[derive(Deserialize)]
struct Points(#[serde(deserialize_with = "lenient::known_or_none")] Option<Vec<SyncPoint>>);

#[derive(Deserialize)]
struct Integer(#[serde(deserialize_with = "lenient::integer")] i64);

struct RequestSeed(ServerType);

impl<'de> DeserializeSeed<'de> for RequestSeed {
    type Value = Request<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Request<'de>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RequestSeed {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of an operation and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Request<'de>, A::Error> {
        let op: String = argument(&mut list, "an operation")?;
        let request = match (op.as_str(), self.0) {
            ("sync", server_type) => Request::Sync(sync_args(&mut list, server_type)?),
            ("merge_syncs", _) => Request::MergeSyncs(argument(&mut list, "sync points")?),
            ("merge_items", server_type) => merge_items(&mut list, server_type)?,
            ("complete_rsync", _) => {
                let tmp = name(&argument::<String, _>(&mut list, "a file name below tmp")?)?;
                let db_name = list.next_element::<String>()?.map(|text| name(&text)).transpose()?;
                Request::CompleteRsync { tmp, name: db_name }
            }
            ("rsync_then_merge", _) => {
                let tmp = name(&argument::<String, _>(&mut list, "a file name below tmp")?)?;
                // No reason to refuse a message for a name that is not used.
                let name = list.next_element::<String>()?.and_then(|text| text.parse().ok());
                Request::RsyncThenMerge { tmp, name }
            }
            ("merge_shard_ranges", ServerType::Container) => {
                Request::MergeShardRanges(argument(&mut list, "shard ranges")?)
            }
            ("get_shard_ranges", ServerType::Container) => Request::GetShardRanges,
            (op, server_type) => {
                return Err(A::Error::custom(format_args!(
                    "no operation {op:?} for {server_type} databases"
                )));
            }
        };
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(request)
    }
}

pub(crate) fn argument<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    list: &mut A,
    what: &str,
) -> Result<T, A::Error> {
    list.next_element()?.ok_or_else(|| A::Error::custom(format_args!("{what} is missing")))
}

pub(crate) fn name<T: std::str::FromStr<Err = swift_types::InvalidName>, E: serde::de::Error>(
    text: &str,
) -> Result<T, E> {
    text.parse().map_err(E::custom)
}

pub(crate) fn sync_args<'de, A: SeqAccess<'de>>(
    list: &mut A,
    server_type: ServerType,
) -> Result<SyncArgs, A::Error> {
    let max_row = argument::<Integer, _>(list, "max_row")?.0;
    let mut text = |what| Ok::<_, A::Error>(argument::<Text, _>(list, what)?.0);
    let mut args = SyncArgs {
        max_row,
        hash: text("hash")?,
        id: text("id")?,
        created_at: text("created_at")?,
        put_timestamp: text("put_timestamp")?,
        delete_timestamp: text("delete_timestamp")?,
        metadata: text("metadata")?,
        policy: None,
    };
    if server_type == ServerType::Container
        && let Some(status_changed_at) = list.next_element::<Text>()?
        && let Some(count) = list.next_element::<Integer>()?
        && let Some(index) = list.next_element::<Integer>()?
    {
        args.policy = Some(PolicyArgs {
            status_changed_at: status_changed_at.0,
            count: count.0,
            storage_policy_index: index.0,
        });
    }
    Ok(args)
}

fn merge_items<'de, A: SeqAccess<'de>>(
    list: &mut A,
    server_type: ServerType,
) -> Result<Request<'de>, A::Error> {
    let rows = match server_type {
        ServerType::Account => Rows::Containers(argument(list, "rows")?),
        ServerType::Container => Rows::Objects(argument(list, "rows")?),
    };
    let source: Option<String> = argument(list, "the sender's id")?;
    let source = source.filter(|id| !id.is_empty());
    if source.is_some() && !rows.all_have_rowid() {
        return Err(A::Error::custom("a row lacks its ROWID"));
    }
    let points = list.next_element::<Points>()?.and_then(|points| points.0).unwrap_or_default();
    Ok(Request::MergeItems { rows, source, points })
}

#[cfg(test)]
mod tests;
