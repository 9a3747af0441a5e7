//! Requests, signed where the cluster has a secret, and peers that do not take the signature.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use protocol::{BodyDigest, Signable, Signature, SignatureFault};
use reqwest::RequestBuilder;
use tracing::{error, warn};

use crate::SyncClient;

/// How long a peer that refuses again is not told of again.
const TELL_AGAIN: Duration = Duration::from_secs(600);

/// Peers that refuse our signature, by where they answer REPLICATE, and when that was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockedOut(Arc<Mutex<HashMap<String, Instant>>>);

impl SyncClient {
    /// A request with a body of that digest, which is asked for only where something is signed.
    pub(crate) fn signed(
        &self,
        request: RequestBuilder,
        signable: Signable<'_>,
        body: impl FnOnce() -> BodyDigest,
    ) -> RequestBuilder {
        let Some(secrets) = &self.settings.secrets else { return request };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let signature = secrets.sign(signable, since_epoch.as_secs(), body());
        request.header(Signature::HEADER, signature.to_string())
    }

    /// Tells once in a while of a peer that refuses to listen, and once of its end. A line for each of its databases would
    /// hide all else.
    pub(crate) fn note_lock(&self, peer: &str, refusal: Option<SignatureFault>) {
        let Some(fault) = refusal else {
            if self.locked_out.ended(peer) {
                warn!("{peer} takes REPLICATE from this node again");
            }
            return;
        };
        if self.locked_out.is_news(peer, Instant::now()) {
            let advice = advice(fault, self.settings.secrets.is_some());
            error!(
                "ERROR {peer} refuses REPLICATE from this node (403, {fault}): {advice}; its databases count as failures"
            );
        }
    }
}

/// What an operator of this node does about it.
fn advice(fault: SignatureFault, we_sign: bool) -> &'static str {
    match fault {
        SignatureFault::Missing if !we_sign => {
            "it has a cluster_secret_file and this node has none: name one with the same secret here"
        }
        SignatureFault::Wrong => {
            "the first secret in this node's cluster_secret_file is none of those in its own: make the files the same"
        }
        SignatureFault::Stale => "its clock and this node's are more than 300 s apart: set the clocks",
        SignatureFault::Missing | SignatureFault::Unreadable | SignatureFault::OtherBody => {
            "what this node sent came otherwise: look at what lies between the two"
        }
    }
}

impl LockedOut {
    fn is_news(&self, peer: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < TELL_AGAIN;
        if told.get(peer).is_some_and(is_recent) {
            return false;
        }
        told.insert(peer.to_owned(), now);
        true
    }

    fn ended(&self, peer: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(peer).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_told_of_once_in_ten_minutes_and_once_when_it_is_over() {
        let (locked_out, now) = (LockedOut::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!locked_out.ended("10.0.0.1:6201"));
        let news = [0, 1, 599, 600, 601].map(|seconds| locked_out.is_news("10.0.0.1:6201", after(seconds)));
        assert_eq!(news, [true, false, false, true, false]);
        assert!(locked_out.is_news("10.0.0.2:6201", now), "each peer for itself");
        assert!(locked_out.ended("10.0.0.1:6201") && !locked_out.ended("10.0.0.1:6201"));
        assert!(locked_out.is_news("10.0.0.1:6201", after(602)));
    }

    #[test]
    fn an_operator_reads_what_to_do() {
        assert!(advice(SignatureFault::Missing, false).contains("this node has none"));
        assert!(!advice(SignatureFault::Missing, true).contains("this node has none"));
        assert!(advice(SignatureFault::Wrong, true).contains("cluster_secret_file"));
        assert!(advice(SignatureFault::Stale, true).contains(&format!("{} s", Signature::FRESH_SECONDS)));
    }
}
