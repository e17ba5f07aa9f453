use backup_core::{
    ErrorKind,
    protocol::{MAX_REQUEST_BYTES, Request, Service},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::setup::{REQUESTS, World, answer, code, golden, suggestions};

#[test]
fn each_golden_request_reads_and_is_written_back_as_it_is() {
    for line in REQUESTS.lines() {
        let request = Request::from_json(line.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), line);
        assert_eq!(serde_json::from_str::<Request>(line).unwrap(), request);
        let sent: Value = serde_json::from_str(line).unwrap();
        assert_eq!(sent["operation"], request.operation());
        assert_eq!(
            (sent["environment"].as_str(), sent["id"].as_str()),
            (Some(request.environment()), request.id())
        );
    }
    for operation in Request::OPERATIONS {
        assert!(golden().iter().filter(|sent| sent["operation"] == operation).count() > 1, "{operation}");
    }
}

#[test]
fn a_field_that_an_operation_does_not_have_is_refused_and_named() {
    for mut sent in golden() {
        // One that another operation has would otherwise go unnoticed.
        for unknown in ["force", "Confirm", "confrim", "operation2", "password", "url"] {
            let good = sent.clone();
            sent[unknown] = json!("hunter2");
            let err = Request::from_json(sent.to_string().as_bytes()).unwrap_err();
            assert_eq!(err.to_string(), format!("no such field, field: {unknown}"));
            assert!(err.suggestions()[0].contains("id, environment"), "{:?}", err.suggestions());
            assert!(serde_json::from_value::<Request>(sent).is_err());
            sent = good;
        }
    }
    let foreign = json!({ "operation": "delete-backup", "environment": "x", "backup": "y", "dry_run": true });
    let err = Request::from_json(foreign.to_string().as_bytes()).unwrap_err();
    assert_eq!(err.to_string(), "no such field, field: dry_run");
}

