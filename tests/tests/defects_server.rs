//! Defects D2, D3 and D9: what stock's server does for whoever reaches its port, and ours does not.
//!
//! The same messages to the same databases, built by stock, on stock's server and on ours.

mod defects_server {
    mod future;
    mod messages;
    mod names;
    mod port;
    mod strangers;
}
