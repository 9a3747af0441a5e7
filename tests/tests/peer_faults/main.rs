//! Peers that play a fault, and an rsync that does: a pass of ours beside one of stock's from the same bytes.

mod http;
mod rsync;
mod table;
