//! Databases with equal replicas, and with none.

use anyhow::Result;
use martlet_testkit::{ServerType, node_of};
use serde_json::Value;

use crate::stage::{ACCOUNT, Stage, create, next_pass, words};

pub(crate) fn equal_replicas(stage: &Stage) -> Result<()> {
    for container in [Some("equal"), None] {
        let places = stage.places(container)?;
        places[..3].iter().try_for_each(|place| create(place, container, 20).map(drop))?;
        let path = container.map_or(ACCOUNT.to_owned(), |container| format!("{ACCOUNT}/{container}"));
        let (code, status) = stage.status(&path)?;
        assert_eq!((code, &status["agree"], &status["path"]), (0, &Value::from(true), &Value::from(path)));
        assert_eq!(words(&status, "status"), ["in_sync", "in_sync", "in_sync", "missing"], "{status:#}");
        assert_eq!(words(&status, "role"), ["primary", "primary", "primary", "handoff"]);
        assert_eq!(words(&status, "name"), places.iter().map(|place| stage.name(place)).collect::<Vec<_>>());
        assert_eq!(status["replicas"][0]["db"]["rows"], 20);
        assert_eq!(status["replicas"][0]["db"]["deleted"], false);
        assert_eq!(status["replicas"][0]["db"]["hash"], status["majority_hash"]);
    }
    Ok(())
}

pub(crate) fn one_is_missing_and_a_handoff_has_it(stage: &Stage) -> Result<()> {
    let places = stage.places(Some("missing"))?;
    for place in [0, 1, 3] {
        create(&places[place], Some("missing"), 5)?;
    }
    let (code, status) = stage.status(&format!("{ACCOUNT}/missing"))?;
    assert_eq!(code, 1);
    assert_eq!(words(&status, "status"), ["in_sync", "in_sync", "missing", "in_sync"], "{status:#}");
    let whole = format!("sends the whole file to {}, which has none", stage.name(&places[2]));
    assert!(next_pass(&status, 0).contains(&whole) && next_pass(&status, 3).contains(&whole), "{status:#}");
    assert!(next_pass(&status, 3).contains("goes from here"), "{status:#}");
    assert!(next_pass(&status, 2).contains("is sent the whole file"), "{status:#}");
    Ok(())
}

pub(crate) fn nobody_has_it_and_one_is_down(stage: &mut Stage) -> Result<()> {
    let (code, status) = stage.status(&format!("{ACCOUNT}/nowhere"))?;
    assert_eq!((code, words(&status, "status")), (1, vec!["missing".to_owned(); 4]));
    let places = stage.places(Some("equal"))?;
    stage.0.stop_server(node_of(places[1].device_name()), ServerType::Container)?;
    let (code, status) = stage.status(&format!("{ACCOUNT}/equal"))?;
    assert_eq!(code, 1);
    assert_eq!(words(&status, "status"), ["in_sync", "unreachable", "in_sync", "missing"], "{status:#}");
    assert!(words(&status, "reason")[1].contains("refused"), "{status:#}");
    assert!(
        next_pass(&status, 0).contains(&format!("fails towards {}", stage.name(&places[1]))),
        "{status:#}"
    );
    Ok(())
}
