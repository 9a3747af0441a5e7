//! Where ours ends better than stock, and the proof that nothing is lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use self::knowledge::knows_all_of;
use self::rows::{alike_but_for_times, is_newest, rows, variants};
use crate::outcome::Outcome;

mod knowledge;
mod rows;
#[cfg(test)]
mod tests;

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
        if pair.only_rows_differ() && pair.is_united(&pair.unheard(ours)) {
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

    /// The replicas whose rows ours may have heard of, and stock did not: all where stock's stay different, else those
    /// that it removed with a row that no other has, if ours saw that peers had not heard of all of it.
    fn unheard(&self, ours: &Outcome) -> Vec<&'a Value> {
        if self.was_diverged() {
            return self.start.values().chain(self.stock.values()).copied().collect();
        }
        let kept: Vec<&Value> = self.stock.values().flat_map(|database| rows(database)).collect();
        let is_unheard = |(place, database): &(&Place<'a>, &&'a Value)| {
            !self.stock.contains_key(*place)
                && rows(database).any(|row| !kept.contains(&row))
                && is_told(ours, place, EXCHANGED_ANEW)
        };
        self.start.iter().filter(is_unheard).map(|(_, database)| *database).collect()
    }

    /// There are such replicas, and all of ours hold the newest of each row that stock's have between them, and no
    /// other.
    ///
    /// All but its times such a row may have from an unheard replica, which knows other counts of the same moment.
    fn is_united(&self, unheard: &[&Value]) -> bool {
        let known = variants(self.stock.values());
        let begun = variants(unheard.iter());
        let mut hashes = self.ours.values().map(|database| &database["content"]["hash of rows"]);
        let first = hashes.next();
        !unheard.is_empty()
            && hashes.all(|hash| Some(hash) == first)
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
