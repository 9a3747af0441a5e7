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
        let Surveyed { mut devices, troubles } = surveyed;
        let mut total = Totals::default();
        for totals in devices.values() {
            total += totals;
        }
        let of_device = |Ground { device, tree }: Ground| DeviceReport {
            name: name_of(&device),
            skipped: tree.err(),
            totals: devices.remove(&device.id).unwrap_or_default(),
        };
        Self {
            config: args.config.clone(),
            server_type: node.conf.server_type,
            asked: args.asking(),
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
            && self.total.in_sync == self.total.databases
            && self.total.not_walked == 0
            && self.devices.iter().all(|device| device.skipped.is_none())
    }

    fn text(&self) -> String {
        table::text(self)
    }
}
