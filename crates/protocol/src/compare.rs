//! Many databases in one question between Martlet peers: which of them are in sync?

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor},
    ser::SerializeSeq,
};
use serde_json::{Map, Value};
use swift_types::{DeviceName, Digest, ServerType};

use crate::{
    BadRequest, Mark, Replica, SyncArgs,
    request::{argument, name, sync_args},
};

/// One database as its sender has it, and the device of the peer on which it should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The peer's device.
    pub device: DeviceName,
    /// The partition.
    pub partition: u64,
    /// The hash that names the database.
    pub digest: Digest,
    /// What the sender says of it, to each of its peers the same; of a container with the policy.
    pub args: Arc<SyncArgs>,
    /// What the sender will ask by as long as nothing of it changes; none if it will not.
    pub mark: Option<Mark>,
}

/// The message that asks a peer about many databases at once: REPLICATE on `/` with
/// [`CONTENT_TYPE`](Self::CONTENT_TYPE).
///
/// The answer is a JSON list of [`Comparative`]s, one for each database in the order of the question. It is shorter where the peer has run out of time: the rest may be asked again. Nothing is written at the peer but
/// pending rows merged, and a damaged database is put away, both as by `sync`.
pub struct CompareMessage;

impl CompareMessage {
    /// Tells it from a message about one database.
    pub const CONTENT_TYPE: &'static str = "application/vnd.martlet.compare+json";
    /// Databases that one question may be about; more are refused.
    pub const MOST: usize = 1024;

    /// The body of a question.
    pub fn to_json(comparisons: &[Comparison]) -> Vec<u8> {
        serde_json::to_vec(comparisons).expect("messages hold nothing that JSON cannot")
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`BadRequest`] if it is not a list of at most [`MOST`](Self::MOST), or a name could leave its directory.
    pub fn parse(server_type: ServerType, body: &[u8]) -> Result<Vec<Comparison>, BadRequest> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let comparisons = ListSeed(server_type).deserialize(&mut json)?;
        json.end()?;
        Ok(comparisons)
    }

    /// Reads an answer: for how many of the databases there is one, and which.
    ///
    /// # Errors
    /// [`BadRequest`] if it is no list of statuses and objects.
    pub fn parse_reply(body: &[u8]) -> Result<Vec<Comparative>, BadRequest> {
        Ok(serde_json::from_slice(body)?)
    }
}

/// What a peer says of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Comparative {
    /// A status: [`IN_SYNC`](Self::IN_SYNC), [`DIFFERS`](Self::DIFFERS), or the error that `sync` is answered with (404, 507).
    Status(u16),
    /// It differs, and this is what `sync` is answered with: there was nothing for the peer to take over.
    Reply(Map<String, Value>),
}

impl Comparative {
    /// The peer has a replica to which [`Replica::is_in_sync_with`](crate::Replica::is_in_sync_with) applies.
    pub const IN_SYNC: Self = Self::Status(200);
    /// It differs, and `sync` is called for.
    pub const DIFFERS: Self = Self::Status(409);

    /// Of a replica, about a database of which `args` tell.
    pub fn of(replica: &Replica, args: &SyncArgs) -> Self {
        if replica.is_in_sync_with(args) {
            return Self::IN_SYNC;
        }
        match replica.reply_to(args).map(serde_json::to_value) {
            Some(Ok(Value::Object(reply))) => Self::Reply(reply),
            _ => Self::DIFFERS,
        }
    }
}

impl Serialize for Comparison {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(self.device.as_str())?;
        list.serialize_element(&self.partition)?;
        list.serialize_element(&self.digest.to_string())?;
        self.args.serialize_into(&mut list)?;
        if let Some(mark) = self.mark {
            list.serialize_element(&mark.to_string())?;
        }
        list.end()
    }
}

#[derive(Clone, Copy)]
struct ListSeed(ServerType);

impl<'de> DeserializeSeed<'de> for ListSeed {
    type Value = Vec<Comparison>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed {
    type Value = Vec<Comparison>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of databases")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut comparisons = Vec::new();
        while let Some(comparison) = list.next_element_seed(ComparisonSeed(self.0))? {
            if comparisons.len() == CompareMessage::MOST {
                return Err(A::Error::custom(format_args!("over {} databases", CompareMessage::MOST)));
            }
            comparisons.push(comparison);
        }
        Ok(comparisons)
    }
}

