//! Signatures of requests.

use protocol::{ClusterSecrets, FileWithMessage, Signable, Signature, SignatureFault};

/// By which those of the corpus are made, by Python.
const SECRET: &str = "a-secret-of-the-cluster";
const SECONDS: u64 = 1_700_000_000;
const PATH: &str = "/sdb1/7/0123456789abcdef0123456789abcdef";
const MESSAGE: &[u8] = br#"["complete_rsync", "t"]"#;

/// Nothing is accepted but what was signed, for what it was signed; all else is unreadable, or read as it is written.
pub(super) fn header(bytes: &[u8]) {
    let signed = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Signature>().ok());
    for (name, said) in requests().map(|(name, request)| (name, verdict(request, bytes))) {
        match (&signed, said) {
            (None, said) => assert_eq!(said, Err(SignatureFault::Unreadable)),
            (Some(_), Ok(())) => assert!(is_kept(name, bytes), "forged: {signed:?}"),
            (Some(signed), Err(fault)) => {
                assert_eq!(signed.to_string().as_bytes(), bytes);
                assert_eq!(fault, SignatureFault::Wrong);
            }
        }
    }
}

/// What the corpus has signatures of, by the names of its files.
pub(super) fn requests() -> [(&'static str, Signable<'static>); 2] {
    [
        ("message", Signable::message(PATH)),
        ("file-with-message", Signable::new(PATH, FileWithMessage::CONTENT_TYPE, Some(MESSAGE))),
    ]
}

pub(super) fn verdict(request: Signable<'_>, bytes: &[u8]) -> Result<(), SignatureFault> {
    let secrets = ClusterSecrets::parse(SECRET).expect("it is long enough");
    secrets.verify(request, Some(bytes), SECONDS).map(drop)
}

fn is_kept(name: &str, bytes: &[u8]) -> bool {
    let file = super::FuzzTarget::Signature.corpus_dir().join(name);
    std::fs::read(file).is_ok_and(|kept| kept == bytes)
}
