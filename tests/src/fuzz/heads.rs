//! What comes before the body of a request.

use std::path::{Component, Path};

use db_broker::{DbLocation, PartFile, compare_with_reserve};
use protocol::{FileWithMessage, Request, to_ascii_json};
use rpc_server::heads::{Headers, Whose, target};
use settings::FallocateReserve;
use swift_types::{DbName, ServerType};

use super::place::{BOTH, folder};

/// A connection is the same one's however its bytes arrive; what is stock's has a plain request line, and goes on as it came.
pub(super) fn first_request(bytes: &[u8]) {
    let whose = Whose::of(bytes);
    let pieces = (0..bytes.len().min(40)).chain((0..16).map(|part| bytes.len() * part / 16));
    for length in pieces {
        match (Whose::of(&bytes[..length]), &whose) {
            (Whose::MoreBytesNeeded, _) => assert!(length < Whose::DECIDED_BY),
            (Whose::Ours, whose) => assert_eq!(*whose, Whose::Ours, "{length} bytes say otherwise"),
            (Whose::Stocks { line, rest, .. }, Whose::Stocks { line: full, .. }) => {
                assert_eq!((&line, line.len() + rest.len()), (full, length));
            }
            (stocks, whose) => panic!("{length} bytes are {stocks:?}, all are {whose:?}"),
        }
    }
    if let Whose::Stocks { line, rest, name } = whose {
        assert_eq!([&line[..], &rest[..]].concat(), bytes);
        is_plain(&line);
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
}

/// Three parts, and nothing that another reader could see differently.
fn is_plain(line: &[u8]) {
    let line = line.strip_suffix(b"\n").expect("the line has its end");
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    assert!(parts.len() == 3 && parts.iter().all(|part| !part.is_empty()), "{}", line.escape_ascii());
    assert!(parts[0] != b"REPLICATE" && parts[2].starts_with(b"HTTP/1."), "{}", line.escape_ascii());
    assert!(!line.iter().any(u8::is_ascii_control), "{}", line.escape_ascii());
}

/// A path is refused with a reason, or names a place below its device.
pub(super) fn path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (device, partition, digest) = match target(&text) {
        Ok(named) => named,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    let written = format!("/{device}/{partition}/{digest}");
    assert_eq!(target(&written), Ok((device.clone(), partition, digest)), "{written}");
    let root = Path::new("/srv/node");
    for server_type in BOTH {
        let place =
            DbLocation::new(server_type, &root.join(device.as_str()), partition, &DbName::unsharded(digest));
        let below = place.file().strip_prefix(root).expect("it is below the root");
        assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{}", below.display());
        assert_eq!(below.components().next(), Some(Component::Normal(device.as_str().as_ref())));
    }
}

/// Headers are refused with a status, or are about a file that can be asked room for, and read the same when they are written as
/// senders write them. A line for each, `NAME: VALUE`.
pub(super) fn headers(bytes: &[u8]) {
    let headers = read(bytes);
    for server_type in BOTH {
        match headers.file_with_message(server_type) {
            Ok((request, length)) => about_file(server_type, &request, length),
            Err(status) => assert!(matches!(status, 400 | 415), "{status}"),
        }
    }
    match headers.file_alone() {
        Ok((name, length)) => {
            let part = [Component::Normal(name.as_str().as_ref())];
            assert!(Path::new(name.as_str()).components().eq(part), "{name:?}");
            assert_eq!(headers.body_length(), Some(length));
            has_room(length);
        }
        Err(status) => assert!(matches!(status, 400 | 411), "{status}"),
    }
}

fn about_file(server_type: ServerType, request: &Request<'static>, length: u64) {
    assert!(matches!(request, Request::CompleteRsync { .. } | Request::RsyncThenMerge { .. }), "{request:?}");
    let (message, told) = (to_ascii_json(request).expect("messages are JSON"), length.to_string());
    let again = Headers::of([
        (FileWithMessage::MESSAGE.as_bytes(), &message[..]),
        (FileWithMessage::LENGTH.as_bytes(), told.as_bytes()),
    ]);
    assert_eq!(again.file_with_message(server_type).as_ref(), Ok(&(request.clone(), length)));
    has_room(length);
}

/// The question has an answer, and a file that is larger than the disk takes nothing of it.
fn has_room(length: u64) {
    let device = folder();
    let room = compare_with_reserve(device.path(), FallocateReserve::Bytes(0), length);
    assert!(room.is_ok(), "{room:?}");
    if length > 1 << 50 {
        PartFile::create(device.path(), length).expect_err("no disk has that much room");
        assert_eq!(std::fs::read_dir(device.path().join("tmp")).into_iter().flatten().count(), 0);
    }
}

pub(super) fn read(bytes: &[u8]) -> Headers {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
    });
    Headers::of(lines)
}
