use std::{fmt, str::FromStr};

use md5::{Digest as _, Md5};

/// The cluster's secret salt around a path before it is hashed (`[swift-hash]` of swift.conf).
///
/// Answers to stock's `HASH_PATH_PREFIX` and `HASH_PATH_SUFFIX`.
#[derive(Clone, PartialEq, Eq)]
pub struct HashPath {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

/// Neither a prefix nor a suffix was given: every path of every such cluster would hash alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("both swift_hash_path_suffix and swift_hash_path_prefix are missing or empty")]
pub struct InvalidHashPath;

impl HashPath {
    /// The salt as raw bytes (swift.conf is read as latin-1).
    ///
    /// # Errors
    /// [`InvalidHashPath`] if both are empty, as stock's `validate_hash_conf`.
    pub fn new(prefix: Vec<u8>, suffix: Vec<u8>) -> Result<Self, InvalidHashPath> {
        if prefix.is_empty() && suffix.is_empty() {
            return Err(InvalidHashPath);
        }
        Ok(Self { prefix, suffix })
    }

    /// The digest of an account. Stock: `hash_path(account)`.
    pub fn account(&self, account: &str) -> Digest {
        self.digest(&[account])
    }

    /// The digest of a container. Stock: `hash_path(account, container)`.
    pub fn container(&self, account: &str, container: &str) -> Digest {
        self.digest(&[account, container])
    }

    /// The digest of whatever a database holds: a container when it has a name, else the account.
    pub fn of(&self, account: &str, container: Option<&str>) -> Digest {
        match container {
            Some(container) if !container.is_empty() => self.container(account, container),
            _ => self.account(account),
        }
    }

    fn digest(&self, parts: &[&str]) -> Digest {
        let mut md5 = Md5::new();
        md5.update(&self.prefix);
        for part in parts {
            md5.update(b"/");
            md5.update(part.as_bytes());
        }
        md5.update(&self.suffix);
        Digest(md5.finalize().into())
    }
}

impl fmt::Debug for HashPath {
    /// Never prints the salt: it is a secret of the cluster.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashPath(..)")
    }
}

/// The MD5 of a salted path: names the database's directory and file, and gives its partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a hash: 32 lower-case hexadecimal digits expected")]
pub struct NotADigest(pub String);

impl Digest {
    /// The first four bytes, big endian: shifted right by the ring's `part_shift` they are the partition.
    pub fn prefix(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The last three digits: the name of the suffix directory.
    pub fn suffix(&self) -> String {
        let mut hex = self.to_string();
        hex.split_off(29)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 16];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err(NotADigest(text.to_owned())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 2 * size_of::<Self>()];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_stock_does() {
        // python: hash_path('a'), hash_path('a', 'c') with prefix 'pre', suffix 'suf'
        let hash_path = HashPath::new(b"pre".to_vec(), b"suf".to_vec()).unwrap();
        assert_eq!(hash_path.account("a").to_string(), hex::encode(Md5::digest(b"pre/asuf")));
        assert_eq!(hash_path.container("a", "c").to_string(), hex::encode(Md5::digest(b"pre/a/csuf")));
        assert_eq!(hash_path.of("a", None), hash_path.account("a"));
        assert_eq!(hash_path.of("a", Some("")), hash_path.account("a"));
    }

    #[test]
    fn an_unsalted_path_is_refused() {
        assert_eq!(HashPath::new(vec![], vec![]), Err(InvalidHashPath));
    }

    #[test]
    fn digest_text_round_trips_and_is_strict() {
        let text = "0123456789abcdef0123456789abcdef";
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest.suffix(), "def");
        assert_eq!(digest.prefix(), 0x0123_4567);
        for bad in ["", "xyz", &text[1..], &text.to_uppercase(), "../0123456789abcdef0123456789ab"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
