mod daemon;
mod handoff_delete;
mod keys;
mod log;
mod replication;
mod serve;
mod statsd;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use swift_types::ServerType;

pub use daemon::{DaemonConf, IoniceClass};
pub use handoff_delete::HandoffDelete;
pub use log::{LogConf, LogFacility, LogLevel};
pub use replication::{DbConf, NodeConf, PassConf, SyncConf};
pub use serve::ServeConf;
pub use statsd::StatsdConf;

use crate::{Section, SettingsError, dialect};

/// Keys and their values as text, in the order in which they are printed.
type Lines = Vec<(&'static str, String)>;

/// The settings of `[account-replicator]` or `[container-replicator]`, typed and validated, in groups.
///
/// The fields have the names of the keys. [`Display`](fmt::Display) prints every effective setting as conf
/// text that [`load`](Self::load) reads back to the same settings.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicatorConf {
    /// Which of the two replicators this is.
    pub server_type: ServerType,
    /// Where this node keeps its things.
    pub node: NodeConf,
    /// How a pass runs.
    pub pass: PassConf,
    /// How a database is brought to a peer.
    pub sync: SyncConf,
    /// How the databases are opened.
    pub db: DbConf,
    /// How the process behaves.
    pub daemon: DaemonConf,
    /// Where log lines go.
    pub log: LogConf,
    /// Where statsd packets go.
    pub statsd: StatsdConf,
    /// Martlet's own keys.
    pub serve: ServeConf,
    /// What the operator should know, one log line each: deprecations in stock's words, values that are
    /// passed over, keys that look like slips.
    pub warnings: Vec<String>,
}

impl ReplicatorConf {
    /// Reads the conf file or conf.d directory at `path`. Blocks on reading; writes nothing.
    ///
    /// Stock: `readconf` in `run_daemon`, then `Replicator.__init__`.
    ///
    /// # Errors
    /// [`SettingsError`]: as [`dialect::readconf`], and [`SettingsError::Value`] for values out of range,
    /// also where stock would start and then do nothing or harm.
    pub fn load(path: &Path, server_type: ServerType) -> Result<Self, SettingsError> {
        Self::from_section(dialect::readconf(path, &keys::section(server_type))?, server_type)
    }

    fn from_section(mut section: Section, server_type: ServerType) -> Result<Self, SettingsError> {
        refuse_secret_in_the_open(&section)?;
        let warnings = warnings(&section, server_type);
        // Stock: `conf.get(…) or …`
        for key in ["interval", "run_pause", "max_diffs"] {
            section.forget(key, str::is_empty);
        }
        section.forget("max_diffs", is_zero);
        section.forget("rsync_module", |module| module.trim_end_matches('/').is_empty());
        section.fall_back("interval", "run_pause");
        let layers = section.over(&keys::defaults(server_type))?;
        let conf = Self {
            server_type,
            node: layers.group()?,
            pass: layers.group()?,
            sync: layers.group()?,
            db: layers.group()?,
            daemon: layers.group()?,
            log: layers.group()?,
            statsd: layers.group()?,
            serve: layers.group()?,
            warnings,
        };
        let itself =
            "is where this daemon itself answers (bind_ip, bind_port): write where stock's server listens";
        match section.refuse("forward_to", itself) {
            Some(refusal) if conf.serve.forwards_to_itself(&conf.node) => Err(refusal),
            _ => Ok(conf),
        }
    }

    /// The name of the section these settings came from.
    pub fn section(&self) -> String {
        keys::section(self.server_type)
    }

    /// The swift.conf that goes with these settings: in `swift_dir`.
    pub fn swift_conf_path(&self) -> PathBuf {
        self.node.swift_dir.join("swift.conf")
    }

    /// Every key with its default and its meaning, as the Markdown tables of docs/configuration.md, which a test holds to this.
    pub fn reference() -> String {
        keys::reference()
    }

    /// Every effective setting as key and value, defaults included. Holds no secret.
    pub fn in_effect(&self) -> Vec<(String, String)> {
        let lines = self.groups().into_iter().flat_map(|(_, lines)| lines);
        lines.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn groups(&self) -> [(&'static str, Lines); 8] {
        [
            ("node", self.node.lines()),
            ("pass", self.pass.lines()),
            ("sync", self.sync.lines()),
            ("databases", self.db.lines()),
            ("daemon", self.daemon.lines()),
            ("log", self.log.lines()),
            ("statsd", self.statsd.lines()),
            ("martlet", self.serve.lines()),
        ]
    }
}

impl fmt::Display for ReplicatorConf {
    /// Every effective setting, defaults included, as a section of a conf file. Holds no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}]", self.section())?;
        for (group, lines) in self.groups() {
            writeln!(f, "# {group}")?;
            for (key, value) in lines {
                writeln!(f, "{key} = {}", written(&value))?;
            }
        }
        Ok(())
    }
}

/// A value as it has to be written to be read back.
fn written(value: &str) -> String {
    let value = if value.contains("%(") { value.replace('%', "%%") } else { value.to_owned() };
    value.replace('\n', "\n    ")
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// A key that is nearly the right one must not be passed over: the door would stay open.
fn refuse_secret_in_the_open(section: &Section) -> Result<(), SettingsError> {
    let problem = "would be read with the conf, and printed with it: write it into a file of its own, chmod 640, and name \
                   that file in cluster_secret_file";
    let origin = section.origin("cluster_secret");
    origin.map_or(Ok(()), |origin| Err(SettingsError::value(origin, "(hidden)", problem)))
}

fn is_zero(text: &str) -> bool {
    crate::python::int(text) == Some(0)
}

fn warnings(section: &Section, server_type: ServerType) -> Vec<String> {
    let no_diffs = "stock would never send a row; 100 is used";
    let mut warnings = section.warnings().to_vec();
    warnings.extend(run_pause(section, server_type));
    warnings.extend(section.doubt("max_diffs", |text| !is_zero(text), no_diffs));
    warnings.extend(DaemonConf::warnings(section));
    warnings.extend(LogConf::warnings(section));
    warnings.extend(section.iter().filter_map(|(key, _)| slip(section, key)));
    warnings
}

/// Stock's words on the deprecated `run_pause`.
fn run_pause(section: &Section, server_type: ServerType) -> Option<String> {
    section.get("run_pause")?;
    let deprecated = format!("Option {server_type}-replicator/run_pause is deprecated and ");
    let interval = format!("{server_type}-replicator/interval");
    Some(match section.get("interval") {
        Some(_) => format!(
            "{deprecated}{interval} is already configured. You can safely remove run_pause; it is now \
             ignored and will be removed in a future version."
        ),
        None => format!(
            "{deprecated}will be removed in a future version. Update your configuration to use option {interval}."
        ),
    })
}

/// A warning for a key that nobody reads and that looks like one that is.
fn slip(section: &Section, key: &str) -> Option<String> {
    let origin = section.origin(key)?;
    if let Some(rest) = key.strip_prefix("set ") {
        return Some(format!("{origin} means nothing in this section: write {rest} without \"set\""));
    }
    keys::near(key).map(|meant| format!("{origin} is not a known key and is ignored: did you mean {meant}?"))
}
