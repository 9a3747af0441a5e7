//! Which of many databases are the same as a peer's.

use std::{
    path::PathBuf,
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
    service::{Host, Service},
    target::RpcTarget,
};

/// How long one question may be worked on: peers wait for `node_timeout`.
pub(crate) const TIME: Duration = Duration::from_secs(2);

impl Service {
    /// Answers in the order of the question, as far as there is time. Of a device that hangs each is answered with 503, so
    /// that the peer goes on with the others.
    pub(crate) async fn compare(&self, comparisons: Vec<Comparison>) -> Answer {
        let late = Comparative::Status(StatusCode::SERVICE_UNAVAILABLE.as_u16());
        let compared = self.ask_each_device(comparisons, |asked| &asked.device, compare, late);
        Answer::json(&compared.await)
    }

    /// Which databases still are as they were found to be in sync, from memory alone; in the order of the question, as far as
    /// there is time.
    pub(crate) async fn recall(&self, marked: Vec<Marked>) -> Answer {
        let recalled = self.ask_each_device(marked, |asked| &asked.device, recall, MarkMessage::OTHER);
        Answer::text(StatusCode::OK, recalled.await.into_iter().map(char::from).collect::<String>())
    }
}

fn compare(host: &Host, device: &DeviceName, comparisons: Vec<Comparison>) -> Vec<Comparative> {
    let until = Instant::now() + TIME;
    let device_dir = usable_device(&host.settings, device).map_err(|no| no.status);
    let in_time = comparisons.into_iter().take_while(|_| Instant::now() < until);
    in_time.map(|comparison| compare_one(host, device_dir.clone(), comparison)).collect()
}

fn compare_one(host: &Host, device_dir: Result<PathBuf, StatusCode>, comparison: Comparison) -> Comparative {
    let Comparison { device, partition, digest, args, mark } = comparison;
    let started = Instant::now();
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

fn recall(host: &Host, device: &DeviceName, marked: Vec<Marked>) -> Vec<u8> {
    let until = Instant::now() + TIME;
    let device_dir = usable_device(&host.settings, device).ok();
    let still_holds = |Marked { device, partition, digest, mark }: Marked| {
        let holds = device_dir.as_deref().is_some_and(|device_dir| {
            let name = DbName::unsharded(digest);
            let usual = DbLocation::new(host.settings.server_type, device_dir, partition, &name);
            host.replicas.get(&usual).is_some_and(|replica| replica.is_marked(mark))
        });
        debug!("REPLICATE {device}/{partition}/{digest} marks {holds}");
        holds
    };
    let in_time = marked.into_iter().take_while(|_| Instant::now() < until);
    in_time.map(|marked| if still_holds(marked) { MarkMessage::SAME } else { MarkMessage::OTHER }).collect()
}
