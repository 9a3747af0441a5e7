use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use indexmap::IndexMap;

use super::{DEFAULT_SECTION, Dialect, interpolation};
use crate::{
    error::{Origin, SettingsError},
    python::{is_space, strip},
};

/// An option's value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value: lines joined by `\n`, blanks stripped from both ends.
    pub value: String,
    /// The place of the last setting, the one that counts.
    pub origin: Origin,
}

/// The options of one section in the order of their first appearance.
pub type Options = IndexMap<String, Entry>;

/// What was read so far. Answers to Python's `configparser.ConfigParser`.
#[derive(Clone)]
pub struct ConfigParser {
    dialect: Dialect,
    defaults: Options,
    sections: IndexMap<String, Options>,
}

impl ConfigParser {
    /// Nothing read yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, defaults: Options::new(), sections: IndexMap::new() }
    }

    /// Adds the text of one file; what an earlier file said gives way. Python: `read_file`.
    ///
    /// # Errors
    /// [`SettingsError::Syntax`]: bytes outside the dialect's encoding, a line before the first section
    /// header, a line that is neither `key = value` nor a continuation, a key without a name, and
    /// a section or key that the same file has already. What was read before the error stays.
    pub fn read(&mut self, file: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
        let text = match self.dialect.decode(bytes) {
            Ok(text) => text.replace("\r\n", "\n").replace('\r', "\n"),
            Err(offset) => {
                let line = bytes[..offset].split(|&byte| byte == b'\n').count();
                return Err(SettingsError::syntax(file, line, "the file is not UTF-8: save it as UTF-8"));
            }
        };
        let mut reading = Reading::new(self, file);
        for (index, line) in text.split_inclusive('\n').enumerate() {
            reading.line(index + 1, line)?;
        }
        reading.finish()
    }

    /// The names of the sections, without `DEFAULT`, in the order of their first appearance.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Every option of a section, inherited ones included, interpolated; `None` if there is no such section.
    /// Python: `items`.
    ///
    /// # Errors
    /// [`SettingsError::Value`] if any of the values cannot be interpolated, used or not.
    pub fn items(&self, section: &str) -> Option<Result<Options, SettingsError>> {
        let raw = self.unified(section)?;
        Some(raw.keys().map(|key| Ok((key.clone(), self.interpolated(&raw, key)?))).collect())
    }

    /// One option of a section, own or inherited, interpolated; `None` if there is none. Python: `get`.
    ///
    /// # Errors
    /// [`SettingsError::Value`] if this value cannot be interpolated.
    pub fn get(&self, section: &str, key: &str) -> Option<Result<Entry, SettingsError>> {
        let raw = self.unified(section)?;
        raw.contains_key(key).then(|| self.interpolated(&raw, key))
    }

    fn unified(&self, section: &str) -> Option<Options> {
        let own = self.sections.get(section)?;
        let mut all = self.defaults.clone();
        all.extend(own.iter().map(|(key, entry)| (key.clone(), entry.clone())));
        Some(all)
    }

    fn interpolated(&self, raw: &Options, key: &str) -> Result<Entry, SettingsError> {
        let mut entry = raw[key].clone();
        if self.dialect.interpolates(&entry.value) {
            entry.value = interpolation::expand(&entry.value, |name| {
                raw.get(&self.dialect.key(name)).map(|referred| referred.value.as_str())
            })
            .map_err(|problem| SettingsError::value(&entry.origin, &entry.value, problem.to_string()))?;
        }
        Ok(entry)
    }
}

impl fmt::Debug for ConfigParser {
    /// Names only: the values of swift.conf are secrets of the cluster.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections: Vec<_> = self.sections().collect();
        f.debug_struct("ConfigParser")
            .field("dialect", &self.dialect)
            .field("sections", &sections)
            .finish_non_exhaustive()
    }
}

/// The state while one file is read. Python: the locals of `_read`.
struct Reading<'a> {
    parser: &'a mut ConfigParser,
    file: Arc<Path>,
    /// The section of the last header; `None` before the first.
    section: Option<Arc<str>>,
    /// The option that a continuation line would go on with.
    option: Option<String>,
    indent: usize,
    /// What this file set: (section, none or key) and the line.
    added: HashMap<(Arc<str>, Option<String>), usize>,
    /// The first line that is not understood: reported only if nothing worse follows, as Python does.
    bad_line: Option<SettingsError>,
}

