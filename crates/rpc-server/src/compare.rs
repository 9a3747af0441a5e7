//! Which of many databases are the same as a peer's.

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use protocol::{Comparative, Comparison};
use swift_types::DeviceName;
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

/// The devices that a question is about, each looked at once.
struct Devices<'a> {
    host: &'a Host,
    mounted: HashMap<DeviceName, Result<PathBuf, StatusCode>>,
}

impl Devices<'_> {
    fn compare(&mut self, comparison: Comparison) -> Comparative {
        let Comparison { device, partition, digest, args } = comparison;
        let (started, host) = (Instant::now(), self.host);
        let mounted = self
            .mounted
            .entry(device.clone())
            .or_insert_with_key(|device| usable_device(&host.settings, device).map_err(|no| no.status));
        let target = RpcTarget { device, partition, digest };
        let compared = match mounted {
            Err(status) => Comparative::Status(status.as_u16()),
            Ok(device_dir) => Place::new(host, &target, device_dir.clone())
                .compare(&args)
                .unwrap_or_else(|answer| Comparative::Status(answer.status.as_u16())),
        };
        let status = match compared {
            Comparative::Status(status) => status,
            Comparative::Reply(_) => 200,
        };
        debug!("REPLICATE {target} compare {status} {:.4}", started.elapsed().as_secs_f64());
        compared
    }
}
