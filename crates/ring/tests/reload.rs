//! A ring file that changes under a running daemon.

use std::{fs, path::PathBuf, sync::Arc, thread, time::Duration};

use martlet_ring::{Device, Reload, Ring, RingWriter};
use tempfile::TempDir;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("account.ring.gz");
    Place { _folder: folder, path }
}

impl Place {
    fn write(&self, devices: u64) {
        let mut writer = RingWriter::new(4, 1);
        for id in 0..devices {
            writer.add(Device::new(id, "127.0.0.1", 6202, "sda"));
        }
        writer.write_v1(&self.path).expect("the ring is written");
    }

    /// A ring that looks at its file at every use.
    fn open(&self) -> Ring {
        Ring::open_with_interval(&self.path, Duration::ZERO).expect("the ring is sound")
    }
}

fn devices(ring: &Ring) -> usize {
    ring.data().devices().count()
}

#[test]
fn a_new_file_is_taken_and_told_once() {
    let place = place();
    place.write(1);
    let ring = place.open();
    let before = ring.data();
    let node = before.primaries(0).remove(0);
    assert!(ring.take_reload().is_none(), "the first load is no reload");
    place.write(2);
    assert_eq!(devices(&ring), 2);
    assert!(matches!(ring.take_reload(), Some(Reload::Loaded)));
    assert_eq!(devices(&ring), 2);
    assert!(ring.take_reload().is_none());
    assert_eq!((before.devices().count(), node.id), (1, 0), "the old ring is undisturbed");
}

#[test]
fn a_bad_file_leaves_the_old_ring_and_is_told_once() {
    let place = place();
    place.write(1);
    let ring = place.open();
    for damage in ["this is no ring file", "this is not one either"] {
        fs::write(&place.path, damage).unwrap();
        assert_eq!(devices(&ring), 1);
        let Some(Reload::Failed(error)) = ring.take_reload() else { panic!("the failure is told") };
        assert!(error.to_string().contains("account.ring.gz is corrupted in its header"), "{error}");
        assert_eq!(devices(&ring), 1);
        assert!(ring.take_reload().is_none(), "told once");
        assert!(ring.failure().is_some(), "but known for as long as it lasts");
    }
    place.write(3);
    assert_eq!(devices(&ring), 3);
    assert!(matches!(ring.take_reload(), Some(Reload::Loaded)));
    assert!(ring.failure().is_none());
}

#[test]
fn a_file_that_vanishes_and_returns() {
    let place = place();
    place.write(1);
    let ring = place.open();
    let aside = place.path.with_extension("aside");
    fs::hard_link(&place.path, &aside).unwrap();
    fs::remove_file(&place.path).unwrap();
    assert_eq!((devices(&ring), devices(&ring)), (1, 1));
    assert!(
        matches!(ring.take_reload(), Some(Reload::Failed(error)) if error.to_string().contains("No such file"))
    );
    assert!(ring.take_reload().is_none());
    fs::hard_link(&aside, &place.path).unwrap();
    assert_eq!(devices(&ring), 1);
    assert!(ring.failure().is_none() && ring.take_reload().is_none(), "the same file is no news");
}

#[test]
fn the_interval_is_kept() {
    let place = place();
    place.write(1);
    let ring = Ring::open_with_interval(&place.path, Duration::MAX).unwrap();
    place.write(2);
    assert_eq!(devices(&ring), 1);
}

#[test]
fn a_missing_ring_does_not_open() {
    let error = Ring::open(&place().path).unwrap_err().to_string();
    assert!(error.contains("account.ring.gz cannot be read: No such file"), "{error}");
}

#[test]
fn threads_share_a_ring_that_changes() {
    let place = place();
    place.write(1);
    let ring = Arc::new(place.open());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let data = ring.data();
                    let nodes = data.primaries(3).len() + data.handoffs(3).count();
                    assert_eq!(nodes, data.devices().count(), "a ring is whole");
                }
            });
        }
        for count in [2, 3, 4, 5, 6, 7] {
            place.write(count);
        }
    });
    assert_eq!(devices(&ring), 7);
}
