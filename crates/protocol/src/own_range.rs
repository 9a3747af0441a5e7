use std::fmt;

use crate::{PythonRepr, ShardRange};

/// A peer sent this container's own range without an epoch although ours has one, and with newer content.
///
/// It was dropped. Its text is the middle of stock's line "Ignoring remote osr w/o epoch, …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRangeWithoutEpoch {
    /// What is stored here.
    pub own: Box<ShardRange>,
    /// What the peer sent.
    pub remote: Box<ShardRange>,
}

impl fmt::Display for OwnRangeWithoutEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "own_sr: {}, remote_sr: {}", Dictionary(&self.own), Dictionary(&self.remote))
    }
}

/// Drops a peer's epoch-less copy of our own range when ours has an epoch.
///
/// Answers to stock's `check_merge_own_shard_range`.
pub fn keep_epoched_own_range(
    own: Option<&ShardRange>,
    ranges: Vec<ShardRange>,
) -> (Vec<ShardRange>, Option<OwnRangeWithoutEpoch>) {
    let Some(own) = own.filter(|own| own.epoch.is_some()) else {
        return (ranges, None);
    };
    let mut ignored = None;
    let kept = ranges
        .into_iter()
        .filter(|range| {
            if range.name != own.name || range.epoch.as_deref().is_some_and(|epoch| !epoch.is_empty()) {
                return true;
            }
            let mut merged = range.clone();
            if merged.merge_existing(own) && merged.epoch.is_none() {
                let (own, remote) = (Box::new(own.clone()), Box::new(range.clone()));
                ignored = Some(OwnRangeWithoutEpoch { own, remote });
            }
            false
        })
        .collect();
    (kept, ignored)
}

/// A range as Python prints the dictionary that stock keeps it in.
struct Dictionary<'a>(&'a ShardRange);

impl fmt::Display for Dictionary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = self.0;
        write!(f, "{{'name': {}, 'timestamp': {}, ", PythonRepr(&range.name), PythonRepr(&range.timestamp))?;
        write!(f, "'lower': {}, 'upper': {}, ", PythonRepr(&range.lower), PythonRepr(&range.upper))?;
        write!(f, "'object_count': {}, 'bytes_used': {}, ", range.object_count, range.bytes_used)?;
        write!(f, "'meta_timestamp': {}, 'deleted': {}, ", PythonRepr(&range.meta_timestamp), range.deleted)?;
        write!(f, "'state': {}, 'state_timestamp': {}, ", range.state, PythonRepr(&range.state_timestamp))?;
        match &range.epoch {
            Some(epoch) => write!(f, "'epoch': {}, ", PythonRepr(epoch))?,
            None => write!(f, "'epoch': None, ")?,
        }
        write!(f, "'reported': {}, 'tombstones': {}}}", range.reported, range.tombstones)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_range(state: i64, state_timestamp: &str, epoch: Option<&str>) -> ShardRange {
        ShardRange {
            name: "a/c".into(),
            timestamp: "1".into(),
            lower: String::new(),
            upper: String::new(),
            object_count: 1,
            bytes_used: 2,
            meta_timestamp: "1".into(),
            deleted: 0,
            state,
            state_timestamp: state_timestamp.into(),
            epoch: epoch.map(str::to_owned),
            reported: 0,
            tombstones: -1,
        }
    }

    #[test]
    fn an_epochless_own_range_never_overwrites_an_epoched_one() {
        let own = own_range(60, "5", Some("5"));
        let (kept, ignored) = keep_epoched_own_range(Some(&own), vec![own_range(40, "9", None)]);
        assert!(kept.is_empty() && ignored.is_some());
        let (kept, ignored) = keep_epoched_own_range(Some(&own), vec![own_range(40, "2", None)]);
        assert!(kept.is_empty() && ignored.is_none(), "stale: dropped without a word");
        let (kept, _) = keep_epoched_own_range(None, vec![own_range(40, "2", None)]);
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn the_log_shows_both_as_stock_does() {
        let own = own_range(60, "5", Some("5"));
        let (_, ignored) = keep_epoched_own_range(Some(&own), vec![own_range(40, "9", None)]);
        // python: 'own_sr: %r, remote_sr: %r' of the two dictionaries
        let expected = "own_sr: {'name': 'a/c', 'timestamp': '1', 'lower': '', 'upper': '', \
            'object_count': 1, 'bytes_used': 2, 'meta_timestamp': '1', 'deleted': 0, 'state': 60, \
            'state_timestamp': '5', 'epoch': '5', 'reported': 0, 'tombstones': -1}, \
            remote_sr: {'name': 'a/c', 'timestamp': '1', 'lower': '', 'upper': '', \
            'object_count': 1, 'bytes_used': 2, 'meta_timestamp': '1', 'deleted': 0, 'state': 40, \
            'state_timestamp': '9', 'epoch': None, 'reported': 0, 'tombstones': -1}";
        assert_eq!(ignored.unwrap().to_string(), expected);
    }
}
