use backup_core::{
    ErrorKind, MemoryStore, Pipeline, SourceInfo,
    protocol::{Environment, Protection, Service},
    testkit::fake::FakeDumper,
};
use serde_json::{Value, json};

use super::setup::{World, code, dumper, restorer, send, suggestions};

fn restore(backup: &str, target_environment: &str, confirm: &Value) -> Value {
    json!({
        "operation": "restore-backup", "environment": "production", "backup": backup, "target": "shop",
        "target_environment": target_environment, "confirm": confirm,
    })
}

#[tokio::test]
async fn nothing_is_deleted_or_restored_without_a_confirmation() {
    let world = World::new();
    let backups = world.backups("production", 4).await;
    for confirm in [json!(null), json!(false), json!("staging"), json!("PRODUCTION"), json!("")] {
        for mut sent in [
            json!({ "operation": "delete-backup", "backup": backups[0] }),
            json!({ "operation": "prune-backups" }),
            restore(&backups[0], "production", &confirm),
            restore(
                &backups[0],
                "staging",
                &if confirm == "staging" { json!("production") } else { confirm.clone() },
            ),
        ] {
            sent["environment"] = json!("production");
            if sent["confirm"].is_null() {
                sent["confirm"] = confirm.clone();
            }
            let answered = world.send(sent.clone()).await;
            assert_eq!(code(&answered), ("refused", "not_confirmed"), "{sent}: {answered}");
            assert!(suggestions(&answered).contains("then send \\\"confirm\\\""), "{answered}");
        }
    }
    assert_eq!(world.listed().await.len(), 4);
    assert_eq!((world.production.held(), world.staging.held()), (None, None));
}

#[tokio::test]
async fn a_restore_into_production_needs_its_name_and_one_into_staging_does_not() {
    let world = World::new();
    let backup = world.backups("production", 1).await.remove(0);
    let answered = world.send(restore(&backup, "production", &json!(true))).await;
    assert_eq!(code(&answered), ("refused", "not_confirmed"));
    assert!(suggestions(&answered).contains(r#"send \"confirm\": \"production\""#), "{answered}");
    assert_eq!(world.production.held(), None);

    assert_eq!(world.send(restore(&backup, "staging", &json!(true))).await["status"], "ok");
    assert_eq!(world.staging.held().unwrap(), "all the rows");
    assert_eq!(world.send(restore(&backup, "production", &json!("production"))).await["status"], "ok");
    assert_eq!(world.production.held().unwrap(), "all the rows");
}

#[tokio::test]
async fn the_database_of_production_needs_its_name_under_whatever_name_it_is_a_target() {
    let (store, target) = (MemoryStore::new(), restorer());
    // The fake target says that it is this database, at no place.
    let mut source = SourceInfo::new("fake target");
    source.size_bytes = Some(1);
    let production = Pipeline::new(dumper().with_source(source), store.clone());
    let service =
        Service::new().with_environment("production", Environment::new(production)).with_environment(
            "staging",
            Environment::new(Pipeline::for_store(store)).with_target("shop", target.clone()),
        );
    let made = send(&service, json!({ "operation": "create-backup", "environment": "production" })).await;
    let backup = made["result"]["backup"].as_str().unwrap().to_owned();
    let answered = send(&service, restore(&backup, "staging", &json!(true))).await;
    assert_eq!(code(&answered), ("refused", "not_confirmed"), "{answered}");
    assert!(suggestions(&answered).contains(r#"\"confirm\": \"production\""#));
    assert_eq!(target.held(), None);
    assert_eq!(send(&service, restore(&backup, "staging", &json!("production"))).await["status"], "ok");
}

#[tokio::test]
async fn a_large_database_of_production_is_backed_up_only_when_confirmed() {
    const GIB: u64 = 1 << 30;
    let create = |environment: &str, confirm: Value| json!({ "operation": "create-backup", "environment": environment, "confirm": confirm });
    for (name, size, asked) in [
        ("production", Some(10 * GIB), false),
        ("production", Some(10 * GIB + 1), true),
        ("Prod", Some(u64::MAX), true),
        ("production", None, true),
        ("staging", Some(u64::MAX), false),
        ("staging", None, false),
    ] {
        let store = MemoryStore::new();
        let mut source = SourceInfo::new("shop");
        source.size_bytes = size;
        let pipeline = Pipeline::new(dumper().with_source(source), store);
        let service = Service::new().with_environment(name, Environment::new(pipeline));
        let answered = send(&service, create(name, json!(null))).await;
        if asked {
            assert_eq!(code(&answered), ("refused", "not_confirmed"), "{name} {size:?}");
            let estimate = answered["context"]["estimated_bytes"].as_str().map(|text| text.parse().unwrap());
            assert_eq!(estimate, size, "{answered}");
            assert!(suggestions(&answered).contains(r#"send \"confirm\": true"#), "{answered}");
            let list = json!({ "operation": "list-backups", "environment": name });
            assert_eq!(send(&service, list).await["result"]["total"], 0);
        } else {
            assert_eq!(answered["status"], "ok", "{name} {size:?}: {answered}");
        }
        assert_eq!(send(&service, create(name, json!(true))).await["status"], "ok", "{name} {size:?}");
    }
}

#[tokio::test]
async fn what_is_protected_and_what_is_large_can_be_said() {
    let environment =
        || Environment::new(Pipeline::new(dumper(), MemoryStore::new())).with_target("shop", restorer());
    let service = Service::new()
        .with_environment(
            "live",
            environment().with_protection(Protection::ByName).with_confirmation_above(5),
        )
        .with_environment("production", environment().with_protection(Protection::None));
    let create = |environment: &str| json!({ "operation": "create-backup", "environment": environment });
    assert_eq!(code(&send(&service, create("live")).await), ("refused", "not_confirmed"));
    let made = send(&service, create("production")).await;
    let restore = json!({
        "operation": "restore-backup", "environment": "production", "target": "shop", "confirm": true,
        "backup": made["result"]["backup"],
    });
    assert_eq!(send(&service, restore).await["status"], "ok");
}

#[tokio::test]
async fn a_database_that_cannot_be_asked_for_its_size_says_why() {
    let pipeline =
        Pipeline::new(FakeDumper::new("x").fail_probe(ErrorKind::ConnectionFailed), MemoryStore::new());
    let service = Service::new().with_environment("production", Environment::new(pipeline));
    let answered = send(&service, json!({ "operation": "create-backup", "environment": "production" })).await;
    assert_eq!(code(&answered), ("error", "database_connection_failed"));
    assert_eq!(answered["retry_recommended"], true);
}
