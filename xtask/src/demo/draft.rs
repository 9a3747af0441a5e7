//! The replicas of one database, made different as its kind says.

use protocol::{Metadata, ServerType};
use rand::{RngExt as _, rngs::StdRng};
use swift_types::Timestamp;

use super::{
    kind::Kind,
    plan::{Contents, Times, Write},
};

/// Seconds between two changes to a database.
const TICK: f64 = 0.01;

/// What goes onto the primaries, a handoff and into a wrong partition.
pub(crate) struct Spread {
    /// For each primary.
    pub(crate) primaries: [Option<Contents>; 3],
    /// For the first handoff.
    pub(crate) handoff: Option<Contents>,
    /// For the wrong partition.
    pub(crate) misplaced: Option<Contents>,
}

impl Spread {
    fn over(primaries: [Option<Contents>; 3]) -> Self {
        Self { primaries, handoff: None, misplaced: None }
    }

    fn each(make: impl FnMut() -> Contents) -> Self {
        let mut make = make;
        Self::over([(); 3].map(|()| Some(make())))
    }
}

/// A database in the making.
pub(crate) struct Draft<'a> {
    rng: &'a mut StdRng,
    server_type: ServerType,
    start: Timestamp,
    ticks: u32,
    names: u32,
}

impl<'a> Draft<'a> {
    /// Every timestamp will be after `start`, and no two of them equal.
    pub(crate) fn new(rng: &'a mut StdRng, server_type: ServerType, start: Timestamp) -> Self {
        Self { rng, server_type, start, ticks: 0, names: 0 }
    }

    /// Contents for every place, different as `kind` says.
    pub(crate) fn spread(mut self, kind: Kind) -> Spread {
        let rows = self.rows(kind);
        let base = self.contents(rows);
        let mut spread = match kind {
            Kind::Equal => Spread::each(|| base.clone()),
            Kind::MissingOnOne => Spread::over([Some(base.clone()), Some(base), None]),
            Kind::MissingOnTwo => Spread::over([Some(base), None, None]),
            Kind::Behind => behind(&base, rows - self.rng.random_range(1..=rows / 3)),
            Kind::FurtherBehind => behind(&base, rows * 6 / 10),
            Kind::FarBehind | Kind::Large => behind(&base, 30),
            Kind::AheadOnAll => Spread::each(|| self.with_own_rows(&base)),
            Kind::Conflicting => Spread::each(|| self.with_changes(&base, Self::overwrite)),
            Kind::Tombstones => self.tombstones(&base),
            Kind::Emptied => Spread::over([Some(self.emptied(&base)), Some(base.clone()), Some(base)]),
            Kind::Deleted => Spread::over([Some(self.deleted(&base)), Some(base.clone()), Some(base)]),
            Kind::Recreated => self.recreated(&base),
            Kind::Metadata => Spread::each(|| self.with_metadata(&base)),
            Kind::Pending => Spread::over([Some(self.with_pending(&base)), Some(base.clone()), Some(base)]),
            Kind::Handoff => {
                let handoff = Some(self.with_own_rows(&base));
                Spread { handoff, ..Spread::over([Some(base.clone()), Some(base), None]) }
            }
            Kind::HandoffAlone => Spread { handoff: Some(base), ..Spread::over([None, None, None]) },
            Kind::HandoffPending => {
                Spread { handoff: Some(self.with_pending(&base)), ..Spread::each(|| base.clone()) }
            }
            Kind::WrongPartition => {
                Spread { misplaced: Some(self.with_own_rows(&base)), ..Spread::each(|| base.clone()) }
            }
        };
        self.settle(&mut spread);
        spread
    }

    /// How many rows the base of a kind has; the demo's `per_diff` and `max_diffs` make the rest of it.
    fn rows(&mut self, kind: Kind) -> usize {
        match kind {
            Kind::Large => 4000,
            Kind::FurtherBehind => 800,
            Kind::FarBehind => 260,
            _ => self.rng.random_range(12..=60),
        }
    }

    fn tick(&mut self) -> Timestamp {
        self.ticks += 1;
        let start = f64::from(u32::try_from(self.start.seconds()).expect("a moment before the year 2106"));
        Timestamp::from_seconds(start + f64::from(self.ticks) * TICK)
    }

