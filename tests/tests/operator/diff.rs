//! `martlet diff`: rows of replicas whose files can be read here, those that wait included, whoever wrote them.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation, Source};
use martlet_testkit::{Cluster, Shape, Tree, container_row, object_row, replicas, said_on};
use protocol::{ObjectRow, Rows};
use serde_json::{Value, json};
use swift_types::DbName;

use crate::stage::{ACCOUNT, Stage, TIME, create};

const LATER: &str = "1700000005.00000";

/// Nobody serves: files are read.
fn stage() -> Result<Stage> {
    Ok(Stage(Cluster::start(Shape::default())?))
}

fn put_away(broker: &mut Broker, rows: Vec<ObjectRow<'_>>) -> Result<()> {
    Ok(broker.merge_items(Rows::Objects(rows), Source::Local)?)
}

/// Of a container that has a primary on node 1: that one, and the others.
fn places(stage: &Stage, prefix: &str) -> Result<(String, DbLocation, Vec<DbLocation>)> {
    let names = (0..100).map(|number| format!("{prefix}{number}"));
    for name in names {
        let mut places = stage.places(Some(&name))?;
        places.truncate(3);
        if let Some(own) = places.iter().position(|place| place.device_name() == "d1a") {
            let own = places.remove(own);
            return Ok((name, own, places));
        }
    }
    anyhow::bail!("node 1 is a primary of none")
}

/// The exit code and the document, after which nothing is otherwise than before, times included.
fn diff(stage: &Stage, path: &str, copies: &[&DbLocation], more: &[&str]) -> Result<(u8, Value)> {
    let files: Vec<_> = copies.iter().map(|copy| copy.file().display().to_string()).collect();
    let named = files.iter().flat_map(|file| ["--db", file.as_str()]);
    let words: Vec<_> = named.chain(["--json"]).chain(more.iter().copied()).collect();
    let before = Tree::read(&stage.0.disks())?;
    let (code, text) = stage.command("diff", path, &words)?;
    assert!(Tree::read(&stage.0.disks())? == before, "something has changed by looking at {path}");
    Ok((code, serde_json::from_str(&text)?))
}

fn states(row: &Value) -> Vec<(String, bool)> {
    let cells = row["replicas"].as_array().into_iter().flatten();
    cells
        .map(|cell| (cell["state"].as_str().unwrap_or_default().to_owned(), cell["deleted"] == true))
        .collect()
}

#[test]
fn each_kind_of_difference_is_told() -> Result<()> {
    let stage = stage()?;
    let (name, own, others) = places(&stage, "kinds")?;
    let mut brokers = [&own, &others[0]].map(|place| create(place, Some(&name), 2000));
    let [one, other] = &mut brokers;
    let (one, other) = (one.as_mut().ok().context("here")?, other.as_mut().ok().context("there")?);
    put_away(one, vec![object_row("only here", TIME)])?;
    let newer =
        |name: &str| ObjectRow { created_at: LATER.into(), size: 7, ..object_row(name.to_owned(), TIME) };
    put_away(other, vec![newer("row 0100")])?;
    put_away(one, vec![ObjectRow { deleted: 1, ..newer("row 0200") }])?;
    put_away(other, vec![ObjectRow { size: 9, ..object_row("same time", TIME) }])?;
    put_away(one, vec![object_row("same time", TIME)])?;
    // It waits in both, and has come to neither.
    other.put(&Rows::Objects(vec![newer("row 0300"), newer("waits")]))?;
    one.put(&Rows::Objects(vec![newer("row 0300")]))?;
    let path = format!("{ACCOUNT}/{name}");
    let (code, found) = diff(&stage, &path, &[&others[0]], &[])?;
    assert_eq!(
        (code, &found["rows_compared"], &found["equal"]),
        (1, &json!(2003), &json!(false)),
        "{found:#}"
    );
    let rows = found["rows"].as_array().context("rows")?;
    let named: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(named, ["only here", "row 0100", "row 0200", "same time", "waits"]);
    let said = |here: (&str, bool), there: (&str, bool)| {
        [here, there].map(|(state, deleted)| (state.to_owned(), deleted)).to_vec()
    };
    let gone = ("missing", false);
    assert_eq!(states(&rows[0]), said(("newest", false), gone));
    assert_eq!(states(&rows[1]), said(("older", false), ("newest", false)));
    assert_eq!(rows[1]["replicas"][1]["row"]["size"], 7);
    assert_eq!(states(&rows[2]), said(("newest", true), ("older", false)));
    assert_eq!(states(&rows[3]), said(("other_content", false), ("other_content", false)));
    assert_eq!(states(&rows[4]), said(gone, ("newest", false)));
    let own_name = stage.name(&own);
    let of_own = found["replicas"].as_array().context("replicas")?.iter().find(|one| one["name"] == own_name);
    let of_own = of_own.context("the own one is told")?;
    assert_eq!(of_own["rows"], json!({"missing": 1, "older": 1, "other_content": 1, "only_here": 1}));
    assert_eq!((&of_own["waiting"], &of_own["status"]), (&json!(1), &json!("read")));
    Ok(())
}