#[test]
fn what_is_no_request_is_refused_and_says_where() {
    let create = r#""operation":"create-backup","environment":"staging""#;
    for (sent, message, field) in [
        ("", "the request is not JSON", None),
        ("make a backup", "the request is not JSON", None),
        ("{", "the request is not JSON", None),
        ("{} {}", "the request is not JSON", None),
        ("[]", "the request is no JSON object", None),
        ("null", "the request is no JSON object", None),
        (&"[".repeat(100_000), "the request is not JSON", None),
        ("{}", "no operation is named", Some("operation")),
        (r#"{"operation":"drop-database","environment":"staging"}"#, "no such operation", Some("operation")),
        (r#"{"operation":"Create-Backup","environment":"staging"}"#, "no such operation", Some("operation")),
        (r#"{"operation":7,"environment":"staging"}"#, "no operation is named", Some("operation")),
        (r#"{"operation":"create-backup"}"#, "a field is missing", Some("environment")),
        (r#"{"operation":"create-backup","environment":["staging"]}"#, "a list where", Some("environment")),
        (&format!(r#"{{{create},"kind":"hourly"}}"#), "no such choice", Some("kind")),
        (&format!(r#"{{{create},"kind":3}}"#), "something else where", Some("kind")),
        (&format!(r#"{{{create},"tags":{{"a":{{}}}}}}"#), "an object where", Some("tags.a")),
        (
            &format!(r#"{{{create},"expires_at":"tomorrow"}}"#),
            "the text is not of the form",
            Some("expires_at"),
        ),
        (
            &format!(r#"{{{create},"confirm":1}}"#),
            "a number where the field takes true, false or",
            Some("confirm"),
        ),
        (&format!(r#"{{{create},"id":7}}"#), "no id of a request", Some("id")),
        (&format!(r#"{{{create},"id":"{}"}}"#, "x".repeat(201)), "no id of a request", Some("id")),
        (&format!(r#"{{{create},{create}}}"#), "the request is not JSON", None),
        (&format!(r#"{{{create},"tags":{{"a":"1","a":"2"}}}}"#), "the request is not JSON", None),
        (
            r#"{"operation":"list-backups","environment":"staging","limit":-1}"#,
            "not within what the field takes",
            Some("limit"),
        ),
        (
            r#"{"operation":"restore-backup","environment":"staging","backup":"x"}"#,
            "a field is missing",
            Some("target"),
        ),
        (
            r#"{"operation":"restore-backup","environment":"staging","backup":"x","target":"y","tables":["a",1]}"#,
            "a number where",
            Some("tables"),
        ),
    ] {
        let err = Request::from_json(sent.as_bytes()).unwrap_err();
        let start: String = sent.chars().take(100).collect();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{start}");
        assert!(err.message().starts_with(message), "{start}: {err}");
        let named = err.context().find(|(key, _)| *key == "field").map(|(_, field)| field.to_owned());
        assert_eq!(named.as_deref(), field, "{start}: {err}");
    }
    let twice = Request::from_json(format!("{{{create},{create}}}").as_bytes()).unwrap_err();
    assert!(twice.to_string().contains("the field operation is there twice"), "{twice}");
    assert!(Request::from_json(b"{\"operation\":\"\xff\"}").unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn a_request_is_read_up_to_a_mebibyte_and_not_beyond() {
    let sent = |bytes: usize| {
        let start = r#"{"operation":"create-backup","environment":"staging","reason":""#;
        format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
    };
    assert!(Request::from_json(sent(MAX_REQUEST_BYTES).as_bytes()).is_ok());
    let err = Request::from_json(sent(MAX_REQUEST_BYTES + 1).as_bytes()).unwrap_err();
    assert_eq!(err.to_string(), "the request is too long, limit_bytes: 1048576");
}

#[tokio::test]
async fn an_answer_repeats_id_operation_and_environment_as_far_as_they_are_good() {
    let world = World::new();
    let answered = world
        .send(json!({ "operation": "check-health", "environment": "staging", "id": "a b", "deep": 1 }))
        .await;
    assert_eq!(code(&answered), ("refused", "invalid_input"));
    assert_eq!(
        (&answered["id"], &answered["operation"], &answered["environment"], &answered["context"]["field"]),
        (&json!("a b"), &json!("check-health"), &json!("staging"), &json!("deep"))
    );
    let answered = world.send(json!({ "operation": "hunter2", "environment": "hunter2", "id": "1" })).await;
    assert_eq!(
        (&answered["id"], &answered["operation"], &answered["environment"]),
        (&json!("1"), &Value::Null, &Value::Null)
    );
    assert!(suggestions(&answered).contains("restore-backup"), "{answered}");
    let answered = world.send(json!({ "operation": "check-health", "environment": "hunter2" })).await;
    assert_eq!(code(&answered), ("error", "not_found"));
    assert!(suggestions(&answered).contains("production, staging") && answered["environment"].is_null());
}

/// Each golden request with `value` in the place of each of its fields.
fn with_value_in_each_field(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for sent in golden() {
        for field in sent.as_object().unwrap().keys() {
            let mut sent = sent.clone();
            sent[field] = value.clone();
            all.push(sent);
        }
    }
    all
}

#[tokio::test]
async fn no_answer_shows_a_password_wherever_it_was_put() {
    let world = World::new();
    for secret in [
        "postgresql://me:hunter2@db.example/shop",
        "mysql://me:hunter2/@db.example/shop",
        "https://me:hunter2@db.example",
        "host=db.example Password=hunter2",
    ] {
        for value in [json!(secret), json!([secret]), json!({ "a": secret }), json!({ secret: "a" })] {
            for sent in with_value_in_each_field(&value) {
                let line = world.service.handle_json(sent.to_string()).await;
                assert!(!line.contains("hunter2"), "{sent}: {line}");
                assert_ne!(answer(&line)["status"], "ok", "{sent}");
            }
        }
        let as_field = json!({ "operation": "check-health", "environment": "staging", secret: true });
        assert!(!world.service.handle_json(as_field.to_string()).await.contains("hunter2"));
    }
    assert!(world.listed().await.is_empty(), "and nothing was kept");
    // Nothing of a value that has no place where it stands.
    for value in [json!(["hunter2"]), json!({ "a": ["hunter2"] })] {
        for sent in with_value_in_each_field(&value) {
            let line = world.service.handle_json(sent.to_string()).await;
            let is_good = sent["tables"] == value;
            assert!(is_good || !line.contains("hunter2"), "{sent}: {line}");
        }
    }
}

#[tokio::test]
async fn what_only_looks_like_a_password_is_let_through() {
    let world = World::new();
    for reason in [
        "see https://ci.example:8080/jobs/7@main",
        "ssh://git@host.example/shop",
        "a: b @ c",
        "passwords changed",
    ] {
        let sent = json!({ "operation": "create-backup", "environment": "staging", "reason": reason });
        assert_eq!(world.send(sent).await["status"], "ok", "{reason}");
    }
}

proptest! {
    #[test]
    fn any_bytes_get_one_line_of_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let line = answered(&bytes);
        prop_assert_eq!(code(&line), ("refused", "invalid_input"));
    }

    #[test]
    fn a_damaged_request_gets_one_line_of_answer(
        which in 0..15_usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = REQUESTS.lines().nth(which).unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let line = answered(&bytes);
        prop_assert!(matches!(code(&line), ("refused", "invalid_input") | ("error", "not_found")), "{}", line);
    }
}

/// The answer of a service that knows no environment.
fn answered(bytes: &[u8]) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    answer(&runtime.block_on(Service::new().handle_json(bytes)))
}
