//! Broken files on a node: the daemon says which, why and what to do, and loses nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use db_broker::{Broker, DbLocation, NewDb};
use protocol::{ObjectRow, Rows};
use ring::{Device, RingWriter};
use swift_types::{DbName, HashPath, ServerType, Timestamp};
use tempfile::TempDir;

/// One node with one device and one replica; nobody answers on its port.
struct Node {
    dir: TempDir,
}

impl Node {
    fn new() -> Self {
        let node = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(node.path("node/sdb1")).unwrap();
        node.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = x\n");
        node.write("c.conf", node.conf(""));
        let mut ring = RingWriter::new(2, 1);
        ring.add(Device::new(0, "127.0.0.1", 1, "sdb1"));
        ring.write_v1(&node.path("container.ring.gz")).unwrap();
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn conf(&self, more: &str) -> String {
        let dir = self.dir.path().display();
        format!(
            "[container-replicator]\ndevices = {dir}/node\nmount_check = false\nbind_ip = 127.0.0.1\n\
             bind_port = 1\nswift_dir = {dir}\nrecon_cache_path = {dir}\nmetrics_bind_port = 0\nuser = {user}\n\
             {more}\n",
            user = user_name(),
        )
    }

    fn run(&self, words: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_container-replicator");
        Command::new(program).arg(self.path("c.conf")).arg("-v").args(words).output().unwrap()
    }

    fn once(&self) -> Output {
        self.run(&["once"])
    }

    /// A container's database in its right partition.
    fn container(&self, name: &str) -> Broker {
        let digest = HashPath::new(vec![], b"x".to_vec()).unwrap().container("a", name);
        let partition = u64::from(digest.prefix() >> 30);
        let device = self.path("node/sdb1");
        let location = DbLocation::new(ServerType::Container, &device, partition, &DbName::unsharded(digest));
        let now = Timestamp::parse("1700000000").unwrap();
        let new = NewDb {
            account: "a",
            container: Some(name),
            put_timestamp: now,
            created_at: now,
            storage_policy_index: 0,
        };
        Broker::create(location, new).unwrap()
    }
}

/// Who runs the tests; the daemon stays that user.
fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn refuses(node: &Node, words: &[&str]) {
    for mode in [&["once"][..], &["--check-config"]] {
        let output = node.run(mode);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{mode:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{mode:?}: {word:?} is not in {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

fn row(name: &str) -> ObjectRow<'_> {
    ObjectRow {
        rowid: None,
        name: name.into(),
        created_at: "1700000001.00000".into(),
        size: 1,
        content_type: Some("text/plain".into()),
        etag: Some("e".into()),
        deleted: 0,
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    }
}

#[test]
fn a_sound_node_is_fine() {
    let node = Node::new();
    let output = node.run(&["--check-config"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.contains("concurrency = 8") && shown.contains("1 devices, 4 partitions, 1 replicas"),
        "{shown}"
    );
    assert!(node.once().status.success());
}

#[test]
fn a_broken_conf_is_refused_by_file_section_key_and_value() {
    let node = Node::new();
    node.write("c.conf", node.conf("concurrency = eight"));
    refuses(&node, &["c.conf", "[container-replicator] concurrency", "\"eight\"", "integer"]);
    node.write("c.conf", node.conf("rsync_module = {nowhere}::container"));
    refuses(&node, &["c.conf", "rsync_module", "nowhere"]);
    node.write("c.conf", "no section = here\n");
    refuses(&node, &["c.conf"]);
    node.write("c.conf", "[object-replicator]\n");
    refuses(&node, &["Unable to find container-replicator config section", "c.conf"]);
    node.write("c.conf", [0xff, 0xfe, 0x00]);
    refuses(&node, &["c.conf"]);
    fs::remove_file(node.path("c.conf")).unwrap();
    // Stock says this on stdout, so do we.
    let output = node.once();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Error: unable to locate /") && said.contains("c.conf"), "{said}");
}

#[test]
fn a_broken_swift_conf_is_refused() {
    let node = Node::new();
    node.write("swift.conf", "[swift-hash]\n");
    refuses(&node, &["swift.conf", "swift_hash_path_suffix"]);
    node.write("swift.conf", "nonsense\n");
    refuses(&node, &["swift.conf"]);
    fs::remove_file(node.path("swift.conf")).unwrap();
    refuses(&node, &["swift.conf"]);
}

#[test]
fn a_broken_ring_is_refused() {
    let node = Node::new();
    let whole = fs::read(node.path("container.ring.gz")).unwrap();
    node.write("container.ring.gz", &whole[..whole.len() / 2]);
    refuses(&node, &["container.ring.gz"]);
    node.write("container.ring.gz", "not gzip at all");
    refuses(&node, &["container.ring.gz"]);
    fs::remove_file(node.path("container.ring.gz")).unwrap();
    refuses(&node, &["container.ring.gz"]);
}

#[test]
fn a_node_outside_the_ring_says_so() {
    let node = Node::new();
    let mut ring = RingWriter::new(2, 1);
    ring.add(Device::new(0, "192.0.2.1", 1, "sdb1"));
    ring.write_v1(&node.path("container.ring.gz")).unwrap();
    let output = node.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Can't find itself 127.0.0.1 with port 1 in ring file, not replicating")
    );
}

#[test]
fn a_damaged_database_is_kept_in_quarantine_and_the_pass_goes_on() {
    let node = Node::new();
    let sound = node.container("sound").location().file().to_owned();
    let damaged = node.container("damaged").location().clone();
    fs::write(damaged.file(), b"this is no database, but it is all there is").unwrap();
    let output = node.once();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Quarantined") && said.contains("corrupted database"), "{said}");
    assert!(said.contains("Attempted to replicate 2 dbs"), "{said}");
    let kept = node.path("node/sdb1/quarantined/containers").join(damaged.digest().to_string());
    let file = kept.join(format!("{}.db", damaged.digest()));
    assert_eq!(fs::read(file).unwrap(), b"this is no database, but it is all there is");
    assert!(sound.exists() && !damaged.dir().exists());
}

#[test]
fn broken_pending_entries_cost_themselves_alone() {
    let node = Node::new();
    let mut broker = node.container("c");
    broker.put(&Rows::Objects(vec![row("before")])).unwrap();
    let pending = broker.location().pending_file();
    let mut bytes = fs::read(&pending).unwrap();
    bytes.extend_from_slice(b":%%%:AAAA:gAJLAS4=:");
    fs::write(&pending, bytes).unwrap();
    broker.put(&Rows::Objects(vec![row("after")])).unwrap();
    drop(broker);
    let output = node.once();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("Invalid pending entry").count(), 3, "{said}");
    let mut broker =
        Broker::open(DbLocation::of_file(ServerType::Container, &db_file(&pending)).unwrap()).unwrap();
    let Rows::Objects(rows) = broker.rows_since(-1, 10).unwrap() else { unreachable!() };
    assert_eq!(rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["before", "after"]);
    assert_eq!(fs::metadata(&pending).unwrap().len(), 0);
}

fn db_file(pending: &Path) -> PathBuf {
    pending.with_extension("")
}

#[test]
fn a_foreign_hash_suffix_moves_nothing() {
    let node = Node::new();
    let file = node.container("c").location().file().to_owned();
    node.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = another\n");
    let output = node.once();
    let said = stderr(&output);
    assert!(said.contains("which is not its directory: left alone; check swift_hash_path_prefix"), "{said}");
    assert!(said.contains("swift.conf") && file.exists(), "{said}");
}
