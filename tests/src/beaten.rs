//! Where ours ends better than stock, and the proof that nothing is lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use self::knowledge::knows_all_of;
use self::rows::{alike_but_for_times, is_newest, variants};
use crate::outcome::Outcome;

mod knowledge;
mod rows;

/// What stock logs about a database without rows whose peer has some: it divides by its last row.
const DIVIDED: &str = "ZeroDivisionError";
/// What ours logs about a database whose peer has other rows although the points say that all were exchanged.
const EXCHANGED_ANEW: &str = "all are exchanged anew";
/// What rows decide in the stat row.
const FIGURES: &[&str] = &["hash", "object_count", "bytes_used", "container_count"];
/// What rows decide of a database's content.
const OF_ROWS: &[&str] = &["rows", "hash of rows", "policy_stat"];
/// A defect of stock that shows in how it leaves a case at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beaten {
    /// D10: replicas that differ stay so, or one of them is removed with what only it had, because their points say
    /// that all was exchanged.
    Divergence,
    /// A handoff whose last row is 0 stays, because every pass divides by that once a peer has rows.
    Division,
}

impl fmt::Display for Beaten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Divergence => "replicas that stay different",
            Self::Division => "a division by zero",
        })
    }
}

impl Beaten {
    /// The defect that accounts for all in which `ours` ended otherwise than `stock`; none if there is a
    /// difference that it does not account for, or anything that stock kept is not at every primary.
    ///
    /// `case` is an entry of a manifest, `start` a dump of the bytes that both began with.
    pub fn proven(case: &Value, start: &Value, stock: &Outcome, ours: &Outcome) -> Option<Self> {
        let title = case["title"].as_str()?;
        let pair = Pair {
            start: replicas(start, title),
            stock: replicas(&stock.dump, title),
            ours: replicas(&ours.dump, title),
        };
        let primaries: BTreeSet<_> = case["primaries"].as_array()?.iter().filter_map(Value::as_str).collect();
        if pair.only_rows_differ()
            && (pair.was_diverged() || pair.was_dropped_unheard(ours))
            && pair.is_united()
        {
            return Some(Self::Divergence);
        }
        let gone = pair.only_missing()?;
        let divided = gone.iter().all(|place| is_told(stock, place, DIVIDED));
        (divided && gone.iter().all(|place| pair.is_handed_over(place, &primaries))).then_some(Self::Division)
    }
}

/// (device and folder, file) → all that the dump has of the database.
type Place<'a> = (&'a str, &'a str);
type Replicas<'a> = BTreeMap<Place<'a>, &'a Value>;

fn replicas<'a>(dump: &'a Value, title: &str) -> Replicas<'a> {
    let folders = dump["cases"][title].as_object().into_iter().flatten();
    folders
        .flat_map(|(place, folder)| {
            let databases = folder["databases"].as_object().into_iter().flatten();
            databases.map(move |(file, database)| ((place.as_str(), file.as_str()), database))
        })
        .collect()
}

fn device<'a>(place: &Place<'a>) -> &'a str {
    place.0.split(' ').next().unwrap_or_default()
}

/// Whether somebody logged these words about the database.
fn is_told(outcome: &Outcome, (folder, file): &Place<'_>, words: &str) -> bool {
    let paths = ["containers", "accounts"]
        .map(|kind| format!("{}/{file}", folder.replacen(' ', &format!("/{kind}/"), 1)));
    outcome.log.iter().any(|line| line.contains(words) && paths.iter().any(|path| line.contains(path)))
}

/// One case as it began, as stock left it, and as ours did.
struct Pair<'a> {
    start: Replicas<'a>,
    stock: Replicas<'a>,
    ours: Replicas<'a>,
}

impl<'a> Pair<'a> {
    /// The same databases, alike but for rows and what they decide.
    fn only_rows_differ(&self) -> bool {
        self.stock.keys().eq(self.ours.keys())
            && self
                .stock
                .values()
                .zip(self.ours.values())
                .all(|(stock, ours)| without_rows(stock) == without_rows(ours))
    }

    fn was_diverged(&self) -> bool {
        let mut rows = self.stock.values().map(|database| &database["content"]["rows"]);
        let first = rows.next();
        rows.any(|rows| Some(rows) != first)
    }

    /// Stock removed a replica with a row that no other has, and ours saw that peers had not heard of all of it.
    fn was_dropped_unheard(&self, ours: &Outcome) -> bool {
        let kept: Vec<&Value> = self.stock.values().flat_map(|database| rows(database)).collect();
        let mut dropped = self.start.iter().filter(|(place, _)| !self.stock.contains_key(*place));
        dropped.any(|(place, database)| {
            rows(database).any(|row| !kept.contains(&row)) && is_told(ours, place, EXCHANGED_ANEW)
        })
    }

