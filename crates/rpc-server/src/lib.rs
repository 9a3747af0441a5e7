//! REPLICATE answered over a broker, for peers of either make. The only crate that knows warp.
//!
//! tokio carries the connections; the databases are worked on by a bounded number of blocking threads, with
//! a bounded queue before them: beyond it a peer is told 503 and when to come back.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use martlet_rpc_server::{Observer, RpcEvent, ServerSettings, serve};
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
//! }
//!
//! # async fn example(settings: ServerSettings) -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:6201").await?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! serve(listener, settings, Arc::new(Printer), stop).await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod dispatch;
mod pages;
mod receive;
mod server;
mod target;

pub use pages::{Page, PageSource, serve_pages};
pub use server::{Observer, RpcEvent, ServerSettings, serve};
