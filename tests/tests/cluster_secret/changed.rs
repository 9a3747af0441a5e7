//! Requests of a peer as somebody on the way would change them, or send them again.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::by_hand::{self, Answer};
use martlet_testkit::{Cluster, Daemon, Scene, Shape, Tree, node_of};
use protocol::{BodyDigest, Checksum, ClusterSecrets, FileWithMessage, Signable, Signature, SignatureFault};

use super::nodes::{CASE, KIND, SECRET, SUITE};

const MERGE: &str = r#"["rsync_then_merge", "them"]"#;

/// One server with a secret, beside replicas that are as they were built.
struct Door {
    scene: Scene,
    node: usize,
    device: String,
    /// Where the server has the case, and where it has nothing.
    path: String,
    other_path: String,
    secrets: ClusterSecrets,
    now: u64,
}

impl Door {
    fn shut() -> Result<Self> {
        let mut scene = Scene::set(Shape::default(), SUITE, KIND)?;
        let device = scene.primaries(CASE)?.remove(1);
        let node = node_of(&device);
        scene.cluster.give_secrets(node, SECRET)?;
        scene.cluster.serve(node, KIND, Daemon::Martlet)?;
        let hash = scene.case(CASE)?["hash"].as_str().context("a hash")?.to_owned();
        let partition = &scene.case(CASE)?["part"];
        let path = format!("/{device}/{partition}/{hash}");
        let other_path = format!("/{device}/{partition}/{}", hash.chars().rev().collect::<String>());
        let secrets = ClusterSecrets::parse(SECRET)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self { scene, node, device, path, other_path, secrets, now })
    }

    /// The head line that signs this for the case, so many seconds ago.
    fn signed(&self, signable: Signable<'_>, ago: u64, content: &[u8]) -> String {
        let signature = self.secrets.sign(signable, self.now - ago, BodyDigest::of(content));
        format!("{}: {signature}\r\n", Signature::HEADER)
    }

    fn signed_message(&self, ago: u64, message: &str) -> String {
        self.signed(Signable::message(&self.path), ago, message.as_bytes())
    }

    fn signed_file(&self, ago: u64, file: &[u8]) -> String {
        let signable = Signable::new(&self.path, FileWithMessage::CONTENT_TYPE, Some(MERGE.as_bytes()));
        self.signed(signable, ago, file) + &about(file)
    }

    fn tell(&self, path: &str, head: &str, body: &[u8]) -> Result<(u16, Option<SignatureFault>)> {
        tell(&self.scene.cluster, self.node, path, head, body)
    }

    /// It is refused for that, and no database is changed, nor anything left in `tmp`; what else lies on the disks is for
    /// `untouched` to judge, before and after.
    fn stays_shut(
        &self,
        (path, head, body): (&str, &str, &[u8]),
        fault: SignatureFault,
        untouched: impl Fn(&Tree, &Tree) -> bool,
    ) -> Result<()> {
        let disks = || Tree::read(&self.scene.cluster.disks());
        let cases = || Ok::<_, anyhow::Error>(self.scene.dump()?["cases"].take());
        let before = (disks()?, cases()?);
        assert_eq!(self.tell(path, head, body)?, (403, Some(fault)));
        assert!(untouched(&before.0, &disks()?), "{fault}: something on a disk is different");
        assert_eq!(cases()?, before.1, "{fault}: a database is different");
        let tmp = self.scene.cluster.disks().join(format!("n{}/devices/{}/tmp", self.node, self.device));
        assert!(is_empty(&tmp), "{fault}: something is left");
        Ok(())
    }

    fn rows(&self) -> Result<usize> {
        Ok(self.scene.rows(CASE)?.get(&self.device).map_or(0, Vec::len))
    }
}

/// The status for a request that is written by hand, to a node's server, and what it says of the signature.
fn tell(
    cluster: &Cluster,
    node: usize,
    path: &str,
    head: &str,
    body: &[u8],
) -> Result<(u16, Option<SignatureFault>)> {
    let stream = by_hand::connect((cluster.address(node), KIND.default_port()).into())?;
    by_hand::replicate(&stream, path, head, body)?;
    let answer = Answer::read(stream)?;
    Ok((answer.status, SignatureFault::from_answer(answer.body.as_bytes())))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// The head lines of a file that is to be merged.
fn about(file: &[u8]) -> String {
    format!(
        "Content-Type: {}\r\n{}: {}\r\n{}: {MERGE}\r\n",
        FileWithMessage::CONTENT_TYPE,
        FileWithMessage::LENGTH,
        file.len(),
        FileWithMessage::MESSAGE
    )
}

/// A file as it is sent, with the checksum that anybody can make.
fn with_checksum(file: &[u8]) -> Vec<u8> {
    let mut sum = Checksum::default();
    sum.update(file);
    [file, &sum.finish()].concat()
}

#[test]
fn a_message_that_was_changed_or_is_old_changes_nothing() -> Result<()> {
    let door = Door::shut()?;
    let message = |deleted: &str| {
        format!(
            r#"["sync", 5, "00000000000000000000000000000000", "them", "0000000001.00000", "0000000001.00000", "{deleted}", ""]"#
        )
    };
    // The second deletes the container.
    let (body, changed) = (message("0"), message("0000000002.00000"));
    let (good, old) = (door.signed_message(0, &body), door.signed_message(1000, &body));
    for (sent, fault) in [
        ((&*door.path, &*good, changed.as_bytes()), SignatureFault::OtherBody),
        ((&door.other_path, &good, body.as_bytes()), SignatureFault::Wrong),
        ((&door.path, &old, body.as_bytes()), SignatureFault::Stale),
        ((&door.path, "", body.as_bytes()), SignatureFault::Missing),
    ] {
        door.stays_shut(sent, fault, |before, after| before == after)?;
    }
    assert_eq!(door.tell(&door.path, &good, body.as_bytes())?, (200, None));
    Ok(())
}

#[test]
fn a_file_that_was_changed_or_is_old_changes_nothing() -> Result<()> {
    let door = Door::shut()?;
    let sender = door.scene.database(CASE, &door.scene.primaries(CASE)?[0])?;
    let file = fs::read(sender.file())?;
    let altered = [&file[..file.len() - 1], &[!file[file.len() - 1]]].concat();
    let (body, changed) = (with_checksum(&file), with_checksum(&altered));
    let (good, old, none) = (door.signed_file(0, &file), door.signed_file(1000, &file), about(&file));
    for (sent, fault) in [
        ((&*door.other_path, &*good, &*body), SignatureFault::Wrong),
        ((&door.path, &old, &body), SignatureFault::Stale),
        ((&door.path, &none, &body), SignatureFault::Missing),
    ] {
        door.stays_shut(sent, fault, |before, after| before == after)?;
    }
    // What a file is can be said when it lies in `tmp`, and not before.
    door.stays_shut((&door.path, &good, &changed), SignatureFault::OtherBody, |_, _| true)?;
    assert_eq!(door.rows()?, 2);
    // Sent again it changes no row.
    for _ in 0..2 {
        assert_eq!(door.tell(&door.path, &good, &body)?, (204, None));
        assert_eq!(door.rows()?, 42);
    }
    Ok(())
}
