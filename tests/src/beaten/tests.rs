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
    let with = |rows: &[_], put| outcome(&[("d1a", content(rows, put)), ("d2a", content(&both, "1"))], &[]);
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
    let start = replicas(&[("d1a", 5), ("d2a", 1), ("d3a", 3)], &[]);
    let ours = replicas(&[("d1a", 5), ("d2a", 5)], &[&seen("d3a")]);
    let of_another = Beaten::proven(&case(), &start.dump, &stock, &ours);
    assert_eq!(of_another, None, "the one that was dropped did not count that");
}

#[test]
fn a_handoff_may_go_only_where_stock_divided_and_the_primaries_know_all_of_it() {
    let rows = [("o", "1")];
    let primaries = |put| [("d1a", content(&rows, "3")), ("d2a", content(&rows, put))];
    let with = |gone: Value, log: &[&str]| outcome(&[&primaries("3")[..], &[("d3a", gone)]].concat(), log);
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
