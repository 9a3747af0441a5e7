//! What the nodes of a cluster know and nobody else does.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::signature::{BodyDigest, Signable, Signature, SignatureFault};

/// The secrets that all Martlets of a cluster share; stock has nothing like it.
///
/// The first signs, all are accepted: so that one can be replaced by another while the cluster runs. They are never
/// printed, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecrets(Vec<String>);

/// Why a text holds no secrets. Completes a sentence that begins with where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecrets {
    /// There is not one.
    #[error("holds no secret")]
    None,
    /// That one, counted from 1, can be guessed.
    #[error("holds a secret of fewer than {} characters (the {}.)", ClusterSecrets::SHORTEST, .0)]
    TooShort(usize),
}

impl ClusterSecrets {
    /// The fewest characters of a secret.
    pub const SHORTEST: usize = 16;

    /// Of words with blanks or ends of lines between them.
    ///
    /// # Errors
    /// [`BadSecrets`].
    pub fn parse(text: &str) -> Result<Self, BadSecrets> {
        let secrets: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        let is_short = |secret: &String| secret.chars().count() < Self::SHORTEST;
        match secrets.iter().position(is_short) {
            _ if secrets.is_empty() => Err(BadSecrets::None),
            Some(place) => Err(BadSecrets::TooShort(place + 1)),
            None => Ok(Self(secrets)),
        }
    }

    /// The signature, made at `seconds` of Unix time, of a request with this body.
    pub fn sign(&self, request: Signable<'_>, seconds: u64, body: BodyDigest) -> Signature {
        let first = self.0.first().expect("parse gives one at least");
        let mac = mac(first, &signed_text(request, seconds, body)).finalize().into_bytes().into();
        Signature { seconds, body, mac }
    }

    /// Whether a request's signature is by one of the secrets and was made at about `now`, Unix time; then what the
    /// digest of its body has to be. What takes long, or when it ends, tells nothing of the secrets.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn verify(
        &self,
        request: Signable<'_>,
        signature: Option<&[u8]>,
        now: u64,
    ) -> Result<BodyDigest, SignatureFault> {
        let text = std::str::from_utf8(signature.ok_or(SignatureFault::Missing)?);
        let read = text.ok().and_then(|text| text.parse().ok());
        let Signature { seconds, body, mac: told } = read.ok_or(SignatureFault::Unreadable)?;
        let text = signed_text(request, seconds, body);
        let makes_it = |secret: &String| mac(secret, &text).verify_slice(&told).is_ok();
        if !self.0.iter().any(makes_it) {
            return Err(SignatureFault::Wrong);
        }
        if seconds.abs_diff(now) > Signature::FRESH_SECONDS {
            return Err(SignatureFault::Stale);
        }
        Ok(body)
    }
}

impl fmt::Debug for ClusterSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterSecrets({} hidden)", self.0.len())
    }
}

/// What the secrets are put to.
fn signed_text(request: Signable<'_>, seconds: u64, body: BodyDigest) -> String {
    let content_type = request.content_type.map(|kind| format!("{kind}\n")).unwrap_or_default();
    let deciding = request.deciding.map(|value| format!("{}\n", BodyDigest::of(value))).unwrap_or_default();
    format!("REPLICATE\n{}\n{seconds}\n{body}\n{content_type}{deciding}", request.path)
}