    fn contents(&mut self, rows: usize) -> Contents {
        let times = Times { created: self.tick(), put: self.tick(), delete: Timestamp::ZERO };
        let mut metadata = Metadata::default();
        let header = match self.server_type {
            ServerType::Account => "X-Account-Meta-Color",
            ServerType::Container => "X-Container-Meta-Color",
        };
        metadata.set(header, "blue", &times.put.internal());
        let writes = (0..rows).map(|_| self.put()).collect();
        Contents { writes, pending: Vec::new(), times, metadata }
    }

    fn put(&mut self) -> Write {
        self.names += 1;
        let name = format!("row-{:05}", self.names);
        Write { name, put: self.tick(), deleted: None, size: self.rng.random_range(1..1 << 30) }
    }

    fn overwrite(&mut self, of: &Write) -> Write {
        Write { put: self.tick(), deleted: None, size: self.rng.random_range(1..1 << 30), ..of.clone() }
    }

    fn delete(&mut self, of: &Write) -> Write {
        Write { deleted: Some(self.tick()), size: 0, ..of.clone() }
    }

    fn with_own_rows(&mut self, base: &Contents) -> Contents {
        let count = self.rng.random_range(1..=20);
        let mut contents = base.clone();
        contents.writes.extend((0..count).map(|_| self.put()));
        contents.times.created = self.tick();
        contents
    }

    fn with_pending(&mut self, base: &Contents) -> Contents {
        let count = self.rng.random_range(1..=5);
        Contents { pending: (0..count).map(|_| self.put()).collect(), ..base.clone() }
    }

    fn with_metadata(&mut self, base: &Contents) -> Contents {
        let mut contents = base.clone();
        let prefix = if self.server_type == ServerType::Account { "X-Account" } else { "X-Container" };
        for key in ["Color", "Owner", "Season"] {
            if self.rng.random_bool(0.7) {
                let value = format!("v{}", self.rng.random_range(0..100));
                contents.metadata.set(&format!("{prefix}-Meta-{key}"), &value, &self.tick().internal());
            }
        }
        contents
    }

    /// About a third of the rows change once more.
    fn with_changes(
        &mut self,
        base: &Contents,
        mut change: impl FnMut(&mut Self, &Write) -> Write,
    ) -> Contents {
        let mut contents = base.clone();
        for write in &base.writes {
            if self.rng.random_bool(0.3) {
                contents.writes.push(change(self, write));
            }
        }
        contents
    }

    fn tombstones(&mut self, base: &Contents) -> Spread {
        let one = self.with_changes(base, Self::delete);
        let two = self.with_changes(base, Self::overwrite);
        let three = self.with_changes(base, Self::delete);
        Spread::over([Some(one), Some(two), Some(three)])
    }

    fn emptied(&mut self, base: &Contents) -> Contents {
        let mut contents = base.clone();
        contents.writes.extend(base.writes.iter().map(|write| self.delete(write)));
        contents
    }

    fn deleted(&mut self, base: &Contents) -> Contents {
        let mut contents = self.emptied(base);
        contents.times.delete = self.tick();
        contents
    }

    fn recreated(&mut self, base: &Contents) -> Spread {
        let gone = self.deleted(base);
        let mut back = base.clone();
        back.times.put = self.tick();
        back.writes.push(self.put());
        Spread::over([Some(gone), Some(back), Some(base.clone())])
    }

    /// In an account a row's counts have no timestamp of their own, and the last report wins: so that there
    /// is one right answer, all versions of a container report the same, and one that is deleted anywhere
    /// is empty everywhere.
    fn settle(&self, spread: &mut Spread) {
        if self.server_type == ServerType::Container {
            return;
        }
        let mut sizes = std::collections::BTreeMap::new();
        for write in all_writes(spread) {
            let size = sizes.entry(write.name.clone()).or_insert(write.size);
            *size = if write.deleted.is_some() { 0 } else { *size };
        }
        for write in all_writes(spread) {
            write.size = sizes[&write.name];
        }
    }
}

fn all_writes(spread: &mut Spread) -> impl Iterator<Item = &mut Write> {
    let places = spread.primaries.iter_mut().chain([&mut spread.handoff, &mut spread.misplaced]);
    places.flatten().flat_map(|contents| contents.writes.iter_mut().chain(&mut contents.pending))
}

/// One primary stopped listening after `rows` rows.
fn behind(base: &Contents, rows: usize) -> Spread {
    let mut late = base.clone();
    late.writes.truncate(rows);
    Spread::over([Some(base.clone()), Some(base.clone()), Some(late)])
}
