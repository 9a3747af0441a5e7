//! What a page says of what metrics were told.

use std::{sync::Arc, time::Duration};

use martlet_status_page::{About, Health, PassUnderWay, Status, StatusPage};
use stats::{Aggregator, DbOutcome, DbResult, Metrics, Outcome, PassStats, PeerFailure, PeerId, PeerOutcome};
use swift_types::ServerType;

struct Node {
    metrics: Arc<Metrics>,
    page: StatusPage,
}

impl Node {
    fn begun() -> Self {
        let metrics = Arc::new(Metrics::new(ServerType::Container, "0"));
        let about = About {
            server_type: ServerType::Container,
            version: "0",
            node: "10.0.0.1:6201".to_owned(),
            started: 500.0,
            hangs_from: 60.0,
            settings: vec![("interval".to_owned(), "30".to_owned())],
        };
        Self { page: StatusPage::new(about, Arc::clone(&metrics)), metrics }
    }

    /// A pass of these outcomes that has not ended.
    fn pass(&self, start: f64, outcomes: Vec<Outcome>) -> PassStats {
        Aggregator::new(Arc::clone(&self.metrics), None).run(outcomes, start)
    }

    fn whole_pass(&self, start: f64, outcomes: Vec<Outcome>) {
        let stats = self.pass(start, outcomes);
        self.metrics.pass_completed(&stats, start + 60.0);
        self.metrics.pass_ended(None);
    }

    fn status(&self, now: f64) -> Status {
        self.page.status(now, Health::Fine, "INFO")
    }
}

fn database(name: &str, number: u64, peers: Vec<PeerOutcome>, result: DbResult) -> Outcome {
    Outcome::Database(DbOutcome {
        device: "sda".to_owned(),
        digest: format!("{number:032x}").parse().expect("32 digits"),
        path: Some(format!("AUTH_a/{name}")),
        elapsed: Duration::ZERO,
        peers,
        result,
    })
}

fn kept(number: u64, peers: Vec<PeerOutcome>) -> Outcome {
    database("photos", number, peers, DbResult::Kept)
}

fn peer(result: Result<(), PeerFailure>, rows_behind: u64) -> PeerOutcome {
    PeerOutcome {
        peer: PeerId { ip: "10.0.0.2".to_owned(), device: "sdb".to_owned() },
        steps: Vec::new(),
        result,
        rows_sent: 0,
        bytes_sent: 0,
        rows_behind,
        elapsed: Duration::ZERO,
    }
}

#[test]
fn a_pass_is_estimated_by_the_one_before() {
    let node = Node::begun();
    assert_eq!(node.status(600.0).pass, None);
    assert!(node.status(600.0).to_html().contains("No pass has been completed yet."));
    node.pass(1000.0, (0..10).map(|number| kept(number, vec![])).collect());
    let first = PassUnderWay { start: 1000.0, databases: 10, expected: None, rate: 1.0, seconds_left: None };
    assert_eq!(node.status(1010.0).pass, Some(first));
    node.whole_pass(1000.0, (0..100).map(|number| kept(number, vec![])).collect());
    let last = node.status(1100.0);
    assert_eq!(
        last.last_pass.map(|last| (last.start, last.end, last.databases)),
        Some((1000.0, 1060.0, 100))
    );
    assert_eq!((last.pass, last.passes_completed), (None, 1));
    node.pass(2000.0, (0..25).map(|number| kept(number, vec![])).collect());
    let pass = node.status(2010.0).pass.unwrap();
    assert_eq!((pass.expected, pass.rate, pass.seconds_left), (Some(100), 2.5, Some(30.0)));
    let html = node.status(2010.0).to_html();
    assert!(
        html.contains("<progress aria-label=\"databases of this pass\" value=\"25\" max=\"100\">"),
        "{html}"
    );
    assert!(html.contains("about 30 s left"), "{html}");
}

#[test]
fn who_is_behind_stays_so_while_the_next_pass_has_only_begun() {
    let node = Node::begun();
    let behind = |rows| vec![peer(Err(PeerFailure::Unfinished), rows)];
    node.whole_pass(1000.0, vec![kept(1, behind(50_000)), kept(2, behind(7))]);
    node.pass(2000.0, vec![kept(2, vec![peer(Ok(()), 0)])]);
    let status = node.status(2010.0);
    let [known] = &status.peers[..] else { panic!("{:?}", status.peers) };
    assert_eq!((known.peer.as_str(), known.databases_behind, known.rows_behind), ("10.0.0.2/sdb", 2, 50_007));
    assert_eq!(
        status.laggards.iter().map(|laggard| laggard.rows).collect::<Vec<_>>(),
        [Some(50_000), Some(7)]
    );
    let html = status.to_html();
    assert!(html.contains("<strong>1 peer is behind</strong>") && html.contains("50,000"), "{html}");
    node.pass(3000.0, vec![kept(1, behind(60_000))]);
    assert_eq!(node.status(3010.0).laggards[0].rows, Some(60_000), "the newer word counts");
    node.whole_pass(4000.0, vec![kept(1, vec![peer(Ok(()), 0)])]);
    let status = node.status(4100.0);
    assert_eq!((status.peers.len(), status.laggards.len()), (0, 0));
    assert!(status.to_html().contains("All peers hold what this node holds"));
}

