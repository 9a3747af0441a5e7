//! `martlet top`: a node as its metrics page tells it, live or once.

mod page;
mod picture;
mod screen;
mod view;

use std::{
    io::{self, IsTerminal as _, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::SystemTime,
};

use clap::Args;

use crate::{
    plan::{PlanError, TypeArg, conf},
    told::{FormArgs, Told, UNUSABLE, tell},
};
use page::Page;
use picture::Picture;

/// The words behind `martlet top`.
#[derive(Debug, Args)]
#[group(id = "whose", required = true, multiple = false, args = ["config", "metrics"])]
pub(crate) struct TopArgs {
    /// The conf of the node's server, which says where its page is (`metrics_bind_ip`, `metrics_bind_port`)
    #[arg(value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The address of the page, as `http://10.0.0.7:9461/metrics`
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<String>,

    /// Accounts or containers [default: whichever of the two sections the conf has]
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "metrics")]
    pub(crate) server_type: Option<TypeArg>,

    /// Prints one picture and ends
    #[arg(long)]
    pub(crate) once: bool,

    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopError {
    /// The conf cannot be used.
    #[error(transparent)]
    Conf(#[from] PlanError),
    /// The conf says that there is no page.
    #[error("{} switches the page off (metrics_bind_port = 0)", path.display())]
    NoPage { path: PathBuf },
    /// Nobody answers, or something else does.
    #[error("{url}: {why}; the page is there while the replicator runs in its loop, or with the word serve")]
    Page { url: String, why: String },
    /// It is to be followed live, and cannot be drawn.
    #[error("standard output is no terminal: say --once for one picture")]
    NoTerminal,
    /// A live picture is none for a program.
    #[error("--json needs --once")]
    LiveJson,
}

/// One picture, or one after the other until somebody presses q.
pub(crate) fn run(args: &TopArgs, out: &mut impl Write, errors: &mut impl Write) -> io::Result<u8> {
    let url = match url(args) {
        Ok(url) => url,
        Err(error) => return writeln!(errors, "martlet: {error}").map(|()| UNUSABLE),
    };
    if args.once {
        let picture = Page::fetch(&url).map(|page| Picture::of(&page, None, SystemTime::now()));
        return tell(picture, args.form, out, errors);
    }
    screen::follow(&url, out)
}

fn url(args: &TopArgs) -> Result<String, TopError> {
    if args.form.json && !args.once {
        return Err(TopError::LiveJson);
    }
    if !args.once && !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    if let Some(url) = &args.metrics {
        return Ok(url.clone());
    }
    let path = args.config.clone().unwrap_or_default();
    let conf = conf(&path, args.server_type.map(Into::into))?;
    let address = conf.serve.metrics_address().ok_or(TopError::NoPage { path })?;
    Ok(format!("http://{}/metrics", reachable(address)))
}

/// A page on all addresses of the machine is on loopback too.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, address.port()).into() } else { address }
}

impl Told for Picture {
    fn is_as_it_should_be(&self) -> bool {
        true
    }

    fn text(&self) -> String {
        view::text(self)
    }
}
