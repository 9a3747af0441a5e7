//! REPLICATE answered over a broker, for peers of either make. The only crate that knows warp.
//!
//! tokio carries the connections; the databases are worked on by a bounded number of blocking threads, with
//! a bounded queue before them: beyond it a peer is told 503 and when to come back. A replication port also gets
//! requests for stock's server; they are passed on to it byte for byte, within limits of their own.
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//!
//! use martlet_rpc_server::{AnyPeer, ForwardEnd, Observer, RpcEvent, ServerSettings, ServerStop, serve};
//!
//! struct Printer;
//!
//! impl Observer for Printer {
//!     fn arrived(&self) -> Box<dyn Send> {
//!         Box::new(())
//!     }
//!
//!     fn answered(&self, event: &RpcEvent) {
//!         println!("{} {}", event.op, event.status);
//!     }
//!
//!     fn forwarding(&self) -> Box<dyn Send> {
//!         Box::new(())
//!     }
//!
//!     fn forwarded(&self, end: ForwardEnd, elapsed: Duration) {
//!         println!("forwarded: {} after {elapsed:?}", end.label());
//!     }
//! }
//!
//! # async fn example(settings: ServerSettings) -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:6201").await?;
//! serve(listener, settings, Arc::new(AnyPeer), Arc::new(Printer), ServerStop::default()).await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod body;
mod coming;
mod compare;
mod connections;
mod device_share;
mod dispatch;
mod door;
mod each_device;
mod file_with_message;
mod first_request;
mod forward;
pub mod heads;
mod kept_open;
mod lock;
mod pages;
mod peers;
mod receive;
mod relay;
mod room;
mod server;
mod service;
mod sync;
mod taken;
mod target;
mod told;

pub use forward::{ForwardEnd, ForwardSettings};
pub use pages::{Page, PageRequest, PageSource, Wish, serve_pages};
pub use peers::{AnyPeer, Peers};
pub use server::{Observer, Refusal, RpcEvent, ServerSettings, ServerStop, serve};
