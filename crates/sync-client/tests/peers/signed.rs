//! Whatever is sent is signed where there is a secret, so that a peer can tell, and nothing where there is none.

use std::{
    sync::{Arc, mpsc::Receiver},
    time::{Duration, SystemTime},
};

use martlet_sync_client::{ClientSettings, Content, Question, Region, Reminder};
use protocol::{
    BodyDigest, Checksum, ClusterSecrets, Comparison, FileWithMessage, MarkMessage, Request, ServerType,
    Signable, Signature,
};
use ring::Device;
use swift_types::DbName;

use crate::{
    Us, client, client_with,
    files::{large, merge},
    scripted::{Act, Told, peer},
    target,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn secrets() -> ClusterSecrets {
    ClusterSecrets::parse("a-secret-of-the-cluster the-next-secret-of-it").unwrap()
}

fn comparison(device: &Device) -> Comparison {
    let body = br#"["sync", 5, "00000000000000000000000000000000", "id", "1", "1", "0", ""]"#;
    let Ok(Request::Sync(args)) = Request::parse(ServerType::Account, body) else { panic!("it is sound") };
    let (device, digest) = (device.device.parse().unwrap(), target(device).digest);
    Comparison { device, partition: 7, digest, args: args.into(), mark: None }
}

/// Sends one of each kind, files small and large, plain and compressed.
fn send_everything(us: &Us, device: &Device) {
    let (_dir, path, _) = large();
    let target = target(device);
    us.client.replicate(&target, &Request::GetShardRanges, PATIENCE).unwrap();
    let tmp = "id-sdb1".parse().unwrap();
    let once = Request::CompleteRsync { tmp, name: Some(DbName::unsharded(target.digest)) };
    us.client.replicate(&target, &once, PATIENCE).unwrap();
    us.client.merge_items(&target, b"[\"merge_items\", [], \"id\"]".to_vec(), PATIENCE).unwrap();
    let peer = Arc::new(device.clone());
    us.client.compare(&[Question { peer: Arc::clone(&peer), comparisons: vec![comparison(device)] }]);
    let mut message = MarkMessage::default();
    message.add("sdb1", 7, target.digest, "0".repeat(32).parse().unwrap());
    us.client.recall(vec![Reminder { peer, message }]);
    for content in [Content::Bytes(b"small"), Content::File(&path)] {
        us.client.send_file(&target, content, "id-sdb1").unwrap();
        for region in [Region::Same, Region::Different] {
            let sent =
                us.client.send_file_with_message(&target, content, &merge(device), region, Duration::ZERO);
            sent.unwrap();
        }
    }
}

fn value<'a>(told: &'a Told, name: &str) -> Option<&'a str> {
    let lines = told.head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The digest that was signed of a message, and the one of what came.
fn digests(told: &Told) -> (BodyDigest, BodyDigest) {
    let path = told.head.split(' ').nth(1).unwrap();
    let content_type = value(told, "content-type").unwrap();
    let deciding = Signable::deciding_header(content_type).and_then(|name| value(told, name));
    let signable = Signable::new(path, content_type, deciding.map(str::as_bytes));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let signature = value(told, Signature::HEADER).map(str::as_bytes);
    let signed =
        secrets().verify(signable, signature, now).unwrap_or_else(|fault| panic!("{fault}: {told:?}"));
    let came = match (content_type == FileWithMessage::CONTENT_TYPE, value(told, "content-encoding")) {
        (false, _) => told.body.clone(),
        (true, None) => told.body[..told.body.len() - Checksum::BYTES].to_vec(),
        (true, Some(_)) => {
            let mut plain = zstd::decode_all(&told.body[..]).unwrap();
            plain.truncate(plain.len() - Checksum::BYTES);
            plain
        }
    };
    (signed, BodyDigest::of(&came))
}

fn told(messages: &Receiver<Told>) -> Vec<Told> {
    messages.try_iter().collect()
}

#[test]
fn whatever_is_sent_is_signed() {
    let (device, messages) = peer(&[]);
    let us = client_with("{replication_ip}::x", |settings| ClientSettings {
        rsync_compress: true,
        secrets: Some(secrets()),
        ..settings
    });
    send_everything(&us, &device);
    let told = told(&messages);
    assert_eq!(told.len(), 11);
    for told in &told {
        let (signed, came) = digests(told);
        assert_eq!(signed, came, "{}", told.head);
    }
}

#[test]
fn without_a_secret_nothing_is_signed() {
    let (device, messages) = peer(&[]);
    send_everything(&client("{replication_ip}::x"), &device);
    let told = told(&messages);
    assert_eq!(told.len(), 11);
    assert!(told.iter().all(|told| value(told, Signature::HEADER).is_none()), "{told:?}");
}

/// A refusal is told apart from other 403s, as of a stranger.
#[test]
fn a_peer_says_why_it_does_not_listen() {
    const REFUSED: &[&[Act]] =
        &[&[Act::Refuse("signature stale\n"), Act::Refuse("no address of the ring\n")]];
    let (device, _messages) = peer(REFUSED);
    let us = client("{replication_ip}::x");
    let ask = || us.client.replicate(&target(&device), &Request::GetShardRanges, PATIENCE).unwrap();
    assert_eq!(ask().signature_fault(), Some(protocol::SignatureFault::Stale));
    let second = ask();
    assert_eq!((second.status, second.signature_fault()), (403, None));
}
