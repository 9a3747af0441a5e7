//! The start of a course: opened, reclaimed, read.

use std::{sync::Arc, time::Instant};

use db_broker::{Broker, BrokerError, DbLocation, HashDir, ReclaimAges};
use protocol::ReplicationInfo;
use stats::{DbOutcome, DbResult, Phase};
use walker::DbTask;

use super::Running;
use crate::{
    node::Node,
    reconciler::ToReconciler,
    roster::Standing,
    settled::{calls_for_nothing, calls_for_removal_only},
    subject::Subject,
    unreadable::unreadable,
    vigil::Watch,
};

/// What a database says when it has just been opened, all of one moment.
struct Look {
    info: ReplicationInfo,
    /// Where nothing can be said, a worker finds out why.
    is_settled: bool,
}

impl Look {
    fn at(broker: &mut Broker, standing: Standing) -> Result<Self, BrokerError> {
        let info = broker.replication_info()?;
        let is_settled = match standing {
            Standing::Primary => calls_for_nothing(broker, &info),
            Standing::Handoff => calls_for_removal_only(broker, &info),
        };
        Ok(Self { info, is_settled: is_settled.unwrap_or(false) })
    }
}

impl<'a> Running<'a> {
    /// Opens, reclaims and reads; the error says what became of a database that could not be.
    pub(crate) fn begin(
        node: &'a Node,
        watch: &'a Watch,
        task: DbTask,
        reconciler: &ToReconciler,
    ) -> Result<Self, Box<DbOutcome>> {
        let started = Instant::now();
        let (device, digest) = (Arc::clone(&task.device), task.digest);
        let ended = |result| DbOutcome {
            device: device.name.to_string(),
            digest,
            path: None,
            elapsed: started.elapsed(),
            peers: Vec::new(),
            result,
        };
        let opened = Self::open(node, watch, task, reconciler.clone());
        node.metrics.observe_phase(Phase::Open, started.elapsed());
        opened.map_err(|result| Box::new(ended(result)))
    }

    fn open(
        node: &'a Node,
        watch: &'a Watch,
        task: DbTask,
        reconciler: ToReconciler,
    ) -> Result<Self, DbResult> {
        let ring = node.ring();
        let ages = ReclaimAges::new(node.clock.seconds(), node.conf.pass.reclaim_age);
        let unread = |error| unreadable(node.server_type(), &ring, &task, error);
        let found = DbLocation::of_file(node.server_type(), &task.db_file).map_err(unread)?;
        let standing = Standing::of(&ring, &task);
        let dir = HashDir::read(&found).map_err(unread)?;
        let stamp = dir.stamp().filter(|_| standing == Standing::Primary);
        if let Some(before) = node.stale_before() {
            dir.remove_stale_tmp(before);
        }
        let look = |broker: &mut Broker| Look::at(broker, standing);
        let read = dir.in_force().and_then(|location| {
            let leftovers_and_look = |broker: &mut Broker| Ok((broker.leftovers(ages)?, look(broker)?));
            let (mut broker, (leftovers, first)) =
                Broker::open_and_read(location, node.preallocation(), leftovers_and_look)?;
            if leftovers.is_empty() {
                return Ok((broker, first));
            }
            broker.drop_leftovers(leftovers)?;
            let look = broker.read_together(look)?;
            Ok((broker, look))
        });
        let (broker, Look { info, is_settled }) = read.map_err(unread)?;
        let subject = Subject::new(info.path(), broker.file());
        Ok(Self {
            node,
            watch,
            task,
            reconciler,
            ring,
            broker,
            standing,
            stamp,
            info,
            is_settled,
            ages,
            subject,
        })
    }
}
