//! Requests, signed where the cluster has a secret, and peers that do not take the signature.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use protocol::{ClusterSecrets, Signature, SignatureFault};
use reqwest::RequestBuilder;
use tracing::{error, warn};

use crate::{Reply, SyncClient, client::FORBIDDEN};

/// How long a peer that refuses again is not told of again.
const TELL_AGAIN: Duration = Duration::from_secs(600);

/// Peers that refuse our signature, by where they answer REPLICATE.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockedOut(Arc<All>);

#[derive(Debug, Default)]
struct All {
    /// How many of them refuse us, as far as was told: nothing else is looked at for each answer of a cluster where all is well.
    refusing: AtomicUsize,
    peers: Mutex<HashMap<String, Told>>,
}

/// What was told of a peer.
#[derive(Debug)]
struct Told {
    /// That it refuses us, and when.
    at: Instant,
    /// That it does so no more.
    is_over: bool,
}

impl SyncClient {
    /// A request with the signature that `sign` makes at this time, in Unix seconds; it is asked only where something is signed.
    pub(crate) fn signed(
        &self,
        request: RequestBuilder,
        sign: impl FnOnce(&ClusterSecrets, u64) -> Signature,
    ) -> RequestBuilder {
        let Some(secrets) = &self.settings.secrets else { return request };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        request.header(Signature::HEADER, sign(secrets, since_epoch.as_secs()).to_string())
    }

    /// Tells of a peer that refuses to listen, and of the end of that, each once in a while: a line for each of its databases
    /// would hide all else.
    pub(crate) fn note_lock(&self, peer: &str, reply: &Reply) {
        match self.locked_out.news(peer, reply, Instant::now()) {
            News::None => {}
            News::Over => warn!("{peer} takes REPLICATE from this node again"),
            News::Refuses(fault) => {
                let advice = advice(fault, self.settings.secrets.is_some());
                error!(
                    "ERROR {peer} refuses REPLICATE from this node (403, {fault}): {advice}; its databases count as failures"
                );
            }
        }
    }
}

/// What is to be told of a peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    Refuses(SignatureFault),
    /// It refused us, and does so no more.
    Over,
}

/// What an operator of this node does about it.
fn advice(fault: SignatureFault, we_sign: bool) -> Cow<'static, str> {
    let text = match fault {
        SignatureFault::Missing if !we_sign => {
            "it has a cluster_secret_file and this node has none: name one with the same secret here"
        }
        SignatureFault::Wrong => {
            "the first secret in this node's cluster_secret_file is none of those in its own: make the files the same"
        }
        SignatureFault::Stale => {
            let apart = Signature::FRESH_SECONDS;
            return format!("its clock and this node's are more than {apart} s apart: set the clocks").into();
        }
        SignatureFault::Missing | SignatureFault::Unreadable | SignatureFault::OtherBody => {
            "what this node sent came otherwise: look at what lies between the two"
        }
    };
    text.into()
}

impl LockedOut {
    /// A 403 for another reason, as to a stranger, is neither the beginning nor the end of it.
    fn news(&self, peer: &str, reply: &Reply, now: Instant) -> News {
        match reply.signature_fault() {
            Some(fault) if self.is_news(peer, now) => News::Refuses(fault),
            None if reply.status != FORBIDDEN && self.ended(peer) => News::Over,
            _ => News::None,
        }
    }

    fn is_news(&self, peer: &str, now: Instant) -> bool {
        let mut peers = self.lock();
        let is_recent = |told: &Told| now.saturating_duration_since(told.at) < TELL_AGAIN;
        if peers.get(peer).is_some_and(is_recent) {
            return false;
        }
        let before = peers.insert(peer.to_owned(), Told { at: now, is_over: false });
        if before.is_none_or(|told| told.is_over) {
            self.0.refusing.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Whether that is to be told. The time of the refusal is kept: a peer behind whose address several answer refuses and
    /// listens by turns.
    fn ended(&self, peer: &str) -> bool {
        if self.0.refusing.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut peers = self.lock();
        let Some(told) = peers.get_mut(peer).filter(|told| !told.is_over) else { return false };
        told.is_over = true;
        self.0.refusing.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use protocol::Capabilities;

    use super::*;

    const PEER: &str = "10.0.0.1:6201";

    #[test]
    fn a_peer_is_told_of_once_in_ten_minutes_and_once_when_it_is_over() {
        let (locked_out, now) = (LockedOut::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!locked_out.ended(PEER));
        let news = [0, 1, 599, 600, 601].map(|seconds| locked_out.is_news(PEER, after(seconds)));
        assert_eq!(news, [true, false, false, true, false]);
        assert!(locked_out.is_news("10.0.0.2:6201", now), "each peer for itself");
        assert!(locked_out.ended(PEER) && !locked_out.ended(PEER));
        assert!(locked_out.is_news(PEER, after(1200)));
        assert!(locked_out.ended(PEER) && locked_out.ended("10.0.0.2:6201"));
        assert_eq!(locked_out.0.refusing.load(Ordering::Relaxed), 0);
    }

    fn reply(status: u16, body: &'static str) -> Reply {
        Reply { status, body: body.into(), capabilities: Capabilities::default() }
    }

    #[test]
    fn a_peer_that_refuses_and_listens_by_turns_is_told_of_as_seldom() {
        let (locked_out, now) = (LockedOut::default(), Instant::now());
        for start in [0, 600, 1200] {
            let turns = [0, 1, 300, 598].map(|seconds| {
                let told = |reply| locked_out.news(PEER, &reply, now + Duration::from_secs(start + seconds));
                [told(reply(403, "signature stale\n")), told(reply(204, ""))]
            });
            let first = [News::Refuses(SignatureFault::Stale), News::Over];
            assert_eq!(turns, [first, [News::None; 2], [News::None; 2], [News::None; 2]]);
        }
    }

    #[test]
    fn a_stranger_is_not_listened_to_again() {
        let (locked_out, now) = (LockedOut::default(), Instant::now());
        let told = |reply| locked_out.news(PEER, &reply, now);
        let stranger = || reply(403, "10.0.0.9 is no address of the ring\n");
        assert_eq!(told(stranger()), News::None);
        assert_eq!(told(reply(403, "signature wrong\n")), News::Refuses(SignatureFault::Wrong));
        assert_eq!(
            [told(stranger()), told(reply(404, "")), told(stranger())],
            [News::None, News::Over, News::None]
        );
    }

    #[test]
    fn an_operator_reads_what_to_do() {
        assert!(advice(SignatureFault::Missing, false).contains("this node has none"));
        assert!(!advice(SignatureFault::Missing, true).contains("this node has none"));
        assert!(advice(SignatureFault::Wrong, true).contains("cluster_secret_file"));
        assert!(advice(SignatureFault::Stale, true).contains(&format!("{} s", Signature::FRESH_SECONDS)));
    }
}
