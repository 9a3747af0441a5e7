use std::net::TcpStream;

use anyhow::Result;
use martlet_testkit::by_hand::{self, Answer};
use martlet_testkit::{Daemon, Scene, Shape, on_its_own};

use super::{crowd, titles_on};
use crate::{disk::Disk, site::TYPE};

/// More than a server has threads, and so than one device may keep busy.
const STUCK: usize = 40;

/// Asks node 2 to write something into a database of one of its devices.
fn ask_to_write(scene: &Scene, title: &str, device: &str) -> Result<TcpStream> {
    let database = scene.database(title, device)?;
    let body = r#"["merge_syncs", [{"remote_id": "somebody", "sync_point": 1}]]"#;
    let stream = by_hand::connect((scene.cluster.address(2), TYPE.default_port()).into())?;
    let path = format!("/{device}/{}/{}", scene.case(title)?["part"], database.digest());
    by_hand::replicate(&stream, &path, "", body)?;
    Ok(stream)
}

fn status(stream: TcpStream) -> Result<u16> {
    Ok(Answer::read(stream)?.status)
}

#[test]
fn a_server_answers_for_its_other_disks() -> Result<()> {
    on_its_own("hanging::server::a_server_answers_for_its_other_disks", |dir| {
        let mut scene = crowd(Shape::default())?;
        let disk = Disk::under(&scene.cluster, "d2a", dir)?;
        scene.cluster.serve(2, TYPE, Daemon::Martlet)?;
        let (here, other) = (&titles_on(&scene, "d2a")?[0], &titles_on(&scene, "d2b")?[0]);
        let frozen = disk.freeze()?;
        let stuck = (0..STUCK).map(|_| ask_to_write(&scene, here, "d2a")).collect::<Result<Vec<_>>>()?;
        // These have to wait as long as those, if they wait for them at all.
        assert_eq!(status(ask_to_write(&scene, other, "d2b")?)?, 202);
        assert_eq!(status(ask_to_write(&scene, here, "d2a")?)?, 503);
        assert_eq!(status(ask_to_write(&scene, other, "d2b")?)?, 202);
        let told = scene.cluster.log_lines().join("\n");
        assert!(told.contains("ERROR d2a has ended none of 8 requests for 5s"), "{told}");
        drop(frozen);
        let answers = stuck.into_iter().map(status).collect::<Result<Vec<_>>>()?;
        assert_eq!(answers.iter().filter(|status| **status == 202).count(), 8, "{answers:?}");
        assert!(answers.iter().all(|status| [202, 503].contains(status)), "{answers:?}");
        assert_eq!(status(ask_to_write(&scene, here, "d2a")?)?, 202, "and it is as before");
        Ok(())
    })
}
