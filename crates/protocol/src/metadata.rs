use indexmap::{IndexMap, map::Entry};

/// Account or container metadata: key to (value, timestamp), in stored order.
///
/// Newest timestamp wins per key; a deleted key is an empty value that stays until it is reclaimed.
/// Answers to the `metadata` dict of stock's `DatabaseBroker`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(IndexMap<String, (String, String)>);

/// The stored or received text is not a JSON object of `[value, timestamp]` pairs.
#[derive(Debug, thiserror::Error)]
#[error("metadata is not a JSON object of [value, timestamp] pairs: {0}")]
pub struct BadMetadata(#[from] serde_json::Error);

/// Stock's limits on user metadata (`[swift-constraints]` of swift.conf).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataLimits {
    /// Most user keys with a value: `max_meta_count`.
    pub count: usize,
    /// Most bytes of those keys (without prefix) and values together: `max_meta_overall_size`.
    pub overall_size: usize,
}

impl Default for MetadataLimits {
    fn default() -> Self {
        Self { count: 90, overall_size: 4096 }
    }
}

/// Metadata that a client may not store, in stock's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverLimit {
    /// More keys than allowed.
    #[error("Too many metadata items; max {0}")]
    Count(usize),
    /// More bytes than allowed.
    #[error("Total metadata too large; max {0}")]
    Size(usize),
    /// A key or value holds the null character, which Swift reserves for itself.
    #[error("Metadata must be valid UTF-8")]
    Reserved,
}

impl Metadata {
    /// Reads the text of the `metadata` column or of a sync message; empty text is no metadata.
    ///
    /// # Errors
    /// [`BadMetadata`] if the text is anything else than stock would have written.
    pub fn parse(text: &str) -> Result<Self, BadMetadata> {
        if text.is_empty() { Ok(Self::default()) } else { Ok(Self(serde_json::from_str(text)?)) }
    }

    /// As [`Self::parse`], for who only looks: what cannot be read counts as none, as its replica takes whatever is sent in its
    /// place.
    pub fn readable(text: &str) -> Self {
        Self::parse(text).unwrap_or_default()
    }

    /// The text for the `metadata` column.
    pub fn to_text(&self) -> String {
        serde_json::to_string(&self.0).expect("a map of strings is JSON")
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value and timestamp of a key.
    pub fn get(&self, key: &str) -> Option<(&str, &str)> {
        self.0.get(key).map(|(value, timestamp)| (value.as_str(), timestamp.as_str()))
    }

    /// The keys, in stored order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The timestamp of each key.
    pub fn timestamps(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|(_, timestamp)| timestamp.as_str())
    }

    /// Sets a key whatever it held.
    pub fn set(&mut self, key: &str, value: &str, timestamp: &str) {
        self.0.insert(key.to_owned(), (value.to_owned(), timestamp.to_owned()));
    }

    /// Takes each key of `updates` that is new or has a newer timestamp; says whether any was taken.
    pub fn merge(&mut self, updates: Self) -> bool {
        let mut changed = false;
        for (key, update) in updates.0 {
            match self.0.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(update);
                    changed = true;
                }
                Entry::Occupied(mut place) if update.1 > place.get().1 => {
                    place.insert(update);
                    changed = true;
                }
                Entry::Occupied(_) => {}
            }
        }
        changed
    }

    /// Drops the keys for which `drop` says so, given key, value and timestamp; says whether any went.
    pub fn drop_where(&mut self, mut drop: impl FnMut(&str, &str, &str) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|key, (value, timestamp)| !drop(key, value, timestamp));
        self.0.len() != before
    }

    /// Checks the user keys that have a value. Stock: `DatabaseBroker.validate_metadata`.
    ///
    /// Replication itself never refuses metadata by size (replicas would drift apart); servers that take
    /// metadata from clients do.
    ///
    /// # Errors
    /// [`OverLimit`] naming the limit, or what is reserved.
    pub fn check(&self, limits: MetadataLimits) -> Result<(), OverLimit> {
        let (mut count, mut size) = (0, 0);
        for (key, (value, _)) in &self.0 {
            if key.contains('\0') || value.contains('\0') {
                return Err(OverLimit::Reserved);
            }
            let key = key.to_lowercase();
            let user_key = key.strip_prefix("x-account-meta-").or(key.strip_prefix("x-container-meta-"));
            if let (Some(user_key), false) = (user_key, value.is_empty()) {
                count += 1;
                size += user_key.chars().count() + value.chars().count();
            }
        }
        if count > limits.count {
            return Err(OverLimit::Count(limits.count));
        }
        if size > limits.overall_size {
            return Err(OverLimit::Size(limits.overall_size));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_wins_and_order_stays() {
        let mut metadata = Metadata::parse(r#"{"b": ["1", "5"], "a": ["2", "5"]}"#).unwrap();
        let updates = Metadata::parse(r#"{"a": ["", "6"], "b": ["old", "4"], "c": ["3", "1"]}"#).unwrap();
        assert!(metadata.merge(updates.clone()));
        assert_eq!(metadata.to_text(), r#"{"b":["1","5"],"a":["","6"],"c":["3","1"]}"#);
        assert!(!metadata.merge(updates), "merging again changes nothing");
    }

    #[test]
    fn bad_text_is_an_error() {
        for bad in ["x", "[]", r#"{"a": "b"}"#, r#"{"a": ["b"]}"#] {
            assert!(Metadata::parse(bad).is_err() && Metadata::readable(bad).is_empty(), "{bad}");
        }
        assert!(Metadata::parse("").unwrap().is_empty());
    }

    #[test]
    fn limits_count_user_keys_with_values() {
        let limits = MetadataLimits { count: 1, overall_size: 4 };
        let check = |text| Metadata::parse(text).unwrap().check(limits);
        assert_eq!(
            check(r#"{"X-Container-Meta-A": ["123", "1"], "X-Container-Sysmeta-B": ["12345", "1"]}"#),
            Ok(())
        );
        assert_eq!(check(r#"{"X-Account-Meta-A": ["1234", "1"]}"#), Err(OverLimit::Size(4)));
        let two = r#"{"X-Container-Meta-A": ["1", "1"], "X-Container-Meta-B": ["2", "1"]}"#;
        assert_eq!(check(two), Err(OverLimit::Count(1)));
        assert_eq!(check(r#"{"X-Container-Meta-A": ["1", "1"], "X-Container-Meta-B": ["", "1"]}"#), Ok(()));
    }
}