struct ComparisonSeed(ServerType);

impl<'de> DeserializeSeed<'de> for ComparisonSeed {
    type Value = Comparison;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Comparison, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ComparisonSeed {
    type Value = Comparison;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of device, partition, hash and what sync says")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Comparison, A::Error> {
        let device = name(&argument::<String, _>(&mut list, "a device")?)?;
        let partition = argument(&mut list, "a partition")?;
        let digest = argument::<String, _>(&mut list, "a hash")?.parse().map_err(A::Error::custom)?;
        let args = Arc::new(sync_args(&mut list, self.0)?);
        let mark =
            list.next_element::<String>()?.map(|mark| mark.parse().map_err(A::Error::custom)).transpose()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Comparison { device, partition, digest, args, mark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        RemoteInfo,
        fixtures::{local_account, local_container},
    };

    fn comparison(args: SyncArgs) -> Comparison {
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        Comparison { device: "sdb1".parse().unwrap(), partition: 7, digest, args: Arc::new(args), mark: None }
    }

    #[test]
    fn a_question_comes_through_as_it_was_asked() {
        for (server_type, info) in
            [(ServerType::Account, local_account()), (ServerType::Container, local_container())]
        {
            let asked = vec![comparison(SyncArgs::with_policy(&info)); 3];
            let marked = Comparison { mark: Some("5".parse().unwrap()), ..asked[0].clone() };
            let asked = [asked, vec![marked]].concat();
            let read = CompareMessage::parse(server_type, &CompareMessage::to_json(&asked)).unwrap();
            assert_eq!(read, asked);
        }
    }

    #[test]
    fn what_is_too_much_or_unsafe_is_refused() {
        let asked = comparison(SyncArgs::with_policy(&local_account()));
        let parse = |body: &[u8]| CompareMessage::parse(ServerType::Account, body);
        let most = vec![asked.clone(); CompareMessage::MOST];
        assert!(parse(&CompareMessage::to_json(&most)).is_ok());
        let over = vec![asked.clone(); CompareMessage::MOST + 1];
        assert!(parse(&CompareMessage::to_json(&over)).unwrap_err().to_string().contains("over 1024"));
        let text = String::from_utf8(CompareMessage::to_json(&[asked])).unwrap();
        for bad in [
            text.replace("sdb1", ".."),
            text.replace("sdb1", "a/b"),
            text.replace("0123456789abcdef0", "../3456789abcdef0"),
            text.replace(",7,\"0123", ",-7,\"0123"),
            text.replace("[[", "[").replace("]]", "]"),
            format!("{text}x"),
            "{}".to_owned(),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_a_list_of_statuses_and_replies() {
        let parse = CompareMessage::parse_reply;
        let missing = Comparative::Status(404);
        assert_eq!(parse(b"[200,409,404]").unwrap(), [Comparative::IN_SYNC, Comparative::DIFFERS, missing]);
        for bad in ["{}", "[-1]", "[[200]]", "[null]", "[65536]"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_differs_is_answered_as_sync_would_be_unless_something_is_to_be_taken_over() {
        let replica = Replica::new(&local_container(), &[]);
        let other_rows = SyncArgs { hash: "2".repeat(32), ..SyncArgs::with_policy(&local_container()) };
        let told = vec![Comparative::of(&replica, &other_rows)];
        let read = CompareMessage::parse_reply(&serde_json::to_vec(&told).unwrap()).unwrap();
        assert_eq!(read, told);
        let Comparative::Reply(reply) = &read[0] else { panic!("{read:?}") };
        let remote = RemoteInfo::parse(Value::Object(reply.clone()).to_string().as_bytes()).unwrap();
        assert_eq!((remote.point, remote.hash), (-1, replica.info().hash.to_owned()));
        let newer = SyncArgs { put_timestamp: "2".into(), ..other_rows };
        assert_eq!(Comparative::of(&replica, &newer), Comparative::DIFFERS);
    }
}
