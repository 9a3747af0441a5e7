use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use failpoint::{Step, around};
use serde_json::{Map, Value};

use crate::{python_json, replacement::replacement};

/// As stock's, which is the temporary file's.
const MODE: u32 = 0o600;

/// How long another daemon may hold the cache file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two tries of the lock, as in stock.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How many such times may pass while others replace the file between our open and our lock.
const PATIENCE: u32 = 10;

/// The largest cache that is read; beyond that it is no cache of ours or Swift's.
const MAX_CACHE_BYTES: u64 = 64 << 20;

/// Brings `entries` into a recon cache that other daemons, stock's included, write to as well.
///
/// Their keys are kept. A value that is an object goes into the object that is there, key by key; an empty
/// object drops its key, one level down too. The cache is locked itself (`flock`, 2 s) and replaced by a
/// rename without fsync, so a crash leaves the old one or the new one; a failure is logged and costs nothing
/// else. Blocks on the lock and the disk. Answers to stock's `dump_recon_cache`.
pub fn dump_recon_cache(cache_file: &Path, entries: &Map<String, Value>) {
    if let Err(error) = update(cache_file, entries, LOCK_TIMEOUT) {
        tracing::error!(
            "Exception dumping recon cache: {}: {error}; swift-recon shows old numbers until this is mended, \
             check recon_cache_path and the owner and mode of what is there",
            cache_file.display()
        );
    }
}

/// When stock's sharder of this node completed a cycle last, in Unix seconds: `sharding_last` of a container's recon cache. None
/// if there is no such word in it. Blocks on the disk, not on the lock: what is read is the old file or the new one.
///
/// Stock: `ContainerSharder._report_stats` leaves it there (read in its source, not tried).
pub fn sharder_last(cache_file: &Path) -> Option<f64> {
    read(&File::open(cache_file).ok()?).ok()?.get("sharding_last")?.as_f64()
}

fn update(cache_file: &Path, entries: &Map<String, Value>, timeout: Duration) -> io::Result<()> {
    // Held until the new file is in place.
    let locked = lock(cache_file, timeout)?;
    let mut cache = read(&locked)?;
    for (key, value) in entries {
        put(&mut cache, key, value);
    }
    let mut line = python_json::dumps(&Value::Object(cache));
    line.push('\n');
    let new = replacement(cache_file, line.as_bytes(), MODE)?;
    around(Step::WriteRecon, cache_file, || new.persist(cache_file))?;
    Ok(())
}

/// Opens and locks the file that bears the name at that moment. Stock: `lock_file`.
fn lock(cache_file: &Path, timeout: Duration) -> io::Result<File> {
    let give_up = Instant::now() + PATIENCE * timeout;
    loop {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(MODE).open(cache_file)?;
        wait_for_lock(&file, timeout)?;
        match fs::metadata(cache_file) {
            Ok(named) if named.ino() == file.metadata()?.ino() => return Ok(file),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ if Instant::now() >= give_up => {
                return Err(io::Error::new(ErrorKind::TimedOut, "replaced by others time and again"));
            }
            // Replaced or removed meanwhile: what is locked is not the cache any more.
            _ => {}
        }
    }
}

fn wait_for_lock(file: &File, timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let text = format!("locked by another process for {} seconds", timeout.as_secs_f64());
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
}

/// The object in the first line; an empty one if there is none.
fn read(file: &File) -> io::Result<Map<String, Value>> {
    if file.metadata()?.len() > MAX_CACHE_BYTES {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "more than 64 MiB is no recon cache"));
    }
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).unwrap_or_default())
}

/// Stock: `put_recon_cache_entry`.
fn put(cache: &mut Map<String, Value>, key: &str, value: &Value) {
    let Value::Object(nested) = value else {
        cache.insert(key.to_owned(), value.clone());
        return;
    };
    if nested.is_empty() {
        cache.remove(key);
        return;
    }
    let existing = cache.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !existing.is_object() {
        *existing = Value::Object(Map::new());
    }
    let existing = existing.as_object_mut().expect("it was made an object above");
    for (key, value) in nested {
        if value.as_object().is_some_and(Map::is_empty) {
            existing.remove(key);
        } else {
            existing.insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_lock_that_is_not_given_back_ends_in_an_error_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("container.recon");
        fs::write(&cache, "{\"theirs\": 1}\n").unwrap();
        let holder = File::open(&cache).unwrap();
        holder.lock().unwrap();
        let error = update(&cache, &entries(&json!({"ours": 2})), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(fs::read_to_string(&cache).unwrap(), "{\"theirs\": 1}\n");
        holder.unlock().unwrap();
        update(&cache, &entries(&json!({"ours": 2})), Duration::ZERO).unwrap();
        assert_eq!(fs::read_to_string(&cache).unwrap(), "{\"ours\": 2, \"theirs\": 1}\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn the_sharder_s_word_is_found_among_others() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("container.recon");
        assert_eq!(sharder_last(&cache), None, "no cache");
        fs::write(&cache, "{\"replication_last\": 1}\n").unwrap();
        assert_eq!(sharder_last(&cache), None, "no sharder");
        dump_recon_cache(&cache, &entries(&json!({"sharding_last": 1_700_000_000.5})));
        assert_eq!(sharder_last(&cache), Some(1_700_000_000.5));
    }

    #[test]
    fn a_directory_that_is_not_there_is_survived() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing/container.recon");
        dump_recon_cache(&missing, &entries(&json!({"a": 1})));
        assert!(!missing.exists());
    }
}
