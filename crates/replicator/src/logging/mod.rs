//! Log lines in stock's form, to syslog and on request to the console.
//!
//! Stock: `get_swift_logger`.

mod line;
mod severity;
mod syslog;

use std::{fmt, io::Write as _};

use anyhow::Context as _;
use db_broker::QUERIES;
use settings::ReplicatorConf;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer, filter::filter_fn, layer::Context, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use self::{severity::Severity, syslog::Syslog};

pub(crate) use severity::{CRITICAL, NOTICE, critical, notice};

/// Whether lines are shown on stderr too; stock's `log_to_console`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// Syslog alone.
    Quiet,
    /// `-v`: stderr as well, which then stays open.
    Verbose,
}

/// From now on lines from `log_level` on go to syslog; those of other people's crates from warnings on, those
/// of SQL statements only with `db_query_logging`.
///
/// # Errors
/// If `log_address` cannot be looked at.
pub(crate) fn start(conf: &ReplicatorConf, console: Console) -> anyhow::Result<()> {
    let queries = conf.db.db_query_logging;
    let conf = &conf.log;
    let syslog = Syslog::open(conf).with_context(|| format!("log_address = {}", conf.log_address))?;
    let threshold = Severity::threshold(conf.log_level);
    let wanted = filter_fn(move |event| {
        let ours = event.target().starts_with("martlet_") || *event.level() <= Level::WARN;
        let wanted = queries || event.target() != QUERIES;
        ours && wanted && Severity::of(event) >= threshold
    });
    let most = if threshold == Severity::Debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let (server, limit) = (conf.log_name.clone(), conf.log_max_line_length);
    let lines = Lines { server, limit, syslog, console }.with_filter(wanted.with_max_level_hint(most));
    // Only a second start in one process could fail, and the first one's lines are as good.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

struct Lines {
    server: String,
    /// Characters of a line, 0 for any number.
    limit: usize,
    syslog: Syslog,
    console: Console,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut line = line::line(&self.server, &message.0, self.limit);
        self.syslog.send(Severity::of(event.metadata()), &line);
        if self.console == Console::Verbose {
            line.push('\n');
            // Nobody can be told that the console is gone.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
