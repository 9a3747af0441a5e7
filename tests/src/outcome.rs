use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// Differences shown of one case before the rest is counted only.
const SHOWN: usize = 8;

/// What can be compared of two outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// What clients and operators see: stat row, metadata, rows, policy stats, shard ranges, integrity, which
    /// devices hold the database, what was quarantined and what the sync store links to.
    Content,
    /// Sync points and the ROWIDs they count in. Equal only where the same calls were made in the same order.
    Points,
    /// Whether all rows were searched for misplaced ones, by the point up to which they were.
    Reconciler,
    /// Tables, columns, triggers and indices, which tell how far an old database was migrated.
    Schema,
    /// Files beside the databases, folders without one, and what is left in `tmp`.
    Leftovers,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The dump of `tests/python/martlet_stock/dump.py` after the last pass.
    pub dump: Value,
    /// `replication_stats` of every pass, summed by name.
    pub counters: BTreeMap<String, u64>,
    /// Everything the processes logged.
    pub log: Vec<String>,
}

impl Outcome {
    /// What all passes so far have counted under a name of recon's.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn count(&mut self, stats: &Value) {
        for (name, value) in stats.as_object().into_iter().flatten() {
            if let Some(value) = value.as_u64() {
                *self.counters.entry(name.clone()).or_default() += value;
            }
        }
    }
}

/// One way in which an outcome is not like another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The case's title, or what the thing is that belongs to no case.
    pub title: String,
    /// Where it is, what was wanted and what was found.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.what)
    }
}

/// Every difference of the chosen aspects, at most a handful per case.
///
/// ```
/// use martlet_testkit::{Aspect, Outcome, compare};
/// use serde_json::json;
///
/// let outcome = |rows| Outcome {
///     dump: json!({"cases": {"diff": {"d1a 5/abc/0": {"databases": {"0.db": {"content": {"rows": rows}}}}}}}),
///     counters: Default::default(),
///     log: Vec::new(),
/// };
/// let differences = compare(&outcome(json!(["a", "b"])), &outcome(json!(["a"])), &[Aspect::Content]);
/// assert_eq!(differences.len(), 1);
/// assert_eq!(
///     differences[0].to_string(),
///     "diff: d1a 5/abc/0 / 0.db / content / rows / 1: wanted \"b\", is absent"
/// );
///
/// // Whatever nobody wanted is one too.
/// let nothing = Outcome { dump: json!({"cases": {}}), ..outcome(json!([])) };
/// assert_eq!(compare(&nothing, &outcome(json!(["a"])), &[Aspect::Content]).len(), 1);
///
/// // Rows are told apart by their names.
/// let [one, other] = [json!({"name": "o", "size": 1}), json!({"name": "p", "size": 2})];
/// let differences = compare(&outcome(json!([one, other])), &outcome(json!([other])), &[Aspect::Content]);
/// assert_eq!(
///     differences[0].to_string(),
///     "diff: d1a 5/abc/0 / 0.db / content / rows / o: wanted {\"name\":\"o\",\"size\":1}, is absent"
/// );
/// ```
pub fn compare(wanted: &Outcome, found: &Outcome, aspects: &[Aspect]) -> Vec<Difference> {
    let mut all = Vec::new();
    let titles: BTreeSet<_> = titles(wanted).chain(titles(found)).collect();
    for title in titles {
        let mut differences = Vec::new();
        let [wanted, found] = [wanted, found].map(|of| reduce(&of.dump["cases"][title], aspects));
        walk(&mut Vec::new(), Some(&wanted), Some(&found), &mut differences);
        let more = differences.len().saturating_sub(SHOWN);
        differences.truncate(SHOWN);
        if more > 0 {
            differences.push(format!("… and {more} more"));
        }
        all.extend(differences.into_iter().map(|what| Difference { title: title.clone(), what }));
    }
    let mut aside = Vec::new();
    let (wanted, found) = (&wanted.dump["aside"], &found.dump["aside"]);
    walk(
        &mut Vec::new(),
        Some(&reduce_aside(wanted, aspects)),
        Some(&reduce_aside(found, aspects)),
        &mut aside,
    );
    let title = "beside the databases";
    all.extend(aside.into_iter().map(|what| Difference { title: title.to_owned(), what }));
    all
}

