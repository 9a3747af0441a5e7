//! Each fault of a peer, what comes of it, and how the peer plays it.

use std::collections::BTreeMap;

use martlet_testkit::{Fault, Told};
use serde_json::{Value, json};

/// The id by which the faulty peer calls its database.
pub(crate) const LIAR: &str = "liar";

/// One fault, which is the title of its case.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    play: fn(&Told, &Others) -> Fault,
    /// What ours logs of it; nothing where the peer is believed, or got the better of.
    pub(crate) ours: Option<&'static str>,
    /// The points that ours and stock then have stored for [`LIAR`].
    pub(crate) points: [Option<i64>; 2],
    /// Whether stock counts it as a failure, and what it logs then, if it is not [`UNTOLD`].
    pub(crate) stock: Option<&'static str>,
}

/// What a liar knows of others.
pub(crate) struct Others {
    /// The id of the healthy peer's database.
    pub(crate) healthy: String,
}

impl Row {
    /// What the peer does about a message of its case.
    pub(crate) fn fault(&self, told: &Told, others: &Others) -> Fault {
        (self.play)(told, others)
    }
}

const TIMED_OUT: Option<&str> = Some("no answer within 2.0 s");
/// Stock's.
const TIMEOUT: Option<&str> = Some("Timeout (2.0s)");
/// Of what stock counts and does not log.
const UNTOLD: &str = "";
const NOTHING_STORED: [Option<i64>; 2] = [None, None];
const HALF_A_BODY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\": ";
const ENDLESS_BODY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n";

/// An answer to `sync` from a peer that has what all three had, changed by `lie`.
fn reply(told: &Told, lie: &Value) -> Fault {
    let [created_at, put_timestamp, delete_timestamp] = [4, 5, 6].map(|at| told.message[at].clone());
    let mut reply = json!({
        "id": LIAR, "hash": "0123456789abcdef0123456789abcdef", "max_row": 6, "point": 6, "count": 6, "metadata": "", "shard_max_row": -1,
        "created_at": created_at, "put_timestamp": put_timestamp, "delete_timestamp": delete_timestamp,
    });
    for (key, value) in lie.as_object().into_iter().flatten() {
        reply[key] = value.clone();
    }
    Fault::Answers(200, reply.to_string())
}

/// `sync` answered as a peer that lacks the new rows, `op` with the fault, all else accepted.
fn at(op: &str, told: &Told, fault: Fault) -> Fault {
    match told.message[0].as_str() {
        Some("sync") => reply(told, &json!({})),
        Some(said) if said == op => fault,
        _ => Fault::Answers(202, String::new()),
    }
}

/// `sync` answered with a lie, all else accepted.
fn lie(told: &Told, lie: &Value) -> Fault {
    match told.message[0].as_str() {
        Some("sync") => reply(told, lie),
        _ => Fault::Answers(202, String::new()),
    }
}

const fn row(title: &'static str, play: fn(&Told, &Others) -> Fault) -> Row {
    Row { title, play, ours: TIMED_OUT, points: NOTHING_STORED, stock: TIMEOUT }
}

/// Every fault, in the order of `cases_faults.py`.
pub(crate) const TABLE: &[Row] = &[
    row("silent", |_, _| Fault::Silence),
    row("half-a-head", |_, _| Fault::Stops("HTTP/1.1 200 OK\r\ncontent-le")),
    row("half-a-body", |_, _| Fault::Stops(HALF_A_BODY)),
    Row {
        ours: Some("connection error"),
        stock: Some("RemoteDisconnected"),
        ..row("reset", |_, _| Fault::Reset)
    },
    Row {
        ours: Some("end of file before message length reached"),
        stock: Some("IncompleteRead"),
        ..row("cut-short", |_, _| Fault::Ends(HALF_A_BODY))
    },
    Row {
        ours: Some("invalid HTTP version parsed"),
        stock: Some("BadStatusLine"),
        ..row("no-http", |_, _| Fault::Ends("SSH-2.0-OpenSSH_9.2\r\n\r\n\0\u{1}garbage"))
    },
    Row {
        ours: Some("not a sync reply"),
        stock: Some("JSONDecodeError"),
        ..row("bad-json", |_, _| Fault::Answers(200, r#"{"id": [1, "#.to_owned()))
    },
    Row {
        ours: Some("not a sync reply"),
        stock: Some("TypeError"),
        ..row("no-reply", |_, _| Fault::Answers(200, "[1, 2]".to_owned()))
    },
    Row {
        ours: Some("not a sync reply"),
        stock: Some("TypeError"),
        ..row("bad-numbers", |told, _| lie(told, &json!({"point": [6], "max_row": "many"})))
    },
    Row {
        ours: Some("message head is too large"),
        stock: Some("got more than 201 headers"),
        ..row("endless-head", |_, _| Fault::Endless("HTTP/1.1 200 OK\r\n", "x-more: of this\r\n"))
    },
    Row {
        ours: Some("the answer is over 67108864 bytes"),
        ..row("endless-body", |_, _| Fault::Endless(ENDLESS_BODY, "x"))
    },
    // It would be whole, and no JSON, after 25 seconds: who waits for each byte anew gets that far.
    row("trickle", |_, _| Fault::Trickle(HALF_A_BODY)),
    Row {
        ours: Some("Bad response 503"),
        stock: Some(UNTOLD),
        ..row("errors", |_, _| Fault::Answers(503, "no".to_owned()))
    },
    // Not believed: all rows are sent. Stock sends none.
    Row {
        ours: None,
        points: [Some(9), None],
        stock: None,
        ..row("points-beyond", |told, _| {
            lie(told, &json!({"point": 1_000_000_000, "max_row": 1_000_000_000}))
        })
    },
    // Who has our hash has our rows.
    Row {
        ours: None,
        points: [Some(2), Some(2)],
        stock: None,
        ..row("our-hash", |told, _| lie(told, &json!({"point": 2, "hash": told.message[2]})))
    },
    Row {
        ours: None,
        stock: None,
        ..row("id-of-another", |told, others| lie(told, &json!({"id": others.healthy})))
    },
    Row {
        ours: Some("Bad response 500"),
        stock: Some("ERROR Bad response 500"),
        ..row("error-at-rows", |told, _| at("merge_items", told, Fault::Answers(500, String::new())))
    },
    row("silent-at-rows", |told, _| at("merge_items", told, Fault::Silence)),
    Row {
        ours: Some("connection error"),
        stock: Some("RemoteDisconnected"),
        ..row("reset-at-rows", |told, _| at("merge_items", told, Fault::Reset))
    },
    Row {
        ours: Some("Bad response 500"),
        stock: Some(UNTOLD),
        ..row("error-at-points", |told, _| at("merge_syncs", told, Fault::Answers(500, String::new())))
    },
];

/// How many rows stock tells of with the same words.
pub(crate) fn told_by_stock() -> BTreeMap<&'static str, usize> {
    let mut rows = BTreeMap::new();
    for words in TABLE.iter().filter_map(|row| row.stock).filter(|words| *words != UNTOLD) {
        *rows.entry(words).or_default() += 1;
    }
    rows
}
