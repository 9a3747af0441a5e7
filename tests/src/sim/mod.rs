//! A seeded simulation of a cluster: real nodes of ours with real databases, in one process, on a network that loses, doubles,
//! holds back and brings late.
//!
//! Every node has a clock of its own, which is wrong by seconds or minutes and is set forwards and back; time stands still within
//! a step. Clients write while nodes go down and come back without what they remembered, get new rings at different times, and one has
//! its disk replaced. Then all comes up, the network heals, and passes go round until nothing changes. By then each database
//! has to be on its primaries and nowhere else, all equal, with every row that enough replicas took. Then, in a third of the seeds,
//! `reclaim_age` goes by, and tombstones go, at each node when its own clock says so; nothing else may.
//!
//! One seed decides everything but the interleaving of what is done at the same time, on which nothing depends; see
//! `network.rs`. For that peers are asked about one database at a time; many at once are left to clusters of processes. Crashes in the middle of a step are not simulated: [`Suite::crash`](crate::Suite::crash) makes real ones.

mod clients;
mod clocks;
mod events;
mod message;
mod network;
mod verdict;
mod world;

pub use events::{Simulated, simulate};
