//! The page.

mod causes;
mod numbers;
mod sparkline;
mod table;
mod tables;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::numbers::{ago, count, moment, span, took};
use crate::{Health, PassUnderWay, Status};

const STYLE: &str = include_str!("style.css");
const REFRESH: &str = include_str!("refresh.js");

impl Status {
    /// The page: whole, with nothing from elsewhere. Without JavaScript it is loaded anew twice a minute.
    pub fn to_html(&self) -> String {
        let title = format!("{}-replicator on {}", self.server_type, self.node);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    noscript { meta http-equiv="refresh" content="30"; }
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main id="status" { (self.content()) }
                    script { (PreEscaped(REFRESH)) }
                }
            }
        };
        page.into_string()
    }

    fn content(&self) -> Markup {
        html! {
            header {
                h1 { (self.server_type) " databases" small { " on " (self.node) } }
                p.fine {
                    "Martlet " (self.version) ", running for " (span(self.now - self.started))
                    "; as of " (moment(self.now)) span id="stale" hidden { ", and does not answer any more" }
                }
            }
            (self.verdict())
            section aria-labelledby="pass" {
                h2 id="pass" { "The pass" }
                @match &self.pass {
                    Some(pass) => (self.under_way(pass)),
                    None => p { "None is under way." },
                }
                (self.before())
            }
            (tables::devices(self))
            (tables::peers(self))
            (tables::laggards(self))
            (tables::failures(self))
            (tables::settings(self))
            footer {
                a href="/metrics" { "metrics" } " · " a href="/status.json" { "status.json" } " · "
                a href="/healthz" { "healthz" } " · " a href="/readyz" { "readyz" }
                " · log level " (self.log_level)
            }
        }
    }

    /// The first thing to see at 3 a.m.
    fn verdict(&self) -> Markup {
        let hanging = self.devices.iter().filter(|device| device.hangs).map(|device| device.device.as_str());
        let hanging: Vec<_> = hanging.collect();
        let behind = self.peers.iter().filter(|peer| peer.databases_behind > 0).count();
        html! {
            @if let Health::Stuck(reason) = &self.health {
                p.verdict.bad { strong { "Stuck: " } (reason) }
            } @else if !hanging.is_empty() {
                p.verdict.bad {
                    strong { "A disk hangs: " } (hanging.join(", ")) ". The other disks go on; look at dmesg."
                }
            } @else if behind > 0 {
                p.verdict.warn {
                    strong { (behind) @if behind == 1 { " peer is behind" } @else { " peers are behind" } } ", see below."
                }
            } @else {
                (self.verdict_on_the_last_pass())
            }
        }
    }

    fn verdict_on_the_last_pass(&self) -> Markup {
        let Some(last) = &self.last_pass else {
            return html! { p.verdict { "No pass has been completed yet." } };
        };
        let failed = self.failures.iter().any(|failure| failure.time >= last.start);
        html! {
            @if self.devices.is_empty() {
                p.verdict.bad { strong { "The ring has no device of this node" } ": look at the log, bind_ip and the ring." }
            } @else if failed {
                p.verdict.warn { strong { "Something was left undone" } " in the last pass: see what failed last, below." }
            } @else {
                p.verdict.good { strong { "All peers hold what this node holds" } ", as of the last pass." }
            }
        }
    }

    fn under_way(&self, pass: &PassUnderWay) -> Markup {
        html! {
            @match pass.expected {
                Some(expected) => {
                    progress aria-label="databases of this pass" value=(pass.databases.min(expected)) max=(expected) {}
                }
                None => progress aria-label="databases of this pass" {},
            }
            p {
                (count(pass.databases)) " databases"
                @if let Some(expected) = pass.expected { " of about " (count(expected)) }
                " in " (span(self.now - pass.start)) ", " (numbers::rate(pass.rate)) " a second"
                @if let Some(left) = pass.seconds_left { "; about " (span(left)) " left" }
                "."
            }
        }
    }

    fn before(&self) -> Markup {
        html! {
            @if let Some(last) = &self.last_pass {
                p.fine {
                    "The last one ended " (ago(self.now, last.end)) " after " (took(last.end - last.start)) " and "
                    (count(last.databases)) " databases. Completed since the start: " (count(self.passes_completed)) "."
                }
            }
        }
    }
}

/// Nothing is loaded from anywhere else, and no script runs but ours: names of containers are anybody's.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; img-src data:; connect-src 'self'; style-src {}; script-src {}",
        hash(STYLE),
        hash(REFRESH)
    )
}
