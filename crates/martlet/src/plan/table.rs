//! The plan for people.

use std::fmt::Write as _;

use super::{
    Asking,
    report::{DeviceReport, Report},
    survey::What,
    totals::{Leaving, Sent, Totals},
};
use crate::columns::aligned;

/// All of it, in lines.
pub(crate) fn text(report: &Report) -> String {
    let total = &report.total;
    let asked = match report.asked {
        Asking::Peers => format!("{} in sync", total.in_sync),
        Asking::Nobody => "nobody was asked".to_owned(),
    };
    let mut text = format!(
        "{} of {}: {} databases, {asked}\n\n",
        plural(report),
        report.config.display(),
        total.databases
    );
    text += &aligned(&devices(report));
    let would: Vec<_> =
        would(total).into_iter().map(|(what, how_much)| vec![format!("  {what}"), how_much]).collect();
    text += "\nThe next pass would:\n";
    text += &if would.is_empty() { "  do nothing\n".to_owned() } else { aligned(&would) };
    if !report.troubles.is_empty() {
        text += "\nLook at:\n";
        for trouble in &report.troubles {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {}: {}: {}", trouble.path.display(), word(trouble.what), trouble.why);
        }
    }
    text
}

fn plural(report: &Report) -> &'static str {
    report.server_type.datadir()
}

fn devices(report: &Report) -> Vec<Vec<String>> {
    let head =
        ["device", "databases", "in sync", "send rows", "sent whole", "handoffs", "misplaced", "quarantined"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(report.devices.iter().map(device));
    lines
}

fn device(DeviceReport { name, skipped, totals }: &DeviceReport) -> Vec<String> {
    if let Some(why) = skipped {
        return vec![name.clone(), format!("left out: {why}")];
    }
    let whole = totals.whole.databases + totals.merged.databases;
    let (handoffs, misplaced) = (totals.handoffs.found, totals.misplaced.found);
    let counts = [
        totals.databases,
        totals.in_sync,
        totals.rows.databases,
        whole,
        handoffs,
        misplaced,
        totals.quarantined,
    ];
    [name.clone()].into_iter().chain(counts.map(|count| count.to_string())).collect()
}

/// What is not nothing.
fn would(total: &Totals) -> Vec<(&'static str, String)> {
    let databases = |count: u64| (count > 0).then(|| format!("{count} databases"));
    let sent = |Sent { databases, rows, bytes }: Sent| {
        (databases > 0)
            .then(|| format!("{databases} databases, {rows} rows, some {}", indicatif::HumanBytes(bytes)))
    };
    let kept = |Leaving { found, removed }: Leaving| {
        let others = if removed < found { "; the others stay until enough peers have them" } else { "" };
        (found > 0).then(|| format!("{removed} of {found} databases{others}"))
    };
    let all = [
        ("merge rows that wait", (total.waiting_rows > 0).then(|| format!("{} rows", total.waiting_rows))),
        ("drop what was deleted long ago in", databases(total.to_be_reclaimed_first)),
        ("send rows of", sent(total.rows)),
        ("send whole to peers without them", sent(total.whole)),
        ("send whole to be merged", sent(total.merged)),
        ("exchange timestamps or metadata of", databases(total.exchange_stat)),
        ("compare rows again, if not exchange all, of", databases(total.diverged)),
        ("leave rows to the sharder of", databases(total.left_to_sharder)),
        ("fail towards a peer with", databases(total.with_failures)),
        ("remove handoffs", kept(total.handoffs)),
        ("move from wrong partitions", kept(total.misplaced)),
        ("remove as deleted long ago", databases(total.reclaimed)),
        ("quarantine", databases(total.quarantined)),
        ("recover, then replicate", databases(total.recovered_first)),
        ("fail to read", databases(total.unreadable)),
        ("leave alone", databases(total.left_alone)),
        ("not get into", (total.not_walked > 0).then(|| format!("{} directories", total.not_walked))),
        ("ask peers about", databases(total.unasked)),
    ];
    all.into_iter().filter_map(|(what, how_much)| Some((what, how_much?))).collect()
}

fn word(what: What) -> &'static str {
    match what {
        What::Quarantined => "would be quarantined",
        What::Recovered => "is recovered first, then replicated; what follows is not known",
        What::Unreadable => "cannot be replicated",
        What::LeftAlone => "would be left alone",
        What::NotWalked => "cannot be read",
    }
}
