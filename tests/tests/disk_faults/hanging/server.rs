use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, Scene, Shape, on_its_own};

use super::{BOUND, crowd, titles_on};
use crate::{disk::Disk, site::TYPE};

/// More than a server has threads, and so than one device may keep busy.
const STUCK: usize = 40;

/// Asks node 2 to write something into a database of one of its devices.
fn ask_to_write(scene: &Scene, title: &str, device: &str) -> Result<TcpStream> {
    let database = scene.database(title, device)?;
    let body = r#"["merge_syncs", [{"remote_id": "somebody", "sync_point": 1}]]"#;
    let mut stream = TcpStream::connect((scene.cluster.address(2), TYPE.default_port()))?;
    stream.set_read_timeout(Some(BOUND))?;
    write!(
        stream,
        "REPLICATE /{device}/{}/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        scene.case(title)?["part"],
        database.digest(),
        body.len()
    )?;
    Ok(stream)
}

fn status(mut stream: TcpStream) -> Result<u16> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).with_context(|| format!("{answer:?}"))
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