fn titles(outcome: &Outcome) -> impl Iterator<Item = &String> {
    outcome.dump["cases"].as_object().into_iter().flat_map(serde_json::Map::keys)
}

/// place → database → the chosen parts. Folders without a database only count as leftovers.
fn reduce(case: &Value, aspects: &[Aspect]) -> Value {
    let mut places = serde_json::Map::new();
    for (place, folder) in case.as_object().into_iter().flatten() {
        let mut kept = serde_json::Map::new();
        for (name, database) in folder["databases"].as_object().into_iter().flatten() {
            let mut database = database.clone();
            if let Some(parts) = database.as_object_mut() {
                parts.retain(|part, _| match part.as_str() {
                    "points" => aspects.contains(&Aspect::Points),
                    "reconciler" => aspects.contains(&Aspect::Reconciler),
                    "schema" => aspects.contains(&Aspect::Schema),
                    _ => aspects.contains(&Aspect::Content),
                });
            }
            kept.insert(name.clone(), database);
        }
        if aspects.contains(&Aspect::Leftovers) {
            kept.insert("beside".to_owned(), folder["beside"].clone());
        }
        if !kept.is_empty() {
            places.insert(place.clone(), Value::Object(kept));
        }
    }
    Value::Object(places)
}

fn reduce_aside(aside: &Value, aspects: &[Aspect]) -> Value {
    let mut aside = aside.clone();
    for (_, device) in aside.as_object_mut().into_iter().flatten() {
        if let Some(parts) = device.as_object_mut() {
            parts.retain(|part, _| match part.as_str() {
                "tmp" => aspects.contains(&Aspect::Leftovers),
                _ => aspects.contains(&Aspect::Content),
            });
        }
    }
    aside
}

fn walk(path: &mut Vec<String>, wanted: Option<&Value>, found: Option<&Value>, lines: &mut Vec<String>) {
    match (wanted, found) {
        (Some(Value::Object(wanted)), Some(Value::Object(found))) => {
            let extra = found.keys().filter(|key| !wanted.contains_key(*key));
            for key in wanted.keys().chain(extra) {
                step(path, key, wanted.get(key), found.get(key), lines);
            }
        }
        (Some(Value::Array(wanted)), Some(Value::Array(found))) => match (by_name(wanted), by_name(found)) {
            (Some(wanted), Some(found)) => {
                for key in wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key))) {
                    step(path, key, wanted.get(key).copied(), found.get(key).copied(), lines);
                }
            }
            _ => {
                for index in 0..wanted.len().max(found.len()) {
                    step(path, &index.to_string(), wanted.get(index), found.get(index), lines);
                }
            }
        },
        (wanted, found) if wanted == found => {}
        (wanted, found) => {
            let [wanted, found] = [wanted, found].map(|v| v.map_or("absent".to_owned(), Value::to_string));
            lines.push(format!("{}: wanted {wanted}, is {found}", path.join(" / ")));
        }
    }
}

/// Rows by what they are found by, so that one that is missing shifts no other; none if these are no rows.
fn by_name(rows: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let key = |row: &Value| {
        let (name, policy) = (row.get("name")?.as_str()?, row.get("storage_policy_index"));
        Some(policy.map_or(name.to_owned(), |policy| format!("{name} [{policy}]")))
    };
    let by_name: BTreeMap<_, _> = rows.iter().map(|row| Some((key(row)?, row))).collect::<Option<_>>()?;
    (by_name.len() == rows.len()).then_some(by_name)
}

fn step(
    path: &mut Vec<String>,
    key: &str,
    wanted: Option<&Value>,
    found: Option<&Value>,
    lines: &mut Vec<String>,
) {
    path.push(key.to_owned());
    walk(path, wanted, found, lines);
    path.pop();
}
