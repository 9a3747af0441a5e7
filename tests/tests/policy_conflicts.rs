//! Which of two replicas is right about the policy: our decision against stock's, for every mix of times.

use anyhow::Result;
use martlet_testkit::Stock;
use protocol::{PolicyClaim, adopts_remote_policy};
use serde_json::{Value, json};

const TIMES: [&str; 4] = ["0", "0000000000.00000", "0000000001.00000", "0000000002.00000"];

/// Every claim that these times, an empty and a filled container can make.
fn claims() -> Vec<PolicyClaim<'static>> {
    let mut claims = Vec::new();
    for put_timestamp in TIMES {
        for delete_timestamp in TIMES {
            for status_changed_at in TIMES {
                for count in [0, 3] {
                    claims.push(PolicyClaim {
                        storage_policy_index: 0,
                        put_timestamp,
                        delete_timestamp,
                        status_changed_at,
                        count,
                    });
                }
            }
        }
    }
    claims
}

fn as_stock_has_it(claim: &PolicyClaim<'_>) -> Value {
    json!({
        "storage_policy_index": claim.storage_policy_index, "put_timestamp": claim.put_timestamp,
        "delete_timestamp": claim.delete_timestamp, "status_changed_at": claim.status_changed_at,
        "count": claim.count,
    })
}

#[test]
fn every_conflict_is_decided_as_stock_decides_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("swift.conf"), "[swift-hash]\nswift_hash_path_suffix = x\n")?;
    let stock = Stock::start(dir.path(), &dir.path().join("stderr"))?;
    let ours = claims();
    let theirs: Vec<_> =
        ours.iter().map(|claim| PolicyClaim { storage_policy_index: 1, ..claim.clone() }).collect();
    let pairs: Vec<_> = ours.iter().flat_map(|one| theirs.iter().map(move |other| (one, other))).collect();
    let request: Vec<_> =
        pairs.iter().map(|(one, other)| json!([as_stock_has_it(one), as_stock_has_it(other)])).collect();
    let verdicts = stock.call(&json!({"op": "policy_conflicts", "claims": request}))?;
    let verdicts = verdicts.as_array().expect("a list");
    assert_eq!(verdicts.len(), pairs.len());
    for ((one, other), verdict) in pairs.iter().zip(verdicts) {
        assert_eq!(adopts_remote_policy(one, other), *verdict, "{one:?} against {other:?}");
    }
    Ok(())
}
