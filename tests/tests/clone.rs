//! A large database is copied by a clone that shares its blocks, where the file system makes such: on a real XFS.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use db_broker::{Broker, DbLocation, NewDb, Snapshot, Source};
use martlet_testkit::{ServerType, object_row, on_its_own};
use protocol::{ObjectRow, Rows};
use swift_types::{DbName, HashPath, Timestamp};

/// From 16 MiB on a clone is tried.
const CLONED_FROM: u64 = 16 << 20;
/// Far less than the database: a file's inode, and what XFS notes of shared blocks.
const SOME: u64 = 2 << 20;
/// The smallest that mkfs.xfs makes.
const DISK: u64 = 320 << 20;

fn run(program: &str, args: &[&Path]) -> Result<()> {
    let output = Command::new(program).args(args).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// An XFS in a file, mounted in this process's own mounts, which end with it.
fn xfs(dir: &Path) -> Result<PathBuf> {
    let (image, mounted) = (dir.join("xfs"), dir.join("sdb1"));
    fs::File::create(&image)?.set_len(DISK)?;
    run("mkfs.xfs", &["-q".as_ref(), "-m".as_ref(), "reflink=1".as_ref(), &image])?;
    fs::create_dir(&mounted)?;
    run("mount", &["-o".as_ref(), "loop".as_ref(), &image, &mounted])?;
    Ok(mounted)
}

fn object(number: usize) -> ObjectRow<'static> {
    object_row(format!("{number:0500}"), "1700000001.00000")
}

/// A container that is large enough.
fn large_container(device: &Path) -> Result<Broker> {
    let digest = HashPath::new(vec![], b"x".to_vec())?.container("a", "c");
    let location = DbLocation::new(ServerType::Container, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000")?;
    let mut broker = Broker::create(
        location,
        NewDb {
            account: "a",
            container: Some("c"),
            put_timestamp: now,
            created_at: now,
            storage_policy_index: 0,
        },
    )?;
    while broker.file().metadata()?.len() < CLONED_FROM {
        let count = usize::try_from(broker.replication_info()?.count)?;
        broker.merge_items(Rows::Objects((count..count + 5000).map(object).collect()), Source::Local)?;
    }
    Ok(broker)
}

/// Bytes that are taken on the disk, everything written down.
fn used(device: &Path) -> Result<u64> {
    run("sync", &["-f".as_ref(), device])?;
    let space = rustix::fs::statvfs(device)?;
    Ok((space.f_blocks - space.f_bfree) * space.f_frsize)
}

#[test]
fn the_copy_takes_no_room_and_stays_as_it_was() -> Result<()> {
    on_its_own("the_copy_takes_no_room_and_stays_as_it_was", |dir| {
        let device = xfs(dir)?;
        let mut broker = large_container(&device)?;
        let (before, bytes) = (used(&device)?, fs::read(broker.file())?);
        let Snapshot::InTmp(copy) = broker.snapshot()? else { anyhow::bail!("in memory") };
        let taken = used(&device)?.saturating_sub(before);
        assert!(taken < SOME && SOME < CLONED_FROM / 4, "{taken} bytes");
        broker.merge_items(Rows::Objects(vec![object(usize::MAX)]), Source::Local)?;
        assert!(fs::read(copy.path())? == bytes && fs::read(broker.file())? != bytes);
        let path = copy.path().to_owned();
        drop(copy);
        assert!(!path.exists());
        drop(broker);
        run("umount", &[&device])
    })
}