fn mac(secret: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CompareMessage, FileWithMessage, MarkMessage, TransferHeaders};

    const PATH: &str = "/sdb1/7/0123456789abcdef0123456789abcdef";
    const BODY: &[u8] = br#"["get_shard_ranges"]"#;
    const NOW: u64 = 1_700_000_000;

    fn secrets(text: &str) -> ClusterSecrets {
        ClusterSecrets::parse(text).unwrap()
    }

    fn verified(
        secrets: &ClusterSecrets,
        request: Signable<'_>,
        signature: &str,
        now: u64,
    ) -> Result<BodyDigest, SignatureFault> {
        secrets.verify(request, Some(signature.as_bytes()), now)
    }

    /// By Python's `hmac.new(key, message, hashlib.sha256).hexdigest()`.
    #[test]
    fn a_signature_is_what_python_makes_of_it() {
        let ours = secrets("correct-horse-battery-staple");
        let sign = |request| ours.sign(request, NOW, BodyDigest::of(BODY)).to_string();
        let begin = "v1 1700000000 52aa43dbf69bb8443d4a563c35dbda74982ddc1454329f3a57a2feabccbe14ef";
        let mac = "e7162e74a8d26034c5b41d1766ad2267c8dc96f42ad8b7d9d40444e71ac1bbb9";
        assert_eq!(sign(Signable::message(PATH)), format!("{begin} {mac}"));
        assert_eq!(sign(Signable::new(PATH, "application/json", None)), format!("{begin} {mac}"));
        let message = br#"["complete_rsync", "t"]"#;
        let with_file = Signable::new(PATH, FileWithMessage::CONTENT_TYPE, Some(message));
        let mac = "79573c4cae4ce7cf244617ce983784cde3bd6e82fe0300943d273929403758ec";
        assert_eq!(sign(with_file), format!("{begin} {mac}"));
    }

    #[test]
    fn the_first_secret_signs_and_each_is_accepted() {
        let [old, both, turned, new] = [
            "old-old-old-old-old",
            "old-old-old-old-old new-new-new-new-new",
            "new-new-new-new-new\nold-old-old-old-old",
            "new-new-new-new-new",
        ]
        .map(secrets);
        let request = Signable::message(PATH);
        let body = BodyDigest::of(BODY);
        let takes = |receiver: &ClusterSecrets, sender: &ClusterSecrets| {
            verified(receiver, request, &sender.sign(request, NOW, body).to_string(), NOW)
        };
        for (receiver, sender) in [
            (&old, &both),
            (&both, &old),
            (&both, &turned),
            (&turned, &both),
            (&new, &turned),
            (&turned, &new),
        ] {
            assert_eq!(takes(receiver, sender), Ok(body));
        }
        for (receiver, sender) in [(&old, &new), (&new, &old), (&new, &both), (&old, &turned)] {
            assert_eq!(takes(receiver, sender), Err(SignatureFault::Wrong));
        }
    }

    #[test]
    fn another_path_use_or_time_is_not_what_was_signed() {
        let ours = secrets("a-secret-of-the-cluster");
        let body = BodyDigest::of(BODY);
        let file = |path, message| Signable::new(path, FileWithMessage::CONTENT_TYPE, Some(message));
        let alone = |name| Signable::new(PATH, TransferHeaders::CONTENT_TYPE, Some(name));
        let requests = [
            Signable::message(PATH),
            Signable::message("/sdb1/8/0123456789abcdef0123456789abcdef"),
            Signable::new("/", CompareMessage::CONTENT_TYPE, None),
            Signable::new("/", MarkMessage::CONTENT_TYPE, None),
            Signable::message("/"),
            file(PATH, b"one"),
            file(PATH, b"another"),
            file(PATH, b""),
            alone(b"one"),
            alone(b"another"),
        ];
        for (place, signed) in requests.iter().enumerate() {
            let signature = ours.sign(*signed, NOW, body).to_string();
            for (other, received) in requests.iter().enumerate() {
                let expected = if place == other { Ok(body) } else { Err(SignatureFault::Wrong) };
                assert_eq!(verified(&ours, *received, &signature, NOW), expected, "{signed:?} {received:?}");
            }
        }
    }

    #[test]
    fn clocks_may_be_five_minutes_apart() {
        let ours = secrets("a-secret-of-the-cluster");
        let (request, body) = (Signable::message(PATH), BodyDigest::of(BODY));
        let signature = ours.sign(request, NOW, body).to_string();
        for now in [NOW - 300, NOW, NOW + 300] {
            assert_eq!(verified(&ours, request, &signature, now), Ok(body));
        }
        for now in [0, NOW - 301, NOW + 301, u64::MAX] {
            assert_eq!(verified(&ours, request, &signature, now), Err(SignatureFault::Stale));
        }
        let later = signature.replace("1700000000", "1700000001");
        assert_eq!(verified(&ours, request, &later, NOW), Err(SignatureFault::Wrong), "the time is signed");
        let other = BodyDigest::of(b"[]").to_string();
        let other_body = signature.replace(&body.to_string(), &other);
        assert_eq!(verified(&ours, request, &other_body, NOW), Err(SignatureFault::Wrong), "the digest too");
    }

    #[test]
    fn secrets_are_long_enough_and_not_shown() {
        assert_eq!(ClusterSecrets::parse(" \n"), Err(BadSecrets::None));
        assert_eq!(ClusterSecrets::parse("0123456789abcde"), Err(BadSecrets::TooShort(1)));
        assert_eq!(ClusterSecrets::parse("0123456789abcdef short"), Err(BadSecrets::TooShort(2)));
        let ours = secrets("0123456789abcdef\tÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ\r\n");
        assert_eq!(format!("{ours:?}"), "ClusterSecrets(2 hidden)");
    }

    #[test]
    fn what_is_no_signature_is_unreadable() {
        let ours = secrets("a-secret-of-the-cluster");
        let request = Signable::message(PATH);
        assert_eq!(ours.verify(request, None, NOW), Err(SignatureFault::Missing));
        let good = ours.sign(request, NOW, BodyDigest::of(BODY)).to_string();
        assert_eq!(good.parse::<Signature>().unwrap().to_string(), good);
        for bad in [
            String::new(),
            "v1".into(),
            good.replace("v1", "v2"),
            good.replace(' ', "  "),
            format!("{good} "),
            format!("{good} more"),
            good.replace(" 17", " +17"),
            good.replace(" 17", " 017"),
            good.replace(" 17", " -17"),
            good.replace("1700000000", "99999999999999999999"),
            good.to_uppercase().replace("V1", "v1"),
            good[..good.len() - 2].to_owned(),
        ] {
            assert_eq!(verified(&ours, request, &bad, NOW), Err(SignatureFault::Unreadable), "{bad}");
        }
        assert_eq!(ours.verify(request, Some(b"v1 \xff"), NOW), Err(SignatureFault::Unreadable));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes: Vec<u8>, path: String, content_type: String) {
            let request = Signable::new(&path, &content_type, Some(&bytes));
            prop_assert!(secrets("a-secret-of-the-cluster").verify(request, Some(&bytes), NOW).is_err());
        }
    }
}