#[test]
fn what_went_wrong_comes_with_what_to_do() {
    let node = Node::begun();
    let broken = DbResult::Quarantined { primaries: vec![] };
    node.whole_pass(
        1000.0,
        vec![database("broken", 1, vec![], broken), kept(2, vec![peer(Err(PeerFailure::Refused), 0)])],
    );
    let status = node.status(1100.0);
    assert_eq!((status.failures.len(), status.quarantined, status.devices[0].quarantined), (2, 1, 1));
    assert_eq!(status.peers.len(), 1, "of the broken one nobody was asked");
    let html = status.to_html();
    for words in
        ["quarantined", "no connection", "sda → 10.0.0.2/sdb", "AUTH_a/broken", status.failures[0].advice]
    {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[test]
fn a_pass_that_left_something_out_is_not_called_a_good_one() {
    let node = Node::begun();
    let broken = |primaries| database("broken", 1, vec![], DbResult::Unreadable { primaries });
    node.metrics.show_devices([("sda".to_owned(), None)]);
    node.whole_pass(1000.0, vec![broken(vec![])]);
    assert!(node.status(1100.0).to_html().contains("Something was left undone"));
    let nowhere = Node::begun();
    nowhere.whole_pass(1000.0, vec![]);
    assert!(nowhere.status(1100.0).to_html().contains("The ring has no device of this node"));
}

#[test]
fn sparklines_show_what_was_sampled() {
    let node = Node::begun();
    let behind = || vec![kept(1, vec![peer(Err(PeerFailure::Unfinished), 5)])];
    for number in 0..4 {
        node.whole_pass(1000.0, behind());
        node.page.sample(1000.0 + f64::from(number) * 10.0);
    }
    let status = node.status(1050.0);
    assert_eq!(status.devices[0].rates, [0.1; 3]);
    assert_eq!(status.peers[0].lag, [1.0; 4]);
    assert_eq!(status.to_html().matches("<polyline points=").count(), 2);
}

#[test]
fn a_disk_that_hangs_and_a_process_that_does_not_get_on_come_first() {
    let node = Node::begun();
    node.metrics.show_devices([("sda".to_owned(), None), ("sdb".to_owned(), Some(940.0))]);
    let busy = node.status(970.0).to_html();
    assert!(busy.contains("at work for 30 s") && !busy.contains("A disk hangs"), "a large file: {busy}");
    let status = node.status(1000.0);
    assert_eq!(
        status.devices.iter().map(|device| device.stalled_since).collect::<Vec<_>>(),
        [None, Some(940.0)]
    );
    let html = status.to_html();
    assert!(html.contains("<strong>A disk hangs: </strong>sdb"), "{html}");
    assert!(html.contains("hangs</strong> for 1 min 0 s"), "{html}");
    let stuck = node.page.status(1000.0, Health::Stuck("restart it".to_owned()), "INFO");
    assert!(stuck.to_html().contains("<strong>Stuck: </strong>restart it"));
}

#[test]
fn a_name_is_only_a_name() {
    let node = Node::begun();
    let name = "<script>alert(1)</script>\"'&";
    let failed = vec![peer(Err(PeerFailure::Refused), 0)];
    node.whole_pass(1000.0, vec![database(name, 1, failed, DbResult::Kept)]);
    let html = node.status(1100.0).to_html();
    assert_eq!(html.matches("<script>").count(), 1, "ours: {html}");
    assert!(html.contains("AUTH_a/&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;"), "{html}");
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn the_json_has_these_keys() {
    let node = Node::begun();
    node.whole_pass(1000.0, vec![kept(1, vec![peer(Err(PeerFailure::Unfinished), 5)])]);
    let json = serde_json::to_value(node.status(1100.0)).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = "now type version node started health log_level pass last_pass passes_completed quarantined devices peers \
                  laggards failures settings";
    assert_eq!(keys.join(" "), wanted);
    assert_eq!((&json["type"], &json["health"]["state"]), (&"container".into(), &"fine".into()));
    assert_eq!(
        (&json["laggards"][0]["rows"], &json["laggards"][0]["cause"]),
        (&5.into(), &"unfinished".into())
    );
}
