//! Disks that are full, that fail, turn read-only, vanish or hang in the middle of replication: what ours makes of it, and stock
//! on the same case. No acknowledged row is lost, no database is damaged, and other disks do not notice.

mod disk;
mod full;
mod hanging;
mod injection;
mod io_errors;
mod nearly_full;
mod read_only;
mod site;
mod unmounted;
