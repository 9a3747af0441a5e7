use std::collections::HashMap;

use crossbeam_channel::{SendError, Sender};

use crate::DbTask;

/// Where the databases of a walk go: those of each device into a bounded channel of their own, so that whoever sees to a slow
/// device holds up no other.
#[derive(Clone, Debug, Default)]
pub struct Lanes(HashMap<u64, Sender<DbTask>>);

impl Lanes {
    /// The way of a device's databases; none if nobody sees to it.
    pub(crate) fn of(&self, device: u64) -> Option<&Sender<DbTask>> {
        self.0.get(&device)
    }

    /// Hands a database over. Blocks while its lane is full.
    ///
    /// # Errors
    /// Gives it back if nobody sees to its device.
    pub fn send(&self, task: DbTask) -> Result<(), SendError<DbTask>> {
        match self.of(task.device.id) {
            Some(lane) => lane.send(task),
            None => Err(SendError(task)),
        }
    }
}

impl FromIterator<(u64, Sender<DbTask>)> for Lanes {
    /// By the ids of the devices in the ring.
    fn from_iter<I: IntoIterator<Item = (u64, Sender<DbTask>)>>(lanes: I) -> Self {
        Self(lanes.into_iter().collect())
    }
}
