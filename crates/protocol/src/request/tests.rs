use std::borrow::Cow;

use super::*;

const BOTH: [ServerType; 2] = [ServerType::Account, ServerType::Container];

fn round_trip(server_type: ServerType, body: &str) -> Request<'_> {
    let request = Request::parse(server_type, body.as_bytes()).unwrap();
    assert_eq!(Request::parse(server_type, &request.to_json()).unwrap(), request, "{body}");
    request
}

#[test]
fn sync_takes_seven_or_ten_arguments() {
    let seven = r#"["sync", 5, "h", "id", "1", "2", "3", "{}"]"#;
    for server_type in BOTH {
        let Request::Sync(args) = round_trip(server_type, seven) else { panic!() };
        assert_eq!((args.max_row, args.policy), (5, None));
    }
    let ten = r#"["sync", 5, "h", "id", "1", "2", "3", null, "4", 9, 1, "more", {}]"#;
    let Request::Sync(args) = round_trip(ServerType::Container, ten) else { panic!() };
    assert_eq!(args.metadata, "");
    assert_eq!(
        args.policy,
        Some(PolicyArgs { status_changed_at: "4".into(), count: 9, storage_policy_index: 1 })
    );
    let Request::Sync(args) = round_trip(ServerType::Account, ten) else { panic!() };
    assert_eq!(args.policy, None, "accounts ignore what is past the 7th");
}

#[test]
fn rows_are_lenient_as_column_affinity_is() {
    let body = r#"["merge_items", [{"ROWID": 3, "name": "o\u00e9", "created_at": 1.5, "size": "12",
        "content_type": "t", "etag": null, "deleted": false}], "src"]"#;
    let Request::MergeItems { rows: Rows::Objects(rows), source, .. } =
        round_trip(ServerType::Container, body)
    else {
        panic!()
    };
    assert_eq!((rows[0].size, rows[0].deleted, rows[0].storage_policy_index), (12, 0, 0));
    assert_eq!((&*rows[0].created_at, &*rows[0].name), ("1.5", "oé"));
    assert_eq!(source.as_deref(), Some("src"));
    let body = r#"["merge_items", [{"name": "c", "put_timestamp": "1", "delete_timestamp": null,
        "object_count": null, "bytes_used": "7", "deleted": 0, "storage_policy_index": 2}], null]"#;
    let Request::MergeItems { rows: Rows::Containers(rows), source: None, .. } =
        round_trip(ServerType::Account, body)
    else {
        panic!()
    };
    assert_eq!((rows[0].object_count, rows[0].bytes_used), (None, Some(7)));
}

#[test]
fn texts_are_borrowed_where_they_stand_as_they_are() {
    let body = r#"["merge_items", [{"ROWID": 3, "name": "o\u00e9", "created_at": "1", "size": 1,
        "content_type": "t\u00e9", "etag": "e", "deleted": 0}], "src"]"#;
    let Request::MergeItems { rows: Rows::Objects(rows), .. } = round_trip(ServerType::Container, body)
    else {
        panic!()
    };
    assert!(matches!((&rows[0].name, &rows[0].created_at), (Cow::Owned(_), Cow::Borrowed("1"))));
    assert!(matches!(
        (&rows[0].content_type, &rows[0].etag),
        (Some(Cow::Owned(_)), Some(Cow::Borrowed("e")))
    ));
}

#[test]
fn points_come_with_the_last_rows_or_not_at_all() {
    let point = SyncPoint { remote_id: "other".into(), sync_point: 4 };
    for (third, told) in [
        ("", vec![]),
        (r#", [{"remote_id": "other", "sync_point": 4, "more": 1}]"#, vec![point]),
        (", null", vec![]),
        (r#", {"what": "stock may come up with"}, 1"#, vec![]),
    ] {
        for server_type in BOTH {
            let body = format!(r#"["merge_items", [], "src"{third}]"#);
            let Request::MergeItems { points, .. } = round_trip(server_type, &body) else { panic!() };
            assert_eq!(points, told, "{body}");
        }
    }
}

#[test]
fn names_that_leave_their_directory_are_refused() {
    let hash = "0123456789abcdef0123456789abcdef";
    for server_type in BOTH {
        round_trip(server_type, &format!(r#"["complete_rsync", "id-sdb1", "{hash}.db"]"#));
        round_trip(server_type, r#"["complete_rsync", "id-sdb1"]"#);
        round_trip(server_type, &format!(r#"["rsync_then_merge", "id-sdb1", "{hash}.db"]"#));
        for bad in [
            r#"["complete_rsync", "../x"]"#,
            r#"["complete_rsync", "/etc/passwd"]"#,
            r#"["complete_rsync", "id", "../x.db"]"#,
            r#"["complete_rsync", ""]"#,
            r#"["rsync_then_merge", "a/b"]"#,
        ] {
            assert!(Request::parse(server_type, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

#[test]
fn what_is_not_a_message_is_refused() {
    for bad in [
        "",
        "[]",
        "{}",
        "null",
        "7",
        r#"["nonsense"]"#,
        r#"["__class__", 1]"#,
        r#"["sync"]"#,
        r#"["sync", 1, 2]"#,
        r#"["merge_items", {}, "s"]"#,
        r#"["merge_items", [{}], "s"]"#,
        r#"["merge_syncs", [1]]"#,
        r#"["sync", 1, "h", "i", "1", "2", "3", "m"] trailing"#,
        r#"["merge_items", [{"name": "c", "put_timestamp": "1", "delete_timestamp": "0", "object_count": 0,
            "bytes_used": 0, "deleted": 0}], "source-without-rowid"]"#,
    ] {
        assert!(Request::parse(ServerType::Account, bad.as_bytes()).is_err(), "{bad}");
    }
    let no_utf8 = b"[\"get_shard_ranges\", \"\xff\"]";
    assert!(Request::parse(ServerType::Container, no_utf8).is_err());
    let body = br#"["get_shard_ranges"]"#;
    assert!(Request::parse(ServerType::Account, body).is_err());
    assert_eq!(Request::parse(ServerType::Container, body).unwrap(), Request::GetShardRanges);
}