impl<'a> Reading<'a> {
    fn new(parser: &'a mut ConfigParser, file: &Path) -> Self {
        Self {
            parser,
            file: file.into(),
            section: None,
            option: None,
            indent: 0,
            added: HashMap::new(),
            bad_line: None,
        }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), SettingsError> {
        let content = strip(line);
        if content.starts_with(['#', ';']) {
            return Ok(());
        }
        if content.is_empty() {
            self.continue_value("");
            return Ok(());
        }
        let indent = line.chars().take_while(|&character| is_space(character)).count();
        if self.option.is_some() && indent > self.indent {
            self.continue_value(content);
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = header(content) {
            return self.open(name, number);
        }
        let Some(section) = self.section.clone() else {
            let quoted = self.parser.dialect.quote(content);
            let problem =
                format!("{quoted} stands before the first section header: add a line like [DEFAULT] above");
            return Err(SettingsError::syntax(&self.file, number, problem));
        };
        self.set(section, content, number)
    }

    fn options(&mut self) -> Option<&mut Options> {
        match self.section.as_deref()? {
            DEFAULT_SECTION => Some(&mut self.parser.defaults),
            name => self.parser.sections.get_mut(name),
        }
    }

    fn continue_value(&mut self, content: &str) {
        let Some(key) = self.option.take() else { return };
        if let Some(entry) = self.options().and_then(|options| options.get_mut(&key)) {
            entry.value.push('\n');
            entry.value.push_str(content);
        }
        self.option = Some(key);
    }

    fn open(&mut self, name: &str, number: usize) -> Result<(), SettingsError> {
        let section: Arc<str> = name.into();
        if name != DEFAULT_SECTION {
            self.note(&section, None, number)?;
            self.parser.sections.entry(name.to_owned()).or_default();
        }
        self.section = Some(section);
        self.option = None;
        Ok(())
    }

    fn set(&mut self, section: Arc<str>, content: &str, number: usize) -> Result<(), SettingsError> {
        let Some((written, value)) = content.split_once(['=', ':']) else {
            self.bad_line(
                number,
                content,
                "is not understood: write key = value, or indent a continuation line",
            );
            return Ok(());
        };
        let key = self.parser.dialect.key(written.trim_end_matches(is_space));
        self.note(&section, Some(&key), number)?;
        if key.is_empty() {
            self.bad_line(number, content, "has no key: write key = value");
            self.option = None;
            return Ok(());
        }
        let origin = Origin { file: self.file.clone(), line: number, section, key: key.clone() };
        let entry = Entry { value: strip(value).to_owned(), origin };
        if let Some(options) = self.options() {
            options.insert(key.clone(), entry);
        }
        self.option = Some(key);
        Ok(())
    }

    fn bad_line(&mut self, number: usize, content: &str, problem: &str) {
        let quoted = self.parser.dialect.quote(content);
        self.bad_line.get_or_insert(SettingsError::syntax(&self.file, number, format!("{quoted} {problem}")));
    }

    /// Notes that this file sets a section or an option, and refuses the second time.
    fn note(&mut self, section: &Arc<str>, key: Option<&str>, number: usize) -> Result<(), SettingsError> {
        let Some(first) = self.added.insert((section.clone(), key.map(str::to_owned)), number) else {
            return Ok(());
        };
        let what = key.map_or(format!("section [{section}]"), |key| format!("{key:?} in [{section}]"));
        let problem = format!("{what} already exists, see line {first}: keep one of them");
        Err(SettingsError::syntax(&self.file, number, problem))
    }

    fn finish(self) -> Result<(), SettingsError> {
        let sections = self.parser.sections.values_mut();
        for entry in sections.chain([&mut self.parser.defaults]).flat_map(IndexMap::values_mut) {
            entry.value.truncate(entry.value.trim_end_matches(is_space).len());
        }
        self.bad_line.map_or(Ok(()), Err)
    }
}

/// The name in a section header: from the `[` at the start to the last `]`, whatever follows.
fn header(content: &str) -> Option<&str> {
    let inside = content.strip_prefix('[')?;
    inside.rfind(']').map(|end| &inside[..end]).filter(|name| !name.is_empty())
}
