//! Our brokers against stock's: the same operations on copies of the same database, then both compared.

mod bookkeeping;
mod case;
mod crashes;
mod fresh;
mod generations;
mod journals;
mod large_files;
mod operations;
mod oracle;
mod pages;
mod pending;
mod preallocation;
mod quarantines;
mod races;
mod receiving;
mod reconciler;
mod removals;
mod sequences;
mod sharding_races;
mod shards;
mod snapshots;
mod unchanged;
mod values;
