use backup_core::{
    GetOptions, Key, MemoryStore, Pipeline, PutMode, PutOptions, Store, StoreExt,
    protocol::{Environment, Service},
};
use serde_json::{Value, json};

use super::setup::{World, code, send, suggestions};

async fn damage(store: &MemoryStore, backup: &str, ending: &str) {
    let key = Key::parse(format!("{backup}{ending}")).unwrap();
    let mut bytes = store
        .get(&key, GetOptions::default())
        .await
        .unwrap()
        .body
        .collect_bytes(1 << 20)
        .await
        .unwrap()
        .to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let options = PutOptions::default().with_mode(PutMode::Overwrite);
    store.put(&key, bytes::Bytes::from(bytes).into(), options).await.unwrap();
}

fn restore(backup: &str) -> Value {
    json!({
        "operation": "restore-backup", "environment": "staging", "backup": backup, "target": "shop",
    })
}

#[tokio::test]
async fn a_request_reaches_the_backups_of_its_own_environment_alone() {
    let world = World::new();
    let theirs = world.backups("production", 4).await.remove(0);
    let id = theirs.rsplit('/').next().unwrap();
    for named in [theirs.as_str(), id] {
        for mut sent in [
            json!({ "operation": "verify-backup" }),
            json!({ "operation": "delete-backup", "confirm": true }),
            json!({ "operation": "restore-backup", "target": "shop", "confirm": true }),
        ] {
            sent["environment"] = json!("staging");
            sent["backup"] = json!(named);
            let answered = world.send(sent).await;
            assert_eq!(code(&answered), ("error", "not_found"), "{answered}");
            assert!(!suggestions(&answered).contains("production"), "{answered}");
        }
    }
    let listed = world.send(json!({ "operation": "list-backups", "environment": "staging" })).await;
    assert_eq!(listed["result"]["total"], 0);
    let pruned =
        world.send(json!({ "operation": "prune-backups", "environment": "staging", "confirm": true })).await;
    assert_eq!(pruned["result"]["deleted"], json!([]), "{pruned}");
    let health = world.send(json!({ "operation": "check-health", "environment": "staging" })).await;
    assert!(!health.to_string().contains("production"), "{health}");
    assert_eq!(world.listed().await.len(), 4);
}

#[tokio::test]
async fn a_list_is_the_newest_first_up_to_its_limit_and_tells_what_is_wrong() {
    let world = World::new();
    let backups = world.backups("staging", 3).await;
    let list =
        |limit: Value| json!({ "operation": "list-backups", "environment": "staging", "limit": limit });
    let listed = world.send(list(json!(2))).await;
    let names: Vec<_> =
        listed["result"]["backups"].as_array().unwrap().iter().map(|one| &one["backup"]).collect();
    assert_eq!(names, [&json!(backups[2]), &json!(backups[1])]);
    assert_eq!(
        (&listed["result"]["total"], &listed["message"]),
        (&json!(3), &json!("the newest 2 of 3 backups"))
    );
    for limit in [0, 1001] {
        assert_eq!(world.send(list(json!(limit))).await["context"]["field"], "limit");
    }
    let none =
        world.send(json!({ "operation": "list-backups", "environment": "staging", "kind": "weekly" })).await;
    assert_eq!((&none["status"], &none["result"]["total"]), (&json!("ok"), &json!(0)));

    damage(&world.store, &backups[1], ".blob.zst").await;
    let verified = world
        .send(json!({ "operation": "verify-backup", "environment": "staging", "backup": backups[1] }))
        .await;
    assert_eq!(code(&verified), ("error", "backup_corrupted"));
    assert_eq!(
        (&verified["result"]["verdict"], verified["result"]["findings"].as_array().unwrap().len()),
        (&json!("failed"), 1)
    );
    let manifest = Key::parse(format!("{}.manifest.json", backups[0])).unwrap();
    let options = PutOptions::default().with_mode(PutMode::Overwrite);
    world.store.put(&manifest, bytes::Bytes::from("{").into(), options).await.unwrap();
    let listed = world.send(list(json!(null))).await;
    assert_eq!(
        (&listed["status"], listed["warnings"].as_array().unwrap().len()),
        (&json!("warning"), 2),
        "{listed}"
    );
    assert_eq!(listed["result"]["backups"][1]["standing"], "failed");
    assert_eq!(listed["result"]["damaged"][0]["code"], "backup_corrupted");
}

