//! Which line of stock's logs shows that a database took a certain course.

/// Token of a case → what a line with the database's hash must contain.
const COURSES: &[(&str, &str)] = &[
    ("complete_rsync", "course: complete_rsync 204"),
    ("rsync_then_merge", "course: rsync_then_merge 204"),
    ("diff", "course: merge_items 202"),
    ("diff capped", "moving on and will try again next pass"),
    ("no change", "nothing to do"),
    ("merge_shard_ranges", "course: merge_shard_ranges 202"),
    ("get_shard_ranges", "course: get_shard_ranges 200"),
    ("deferred", "able to shard -- refusing to replicate objects"),
    ("not upgraded", "unable to replicate shard ranges to peer"),
    ("nothing more", "sharded and has nothing more to replicate"),
    ("kept for sharding", "Not deleting db (requires sharding"),
    ("removed", "Successfully deleted db"),
    ("misplaced", "Found db that should be on partition"),
    ("quarantined", "Quarantin"),
    ("divided by zero", "ZeroDivisionError"),
    ("invalid pending", "Invalid pending entry"),
];

/// Those of a case's tokens that no line of stock's logs shows for its hash.
///
/// Stock's servers log the calls they answer (`course: OP STATUS HASH`) because stock.py makes them;
/// stock's replicators log the rest at debug level.
///
/// # Panics
/// When a case names a token that nobody defined.
pub fn missed<'a>(tokens: &[&'a str], hash: &str, lines: &[String]) -> Vec<&'a str> {
    let of_database: Vec<_> = lines.iter().filter(|line| line.contains(hash)).collect();
    tokens
        .iter()
        .filter(|token| {
            let (_, needle) = COURSES
                .iter()
                .find(|(name, _)| name == *token)
                .unwrap_or_else(|| panic!("no course is called {token}"));
            !of_database.iter().any(|line| line.contains(needle))
        })
        .copied()
        .collect()
}

/// What a line about sharding begins with, after who says it.
const OF_SHARDING: &[&str] = &[
    "able to shard -- refusing to replicate objects",
    "sharded and has nothing more to replicate",
    "unable to replicate shard ranges to peer",
    "synced ",
    "Not deleting db (requires sharding",
    "Ignoring remote osr w/o epoch",
    "Unexpected db files will be ignored",
];

/// The lines that an operator reads about sharding, sorted: each with its priority, but without who says it.
pub fn lines_of_sharding(lines: &[String]) -> Vec<String> {
    let mut found: Vec<_> = lines.iter().filter_map(|line| of_sharding(line)).collect();
    found.sort_unstable();
    found
}

fn of_sharding(line: &str) -> Option<String> {
    let (priority, rest) = line.split_once('>')?;
    let (_, message) = rest.split_once(": ")?;
    let begins = OF_SHARDING.iter().any(|beginning| message.starts_with(beginning));
    begins.then(|| format!("{priority}> {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_databases_do_not_count() {
        let lines = ["course: merge_items 202 aaaa".to_owned(), "course: complete_rsync 204 bbbb".to_owned()];
        assert_eq!(missed(&["diff", "complete_rsync"], "aaaa", &lines), ["complete_rsync"]);
    }
}
