//! The plan as a whole. Its fields are the JSON document: their names stay.

use std::path::PathBuf;

use serde::Serialize;
use swift_types::ServerType;

use super::{
    Asking, PlanArgs,
    ground::Ground,
    node::Node,
    survey::{Surveyed, Trouble},
    table,
    totals::Totals,
};
use crate::{subject::name_of, told::Told};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) config: PathBuf,
    #[serde(rename = "type")]
    pub(crate) server_type: ServerType,
    /// Who was asked.
    pub(crate) asked: Asking,
    pub(crate) devices: Vec<DeviceReport>,
    /// All devices together.
    pub(crate) total: Totals,
    /// As many as `--limit` says.
    pub(crate) troubles: Vec<Trouble>,
}

#[derive(Debug, Serialize)]
pub(crate) struct DeviceReport {
    /// `IP/DEVICE`.
    pub(crate) name: String,
    /// Why it is left out.
    pub(crate) skipped: Option<String>,
    #[serde(flatten)]
    pub(crate) totals: Totals,
}

impl Report {
    pub(crate) fn of(args: &PlanArgs, node: &Node, ground: Vec<Ground>, surveyed: Surveyed) -> Self {
        let Surveyed { mut devices, total, troubles, .. } = surveyed;
        let of_device = |Ground { device, tree }: Ground| {
            let totals = tree.as_ref().ok().and_then(|tree| devices.remove(&tree.name));
            DeviceReport { name: name_of(&device), skipped: tree.err(), totals: totals.unwrap_or_default() }
        };
        Self {
            config: args.config.clone(),
            server_type: node.conf.server_type,
            asked: node.asked(),
            devices: ground.into_iter().map(of_device).collect(),
            total,
            troubles,
        }
    }
}

impl Told for Report {
    /// Whether a pass would find nothing to do, and nothing wrong.
    fn is_as_it_should_be(&self) -> bool {
        self.asked == Asking::Peers
            && self.total.call_for_nothing()
            && self.devices.iter().all(|device| device.skipped.is_none())
    }

    fn text(&self) -> String {
        table::text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{
        course::{Load, Peer, Towards},
        database::{End, Planned},
    };

    fn quiet() -> Planned {
        let peers = vec![Peer { towards: Towards::NoChange, exchanges_stat: false }];
        Planned { end: End::Stays, peers, waiting: 0, reclaims: false }
    }

    /// Whether a pass finds nothing to do, by the exit code and by what is told.
    fn is_nothing(planned: &Planned) -> (bool, bool) {
        let mut total = Totals::default();
        total.add(&quiet());
        total.add(planned);
        let report = Report {
            config: "/etc/swift/container-server.conf".into(),
            server_type: ServerType::Container,
            asked: Asking::Peers,
            devices: Vec::new(),
            total,
            troubles: Vec::new(),
        };
        (report.is_as_it_should_be(), report.text().contains("do nothing"))
    }

    #[test]
    fn nothing_to_do_is_the_exit_code_where_it_is_told() {
        assert_eq!(is_nothing(&quiet()), (true, true));
        let peer = |towards, exchanges_stat| vec![Peer { towards, exchanges_stat }];
        assert_eq!(is_nothing(&Planned { peers: peer(Towards::Sharded, false), ..quiet() }), (true, true));
        for something in [
            Planned { waiting: 3, ..quiet() },
            Planned { reclaims: true, ..quiet() },
            Planned { end: End::HandoffGoes, ..quiet() },
            Planned { end: End::Reclaimed, ..quiet() },
            Planned { peers: peer(Towards::Diff(Load::default()), false), ..quiet() },
            Planned { peers: peer(Towards::NoChange, true), ..quiet() },
            Planned { peers: peer(Towards::Diverged, false), ..quiet() },
            Planned { peers: peer(Towards::Deferred, false), ..quiet() },
            Planned { peers: peer(Towards::Failure, false), ..quiet() },
        ] {
            assert_eq!(is_nothing(&something), (false, false), "{:?} {:?}", something.end, something.peers);
        }
    }
}
