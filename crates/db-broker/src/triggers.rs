//! The triggers that keep hash and counts in step with the rows, and how a merge does without them.

use std::{iter, sync::LazyLock};

use rusqlite::{Connection, config::DbConfig};
use swift_types::ServerType;

use crate::schema;

/// On the rows of today's containers; those from before storage policies are migrated by the merge itself.
static OF_CONTAINERS: LazyLock<Vec<Vec<&'static str>>> =
    LazyLock::new(|| triggers_in(&[schema::CONTAINER_OBJECT, schema::CONTAINER_POLICY_TRIGGERS]));

/// On the rows of today's accounts.
static OF_ACCOUNTS: LazyLock<Vec<Vec<&'static str>>> =
    LazyLock::new(|| triggers_in(&[schema::ACCOUNT_TABLES, schema::ACCOUNT_POLICY_TRIGGERS]));

/// Whether the triggers on rows, hash and counts are those of today's generation to the word: none missing, none
/// changed, none besides.
pub(crate) fn are_todays(connection: &Connection, server_type: ServerType) -> rusqlite::Result<bool> {
    let (known, sql) = match server_type {
        ServerType::Account => (
            &*OF_ACCOUNTS,
            "SELECT sql FROM sqlite_master
             WHERE type = 'trigger' AND tbl_name IN ('container', 'account_stat', 'policy_stat')",
        ),
        ServerType::Container => (
            &*OF_CONTAINERS,
            "SELECT sql FROM sqlite_master
             WHERE type = 'trigger' AND tbl_name IN ('object', 'container_info', 'policy_stat')",
        ),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([])?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        let trigger = row.get_ref(0)?.as_str()?;
        if !known.iter().any(|known| same(known, trigger)) {
            return Ok(false);
        }
        count += 1;
    }
    Ok(count == known.len())
}

/// The triggers that scripts of ours make.
fn triggers_in(scripts: &[&'static str]) -> Vec<Vec<&'static str>> {
    let statements = scripts.iter().flat_map(|script| script.split_inclusive("END;"));
    let triggers = statements.filter_map(|text| text.find("CREATE TRIGGER").map(|at| &text[at..]));
    triggers.map(|text| tokens(text.trim_end_matches(';')).collect()).collect()
}

/// Whether SQL says the same: words in either case, what stands in quotes to the letter.
fn same(known: &[&str], sql: &str) -> bool {
    let same = |known: &&str, other: &str| {
        if known.starts_with('\'') { *known == other } else { known.eq_ignore_ascii_case(other) }
    };
    let mut others = tokens(sql);
    known.iter().all(|known| others.next().is_some_and(|other| same(known, other))) && others.next().is_none()
}

/// SQL without blanks and line ends, in which its writers differ.
fn tokens(sql: &str) -> impl Iterator<Item = &str> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    let mut rest = sql;
    iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let first = rest.chars().next()?;
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            first if in_word(first) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            _ => 1,
        };
        let (token, behind) = rest.split_at(length);
        rest = behind;
        Some(token)
    })
}

/// While it lives the connection's triggers are off; however that ends, they are on again afterwards.
///
/// The setting is this connection's alone: it is not in the file, and no other process sees it.
pub(crate) struct TriggersOff<'a>(&'a Connection);

impl<'a> TriggersOff<'a> {
    pub(crate) fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        let off = Self(connection);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(off)
    }
}

impl Drop for TriggersOff<'_> {
    fn drop(&mut self) {
        let _ = self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDED: &str = "CREATE TRIGGER t AFTER INSERT ON object BEGIN SELECT 'a b'; END";

    #[test]
    fn only_blanks_and_case_may_differ() {
        let known: Vec<_> = tokens(ADDED).collect();
        assert!(same(&known, "create trigger T\n after insert on OBJECT begin\n\tselect 'a b' ; end\n"));
        for other in ["'a  b'", "'A b'", "'a b', 1", "'a b", "\u{e9}"] {
            assert!(!same(&known, &ADDED.replace("'a b'", other)), "{other}");
        }
    }

    #[test]
    fn one_more_one_less_or_another_is_not_todays() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema::CONTAINER_OBJECT).unwrap();
        connection.execute_batch(schema::CONTAINER_POLICY_STAT).unwrap();
        let todays = || are_todays(&connection, ServerType::Container).unwrap();
        assert!(!todays(), "two are missing");
        connection.execute_batch(schema::CONTAINER_POLICY_TRIGGERS).unwrap();
        assert!(todays());
        connection.execute_batch(ADDED).unwrap();
        assert!(!todays());
        connection.execute_batch("DROP TRIGGER t; DROP TRIGGER object_delete_policy_stat").unwrap();
        connection
            .execute_batch(
                "CREATE TRIGGER object_delete_policy_stat AFTER DELETE ON object BEGIN SELECT 1; END",
            )
            .unwrap();
        assert!(!todays());
    }

    #[test]
    fn triggers_are_off_only_for_a_while() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE a (x); CREATE TABLE b (x);").unwrap();
        connection
            .execute_batch("CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO b VALUES (new.x); END")
            .unwrap();
        let add_and_count = || -> i64 {
            connection.prepare_cached("INSERT INTO a VALUES (1)").unwrap().execute([]).unwrap();
            connection.query_row("SELECT count(*) FROM b", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(add_and_count(), 1);
        let off = TriggersOff::begin(&connection).unwrap();
        assert_eq!(add_and_count(), 1);
        drop(off);
        assert_eq!(add_and_count(), 2);
    }
}
