use std::time::{Duration, SystemTime};

use super::*;
use crate::top::{page::Page, picture::Before};

const PAGE: &str = r#"# HELP martlet_build_info Always 1; the version of the running program is a label.
martlet_build_info{type="container",version="0.1.0"} 1
martlet_passes_started_total{type="container"} 4
martlet_passes_completed_total{type="container"} 3
martlet_last_pass_timestamp_seconds{type="container"} 1700000000
martlet_last_pass_duration_seconds{type="container"} 50
martlet_pass_running{type="container"} 1
martlet_pass_databases{type="container"} 100
martlet_last_pass_databases{type="container"} 400
martlet_databases_total{device="sdb",result="kept",type="container"} 590
martlet_databases_total{device="sdb",result="unreadable",type="container"} 10
martlet_databases_total{device="sdc",result="kept",type="container"} 700
martlet_removed_total{device="sdb",type="container"} 3
martlet_device_stalled_timestamp_seconds{device="sdb",type="container"} 0
martlet_device_stalled_timestamp_seconds{device="sdc",type="container"} 1700000040
martlet_failures_total{peer="10.0.0.2/sdb",type="container"} 7
martlet_peer_behind_rows{peer="10.0.0.4/sdc",type="container"} 4000
martlet_peer_rows_to_send{peer="10.0.0.4/sdc",type="container"} 250
martlet_peer_syncs_total{result="success",type="container"} 2500
martlet_peer_syncs_total{result="timeout",type="container"} 7
martlet_rows_sent_total{type="container"} 9000
martlet_bytes_sent_total{type="container"} 2097152
martlet_queue_depth{queue="outcomes",type="container"} 2
martlet_queue_capacity{queue="outcomes",type="container"} 64
martlet_queue_blocked_seconds{queue="outcomes",type="container"} 0.25
martlet_rpc_requests_total{op="sync",status="200",type="container"} 12
martlet_rpc_in_flight{type="container"} 1
"#;

const DRAWN: &str = "\
containers at http://x/metrics, martlet 0.1.0

Pass   100 of some 400 databases (25 %), some 38 seconds left; 4 begun, 3 complete, the last took 50 seconds, 60 seconds ago
Rate   8.0 databases/s
Serves 12 requests answered, 1 in hand, 0 refused, 0 passed on
Peers  2500 success, 7 timeout

device  databases  removed  quarantined  unreadable  left alone  skipped  stalled
sdb     600        3        0            10          0           0        -
sdc     700        0        0            0           0           0        20 seconds

peer          rows behind  being sent  failures  new
10.0.0.2/sdb  0            0           7         -
10.0.0.4/sdc  4000         250         0         -

queue     depth  capacity  blocked
outcomes  2      64        0.2 s
";

fn page(text: &str) -> Page {
    Page::parse("http://x/metrics", text)
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_page_is_drawn() {
    let drawn = text(&Picture::of(&page(PAGE), None, at(1_700_000_060)));
    assert_eq!(drawn, DRAWN, "{drawn}");
}

#[test]
fn rates_are_since_the_picture_before() {
    let earlier = PAGE
        .replace("sent_total{type=\"container\"} 9000", "sent_total{type=\"container\"} 8900")
        .replace("2097152", "0")
        .replace("kept\",type=\"container\"} 700", "kept\",type=\"container\"} 690")
        .replace("sdb\",type=\"container\"} 7\n", "sdb\",type=\"container\"} 5\n");
    let earlier = page(&earlier);
    let before = Before { page: &earlier, seconds: 2.0 };
    let drawn = text(&Picture::of(&page(PAGE), Some(&before), at(1_700_000_060)));
    assert!(drawn.contains("Rate   5.0 databases/s, 50 rows/s sent, 1.00 MiB/s sent"), "{drawn}");
    assert!(drawn.contains("some 60 seconds left"), "{drawn}");
    assert!(drawn.contains("10.0.0.2/sdb  0            0           7         2"), "{drawn}");
}

#[test]
fn a_pass_that_panicked_is_not_under_way_and_counts_for_nothing() {
    let text = text(&Picture::of(
        &page(&PAGE.replace("running{type=\"container\"} 1", "running{type=\"container\"} 0")),
        None,
        at(1_700_000_060),
    ));
    assert!(text.contains("none under way, 100 databases in the last; 4 begun, 3 complete"), "{text}");
    assert!(text.contains("Rate   8.0 databases/s"), "{text}");
}

#[test]
fn a_node_that_was_just_started_has_nothing_to_tell() {
    let text =
        text(&Picture::of(&page("martlet_build_info{type=\"account\",version=\"1\"} 1\n"), None, at(5)));
    assert!(text.contains("accounts at") && text.contains("none complete yet"), "{text}");
    assert!(
        text.contains("not known yet") && text.contains("none asked yet") && !text.contains("queue"),
        "{text}"
    );
}
