//! Log lines on stderr, in stock's form `server: message`.

use std::fmt;

use settings::{LogConf, LogLevel};
use tracing::{Event, Level, Subscriber, field::Visit, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Sends log lines to stderr from `log_level` on; other people's crates from warnings on.
pub(crate) fn start(conf: &LogConf) {
    let level = level_filter(conf.log_level);
    let ours = filter_fn(move |event| {
        *event.level() <= level && (*event.level() <= Level::WARN || event.target().starts_with("martlet_"))
    });
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { server: conf.log_name.clone(), limit: conf.log_max_line_length })
        .with_writer(std::io::stderr)
        .with_filter(ours);
    // Only a second start in one process could fail, and the first one's lines are as good.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Critical | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::NotSet => LevelFilter::TRACE,
    }
}

struct Lines {
    server: String,
    /// Characters of a message, 0 for any number.
    limit: usize,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        SystemTime.format_time(&mut line)?;
        writeln!(line, " {} {}: {}", event.metadata().level(), self.server, one_line(&message.0, self.limit))
    }
}

/// Newlines become `#012`; a line over the limit keeps its head and tail around ` ... `, as stock cuts it.
fn one_line(message: &str, limit: usize) -> String {
    let message = message.replace('\n', "#012");
    let length = message.chars().count();
    if limit == 0 || length <= limit {
        return message;
    }
    if limit < 7 {
        return message.chars().take(limit).collect();
    }
    let half = (limit - 5) / 2;
    let head: String = message.chars().take(half).collect();
    let tail: String = message.chars().skip(length - half).collect();
    format!("{head} ... {tail}")
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_bounded() {
        assert_eq!(one_line("a\nb", 0), "a#012b");
        // python: SwiftLogFormatter(max_line_length=N).format of 'abcdefghijklmnop'
        assert_eq!(one_line("abcdefghijklmnop", 13), "abcd ... mnop");
        assert_eq!(one_line("abcdefghijklmnop", 6), "abcdef");
        assert_eq!(one_line("abc", 13), "abc");
    }
}
