//! Log lines in stock's form, to syslog and on request to the console.
//!
//! Stock: `get_swift_logger`.

mod level;
mod line;
mod severity;
mod syslog;

use std::{fmt, io::Write as _};

use anyhow::Context as _;
use db_broker::QUERIES;
use settings::ReplicatorConf;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::FilterFn,
    layer::{Context, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use self::{severity::Severity, syslog::Syslog};

pub(crate) use level::LogLevelAtRunTime;
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
/// of SQL statements only with `db_query_logging`. The level can be changed by what is returned.
///
/// # Errors
/// If `log_address` cannot be looked at.
pub(crate) fn start(conf: &ReplicatorConf, console: Console) -> anyhow::Result<LogLevelAtRunTime> {
    let syslog =
        Syslog::open(&conf.log).with_context(|| format!("log_address = {}", conf.log.log_address))?;
    let (server, limit) = (conf.log.log_name.clone(), conf.log.log_max_line_length);
    let wanted = wanted(Severity::threshold(conf.log.log_level), conf.db.db_query_logging);
    let (wanted, handle) = reload::Layer::new(wanted);
    // Only a second start in one process could fail, and the first one's lines are as good.
    let _ = subscriber(Lines { server, limit, syslog, console }, wanted).try_init();
    Ok(LogLevelAtRunTime::new(conf.log.log_level, conf.db.db_query_logging, handle))
}

/// Which lines are logged.
type Wanted = FilterFn<Box<dyn Fn(&Metadata<'_>) -> bool + Send + Sync>>;

fn wanted(threshold: Severity, queries: bool) -> Wanted {
    let most = if threshold == Severity::Debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let is_wanted = move |event: &Metadata<'_>| {
        let ours = event.target().starts_with("martlet_") || *event.level() <= Level::WARN;
        let wanted = queries || event.target() != QUERIES;
        ours && wanted && Severity::of(event) >= threshold
    };
    FilterFn::new(Box::new(is_wanted) as Box<_>).with_max_level_hint(most)
}

fn subscriber(lines: Lines, wanted: impl Layer<Registry> + Send + Sync) -> impl Subscriber {
    // Not `lines.with_filter(wanted)`: to two threads that first ask `enabled!` at once, such a filter says yes for
    // no, and drops the next line of one of them.
    tracing_subscriber::registry().with(wanted).with(lines)
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

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixDatagram, path::Path};

    use settings::{LogConf, LogFacility, LogLevel};
    use tracing::{Dispatch, callsite, callsite::Callsite as _, debug, dispatcher, metadata::Kind};

    use super::*;

    fn lines_to(address: &Path) -> Lines {
        let syslog = Syslog::open(&LogConf {
            log_name: "c".to_owned(),
            log_facility: LogFacility::LOCAL0,
            log_level: LogLevel::Debug,
            log_address: address.display().to_string(),
            log_udp_host: None,
            log_udp_port: 514,
            log_max_line_length: 0,
        });
        Lines { server: "c".to_owned(), limit: 0, syslog: syslog.unwrap(), console: Console::Quiet }
    }

    /// This is what `enabled!` does for one of two threads that first come to it at once.
    #[test]
    fn asking_whether_a_line_is_wanted_does_not_cost_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let address = dir.path().join("log");
        let receiver = UnixDatagram::bind(&address).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let of_statement = callsite! {
            name: "statement", kind: Kind::HINT, target: QUERIES, level: Level::DEBUG, fields: message
        };
        let logged = Dispatch::new(subscriber(lines_to(&address), wanted(Severity::Debug, false)));
        dispatcher::with_default(&logged, || {
            assert!(!logged.enabled(of_statement.metadata()));
            debug!("synced");
        });
        let mut line = [0; 64];
        let length = receiver.recv(&mut line).map_err(|error| error.kind());
        assert_eq!(length.map(|length| &line[..length]), Ok(&b"<135>c: synced\0"[..]));
    }
}
