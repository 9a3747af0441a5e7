use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use crate::{
    dialect::{Entry, Options},
    error::{Origin, SettingsError},
};

/// One section of a server's conf: every option with its origin, inherited ones included, interpolated.
///
/// It is a [`Source`] for the `config` crate, which lays it over the defaults.
#[derive(Debug, Clone)]
pub struct Section {
    path: PathBuf,
    name: String,
    options: Options,
    warnings: Vec<String>,
}

impl Section {
    pub(crate) fn new(path: &Path, name: &str, options: Options, passed_over: &[PathBuf]) -> Self {
        let warnings = passed_over
            .iter()
            .map(|file| format!("{} cannot be read and is passed over: mend its permissions", file.display()))
            .collect();
        Self { path: path.to_owned(), name: name.to_owned(), options, warnings }
    }

    /// The section's name, e.g. `container-replicator`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a key; `None` if it is set neither here nor in `[DEFAULT]`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(|entry| entry.value.as_str())
    }

    /// Keys and values, inherited ones first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(key, entry)| (key.as_str(), entry.value.as_str()))
    }

    /// Where a key was set; `None` if it is set neither here nor in `[DEFAULT]`.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.options.get(key).map(|entry| &entry.origin)
    }

    /// What stock passes over in silence while it reads: files of a directory that cannot be read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A warning that names the place, if the key is set and its value is not good.
    pub(crate) fn doubt(&self, key: &str, is_good: impl Fn(&str) -> bool, advice: &str) -> Option<String> {
        let Entry { value, origin } = self.options.get(key)?;
        (!is_good(value)).then(|| format!("{origin} = {value:?}: {advice}"))
    }

    /// Refuses the value of a key for what it means beside others.
    pub(crate) fn refuse(&self, key: &str, problem: &str) -> Option<SettingsError> {
        let Entry { value, origin } = self.options.get(key)?;
        Some(SettingsError::value(origin, value, problem))
    }

    /// Python's `conf.get(key) or …`: forgets the key where `is_void` says that its value counts as none.
    pub(crate) fn forget(&mut self, key: &str, is_void: impl Fn(&str) -> bool) {
        if self.get(key).is_some_and(is_void) {
            self.options.shift_remove(key);
        }
    }

    /// Gives `key` the entry of `other` unless it has one of its own. Errors will name `other`.
    pub(crate) fn fall_back(&mut self, key: &str, other: &str) {
        if let Some(entry) = self.options.get(other).cloned() {
            self.options.entry(key.to_owned()).or_insert(entry);
        }
    }

    /// This section laid over the defaults.
    pub(crate) fn over(&self, defaults: &[(&str, String)]) -> Result<Layers<'_>, SettingsError> {
        let mut builder = Config::builder();
        for (key, value) in defaults {
            builder = builder.set_default(*key, value.as_str()).map_err(|error| self.layers(error))?;
        }
        let config = builder.add_source(self.clone()).build().map_err(|error| self.layers(error))?;
        Ok(Layers { section: self, config })
    }

    fn layers(&self, error: ConfigError) -> SettingsError {
        SettingsError::Layers { path: self.path.clone(), section: self.name.clone(), source: Box::new(error) }
    }

    fn refusal(&self, error: ConfigError) -> SettingsError {
        let place = match &error {
            ConfigError::At { error, key: Some(key), .. } => {
                self.options.get(key).map(|Entry { value, origin }| (origin, value, error.to_string()))
            }
            _ => None,
        };
        match place {
            Some((origin, value, problem)) => SettingsError::value(origin, value, problem),
            None => self.layers(error),
        }
    }
}

impl Source for Section {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    /// Every option whose key is a plain word. A key such as `set log_level` or `a.b` is none of ours, and
    /// to `config` it would be a path.
    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let is_word = |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let plain = self.options.iter().filter(|(key, _)| is_word(key));
        Ok(plain.map(|(key, entry)| (key.clone(), value(entry))).collect())
    }
}

fn value(entry: &Entry) -> Value {
    Value::new(Some(&entry.origin.to_string()), ValueKind::String(entry.value.clone()))
}

/// A section over its defaults, ready to be read into typed groups.
pub(crate) struct Layers<'a> {
    section: &'a Section,
    config: Config,
}

impl Layers<'_> {
    /// The keys of one group, typed and validated.
    pub(crate) fn group<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        self.config.clone().try_deserialize().map_err(|error| self.section.refusal(error))
    }
}