    /// All of ours hold the newest of each row that stock's replicas have between them, and no other.
    ///
    /// All but its times such a row may have from a replica that stock removed unheard: a handoff whose points say
    /// that the primaries have its rows.
    fn is_united(&self) -> bool {
        let known = variants(self.stock.values());
        let begun = variants(self.start.values());
        let mut hashes = self.ours.values().map(|database| &database["content"]["hash of rows"]);
        let first = hashes.next();
        hashes.all(|hash| Some(hash) == first)
            && self.ours.values().all(|database| {
                let content = &database["content"];
                let held = variants(std::iter::once(database));
                content["stat"][0]["hash"] == content["hash of rows"]
                    && held.keys().eq(known.keys())
                    && held.iter().zip(known.values()).all(|((name, row), known)| {
                        let begun = begun.get(name).into_iter().flatten();
                        is_newest(row[0], known)
                            && begun.chain(known).any(|one| alike_but_for_times(one, row[0]))
                    })
            })
    }

    /// The databases that stock has beyond ours, everything else being alike; none if that is not the difference.
    fn only_missing(&self) -> Option<Vec<Place<'a>>> {
        let alike = self.ours.iter().all(|(place, ours)| {
            let of_both = |part| self.stock.get(place).is_some_and(|stock| stock[part] == ours[part]);
            of_both("content") && of_both("schema")
        });
        let gone: Vec<_> =
            self.stock.keys().filter(|place| !self.ours.contains_key(*place)).copied().collect();
        (alike && !gone.is_empty()).then_some(gone)
    }

    /// Whether a database that ours removed lay at a handoff, had no rows, and every primary knows the rest of it.
    fn is_handed_over(&self, place: &Place<'_>, primaries: &BTreeSet<&str>) -> bool {
        let Some(gone) = self.stock.get(place).map(|database| &database["content"]) else { return false };
        let without_rows = gone["rows"].as_array().is_some_and(Vec::is_empty);
        without_rows
            && !primaries.contains(device(place))
            && primaries.iter().all(|primary| {
                let mut there = self.ours.iter().filter(|(place, _)| device(place) == *primary);
                there.any(|(_, database)| knows_all_of(&database["content"], gone))
            })
    }
}

fn rows(database: &Value) -> impl Iterator<Item = &Value> {
    database["content"]["rows"].as_array().into_iter().flatten()
}

