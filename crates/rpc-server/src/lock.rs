//! Whether a request is by somebody who knows the cluster's secret, where it has one.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use db_broker::Clock;
use protocol::{BodyDigest, BodySum, ClusterSecrets, Signable, Signature, SignatureFault};
use tracing::error;
use warp::http::{HeaderMap, HeaderValue, StatusCode};

use crate::{answer::Answer, body::content_type, server::Refusal, told::Told};

/// Looks at the head of a request before anything of its body is read, and at the body before anything of it is done. Its
/// time is looked at once, with the head: a large file may be on its way for longer than a signature is fresh.
pub(crate) struct Lock {
    secrets: Option<ClusterSecrets>,
    clock: Clock,
    told: Arc<Told<(IpAddr, SignatureFault)>>,
}

/// What the body has to be of a request whose head was signed; anything, where there is no secret.
#[derive(Clone)]
pub(crate) struct Promised {
    digest: Option<BodyDigest>,
    peer: IpAddr,
    told: Arc<Told<(IpAddr, SignatureFault)>>,
}

impl Lock {
    pub(crate) fn new(secrets: Option<ClusterSecrets>, clock: Clock) -> Self {
        Self { secrets, clock, told: Arc::default() }
    }

    /// What is promised by a request whose signature is right; the error refuses it.
    pub(crate) fn open(&self, peer: IpAddr, path: &str, headers: &HeaderMap) -> Result<Promised, Answer> {
        let peer = peer.to_canonical();
        let Some(secrets) = &self.secrets else {
            return Ok(Promised { digest: None, peer, told: Arc::clone(&self.told) });
        };
        let value = |name| headers.get(name).map(HeaderValue::as_bytes);
        let content_type = content_type(headers);
        let deciding = Signable::deciding_header(content_type).and_then(value);
        let signable = Signable::new(path, content_type, deciding);
        let now = self.clock.now().seconds();
        let verified = secrets.verify(signable, value(Signature::HEADER), now);
        let promised = verified.map_err(|fault| refuse(&self.told, peer, fault))?;
        Ok(Promised { digest: Some(promised), peer, told: Arc::clone(&self.told) })
    }
}

impl Promised {
    /// To be given what comes, if it matters what that is.
    pub(crate) fn sum(&self) -> Option<BodySum> {
        self.digest.map(|_| BodySum::default())
    }

    /// Whether this is the body that was signed; the error refuses it.
    pub(crate) fn is_body(&self, body: &[u8]) -> Result<(), Answer> {
        self.is_digest(self.digest.map(|_| BodyDigest::of(body)))
    }

    /// As [`is_body`](Self::is_body), by the digest of what came; none will do where nothing was signed.
    pub(crate) fn is_digest(&self, came: Option<BodyDigest>) -> Result<(), Answer> {
        if self.digest.is_none() || self.digest == came {
            return Ok(());
        }
        Err(refuse(&self.told, self.peer, SignatureFault::OtherBody))
    }
}

/// The peer is told which it is, and no more.
fn refuse(told: &Told<(IpAddr, SignatureFault)>, peer: IpAddr, fault: SignatureFault) -> Answer {
    if told.is_news((peer, fault)) {
        error!("ERROR refused REPLICATE from {peer}: {}", reason(fault));
    }
    Answer::refusal(StatusCode::FORBIDDEN, Refusal::BadSignature, format!("{fault}\n"))
}

/// What an operator of this node does about it.
fn reason(fault: SignatureFault) -> Cow<'static, str> {
    let text = match fault {
        SignatureFault::Missing => {
            "it is not signed, so it is no Martlet's, or one without cluster_secret_file: name that on each node; stock's \
             replicators and sharders cannot sign"
        }
        SignatureFault::Wrong => {
            "it is signed by none of the secrets in this node's cluster_secret_file: make that file the same on each node, \
             or find out who tries"
        }
        SignatureFault::Stale => {
            let apart = Signature::FRESH_SECONDS;
            return format!(
                "it was signed more than {apart} s before or after this node's time: set the clocks, or find out who sends it \
                 again"
            )
            .into();
        }
        SignatureFault::Unreadable | SignatureFault::OtherBody => {
            "it is not what was signed: look at what lies between the two, or find out who changes it"
        }
    };
    text.into()
}
