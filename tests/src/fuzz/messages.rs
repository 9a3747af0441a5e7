//! Bodies of REPLICATE requests, as they are read.

use std::fmt::Debug;

use protocol::{CompareMessage, MarkMessage, Request, Rows, ServerType};

use super::place::BOTH;

/// A body is refused, or is a message that reads the same when it is written again.
pub(super) fn body(bytes: &[u8]) {
    for server_type in BOTH {
        request(server_type, bytes);
        comparisons(server_type, bytes);
    }
    marks(bytes);
}

fn request(server_type: ServerType, bytes: &[u8]) {
    let Ok(request) = Request::parse(server_type, bytes) else { return };
    let written = request.to_json();
    same(&Request::parse(server_type, &written), &request);
    if let Request::MergeItems { rows, points, .. } = &request {
        assert!(rows.len() + points.len() <= bytes.len() / 2);
        assert!(matches!(rows, Rows::Objects(_)) == (server_type == ServerType::Container));
    }
}

fn comparisons(server_type: ServerType, bytes: &[u8]) {
    let Ok(comparisons) = CompareMessage::parse(server_type, bytes) else { return };
    assert!(comparisons.len() <= CompareMessage::MOST);
    same(&CompareMessage::parse(server_type, &CompareMessage::to_json(&comparisons)), &comparisons);
}

fn marks(bytes: &[u8]) {
    let Ok(marked) = MarkMessage::parse(bytes) else { return };
    assert!(marked.len() <= MarkMessage::MOST);
    let mut message = MarkMessage::default();
    for each in &marked {
        message.add(each.device.as_str(), each.partition, each.digest, each.mark);
    }
    assert_eq!(message.len(), marked.len());
    same(&MarkMessage::parse(message.into_body().as_bytes()), &marked);
}

fn same<T: Debug + PartialEq, E: Debug>(again: &Result<T, E>, first: &T) {
    assert_eq!(again.as_ref().ok(), Some(first), "what was written is read otherwise: {again:?}");
}
