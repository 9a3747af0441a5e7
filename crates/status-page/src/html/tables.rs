//! What there is several of.

use maud::{Markup, html};
use stats::{Failure, Laggard};

use super::{
    causes::words,
    numbers::{ago, count, rate, span},
    sparkline::sparkline,
};
use crate::{DeviceStatus, PeerStatus, Status};

pub(super) fn devices(status: &Status) -> Markup {
    html! {
        section aria-labelledby="devices" {
            h2 id="devices" { "Devices" }
            @if status.devices.is_empty() {
                p { "None has been looked at yet." }
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "device" } th scope="col" { "state" } th scope="col" { "databases" }
                        th scope="col" { "a second, 10 min" } th scope="col" { "handoffs waiting" }
                        th scope="col" { "removed" } th scope="col" { "quarantined" } th scope="col" { "faults" }
                    } }
                    tbody { @for device in &status.devices { (device_row(device, status.now)) } }
                }
            }
        }
    }
}

fn device_row(device: &DeviceStatus, now: f64) -> Markup {
    html! {
        tr.bad[device.hangs] {
            th scope="row" data-label="device" { (device.device) }
            td data-label="state" {
                @match device.stalled_since {
                    Some(since) if device.hangs => { strong { "hangs" } " for " (span(now - since)) }
                    Some(since) => { "at work for " (span(now - since)) }
                    None => "answers",
                }
            }
            td.number data-label="databases" { (count(device.databases)) }
            td data-label="a second, 10 min" {
                (sparkline(&device.rates, "databases a second"))
                @if let Some(last) = device.rates.last() { span.number { (rate(*last)) } }
            }
            td.number data-label="handoffs waiting" {
                (count(device.handoffs))
                @if let Some(since) = device.handoffs_since { small { ", the oldest for " (span(now - since)) } }
            }
            td.number data-label="removed" { (count(device.removed)) }
            td.number.bad[device.quarantined > 0] data-label="quarantined" { (count(device.quarantined)) }
            td.number.bad[device.faults > 0] data-label="faults" { (count(device.faults)) }
        }
    }
}

pub(super) fn peers(status: &Status) -> Markup {
    html! {
        section aria-labelledby="peers" {
            h2 id="peers" { "Peers that are behind or have failed" }
            @if status.peers.is_empty() {
                p { "None." }
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "peer" } th scope="col" { "databases behind" } th scope="col" { "10 min" }
                        th scope="col" { "rows behind" } th scope="col" { "for" } th scope="col" { "failures" }
                    } }
                    tbody { @for peer in &status.peers { (peer_row(peer, status.now)) } }
                }
            }
        }
    }
}

fn peer_row(peer: &PeerStatus, now: f64) -> Markup {
    html! {
        tr.warn[peer.databases_behind > 0] {
            th scope="row" data-label="peer" { (peer.peer) }
            td.number data-label="databases behind" { (count(peer.databases_behind)) }
            td data-label="10 min" { (sparkline(&peer.lag, "databases behind")) }
            td.number data-label="rows behind" {
                @if peer.rows_behind == 0 && peer.databases_behind > 0 { "not known" } @else { (count(peer.rows_behind)) }
            }
            td.time data-label="for" { @if let Some(since) = peer.behind_since { (span(now - since)) } @else { "–" } }
            td.number data-label="failures" { (count(peer.failures)) }
        }
    }
}

pub(super) fn laggards(status: &Status) -> Markup {
    html! {
        section aria-labelledby="laggards" {
            h2 id="laggards" { "Furthest behind" }
            @if status.laggards.is_empty() {
                p { "No database." }
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "database" } th scope="col" { "rows" } th scope="col" { "at" }
                        th scope="col" { "from" } th scope="col" { "for" } th scope="col" { "what to do" }
                    } }
                    tbody { @for laggard in &status.laggards { (laggard_row(laggard, status.now)) } }
                }
                p.fine { "More of one: " code { "martlet status ACCOUNT/CONTAINER" } }
            }
        }
    }
}

fn laggard_row(laggard: &Laggard, now: f64) -> Markup {
    html! {
        tr {
            th scope="row" data-label="database" { (name(laggard.path.as_deref(), Some(&laggard.hash))) }
            td.number data-label="rows" {
                @match laggard.rows { Some(rows) => (count(rows)), None => "not known" }
            }
            td data-label="at" { (laggard.peer) }
            td data-label="from" { (laggard.device) }
            td.time data-label="for" { @if let Some(since) = laggard.since { (span(now - since)) } @else { "–" } }
            td data-label="what to do" { (words(laggard.cause)) ": " (laggard.advice) }
        }
    }
}

pub(super) fn failures(status: &Status) -> Markup {
    html! {
        section aria-labelledby="failures" {
            h2 id="failures" { "Failed last" }
            @if status.failures.is_empty() {
                p { "Nothing." }
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "when" } th scope="col" { "what" } th scope="col" { "where" }
                        th scope="col" { "database" } th scope="col" { "what to do" }
                    } }
                    tbody { @for failure in &status.failures { (failure_row(failure, status.now)) } }
                }
            }
        }
    }
}

fn failure_row(failure: &Failure, now: f64) -> Markup {
    html! {
        tr {
            td.time data-label="when" { (ago(now, failure.time)) }
            th scope="row" data-label="what" {
                (words(failure.cause))
                @if let Some(detail) = &failure.detail { small { " " (detail) } }
            }
            td data-label="where" {
                (failure.device.as_deref().unwrap_or("–"))
                @if let Some(peer) = &failure.peer { " → " (peer) }
            }
            td data-label="database" { (name(failure.path.as_deref(), failure.hash.as_deref())) }
            td data-label="what to do" { (failure.advice) }
        }
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
                table.settings { tbody {
                    @for (key, value) in &status.settings {
                        tr { th scope="row" { code { (key) } } td { code { (value) } } }
                    }
                } }
            }
        }
    }
}
