//! A conversation, word by word.

use serde_json::{Value, json};

#[cfg(feature = "schema")]
use super::schema;
use super::setup::World;

const GOLDEN: &str = include_str!("../golden/protocol-exchange.ndjson");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/protocol-exchange.ndjson");

/// Requests and answers by turns.
async fn conversation() -> Vec<String> {
    let world = World::new();
    let mut lines = Vec::new();
    // `$1` stands for the first of them.
    let mut made: Vec<String> = Vec::new();
    for sent in [
        json!({ "operation": "list-backups", "environment": "production", "id": "1" }),
        json!({ "operation": "create-backup", "environment": "production", "id": "2", "kind": "pre-migration", "label": "v2", "tags": { "team": "shop" } }),
        json!({ "operation": "create-backup", "environment": "production" }),
        json!({ "operation": "create-backup", "environment": "production" }),
        json!({ "operation": "create-backup", "environment": "production" }),
        json!({ "operation": "list-backups", "environment": "production", "limit": 2 }),
        json!({ "operation": "verify-backup", "environment": "production", "backup": "$1" }),
        json!({ "operation": "restore-backup", "environment": "production", "backup": "$1", "target": "shop", "dry_run": true }),
        json!({ "operation": "restore-backup", "environment": "production", "backup": "$1", "target": "shop" }),
        json!({ "operation": "restore-backup", "environment": "production", "backup": "$1", "target": "shop", "confirm": "production" }),
        json!({ "operation": "restore-backup", "environment": "production", "backup": "$1", "target": "shop", "dry_run": true }),
        json!({ "operation": "prune-backups", "environment": "production", "dry_run": true }),
        json!({ "operation": "prune-backups", "environment": "production", "confirm": true }),
        json!({ "operation": "delete-backup", "environment": "production", "backup": "$3" }),
        json!({ "operation": "delete-backup", "environment": "production", "backup": "$3", "confirm": true }),
        json!({ "operation": "check-health", "environment": "production" }),
        json!({ "operation": "check-health", "environment": "nowhere" }),
        json!({ "operation": "check-health", "environment": "production", "deep": true }),
        json!({ "operation": "drop-database", "environment": "production", "id": "18" }),
    ] {
        let mut text = sent.to_string();
        for (number, name) in made.iter().enumerate() {
            text = text.replace(&format!("${}", number + 1), name);
        }
        lines.push(text.clone());
        let line = world.service.handle_json(text).await;
        let answer: Value = serde_json::from_str(&line).unwrap();
        if answer["result"]["type"] == "created" {
            made.push(answer["result"]["backup"].as_str().unwrap().to_owned());
            world.clock.advance(chrono::TimeDelta::days(1));
        }
        // The one thing that is another at each run.
        let duration = format!("\"duration_ms\":{}", answer["result"]["duration_ms"]);
        lines.push(line.replace(&duration, "\"duration_ms\":0"));
    }
    lines
}

#[tokio::test]
async fn the_conversation_is_word_by_word_the_golden_one() {
    let now: String = conversation().await.iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("RENEW_GOLDEN").is_some() {
        return std::fs::write(FILE, &now).unwrap();
    }
    for (now, golden) in now.lines().zip(GOLDEN.lines()) {
        assert_eq!(now, golden, "renew {FILE} with RENEW_GOLDEN=1 where this is meant");
    }
    assert_eq!(now.len(), GOLDEN.len(), "renew {FILE} with RENEW_GOLDEN=1 where this is meant");
}

#[cfg(feature = "schema")]
#[tokio::test]
async fn each_line_of_the_conversation_is_as_the_schema_says() {
    for (number, line) in conversation().await.iter().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let found = schema::check(if number % 2 == 0 { "Request" } else { "Response" }, &line);
        // Two requests are wrong on purpose.
        let is_wrong = line.get("deep").is_some() || line["operation"] == "drop-database";
        assert_eq!(found.is_err(), is_wrong, "{line}: {found:?}");
    }
}

#[test]
fn answers_read_back_as_they_are() {
    for line in GOLDEN.lines().skip(1).step_by(2) {
        let response: backup_core::protocol::Response = serde_json::from_str(line).unwrap();
        assert_eq!(response.to_json(), line);
    }
}
