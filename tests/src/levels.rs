use std::collections::{BTreeMap, BTreeSet};

/// How lines begin, after who says them, that stock and ours both log on some occasion.
const BEGINNINGS: &[&str] = &[
    "Attempted to replicate ",
    "Beginning replication run",
    "Can't find itself ",
    "Cleaning up ",
    "Could not find a non-zero weight device ",
    "ERROR Bad response ",
    "ERROR Remote drive not mounted ",
    "ERROR reading HTTP response from ",
    "ERROR reading db",
    "ERROR rsync failed with ",
    "ERROR syncing with ",
    "ERROR trying to replicate",
    "ERROR while trying to clean up",
    "Failed to get reconciler broker ",
    "Finished reconciler replication",
    "Found db that should be on partition ",
    "Invalid pending entry ",
    "Quarantined ",
    "Quarantining DB",
    "Removed ",
    "Replicating ",
    "Replication run OVER",
    "Skipping: ",
    "UNHANDLED EXCEPTION: ",
    "Unable to decode remote metadata ",
];

/// Beginning of a line → the priorities (facility and level) that lines which begin so were logged with.
pub fn levels(lines: &[String]) -> BTreeMap<&'static str, BTreeSet<&str>> {
    let mut levels: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in lines {
        let Some((priority, rest)) = line.split_once('>') else { continue };
        let Some((_, message)) = rest.split_once(": ") else { continue };
        if let Some(beginning) = BEGINNINGS.iter().find(|beginning| message.starts_with(**beginning)) {
            levels.entry(*beginning).or_default().insert(priority);
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_by_what_it_begins_with() {
        let lines = [
            "<134>container-replicator: Removed 3 dbs",
            "<131>container-replicator: ERROR reading db /x",
            "<134>container-replicator: ERROR reading db: malformed",
            "<134>container-replicator: whatever, Removed 3 dbs",
            "no line",
        ]
        .map(str::to_owned);
        let levels = levels(&lines);
        assert_eq!(levels["Removed "], BTreeSet::from(["<134"]));
        assert_eq!(levels["ERROR reading db"], BTreeSet::from(["<131", "<134"]));
        assert_eq!(levels.len(), 2);
    }
}
