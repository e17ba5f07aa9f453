use std::time::Duration;

use backup_core::{
    ErrorKind, MemoryStore,
    testkit::faults::{FaultyStore, StoreOp},
};
use serde_json::{Value, json};

use super::setup::{World, code};

const OPS: [StoreOp; 6] =
    [StoreOp::Put, StoreOp::Get, StoreOp::Head, StoreOp::Delete, StoreOp::List, StoreOp::Space];

type Faulty = FaultyStore<MemoryStore>;

fn requests(backup: &str) -> Vec<Value> {
    vec![
        json!({ "operation": "create-backup" }),
        json!({ "operation": "list-backups" }),
        json!({ "operation": "verify-backup", "backup": backup }),
        json!({ "operation": "restore-backup", "backup": backup, "target": "shop", "dry_run": true }),
        json!({ "operation": "restore-backup", "backup": backup, "target": "shop", "confirm": true, "on_existing": "replace" }),
        json!({ "operation": "check-health" }),
        json!({ "operation": "delete-backup", "backup": backup, "confirm": true }),
        json!({ "operation": "prune-backups", "confirm": true }),
    ]
}

/// Each operation with each call of the store failing once: it has an answer, and what is listed afterwards is whole.
#[tokio::test]
async fn each_fault_of_the_store_has_an_answer_and_leaves_whole_backups() {
    let (mut failed, mut warned, mut fine) = (0, 0, 0);
    for which in 0..8 {
        for op in OPS {
            for nth in 1..=3 {
                let world = World::<Faulty>::on(FaultyStore::new(MemoryStore::new()));
                let backups = world.backups("staging", 4).await;
                let before = world.store.calls(op);
                let world =
                    World { store: world.store.fail_on(op, before + nth, ErrorKind::Unavailable), ..world };
                let mut sent = requests(&backups[0])[which].clone();
                sent["environment"] = json!("staging");
                let answered = world.send(sent.clone()).await;
                let case = format!("{sent} {op:?} {nth}: {answered}");
                match code(&answered) {
                    ("error", code) => {
                        assert!(answered["retry_recommended"] == true && code == "unavailable", "{case}");
                        failed += 1;
                    }
                    ("warning", _) => warned += 1,
                    ("ok", _) => fine += 1,
                    _ => panic!("{case}"),
                }
                if answered["status"] == "error"
                    && sent["operation"] == "restore-backup"
                    && sent["dry_run"] == true
                {
                    assert_eq!(world.staging.held(), None, "{case}");
                }
                world.service.settle().await;
                world.store.heal();
                for backup in world.listed().await {
                    let sent = json!({ "operation": "verify-backup", "environment": "staging", "backup": backup.to_string() });
                    assert_eq!(world.send(sent).await["status"], "ok", "{case}");
                }
            }
        }
    }
    assert!(failed > 20 && warned > 5 && fine > 20, "{failed} failed, {warned} warned, {fine} fine");
}

#[tokio::test]
async fn a_prune_that_fails_says_how_far_it_came() {
    let world = World::<Faulty>::on(FaultyStore::new(MemoryStore::new()));
    world.backups("staging", 4).await;
    let before = world.store.calls(StoreOp::Delete);
    // Past the first backup, whose manifest, artifact, evidence and claim go.
    let world = World {
        store: world.store.fail_on(StoreOp::Delete, before + 6, ErrorKind::PermissionDenied),
        ..world
    };
    let sent = json!({ "operation": "prune-backups", "environment": "staging", "confirm": true });
    let answered = world.send(sent).await;
    assert_eq!(code(&answered), ("error", "permission_denied"), "{answered}");
    let result = &answered["result"];
    assert_eq!(
        (
            result["type"].as_str(),
            result["deleted"].as_array().unwrap().len(),
            result["failed"].as_array().unwrap().len()
        ),
        (Some("pruned"), 1, 1),
        "{answered}"
    );
    assert!(!answered["warnings"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn one_restore_at_a_time_goes_into_a_target() {
    let world = World::<Faulty>::on(FaultyStore::new(MemoryStore::new()));
    let backup = world.backups("staging", 1).await.remove(0);
    let sent = json!({
        "operation": "restore-backup", "environment": "staging", "backup": backup, "target": "shop", "confirm": true,
    });
    // The manifest and its evidence are read three times at most; the artifact hangs.
    let before = world.store.calls(StoreOp::Get);
    let store = (4..9).fold(world.store, |store, nth| store.hang(StoreOp::Get, before + nth));
    let world = World { store, ..world };
    let service = world.service.clone();
    let first = {
        let sent = sent.clone();
        tokio::spawn(async move { super::setup::send(&service, sent).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!first.is_finished());
    world.store.heal();
    let second = world.send(sent.clone()).await;
    assert_eq!(
        (code(&second), &second["retry_recommended"]),
        (("error", "unavailable"), &json!(true)),
        "{second}"
    );
    // A dropped restore gives the target free.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(world.send(sent).await["status"], "ok");
}
