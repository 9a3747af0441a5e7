//! The tables of the page.

use maud::{Markup, html};
use stats::{Failure, Laggard};

use super::{
    causes::words,
    numbers::{ago, count, rate, span},
    sparkline::sparkline,
    table::{Row, Table},
};
use crate::{DeviceStatus, PeerStatus, Status};

/// Peers that are shown, the worst: if there are more, they have one reason, and a browser is not made for thousands.
const MOST_PEERS: usize = 100;

pub(super) fn devices(status: &Status) -> Markup {
    let table = Table {
        id: "devices",
        title: "Devices",
        nothing: "None has been looked at yet.",
        heads: [
            "device",
            "state",
            "databases",
            "a second, 10 min",
            "handoffs waiting",
            "removed",
            "quarantined",
            "faults",
        ],
        named: 0,
    };
    table.of(status.devices.iter().map(|device| device_row(device, status.now)))
}

fn device_row(device: &DeviceStatus, now: f64) -> Row<8> {
    let state = html! {
        @match device.stalled_since {
            Some(since) if device.hangs => { strong { "hangs" } " for " (span(now - since)) }
            Some(since) => { "at work for " (span(now - since)) }
            None => "answers",
        }
    };
    let rates = html! {
        (sparkline(&device.rates, "databases a second"))
        @if let Some(last) = device.rates.last() { (rate(*last)) }
    };
    let handoffs = html! {
        (count(device.handoffs))
        @if let Some(since) = device.handoffs_since { small { ", the oldest for " (span(now - since)) } }
    };
    Row {
        tone: device.hangs.then_some("bad"),
        cells: [
            html! { (device.device) },
            state,
            html! { (count(device.databases)) },
            rates,
            handoffs,
            html! { (count(device.removed)) },
            best_none(device.quarantined),
            best_none(device.faults),
        ],
    }
}

/// A count that calls for a look if there is any.
fn best_none(number: u64) -> Markup {
    html! { span.bad[number > 0] { (count(number)) } }
}

pub(super) fn peers(status: &Status) -> Markup {
    let table = Table {
        id: "peers",
        title: "Peers that are behind or have failed",
        nothing: "None.",
        heads: ["peer", "databases behind", "10 min", "rows behind", "for", "failures"],
        named: 0,
    };
    let more = status.peers.len().saturating_sub(MOST_PEERS);
    html! {
        (table.of(status.peers.iter().take(MOST_PEERS).map(|peer| peer_row(peer, status.now))))
        @if more > 0 {
            p.fine { "And " (more) " more, all of them in " a href="/status.json" { "status.json" } "." }
        }
    }
}

fn peer_row(peer: &PeerStatus, now: f64) -> Row<6> {
    let is_asked = peer.rows_behind > 0 || peer.databases_behind == 0;
    Row {
        tone: (peer.databases_behind > 0).then_some("warn"),
        cells: [
            html! { (peer.peer) },
            html! { (count(peer.databases_behind)) },
            sparkline(&peer.lag, "databases behind"),
            rows(is_asked.then_some(peer.rows_behind)),
            time_since(peer.behind_since, now),
            html! { (count(peer.failures)) },
        ],
    }
}

fn rows(rows: Option<u64>) -> Markup {
    html! { @match rows { Some(rows) => (count(rows)), None => "not known" } }
}

fn time_since(since: Option<f64>, now: f64) -> Markup {
    html! { @match since { Some(since) => span.time { (span(now - since)) }, None => "–" } }
}

pub(super) fn laggards(status: &Status) -> Markup {
    let table = Table {
        id: "laggards",
        title: "Furthest behind",
        nothing: "No database.",
        heads: ["database", "rows", "at", "from", "for", "what to do"],
        named: 0,
    };
    html! {
        (table.of(status.laggards.iter().map(|laggard| laggard_row(laggard, status.now))))
        @if !status.laggards.is_empty() {
            p.fine { "More of one: " code { "martlet status ACCOUNT/CONTAINER" } }
        }
    }
}

fn laggard_row(laggard: &Laggard, now: f64) -> Row<6> {
    Row {
        tone: None,
        cells: [
            name(laggard.path.as_deref(), Some(&laggard.hash)),
            rows(laggard.rows),
            html! { (laggard.peer) },
            html! { (laggard.device) },
            time_since(laggard.since, now),
            html! { (words(laggard.cause)) ": " (laggard.advice) },
        ],
    }
}

pub(super) fn failures(status: &Status) -> Markup {
    let table = Table {
        id: "failures",
        title: "Failed last",
        nothing: "Nothing.",
        heads: ["when", "what", "where", "database", "what to do"],
        named: 1,
    };
    table.of(status.failures.iter().map(|failure| failure_row(failure, status.now)))
}

fn failure_row(failure: &Failure, now: f64) -> Row<5> {
    let what = html! {
        (words(failure.cause))
        @if let Some(detail) = &failure.detail { small { " " (detail) } }
    };
    let place = html! {
        (failure.device.as_deref().unwrap_or("–"))
        @if let Some(peer) = &failure.peer { " → " (peer) }
    };
    Row {
        tone: None,
        cells: [
            html! { span.time { (ago(now, failure.time)) } },
            what,
            place,
            name(failure.path.as_deref(), failure.hash.as_deref()),
            html! { (failure.advice) },
        ],
    }
}

/// A database by its path, or by its hash where nobody knows it.
fn name(path: Option<&str>, hash: Option<&str>) -> Markup {
    html! {
        @match (path, hash) {
            (Some(path), hash) => code title=[hash] { (path) },
            (None, Some(hash)) => code { (hash) },
            (None, None) => "–",
        }
    }
}

pub(super) fn settings(status: &Status) -> Markup {
    html! {
        section aria-labelledby="settings" {
            h2 id="settings" { "Settings in effect" }
            details {
                summary { (status.settings.len()) " settings" }
                table { tbody {
                    @for (key, value) in &status.settings {
                        tr { th scope="row" { code { (key) } } td { code { (value) } } }
                    }
                } }
            }
        }
    }
}