fn without_rows(database: &Value) -> Value {
    let mut content = database["content"].clone();
    if let Some(parts) = content.as_object_mut() {
        parts.retain(|part, _| !OF_ROWS.contains(&part.as_str()));
    }
    for stat in content["stat"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        stat.retain(|column, _| !FIGURES.contains(&column.as_str()));
    }
    Value::Array(vec![content, database["schema"].clone()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(databases: &[(&str, Value)], log: &[&str]) -> Outcome {
        let folders = databases.iter().map(|(device, content)| {
            (format!("{device} 5/abc/0"), json!({"databases": {"0.db": {"content": content, "schema": {}}}}))
        });
        Outcome {
            dump: json!({"cases": {"one": folders.collect::<BTreeMap<_, _>>()}}),
            counters: BTreeMap::new(),
            log: log.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn content(rows: &[(&str, &str)], put: &str) -> Value {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, at)| json!({"name": name, "created_at": at, "storage_policy_index": 0}))
            .collect();
        json!({
            "stat": [{"put_timestamp": put, "delete_timestamp": "0", "hash": rows.len(), "metadata": ""}],
            "hash of rows": rows.len(), "rows": rows, "shard_ranges": [],
        })
    }

    fn case() -> Value {
        json!({"title": "one", "primaries": ["d1a", "d2a"]})
    }

    /// Of outcomes that nobody saw the beginning of.
    fn proven(stock: &Outcome, ours: &Outcome) -> Option<Beaten> {
        Beaten::proven(&case(), &Value::Null, stock, ours)
    }

    #[test]
    fn replicas_that_found_each_other_hold_the_newest_of_every_row() {
        let (old, new, both) = ([("o", "1")], [("o", "2"), ("p", "1")], [("o", "2"), ("p", "1")]);
        let stock = outcome(&[("d1a", content(&old, "1")), ("d2a", content(&new, "1"))], &[]);
        let with =
            |rows: &[_], put| outcome(&[("d1a", content(rows, put)), ("d2a", content(&both, "1"))], &[]);
        assert_eq!(proven(&stock, &with(&both, "1")), Some(Beaten::Divergence));
        let rest_differs = with(&both, "2");
        let row_lost = with(&[("o", "2")], "1");
        let row_older = with(&[("o", "1"), ("p", "1")], "1");
        let row_invented = with(&[("o", "2"), ("p", "1"), ("q", "1")], "1");
        for worse in [rest_differs, row_lost, row_older, row_invented] {
            assert_eq!(proven(&stock, &worse), None);
        }
        let united = with(&both, "1");
        assert_eq!(proven(&united, &stock), None, "stock's replicas did not differ");
    }

    /// A container's counts as an account has them, all of one moment.
    fn counted(count: u64) -> Value {
        let row = json!({"name": "c", "put_timestamp": "1", "delete_timestamp": "0", "object_count": count});
        json!({"stat": [{"hash": count}], "hash of rows": count, "rows": [row]})
    }

    #[test]
    fn counts_as_old_as_others_may_be_those_of_a_handoff_that_stock_removed_unheard() {
        let replicas = |counts: &[(&str, u64)]| {
            outcome(&counts.iter().map(|(device, count)| (*device, counted(*count))).collect::<Vec<_>>(), &[])
        };
        let start = replicas(&[("d1a", 1), ("d2a", 2), ("d3a", 3)]);
        let stock = replicas(&[("d1a", 1), ("d2a", 2)]);
        let proven = |counts: &[(&str, u64)]| Beaten::proven(&case(), &start.dump, &stock, &replicas(counts));
        for known in [1, 2, 3] {
            let united = proven(&[("d1a", known), ("d2a", known)]);
            assert_eq!(united, Some(Beaten::Divergence), "{known}");
        }
        assert_eq!(proven(&[("d1a", 4), ("d2a", 4)]), None, "nobody ever counted that");
        assert_eq!(proven(&[("d1a", 3), ("d2a", 1)]), None, "they differ still");
    }

    #[test]
    fn where_stock_removed_the_only_replica_that_differed_ours_has_to_have_seen_it() {
        let replicas = |counts: &[(&str, u64)], log: &[&str]| {
            outcome(&counts.iter().map(|(device, count)| (*device, counted(*count))).collect::<Vec<_>>(), log)
        };
        let start = replicas(&[("d1a", 1), ("d2a", 1), ("d3a", 3)], &[]);
        let stock = replicas(&[("d1a", 1), ("d2a", 1)], &[]);
        let seen = |device: &str| format!("all are exchanged anew, db: /{device}/accounts/5/abc/0/0.db");
        let proven = |counts: &[(&str, u64)], log: &str| {
            Beaten::proven(&case(), &start.dump, &stock, &replicas(counts, &[log]))
        };
        let of_heard = Beaten::proven(
            &case(),
            &start.dump,
            &replicas(&[("d1a", 3), ("d2a", 3)], &[]),
            &replicas(&[("d1a", 1), ("d2a", 1)], &[&seen("d3a")]),
        );
        assert_eq!(of_heard, None, "stock kept all that it had");
        let united = [("d1a", 3), ("d2a", 3)];
        assert_eq!(proven(&united, &seen("d3a")), Some(Beaten::Divergence));
        assert_eq!(proven(&united, ""), None, "it came of something else");
        assert_eq!(proven(&united, &seen("d1a")), None, "about another replica");
        assert_eq!(proven(&[("d1a", 4), ("d2a", 4)], &seen("d3a")), None, "nobody ever counted that");
    }

    #[test]
    fn a_handoff_may_go_only_where_stock_divided_and_the_primaries_know_all_of_it() {
        let rows = [("o", "1")];
        let primaries = |put| [("d1a", content(&rows, "3")), ("d2a", content(&rows, put))];
        let with =
            |gone: Value, log: &[&str]| outcome(&[&primaries("3")[..], &[("d3a", gone)]].concat(), log);
        let log = ["ERROR syncing with x, db: /n3/d3a/containers/5/abc/0/0.db: #012ZeroDivisionError: y"];
        let ours = outcome(&primaries("3"), &[]);
        let with_ours = |stock: &Outcome| proven(stock, &ours);
        assert_eq!(with_ours(&with(content(&[], "2"), &log)), Some(Beaten::Division));
        assert_eq!(with_ours(&with(content(&[], "2"), &[])), None, "nothing was divided");
        assert_eq!(with_ours(&with(content(&[("p", "1")], "2"), &log)), None, "a row is lost");
        assert_eq!(with_ours(&with(content(&[], "4"), &log)), None, "no primary knows of the last PUT");
        let primary_gone = outcome(&primaries("3")[..1], &[]);
        let log = ["ERROR syncing with x, db: /n2/d2a/accounts/5/abc/0/0.db: #012ZeroDivisionError: y"];
        let stock = outcome(&[primaries("3")[0].clone(), ("d2a", content(&[], "1"))], &log);
        assert_eq!(proven(&stock, &primary_gone), None, "a primary is no handoff");
    }
}
