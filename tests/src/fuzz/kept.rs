//! What is kept in the corpus is sound: mutants of what is refused at once would reach nothing.

use std::{io::Cursor, path::Path};

use db_broker::Broker;
use protocol::{CompareMessage, MarkMessage, RemoteInfo, Request, ShardRange};
use ring::RingData;
use rpc_server::heads::{Whose, target};
use settings::{ReplicatorConf, SwiftConf};
use swift_types::ServerType;

use super::{
    FuzzTarget, database_course, files,
    place::{BOTH, folder, location, put_file},
};

/// Calls `is_sound` with the name and the bytes of each file.
fn each(target: FuzzTarget, is_sound: impl Fn(&str, &[u8]) -> bool) {
    for (path, bytes) in files(&target.corpus_dir()).unwrap() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(is_sound(&name, &bytes), "{}", path.display());
    }
}

#[test]
fn rings() {
    let is_ring = |bytes: &[u8]| RingData::read(Path::new("x.ring.gz"), Cursor::new(bytes)).is_ok();
    each(FuzzTarget::Ring, |_, bytes| is_ring(bytes));
    each(FuzzTarget::RingContent, |_, bytes| is_ring(&super::ring::dressed(bytes)));
}

#[test]
fn confs() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    let written = |bytes: &[u8]| std::fs::write(&path, bytes).is_ok();
    let loads = |server_type| ReplicatorConf::load(&path, server_type).is_ok();
    each(FuzzTarget::ServerConf, |_, bytes| written(bytes) && BOTH.into_iter().any(loads));
    each(FuzzTarget::SwiftConf, |_, bytes| written(bytes) && SwiftConf::load(&path).is_ok());
}

#[test]
fn messages() {
    each(FuzzTarget::Message, |name, bytes| match name {
        "marks" => MarkMessage::parse(bytes).is_ok_and(|marked| marked.len() == 2),
        "compare" => CompareMessage::parse(ServerType::Container, bytes).is_ok_and(|all| all.len() == 2),
        _ => BOTH.into_iter().any(|server_type| Request::parse(server_type, bytes).is_ok()),
    });
    each(FuzzTarget::Reply, |name, bytes| match name {
        "shard-ranges" => ShardRange::parse_list(bytes).is_ok_and(|ranges| ranges.len() == 2),
        "compare" => CompareMessage::parse_reply(bytes).is_ok_and(|answers| answers.len() == 4),
        _ => RemoteInfo::parse(bytes).is_ok(),
    });
}

#[test]
fn signatures() {
    each(FuzzTarget::Signature, |name, bytes| {
        let mut requests = super::signatures::requests().into_iter();
        requests.all(|(of, request)| super::signatures::verdict(request, bytes).is_ok() == (of == name))
    });
}

#[test]
fn heads() {
    each(FuzzTarget::FirstRequest, |name, bytes| {
        let is_stocks = matches!(Whose::of(bytes), Whose::Stocks { .. });
        is_stocks == matches!(name, "put" | "two" | "head-one-line")
    });
    each(FuzzTarget::Path, |_, bytes| target(&String::from_utf8_lossy(bytes)).is_ok());
    each(FuzzTarget::Headers, |name, bytes| {
        let headers = super::heads::read(bytes);
        match name {
            "alone" => headers.file_alone().is_ok(),
            "compare" => headers.body_length().is_some(),
            _ => headers.file_with_message(ServerType::Container).is_ok(),
        }
    });
}

#[test]
fn answers() {
    each(FuzzTarget::Answer, |_, bytes| super::answers::is_answer(bytes));
}

#[test]
fn pending_entries() {
    let rows = |bytes: &[u8]| {
        BOTH.map(|server_type| super::pending::merged_rows(server_type, bytes)).into_iter().max()
    };
    each(FuzzTarget::Pending, |_, bytes| rows(bytes) > Some(0));
    each(FuzzTarget::PendingEntry, |_, bytes| rows(super::pending::encoded(bytes).as_bytes()) == Some(1));
}

#[test]
fn databases() {
    each(FuzzTarget::Database, |name, bytes| {
        let device = folder();
        let server_type = if name == "account" { ServerType::Account } else { ServerType::Container };
        let location = location(server_type, device.path());
        put_file(&location, bytes);
        let mut broker = Broker::open(location.clone()).unwrap();
        let info = database_course::ask(&mut broker).unwrap();
        database_course::change(&mut broker, &info).unwrap();
        database_course::remove(broker).unwrap();
        info.count > 0 || name == "ranges"
    });
}
