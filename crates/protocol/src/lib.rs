//! The messages of REPLICATE as types, and the pure decision "what does this reply call for".
//!
//! This is the only crate that knows the JSON of the wire. Nothing here does I/O.
//!
//! ```
//! use martlet_protocol::{Request, ServerType};
//!
//! let body = br#"["merge_syncs", [{"remote_id": "5c1e-sdb1", "sync_point": 7}]]"#;
//! let request = Request::parse(ServerType::Container, body).unwrap();
//! assert_eq!(request.op(), "merge_syncs");
//! assert!(Request::parse(ServerType::Account, b"[]").is_err());
//! ```
//!
//! [`Request`] is the closed set of operations; [`ReplicationInfo`] is what a database says of itself and
//! [`RemoteInfo`] what a peer answered; [`Course`] is the decision, [`Evidence`] a doubt of it; [`Rows`] are what is shipped.

mod ascii_json;
mod capability;
mod cluster_secrets;
mod compare;
mod course;
mod evidence;
mod file_cost;
#[cfg(test)]
mod fixtures;
mod horizon;
mod info;
mod lenient;
mod mark;
mod metadata;
mod own_range;
mod packed;
mod policy;
mod python_repr;
mod reconciler;
mod replica;
mod request;
mod row;
mod shard_range;
mod signature;
mod sync_args;
mod transfer;
mod written_rows;

pub use ascii_json::to_ascii_json;
pub use capability::{Capabilities, Capability, TransferHeaders};
pub use cluster_secrets::{BadSecrets, ClusterSecrets};
pub use compare::{Comparative, CompareMessage, Comparison};
pub use course::{Course, rows_between};
pub use evidence::Evidence;
pub use file_cost::FileCost;
pub use horizon::{BeyondHorizon, Horizon};
pub use info::{ContainerInfo, DbState, InfoOf, RemoteInfo, ReplicationInfo, SyncReply};
pub use mark::{Mark, MarkKey, MarkMessage, Marked};
pub use metadata::{BadMetadata, Metadata, MetadataLimits, OverLimit};
pub use own_range::{OwnRangeWithoutEpoch, keep_epoched_own_range};
pub use packed::PackedInfo;
pub use policy::{PolicyClaim, adopts_remote_policy};
pub use python_repr::PythonRepr;
pub use reconciler::{NotQueueable, QueueEntry, RECONCILER_ACCOUNT};
pub use replica::Replica;
pub use request::{BadRequest, Request};
pub use row::{ContainerRow, ObjectRow, Rows, SyncPoint};
pub use shard_range::{ShardRange, ShardState};
pub use signature::{BodyDigest, BodySum, Signable, Signature, SignatureFault};
pub use swift_types::ServerType;
pub use sync_args::{PolicyArgs, SyncArgs};
pub use transfer::{Checksum, FileWithMessage};
pub use written_rows::{RowForm, WrittenRows};
