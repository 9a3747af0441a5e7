//! Two copies of one database, one for stock and one for us, and how they are compared.

use std::{fs, path::Path};

use martlet_db_broker::{Broker, DbLocation};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::{DbName, HashPath};
use tempfile::TempDir;

use crate::{operations, oracle::ask};

/// A database on stock's device and its copy on ours.
pub(crate) struct Case {
    pub(crate) root: TempDir,
    pub(crate) kind: ServerType,
    pub(crate) stock: DbLocation,
    pub(crate) ours: DbLocation,
}

/// The salt of the tests' cluster.
pub(crate) fn hash_path() -> HashPath {
    HashPath::new(Vec::new(), b"changeme".to_vec()).expect("a salt")
}

/// A directory for databases, in memory where there is such a place: these tests ask for what is stored, not for
/// how long a disk takes.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a place for databases")
}

/// Where `a` or `a/c` belongs below `root/sda`.
pub(crate) fn place(root: &Path, kind: ServerType) -> DbLocation {
    let digest = match kind {
        ServerType::Account => hash_path().account("a"),
        ServerType::Container => hash_path().container("a", "c"),
    };
    DbLocation::new(kind, &root.join("sda"), 0, &DbName::unsharded(digest))
}

/// Makes a database of a generation at a location by stock's means.
pub(crate) fn build(location: &DbLocation, generation: &str, with_rows: bool) {
    let (kind, file) = (location.server_type().name(), location.file());
    ask(&json!({"do": "build", "kind": kind, "generation": generation, "file": file, "rows": with_rows}));
}

impl Case {
    /// Stock builds the generation (with a few rows); ours is a copy of it.
    pub(crate) fn new(kind: ServerType, generation: &str) -> Self {
        Self::with_rows(kind, generation, true)
    }

    /// Without any row.
    pub(crate) fn empty(kind: ServerType) -> Self {
        Self::with_rows(kind, "current", false)
    }

    fn with_rows(kind: ServerType, generation: &str, rows: bool) -> Self {
        let root = directory();
        let stock = place(&root.path().join("stock"), kind);
        let ours = place(&root.path().join("ours"), kind);
        build(&stock, generation, rows);
        fs::create_dir_all(ours.dir()).expect("a directory");
        fs::copy(stock.file(), ours.file()).expect("a copy");
        Self { root, kind, stock, ours }
    }

    /// The directory that holds both devices.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Runs SQL on both copies.
    pub(crate) fn sql(&self, script: &str) {
        for location in [&self.stock, &self.ours] {
            ask(&json!({"do": "sql", "file": location.file(), "script": script}));
        }
    }

    /// Writes the same pending entries beside both copies.
    pub(crate) fn pending(&self, entries: &Value) {
        for location in [&self.stock, &self.ours] {
            ask(&json!({"do": "pending", "file": location.file(), "entries": entries}));
        }
    }

    /// Applies the operations to both copies and compares each result, then all that is stored.
    pub(crate) fn run(&self, operations: &[Value]) {
        if let Err(difference) = self.try_run(operations) {
            panic!("{difference}");
        }
    }

    /// As [`run`](Self::run), with the difference as the error.
    pub(crate) fn try_run(&self, operations: &[Value]) -> Result<(), String> {
        let theirs = stock_applies(&self.stock, operations);
        let mut broker = Broker::open(self.ours.clone()).map_err(|error| error.to_string())?;
        for (operation, theirs) in operations.iter().zip(&theirs) {
            let ours = operations::apply(&mut broker, operation);
            match (ours, theirs.get("ok"), theirs.get("error")) {
                (Ok(ours), Some(theirs), _) => same(&ours, theirs, &format!("{operation}:"))?,
                (Err(_), _, Some(_)) => {}
                (ours, _, _) => return Err(format!("{operation}: ours {ours:?}, stock {theirs}")),
            }
        }
        drop(broker);
        let name = self.kind.name();
        let dumps = [&self.ours, &self.stock]
            .map(|location| ask(&json!({"do": "dump", "kind": name, "file": location.file()})));
        same(&dumps[0], &dumps[1], "")?;
        if dumps[0]["rehashed"] != true {
            return Err("the stored hash is not that of the rows".to_owned());
        }
        // Stock reads ours and sees in it what it sees in its own.
        let check =
            [json!({"op": "replication_info"}), json!({"op": "rows_since", "since": -1, "count": 5000})];
        let seen = [&self.ours, &self.stock].map(|location| Value::Array(stock_applies(location, &check)));
        same(&seen[0], &seen[1], "read by stock:")
    }
}

/// Stock's results of operations on a database.
pub(crate) fn stock_applies(location: &DbLocation, operations: &[Value]) -> Vec<Value> {
    let kind = location.server_type().name();
    let results =
        ask(&json!({"do": "apply", "kind": kind, "file": location.file(), "operations": operations}));
    results.as_array().expect("a list of results").clone()
}

/// Where two values first differ; ours is on the left.
pub(crate) fn same(ours: &Value, theirs: &Value, at: &str) -> Result<(), String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for key in ours.keys().chain(theirs.keys()) {
                let value =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(json!("absent"));
                same(&value(ours), &value(theirs), &format!("{at} {key}"))?;
            }
            Ok(())
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.try_for_each(|(index, (ours, theirs))| same(ours, theirs, &format!("{at} [{index}]")))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            let odd: Vec<_> = ours.iter().filter(|item| !theirs.contains(item)).collect();
            let missing: Vec<_> = theirs.iter().filter(|item| !ours.contains(item)).collect();
            Err(format!("{at}: only ours {odd:?}, only stock's {missing:?}"))
        }
        _ if ours == theirs => Ok(()),
        _ => Err(format!("{at}: ours {ours}, stock {theirs}")),
    }
}
