//! Which of many databases are the same as a peer's.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use db_broker::DbLocation;
use protocol::{Comparative, Comparison, MarkMessage, Marked};
use swift_types::{DbName, DeviceName};
use tracing::debug;
use warp::http::StatusCode;

use crate::{
    answer::Answer,
    dispatch::{Place, usable_device},
    service::Host,
    target::RpcTarget,
};

/// How long one question may be worked on: peers wait for `node_timeout`.
const TIME: Duration = Duration::from_secs(2);

/// Answers in the order of the question, as far as there is time.
pub(crate) fn compare(host: &Host, comparisons: Vec<Comparison>) -> Answer {
    let until = Instant::now() + TIME;
    let mut devices = Devices { host, mounted: HashMap::new() };
    let in_time = comparisons.into_iter().take_while(|_| Instant::now() < until);
    let compared: Vec<_> = in_time.map(|comparison| devices.compare(comparison)).collect();
    Answer::json(&compared)
}

/// Which databases still are as they were found to be in sync, from memory alone; in the order of the question, as far as there is
/// time.
pub(crate) fn recall(host: &Host, marked: &[Marked]) -> Answer {
    let until = Instant::now() + TIME;
    let mut devices = Devices { host, mounted: HashMap::new() };
    let in_time = marked.iter().take_while(|_| Instant::now() < until);
    let letter =
        |marked| char::from(if devices.still_holds(marked) { MarkMessage::SAME } else { MarkMessage::OTHER });
    Answer::text(StatusCode::OK, in_time.map(letter).collect::<String>())
}

/// The devices that a question is about, each looked at once.
struct Devices<'a> {
    host: &'a Host,
    mounted: HashMap<DeviceName, Result<PathBuf, StatusCode>>,
}

impl Devices<'_> {
    fn dir(&mut self, device: &DeviceName) -> Result<&Path, StatusCode> {
        if !self.mounted.contains_key(device) {
            let dir = usable_device(&self.host.settings, device).map_err(|no| no.status);
            self.mounted.insert(device.clone(), dir);
        }
        self.mounted[device].as_deref().map_err(|status| *status)
    }

    fn compare(&mut self, comparison: Comparison) -> Comparative {
        let Comparison { device, partition, digest, args, mark } = comparison;
        let (started, host) = (Instant::now(), self.host);
        let device_dir = self.dir(&device).map(Path::to_owned);
        let target = RpcTarget { device, partition, digest };
        let compared = match device_dir {
            Err(status) => Comparative::Status(status.as_u16()),
            Ok(device_dir) => Place::new(host, &target, device_dir)
                .compare(&args, mark)
                .unwrap_or_else(|answer| Comparative::Status(answer.status.as_u16())),
        };
        let status = match compared {
            Comparative::Status(status) => status,
            Comparative::Reply(_) => 200,
        };
        debug!("REPLICATE {target} compare {status} {:.4}", started.elapsed().as_secs_f64());
        compared
    }

    fn still_holds(&mut self, marked: &Marked) -> bool {
        let host = self.host;
        let Marked { device, partition, digest, mark } = marked;
        let holds = self.dir(device).is_ok_and(|device_dir| {
            let name = DbName::unsharded(*digest);
            let usual = DbLocation::new(host.settings.server_type, device_dir, *partition, &name);
            host.replicas.get(&usual).is_some_and(|replica| replica.is_marked(*mark))
        });
        debug!("REPLICATE {device}/{partition}/{digest} marks {holds}");
        holds
    }
}
