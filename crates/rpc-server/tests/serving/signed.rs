//! A server whose cluster has a secret, and requests signed rightly, wrongly, and changed on their way.

use std::{
    fs,
    io::Write as _,
    time::{Duration, SystemTime},
};

use db_broker::{Broker, Clock, DbLocation};
use martlet_rpc_server::Refusal;
use protocol::{
    BodyDigest, ClusterSecrets, CompareMessage, FileWithMessage, MarkMessage, Signable, Signature,
    SignatureFault, TransferHeaders,
};

use crate::{
    files_with_messages::{COMPLETE, MERGE, body, head, large_file},
    server::{Answer, Server, path_of, sync_body},
    transfers::file_of,
};

pub(crate) const SECRET: &str = "a-secret-of-the-cluster";

fn secrets(text: &str) -> ClusterSecrets {
    ClusterSecrets::parse(text).unwrap()
}

fn locked() -> Server {
    Server::start(|settings| settings.secrets = Some(secrets(SECRET)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The head line of a signature by that secret, made so many seconds from now.
pub(crate) fn signed(secret: &str, signable: Signable<'_>, ahead: i64, body: &[u8]) -> String {
    let seconds = now().checked_add_signed(ahead).unwrap();
    let signature = secrets(secret).sign(signable, seconds, BodyDigest::of(body));
    format!("{}: {signature}\r\n", Signature::HEADER)
}

pub(crate) fn tell(server: &Server, path: &str, signature: &str, body: &[u8]) -> Answer {
    server.send(&format!("REPLICATE {path}"), signature, body)
}

/// Refused for that and nothing else; the peer hears which it was, and no more.
fn is_refused(server: &Server, answer: &Answer, fault: SignatureFault) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(SignatureFault::from_answer(answer.body.as_bytes()), Some(fault), "{answer:?}");
    assert!(answer.head.contains("x-martlet-capabilities"), "{answer:?}");
    assert_eq!(server.next_event().refusal, Some(Refusal::BadSignature));
}

fn put_timestamp(location: &DbLocation) -> String {
    Broker::open(location.clone()).unwrap().replication_info().unwrap().put_timestamp.clone()
}

const LATER: &str = "1700000001.00000";

#[test]
fn a_message_is_heard_if_it_is_signed_now_as_it_came() {
    let server = locked();
    let (location, other) = (server.container("c"), server.container("other"));
    let other_path = path_of(&other);
    let (path, before, message) = (path_of(&location), put_timestamp(&location), sync_body(LATER));
    let good = |path, ahead| signed(SECRET, Signable::message(path), ahead, message.as_bytes());
    for (signature, fault) in [
        (String::new(), SignatureFault::Missing),
        (format!("{}: v1 0 0 0\r\n", Signature::HEADER), SignatureFault::Unreadable),
        (
            signed("another-secret-altogether", Signable::message(&path), 0, message.as_bytes()),
            SignatureFault::Wrong,
        ),
        (good(&other_path, 0), SignatureFault::Wrong),
        (good(&path, -310), SignatureFault::Stale),
        (good(&path, 310), SignatureFault::Stale),
        (signed(SECRET, Signable::message(&path), 0, b"[]"), SignatureFault::OtherBody),
    ] {
        let answer = tell(&server, &path, &signature, message.as_bytes());
        is_refused(&server, &answer, fault);
        assert_eq!(put_timestamp(&location), before, "{fault}");
    }
    assert_eq!(tell(&server, &path, &good(&path, -290), message.as_bytes()).status, 200);
    assert_eq!(put_timestamp(&location), LATER);
    assert_eq!(server.next_event().refusal, None);
}

#[test]
fn the_time_is_the_servers_own() {
    let fast = Clock::told_by(|| SystemTime::now() + Duration::from_secs(3600));
    let server = Server::start(|settings| (settings.secrets, settings.clock) = (Some(secrets(SECRET)), fast));
    let (path, message) = (path_of(&server.container("c")), sync_body("1"));
    let told = |ahead| {
        let signature = signed(SECRET, Signable::message(&path), ahead, message.as_bytes());
        tell(&server, &path, &signature, message.as_bytes())
    };
    is_refused(&server, &told(0), SignatureFault::Stale);
    assert_eq!(told(3600).status, 200);
}

#[test]
fn all_the_secrets_are_accepted() {
    let server = Server::start(|settings| {
        settings.secrets = Some(secrets("a-secret-of-the-cluster the-next-secret-of-it"));
    });
    let path = path_of(&server.container("c"));
    let message = sync_body("1");
    for (secret, status) in [(SECRET, 200), ("the-next-secret-of-it", 200), ("the-last-secret-of-it", 403)] {
        let signature = signed(secret, Signable::message(&path), 0, message.as_bytes());
        assert_eq!(tell(&server, &path, &signature, message.as_bytes()).status, status, "{secret}");
    }
}

#[test]
fn without_a_secret_a_signature_says_nothing() {
    let server = Server::start(|_| {});
    let path = path_of(&server.container("c"));
    let signature = format!("{}: nonsense\r\n", Signature::HEADER);
    assert_eq!(tell(&server, &path, &signature, sync_body("1").as_bytes()).status, 200);
}

/// The body is more than a connection takes at once, and the answer comes all the same.
#[test]
fn a_question_about_many_is_heard_if_it_is_signed_as_such() {
    let server = locked();
    let mut questions = b"[".to_vec();
    questions.resize(90_000, b' ');
    questions.push(b']');
    for content_type in [CompareMessage::CONTENT_TYPE, MarkMessage::CONTENT_TYPE] {
        let body = if content_type == CompareMessage::CONTENT_TYPE { &questions[..] } else { b"" };
        let ask = |signature: &str, body: &[u8]| {
            server.send("REPLICATE /", &format!("content-type: {content_type}\r\n{signature}"), body)
        };
        let signature = signed(SECRET, Signable::new("/", content_type, None), 0, body);
        assert_eq!(ask(&signature, body).status, 200);
        assert_eq!(server.next_event().refusal, None);
        is_refused(&server, &ask("", body), SignatureFault::Missing);
        is_refused(&server, &ask("", &vec![b'['; 3 << 20]), SignatureFault::Missing);
        is_refused(
            &server,
            &ask(&signed(SECRET, Signable::message("/"), 0, body), body),
            SignatureFault::Wrong,
        );
        is_refused(&server, &ask(&signature, b"[[]]"), SignatureFault::OtherBody);
    }
}

fn with_file(server: &Server, path: &str, head: &str, signature: &str, body: &[u8]) -> Answer {
    server.send(&format!("REPLICATE {path}"), &format!("{head}{signature}"), body)
}

#[test]
fn a_file_goes_live_if_it_and_its_message_are_as_they_were_signed() {
    for (file, path) in [file_of("c"), large_file("c")] {
        let server = locked();
        let other = {
            let mut other = file.clone();
            let at = file.len() - 1;
            other[at] ^= 1;
            other
        };
        let packed = |file: &[u8]| zstd::encode_all(&body(file)[..], 1).unwrap();
        let plain = head(file.len(), COMPLETE);
        let compressed = format!("{plain}content-encoding: zstd\r\n");
        let sign = |path, message: &str, file: &[u8]| {
            let signable = Signable::new(path, FileWithMessage::CONTENT_TYPE, Some(message.as_bytes()));
            signed(SECRET, signable, 0, file)
        };
        let good = sign(&path, COMPLETE, &file);
        for (signature, sent, fault) in [
            ("", &file, SignatureFault::Missing),
            // With the checksum that belongs to it: that of the transfer finds nothing.
            (&good, &other, SignatureFault::OtherBody),
            (&sign(&path, MERGE, &file), &file, SignatureFault::Wrong),
            (&sign("/sdb1/8/0", COMPLETE, &file), &file, SignatureFault::Wrong),
            (&signed(SECRET, Signable::message(&path), 0, &file), &file, SignatureFault::Wrong),
        ] {
            is_refused(&server, &with_file(&server, &path, &plain, signature, &body(sent)), fault);
            is_refused(&server, &with_file(&server, &path, &compressed, signature, &packed(sent)), fault);
        }
        assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());
        assert!(!server.device().join("containers").exists(), "nothing went live");
        assert_eq!(with_file(&server, &path, &compressed, &good, &packed(&file)).status, 204);
        assert_eq!(with_file(&server, &path, &plain, &good, &body(&file)).status, 404, "the place is taken");
    }
}

#[test]
fn a_file_that_comes_alone_is_kept_under_the_name_that_was_signed() {
    let server = locked();
    let (file, path) = file_of("c");
    let head = |name: &str, file: &[u8]| {
        let (kind, sum) = (TransferHeaders::CONTENT_TYPE, BodyDigest::of(file));
        format!(
            "content-type: {kind}\r\n{}: {name}\r\n{}: {sum}\r\n",
            TransferHeaders::TMP_NAME,
            TransferHeaders::SHA256
        )
    };
    let signable = Signable::new(&path, TransferHeaders::CONTENT_TYPE, Some(b"them-sdb9"));
    let good = signed(SECRET, signable, 0, &file);
    let other = [&file[..], b"more"].concat();
    is_refused(
        &server,
        &with_file(&server, &path, &head("them-sdb9", &file), "", &file),
        SignatureFault::Missing,
    );
    let renamed = with_file(&server, &path, &head("them-sdb8", &file), &good, &file);
    is_refused(&server, &renamed, SignatureFault::Wrong);
    let changed = with_file(&server, &path, &head("them-sdb9", &other), &good, &other);
    is_refused(&server, &changed, SignatureFault::OtherBody);
    assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());
    assert_eq!(with_file(&server, &path, &head("them-sdb9", &file), &good, &file).status, 201);
    assert_eq!(server.tmp_names(), ["them-sdb9"]);
}

/// Whoever cannot sign does not get as far as to have anything written: the answer is there before the file is.
#[test]
fn a_file_that_is_not_signed_is_not_received() {
    let server = locked();
    let (file, path) = large_file("c");
    let mut stream = server.connect();
    let head = head(file.len(), COMPLETE);
    write!(stream, "REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{head}\r\n", 1_u64 << 40)
        .unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    while stream.write_all(&file).is_ok() {}
    assert_eq!(server.next_event().refusal, Some(Refusal::BadSignature));
    assert!(fs::read_dir(server.device()).unwrap().next().is_none(), "not even a folder");
}

#[test]
fn other_methods_need_no_signature() {
    assert_eq!(locked().send_line("GET /sdb1/7/a/c HTTP/1.1"), 405);
}
