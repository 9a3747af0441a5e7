use swift_types::Digest;

use crate::{DbTask, Placement};

/// Misplaced databases that wait until enough is known of the others.
const HELD: usize = 1000;
/// So many may be misplaced whatever their share.
const FEW: u64 = 20;
/// Above the few, at most one database in so many.
const ONE_IN: u64 = 20;

/// What is done when many databases lie in partitions that are not theirs: `allow_mass_misplacement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MassMisplacement {
    /// A wrong ring or a wrong partition power is suspected: none is moved.
    Braked,
    /// It is meant, as after a change of the partition power: all are moved, as stock does.
    Allowed,
}

impl MassMisplacement {
    /// As the conf's `allow_mass_misplacement` says.
    pub const fn of_conf(allow_mass_misplacement: bool) -> Self {
        if allow_mass_misplacement { Self::Allowed } else { Self::Braked }
    }
}

/// Keeps a wrong ring from moving every database (stock does, defect D8).
///
/// A database's directory is named by its hash, and the ring says which partition a hash belongs to, so a
/// misplaced one is known without opening it. Misplaced ones are held back (1000 at most) until the walk ends
/// or no more can be held; they go out if they are few: 20, or one in 20 of all databases seen. Else the brake
/// is set: they and all that follow are left alone for the rest of the pass. One brake judges for all devices of a pass, in the
/// order in which their threads come to it. Pure.
pub(crate) struct Brake {
    partition_of: PartitionOf,
    mass: MassMisplacement,
    seen: u64,
    misplaced: u64,
    held: Vec<DbTask>,
    set: bool,
}

/// Says which partition a hash belongs to. Answers to stock's `Ring.get_part`.
pub type PartitionOf = Box<dyn Fn(&Digest) -> u64 + Send>;

/// What is to be done with databases that were found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// They go to the workers.
    Send(Vec<DbTask>),
    /// The brake was set by them: to be told once, and they are left alone.
    Set(MassFound, Vec<DbTask>),
    /// It has been set before: left alone.
    LeftAlone(DbTask),
}

/// How many of the databases seen were misplaced when the brake was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MassFound {
    /// In another partition than the ring gives them.
    pub misplaced: u64,
    /// Of so many in all.
    pub seen: u64,
}

impl Brake {
    pub(crate) fn new(partition_of: PartitionOf, mass: MassMisplacement) -> Self {
        Self { partition_of, mass, seen: 0, misplaced: 0, held: Vec::new(), set: false }
    }

    /// A database was found.
    pub(crate) fn judge(&mut self, mut task: DbTask) -> Ruling {
        self.seen += 1;
        if (self.partition_of)(&task.digest) == task.partition {
            return Ruling::Send(vec![task]);
        }
        self.misplaced += 1;
        task.placement = Placement::Misplaced;
        match self.mass {
            MassMisplacement::Allowed => Ruling::Send(vec![task]),
            MassMisplacement::Braked if self.set => Ruling::LeftAlone(task),
            MassMisplacement::Braked => {
                self.held.push(task);
                if self.held.len() < HELD { Ruling::Send(Vec::new()) } else { self.release() }
            }
        }
    }

    /// Nothing more will be found, or held.
    pub(crate) fn release(&mut self) -> Ruling {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() || self.misplaced <= FEW || self.misplaced.saturating_mul(ONE_IN) <= self.seen {
            return Ruling::Send(held);
        }
        self.set = true;
        Ruling::Set(MassFound { misplaced: self.misplaced, seen: self.seen }, held)
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::DeviceTree;

    fn brake(mass: MassMisplacement) -> Brake {
        Brake::new(Box::new(|_| 7), mass)
    }

    fn task(partition: u64) -> DbTask {
        let device = DeviceTree { name: "a".parse().unwrap(), id: 0, datadir: PathBuf::new() };
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let (db_file, placement) = (PathBuf::new(), Placement::Right);
        DbTask { device: Arc::new(device), partition, digest, db_file, placement }
    }

    /// Databases sent, and databases left alone, after partition 7 (right) or another one was found so often.
    fn counted(brake: &mut Brake, found: &[(u64, usize)]) -> (usize, usize) {
        let (mut sent, mut left) = (0, 0);
        let tasks = found.iter().flat_map(|(partition, count)| vec![task(*partition); *count]);
        let mut rulings: Vec<Ruling> = tasks.map(|task| brake.judge(task)).collect();
        rulings.push(brake.release());
        for ruling in rulings {
            match ruling {
                Ruling::Send(tasks) => sent += tasks.len(),
                Ruling::Set(_, tasks) => left += tasks.len(),
                Ruling::LeftAlone(_) => left += 1,
            }
        }
        (sent, left)
    }

    #[test]
    fn a_few_are_moved_whatever_their_share() {
        assert_eq!(counted(&mut brake(MassMisplacement::Braked), &[(1, 20)]), (20, 0));
        assert_eq!(counted(&mut brake(MassMisplacement::Braked), &[(1, 21)]), (0, 21));
    }

    #[test]
    fn more_than_a_few_are_moved_if_they_are_a_small_share() {
        assert_eq!(counted(&mut brake(MassMisplacement::Braked), &[(1, 30), (7, 570)]), (600, 0));
        assert_eq!(counted(&mut brake(MassMisplacement::Braked), &[(1, 30), (7, 569)]), (569, 30));
    }

    #[test]
    fn many_set_the_brake_before_the_end_of_the_walk() {
        let mut brake = brake(MassMisplacement::Braked);
        assert_eq!(counted(&mut brake, &[(1, HELD + 5), (7, 3)]), (3, HELD + 5));
        assert!(brake.set && brake.held.is_empty());
    }

    #[test]
    fn it_can_be_allowed() {
        assert_eq!(counted(&mut brake(MassMisplacement::Allowed), &[(1, 5000)]), (5000, 0));
    }

    #[test]
    fn what_is_sent_says_how_it_lies() {
        let mut brake = brake(MassMisplacement::Allowed);
        for (partition, placement) in [(7, Placement::Right), (8, Placement::Misplaced)] {
            let Ruling::Send(tasks) = brake.judge(task(partition)) else { panic!("it is sent") };
            assert_eq!(tasks[0].placement, placement);
        }
    }

    proptest! {
        #[test]
        fn never_more_than_the_bound_is_moved(found in prop::collection::vec((prop::bool::weighted(0.3), 1_usize..400), 1..40)) {
            let found: Vec<(u64, usize)> = found.into_iter().map(|(wrong, count)| (if wrong { 1 } else { 7 }, count)).collect();
            let total: usize = found.iter().map(|(_, count)| count).sum();
            let misplaced: usize = found.iter().filter(|(partition, _)| *partition == 1).map(|(_, count)| count).sum();
            let mut brake = brake(MassMisplacement::Braked);
            let (sent, left) = counted(&mut brake, &found);
            prop_assert_eq!(sent + left, total);
            let moved = sent - (total - misplaced);
            prop_assert!(moved <= 20.max(total / 20), "{} of {}", moved, total);
        }
    }
}
