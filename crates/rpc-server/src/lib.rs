//! REPLICATE answered over a broker, for peers of either make. The only crate that knows warp.
//!
//! tokio carries the connections; the databases are worked on by a bounded number of blocking threads, with
//! a bounded queue before them: beyond it a peer is told 503 and when to come back.
//!
//! ```no_run
//! # async fn example(settings: martlet_rpc_server::ServerSettings) -> std::io::Result<()> {
//! use std::sync::Arc;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:6201").await?;
//! let observer = Arc::new(|event: &martlet_rpc_server::RpcEvent| println!("{} {}", event.op, event.status));
//! let stop = tokio_util::sync::CancellationToken::new();
//! martlet_rpc_server::serve(listener, settings, observer, stop).await;
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
