//! What one replica knows of another, but for rows.

use serde_json::Value;

use super::rows::seconds;

/// Whether times, metadata and shard ranges of `gone` are in `kept`, or newer ones.
pub(super) fn knows_all_of(kept: &Value, gone: &Value) -> bool {
    let (kept_stat, gone_stat) = (&kept["stat"][0], &gone["stat"][0]);
    let at_least = |column| seconds(&kept_stat[column]) >= seconds(&gone_stat[column]);
    let metadata = gone_stat["metadata"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| seconds(&kept_stat["metadata"][key][1]) >= seconds(&value[1]));
    let mut ranges = gone["shard_ranges"].as_array().into_iter().flatten();
    at_least("put_timestamp")
        && at_least("delete_timestamp")
        && metadata
        && ranges.all(|range| knows_range(kept, range))
}

fn knows_range(kept: &Value, range: &Value) -> bool {
    let mut ranges = kept["shard_ranges"].as_array().into_iter().flatten();
    ranges.any(|other| {
        other["name"] == range["name"]
            && ["timestamp", "state_timestamp", "meta_timestamp"]
                .iter()
                .all(|column| seconds(&other[*column]) >= seconds(&range[*column]))
    })
}
