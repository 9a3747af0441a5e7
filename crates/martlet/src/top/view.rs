//! A picture in lines.

use std::{fmt::Write as _, time::Duration};

use indicatif::{BinaryBytes, HumanDuration};

use super::{
    page::count,
    picture::{Device, Pass, Peer, Picture, Queue, Rates},
};
use crate::columns::aligned;

/// All of it.
pub(crate) fn text(picture: &Picture) -> String {
    let mut text = format!("{}s at {}, martlet {}\n\n", picture.server_type, picture.url, picture.version);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Pass   {}", pass(&picture.pass));
    let _ = writeln!(text, "Rate   {}", rates(picture.rates));
    let server = &picture.server;
    let _ = writeln!(
        text,
        "Serves {} requests answered, {} in hand, {} refused, {} passed on",
        server.requests, server.in_flight, server.refusals, server.forwards
    );
    let syncs: Vec<_> = picture.peer_syncs.iter().filter(|(_, count)| **count > 0).collect();
    let syncs: Vec<_> = syncs.into_iter().map(|(result, count)| format!("{count} {result}")).collect();
    let _ = writeln!(
        text,
        "Peers  {}",
        if syncs.is_empty() { "none asked yet".to_owned() } else { syncs.join(", ") }
    );
    let heads =
        ["device", "databases", "removed", "quarantined", "unreadable", "left alone", "skipped", "stalled"];
    text += &table(&heads, picture.devices.iter().map(device));
    let heads = ["peer", "rows behind", "being sent", "failures", "new"];
    text += &table(&heads, picture.peers.iter().map(peer));
    let heads = ["queue", "depth", "capacity", "blocked"];
    text + &table(&heads, picture.queues.iter().map(queue))
}

fn pass(pass: &Pass) -> String {
    let last = match pass.last_completed_seconds_ago {
        Some(ago) => format!("the last took {}, {} ago", time(pass.last_duration_seconds), time(ago)),
        None => "none complete yet".to_owned(),
    };
    let passes = format!("{} begun, {} complete, {last}", pass.started, pass.completed);
    if !pass.running {
        return format!("none under way, {} databases in the last; {passes}", pass.databases);
    }
    let part = match pass.expected {
        Some(expected) if expected > 0 => {
            let percent = (100 * pass.databases / expected).min(100);
            format!("{} of some {expected} databases ({percent} %)", pass.databases)
        }
        _ => format!("{} databases", pass.databases),
    };
    let left = pass.seconds_left.map_or_else(String::new, |left| format!(", some {} left", time(left)));
    format!("{part}{left}; {passes}")
}

fn rates(rates: Rates) -> String {
    let all = [
        rates.databases.map(|rate| format!("{rate:.1} databases/s")),
        rates.rows_sent.map(|rate| format!("{rate:.0} rows/s sent")),
        rates.bytes_sent.map(|rate| format!("{}/s sent", BinaryBytes(count(rate)))),
    ];
    let known: Vec<_> = all.into_iter().flatten().collect();
    if known.is_empty() { "not known yet".to_owned() } else { known.join(", ") }
}

/// Nothing where there are no lines.
fn table(heads: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let all: Vec<_> = [heads].into_iter().chain(lines).collect();
    if all.len() == 1 { String::new() } else { format!("\n{}", aligned(&all)) }
}

fn device(device: &Device) -> Vec<String> {
    let counts = [
        device.databases,
        device.removed,
        device.quarantined,
        device.unreadable,
        device.left_alone,
        device.passes_skipped,
    ];
    let stalled = device.stalled_seconds.map_or_else(|| "-".to_owned(), time);
    [device.name.clone()].into_iter().chain(counts.map(|count| count.to_string())).chain([stalled]).collect()
}

fn peer(peer: &Peer) -> Vec<String> {
    let counts = [peer.rows_behind, peer.rows_to_send, peer.failures].map(|count| count.to_string());
    let new = peer.new_failures.map_or_else(|| "-".to_owned(), |new| new.to_string());
    [peer.name.clone()].into_iter().chain(counts).chain([new]).collect()
}

fn queue(queue: &Queue) -> Vec<String> {
    let blocked = format!("{:.1} s", queue.blocked_seconds);
    vec![queue.name.clone(), queue.depth.to_string(), queue.capacity.to_string(), blocked]
}

fn time(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    HumanDuration(Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX)).to_string()
}

#[cfg(test)]
mod tests;