#[tokio::test]
async fn what_a_backup_warns_of_is_a_warning() {
    let pipeline = Pipeline::new(
        super::setup::dumper().with_warning("a table without transactions"),
        MemoryStore::new(),
    );
    let service = Service::new().with_environment("staging", Environment::new(pipeline));
    let made = send(&service, json!({ "operation": "create-backup", "environment": "staging" })).await;
    assert_eq!((code(&made), &made["warnings"]), (("warning", ""), &json!(["a table without transactions"])));
}

#[tokio::test]
async fn a_restore_is_planned_refused_and_done_with_all_that_stands_in_its_way() {
    let world = World::new();
    let backup = world.backups("staging", 1).await.remove(0);
    let with = |fields: Value| {
        let mut sent = restore(&backup);
        sent.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        sent
    };
    let planned = world.send(with(json!({ "dry_run": true }))).await;
    assert_eq!(
        (&planned["status"], &planned["result"]["plain_bytes"]),
        (&json!("ok"), &json!(12)),
        "{planned}"
    );
    assert_eq!(world.staging.held(), None, "a dry run changes nothing");
    // Also where it is confirmed.
    assert_eq!(world.send(with(json!({ "dry_run": true, "confirm": true }))).await["status"], "ok");
    assert_eq!(world.staging.held(), None);
    assert_eq!(world.send(with(json!({ "confirm": true }))).await["status"], "ok");

    let planned = world.send(with(json!({ "dry_run": true }))).await;
    assert_eq!(code(&planned), ("refused", "target_not_empty"));
    assert_eq!(planned["result"]["blockers"][0]["code"], "target_not_empty");
    assert!(suggestions(&planned).contains(r#"send \"on_existing\": \"replace\""#), "{planned}");
    let refused = world.send(with(json!({ "confirm": true }))).await;
    assert_eq!(code(&refused), ("refused", "target_not_empty"));
    let replaced = world.send(with(json!({ "confirm": true, "on_existing": "replace" }))).await;
    assert_eq!(replaced["status"], "ok", "{replaced}");
    assert!(replaced["result"]["safety_backup"].as_str().unwrap().starts_with("staging/"), "{replaced}");
    let skipped = json!({ "confirm": true, "on_existing": "replace", "safety_backup": "skip" });
    assert_eq!(world.send(with(skipped)).await["result"].get("safety_backup"), None);

    let both = world.send(with(json!({ "tables": ["a"], "definitions_only": true }))).await;
    assert_eq!(
        (code(&both), &both["context"]["field"]),
        (("refused", "invalid_input"), &json!("definitions_only"))
    );
    let tables = world.send(with(json!({ "tables": ["a"], "dry_run": true }))).await;
    assert_eq!(code(&tables), ("refused", "unsupported"), "{tables}");
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_is() {
    let world = World::new();
    let backup = world.backups("staging", 1).await.remove(0);
    let mut sent = restore(&backup);
    sent["target"] = json!("hunter2");
    let answered = world.send(sent.clone()).await;
    assert_eq!((code(&answered), &answered["context"]["known"]), (("error", "not_found"), &json!("shop")));
    assert!(!answered.to_string().contains("hunter2"));
    sent["target_environment"] = json!("hunter2");
    let answered = world.send(sent).await;
    assert_eq!(
        (&answered["context"]["field"], &answered["context"]["known"]),
        (&json!("target_environment"), &json!("production, staging"))
    );
    assert!(!answered.to_string().contains("hunter2"));
    for (named, expected) in [
        ("backup-20200101-000000", "not_found"),
        ("../../etc/passwd", "invalid_input"),
        ("", "invalid_input"),
    ] {
        let sent = json!({ "operation": "verify-backup", "environment": "staging", "backup": named });
        assert_eq!(code(&world.send(sent).await).1, expected, "{named}");
    }
    let empty = Environment::new(Pipeline::for_store(MemoryStore::new()));
    let service = Service::new().with_environment("archive", empty);
    for (operation, expected) in [
        ("create-backup", ("refused", "invalid_input")),
        ("prune-backups", ("refused", "invalid_input")),
        ("list-backups", ("ok", "")),
    ] {
        let answered = send(&service, json!({ "operation": operation, "environment": "archive" })).await;
        assert_eq!(code(&answered), expected, "{answered}");
    }
}

#[tokio::test]
async fn a_prune_deletes_what_was_agreed_to_or_nothing() {
    let world = World::new();
    let backups = world.backups("staging", 4).await;
    let prune = |fields: Value| {
        let mut sent = json!({ "operation": "prune-backups", "environment": "staging" });
        sent.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        sent
    };
    let planned = world.send(prune(json!({ "dry_run": true, "confirm": true }))).await;
    assert_eq!(
        (&planned["result"]["deletions"], &planned["result"]["kept"]),
        (&json!(2), &json!(2)),
        "{planned}"
    );
    assert_eq!(planned["result"]["backups"][0]["reason"], "no rule keeps it");
    assert_eq!(world.listed().await.len(), 4, "a dry run deletes nothing");
    let plan = planned["result"]["plan"].clone();
    assert_eq!(world.send(prune(json!({ "dry_run": true, "plan": plan }))).await["result"]["plan"], plan);

    let newer = world.backups("staging", 1).await;
    let refused = world.send(prune(json!({ "plan": plan, "confirm": true }))).await;
    assert_eq!(
        (code(&refused), &refused["context"]["field"]),
        (("refused", "invalid_input"), &json!("plan"))
    );
    assert_eq!(world.listed().await.len(), 5);
    let plan = world.send(prune(json!({ "dry_run": true }))).await["result"]["plan"].clone();
    let pruned = world.send(prune(json!({ "plan": plan, "confirm": true }))).await;
    assert_eq!(pruned["result"]["deleted"], json!(backups[..3]), "{pruned}");
    let left: Vec<_> = world.listed().await.iter().map(ToString::to_string).collect();
    assert_eq!(left, [newer[0].as_str(), backups[3].as_str()]);
}

#[tokio::test]
async fn a_plan_that_deletes_too_large_a_share_is_refused_and_shown() {
    let world = World::new();
    world.backups("staging", 6).await;
    for more in [json!({ "dry_run": true }), json!({ "confirm": true })] {
        let mut sent = json!({ "operation": "prune-backups", "environment": "staging" });
        sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answered = world.send(sent).await;
        assert_eq!(code(&answered), ("refused", "not_confirmed"), "{answered}");
        assert!(suggestions(&answered).contains("policy of the service"), "{answered}");
        assert_eq!(answered["result"]["deletions"].as_u64(), more.get("dry_run").map(|_| 4));
    }
    assert_eq!(world.listed().await.len(), 6);
}

#[tokio::test]
async fn health_is_told_in_one_line_and_in_full() {
    let world = World::new();
    let health = json!({ "operation": "check-health", "environment": "staging" });
    let none = world.send(health.clone()).await;
    assert_eq!((&none["status"], &none["result"]["status"]), (&json!("warning"), &json!("critical")));
    assert!(none["message"].as_str().unwrap().starts_with("BACKUP CRITICAL - "), "{none}");
    world.backups("staging", 1).await;
    let good = world.send(health).await;
    assert_eq!((&good["status"], &good["result"]["status"]), (&json!("ok"), &json!("ok")), "{good}");
}

#[tokio::test]
async fn requests_are_answered_at_the_same_time() {
    let world = World::new();
    let create = || world.send(json!({ "operation": "create-backup", "environment": "staging" }));
    let answers = futures::future::join_all((0..8).map(|_| create())).await;
    let names: std::collections::BTreeSet<_> =
        answers.iter().map(|made| made["result"]["backup"].as_str().unwrap()).collect();
    assert_eq!((names.len(), world.listed().await.len()), (8, 8));
    assert!(!world.store.exists(&Key::parse("staging/fake/claim").unwrap()).await.unwrap());
}
