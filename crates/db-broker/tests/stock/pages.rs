//! Rows a page at a time, bounded by their number and by their text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use martlet_db_broker::{Broker, Page, PageSize};
use protocol::{RowForm, ServerType};
use serde_json::json;

use crate::{case::Case, generations::object, operations::apply};

/// How many rows each page has, until the one that says that it is the last.
fn pages(broker: &mut Broker, size: PageSize) -> Vec<usize> {
    let (mut since, mut sizes) = (-1, Vec::new());
    loop {
        let Page { rows, is_last } = broker.page_since(since, size, RowForm::Object).unwrap();
        sizes.push(rows.len());
        since = rows.last_rowid().unwrap_or(since);
        if is_last {
            return sizes;
        }
    }
}

#[test]
fn a_page_ends_with_the_row_that_exceeds_its_bytes_or_fills_it() {
    let case = Case::new(ServerType::Container, "current");
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    let rows: Vec<_> = (0..20).map(|n| object(&format!("{n:01000}"), "0000000500.00000", 0)).collect();
    apply(&mut broker, &json!({"op": "merge_items", "rows": rows})).unwrap();
    let count = broker.rows_since(-1, i64::MAX).unwrap().len();
    let [by_number, by_bytes, one_by_one] = [(7, usize::MAX), (1000, 2500), (1000, 0)]
        .map(|(rows, bytes)| pages(&mut broker, PageSize { rows, bytes }));
    assert!(by_number.iter().rev().skip(1).all(|rows| *rows == 7), "{by_number:?}");
    // Three names of 1000 bytes, and what else is in a row; but for the rows that were there before, and the rest.
    assert!(by_bytes[1..by_bytes.len() - 1].iter().all(|rows| *rows == 3), "{by_bytes:?}");
    assert_eq!(one_by_one, vec![1; count]);
    assert_eq!([by_number, by_bytes].map(|sizes| sizes.iter().sum::<usize>()), [count; 2]);
}