#[test]
fn a_container_that_is_being_sharded_is_not_compared() -> Result<()> {
    let stage = stage()?;
    let (name, own, others) = places(&stage, "sharding")?;
    create(&own, Some(&name), 5)?;
    create(&others[0], Some(&name), 5)?;
    create(&others[1], Some(&name), 6)?;
    let fresh = own.renamed(&DbName { epoch: Some(TIME.to_owned()), ..own.name() });
    fs::copy(own.file(), fresh.file())?;
    let (_, found) = diff(&stage, &format!("{ACCOUNT}/{name}"), &[&others[0], &others[1]], &[])?;
    let own_name = stage.name(&own);
    let of_own = found["replicas"].as_array().context("replicas")?.iter().find(|one| one["name"] == own_name);
    let of_own = of_own.context("the own one is told")?;
    let why = json!("is being sharded: its rows are in two files");
    assert_eq!((&of_own["status"], &of_own["reason"]), (&json!("not_read"), &why), "{found:#}");
    Ok(())
}

#[test]
fn lists_no_more_than_the_limit_and_says_what_it_cannot_read() -> Result<()> {
    let stage = stage()?;
    let (name, own, others) = places(&stage, "limit")?;
    create(&own, Some(&name), 5)?;
    create(&others[0], Some(&name), 25)?;
    let path = format!("{ACCOUNT}/{name}");
    let (code, found) = diff(&stage, &path, &[&others[0]], &["--limit", "3"])?;
    assert_eq!((code, &found["rows_differing"]), (1, &json!(20)));
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(3));
    let copy = others[0].file().display().to_string();
    let (_, text) = stage.command("diff", &path, &["--db", &copy, "--limit", "3"])?;
    assert!(text.contains("20 rows differ") && text.contains("and 17 more (--limit)"), "{text}");
    assert!(text.contains(&format!("{} is not here", stage.name(&others[1]))), "{text}");
    Ok(())
}

#[test]
fn equal_replicas_of_an_account_are_equal() -> Result<()> {
    let stage = stage()?;
    let mut places = stage.places(None)?;
    places.truncate(3);
    // This machine's own, if it is to have one, or it would be missing.
    places.sort_by_key(|place| replicas::node_at(place) != 1);
    let mut late = create(&places[0], None, 9)?;
    create(&places[1], None, 10)?;
    late.put(&Rows::Containers(vec![container_row("row 0009", TIME)]))?;
    let (code, found) = diff(&stage, ACCOUNT, &[&places[0], &places[1]], &[])?;
    assert_eq!((&found["rows_differing"], &found["rows_compared"]), (&json!(0), &json!(10)), "{found:#}");
    // Other devices are not here: that is said, and is no difference.
    assert_eq!(code, 0, "{found:#}");
    Ok(())
}

#[test]
fn what_cannot_be_compared_is_an_error_that_says_what_to_do() -> Result<()> {
    let stage = stage()?;
    let (name, own, others) = places(&stage, "alone")?;
    create(&own, Some(&name), 5)?;
    create(&others[0], Some("another"), 5)?;
    let path = format!("{ACCOUNT}/{name}");
    let said = |more: &[&str]| said_on(&stage.0, 1, "diff", &path, more);
    let (code, _, errors) = said(&[])?;
    assert_eq!(code, 2);
    assert!(errors.contains("1 of the replicas") && errors.contains("--db"), "{errors}");
    let another = others[0].file().display().to_string();
    let (code, _, errors) = said(&["--db", &another])?;
    assert!(code == 2 && errors.contains(&format!("{ACCOUNT}/another")), "{errors}");
    let damaged: PathBuf = stage.0.disks().join("damaged.db");
    fs::write(&damaged, "no database, and as long as a header of one has to be")?;
    let (code, _, errors) = said(&["--db", &damaged.display().to_string()])?;
    assert!(code == 2 && errors.contains("damaged.db"), "{errors}");
    assert!(damaged.exists());
    Ok(())
}
