//! The `agent` example over pipes: a line in, a line out, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use examples::testing::{example, files};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running agent over a shop of two orders.
struct Agent {
    folder: TempDir,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Connection::open(folder.path().join("shop.sqlite")).unwrap();
        shop.execute_batch("create table orders (item text); insert into orders values ('tea'), ('cup');")
            .unwrap();
        drop(shop);
        let mut command = example("agent");
        command.args([
            "--database",
            "sqlite:shop.sqlite",
            "--store",
            "backups",
            "--environment",
            "production",
        ]);
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (requests, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { folder, child, requests, answers }
    }

    fn line(&mut self, line: &[u8]) -> Value {
        let mut requests = self.requests.as_ref().unwrap();
        requests.write_all(line).unwrap();
        requests.write_all(b"\n").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|err| panic!("{err}: {answer:?}"))
    }

    /// Sends an operation on production.
    fn send(&mut self, operation: &str, fields: Value) -> Value {
        let mut request = json!({ "operation": operation, "environment": "production" });
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.line(request.to_string().as_bytes())
    }

    /// Ends its input; its exit code and what else it wrote to standard output.
    fn end(mut self) -> (Option<i32>, String, TempDir) {
        self.requests = None;
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest, self.folder)
    }
}

fn code(answer: &Value) -> (&str, &str) {
    (answer["status"].as_str().unwrap(), answer["code"].as_str().unwrap_or_default())
}

fn orders(path: &Path) -> u64 {
    Connection::open(path).unwrap().query_row("select count(*) from orders", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_conversation_over_pipes_backs_up_proves_and_restores() {
    let mut agent = Agent::start();
    let created = agent.send("create-backup", json!({ "kind": "pre-migration", "label": "v2", "id": "1" }));
    assert_eq!(
        (code(&created), &created["id"], &created["result"]["rows"]),
        (("ok", ""), &json!("1"), &json!(2)),
        "{created}"
    );
    let backup = created["result"]["backup"].as_str().unwrap().to_owned();
    let listed = agent.send("list-backups", json!({}));
    assert_eq!(listed["result"]["backups"][0]["backup"], json!(backup), "{listed}");
    let verified = agent.send("verify-backup", json!({ "backup": backup, "level": "restored" }));
    assert_eq!(
        (&verified["result"]["verdict"], &verified["result"]["restored_rows"]),
        (&json!("passed"), &json!(2))
    );

    let copy = agent.folder.path().join("shop_restored.sqlite");
    let mut restore = |fields: Value| {
        let mut all = json!({ "backup": backup, "target": "copy" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        agent.send("restore-backup", all)
    };
    let planned = restore(json!({ "dry_run": true }));
    assert_eq!((code(&planned), &planned["result"]["rows"]), (("ok", ""), &json!(2)), "{planned}");
    assert_eq!(code(&restore(json!({}))), ("refused", "not_confirmed"));
    assert_eq!(
        code(&restore(json!({ "confirm": true }))),
        ("refused", "not_confirmed"),
        "production is typed"
    );
    assert!(!copy.exists());
    let restored = restore(json!({ "confirm": "production" }));
    assert_eq!(
        (code(&restored), &restored["result"]["rows_compared"]),
        (("ok", ""), &json!("equal")),
        "{restored}"
    );
    assert_eq!(orders(&copy), 2);
    let over = restore(json!({ "target": "source", "confirm": "production", "on_existing": "replace" }));
    assert_eq!(code(&over), ("refused", "invalid_input"), "the source needs another word: {over}");

    let pruned = agent.send("prune-backups", json!({ "dry_run": true }));
    assert_eq!((code(&pruned), &pruned["result"]["deletions"]), (("ok", ""), &json!(0)), "{pruned}");
    let health = agent.send("check-health", json!({}));
    assert!(health["message"].as_str().unwrap().starts_with("BACKUP "), "{health}");
    let deleted = agent.send("delete-backup", json!({ "backup": backup, "confirm": true }));
    assert_eq!(code(&deleted), ("ok", ""), "{deleted}");
    let (exit, rest, folder) = agent.end();
    assert_eq!((exit, rest.as_str()), (Some(0), ""));
    assert_eq!(files(&folder.path().join("backups")), Vec::<String>::new());
}

#[test]
fn each_line_that_is_no_request_has_an_answer_and_ends_nothing() {
    let mut agent = Agent::start();
    let unknown = agent.send("check-health", json!({ "deep": true }));
    assert_eq!(
        (code(&unknown), &unknown["context"]["field"]),
        (("refused", "invalid_input"), &json!("deep"))
    );
    let unknown = agent.send("drop-database", json!({ "id": "7" }));
    assert_eq!((code(&unknown), &unknown["id"]), (("refused", "invalid_input"), &json!("7")));
    let long = vec![b'x'; 3 << 20];
    for (line, said) in [
        (&b"make a backup"[..], "not JSON"),
        (b"", "not JSON"),
        (&long, "too long"),
        (b"{\"operation\":\"\xc3\x28\"}", "not UTF-8"),
        (b"\0", "not JSON"),
    ] {
        let answer = agent.line(line);
        assert_eq!(code(&answer), ("refused", "invalid_input"));
        assert!(answer["error"].as_str().unwrap().contains(said), "{answer}");
    }
    let secret = agent.send("create-backup", json!({ "reason": "postgresql://me:hunter2@host/shop" }));
    assert!(!secret.to_string().contains("hunter2"), "{secret}");
    assert_eq!(code(&agent.send("list-backups", json!({}))), ("ok", ""));
    let (exit, rest, _folder) = agent.end();
    assert_eq!((exit, rest.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn a_signal_lets_the_running_request_finish_and_ends_a_waiting_agent() {
    for signal in ["-INT", "-TERM"] {
        // It waits for a line.
        let mut agent = Agent::start();
        assert_eq!(code(&agent.send("list-backups", json!({}))), ("ok", ""));
        let pid = agent.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut rest = String::new();
        agent.answers.read_to_string(&mut rest).unwrap();
        assert_eq!((agent.child.wait().unwrap().code(), rest.as_str()), (Some(0), ""), "input is still open");

        // It makes a backup.
        let mut agent = Agent::start();
        fill(&agent.folder.path().join("shop.sqlite"));
        let pid = agent.child.id().to_string();
        let create = b"{\"operation\":\"create-backup\",\"environment\":\"production\"}\n";
        agent.requests.as_ref().unwrap().write_all(create).unwrap();
        while !files(agent.folder.path()).iter().any(|file| file.ends_with(".claim.json")) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let answer = agent.answer();
        assert_eq!(code(&answer), ("ok", ""), "{answer}");
        assert_eq!(agent.child.wait().unwrap().code(), Some(0));
    }
}

/// Makes the backup take longer than it takes to send a signal.
fn fill(shop: &Path) {
    Connection::open(shop)
        .unwrap()
        .execute_batch(
            "create table noise (bytes blob);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 60)
                 insert into noise select randomblob(1000000) from n;",
        )
        .unwrap();
}

#[test]
fn a_wrong_command_line_is_refused_and_none_is_a_tour() {
    assert_eq!(example("agent").arg("--nonsense").output().unwrap().status.code(), Some(3));
    let alone = example("agent").args(["--store", "backups"]).output().unwrap();
    assert_eq!((alone.status.code(), alone.stdout.len()), (Some(3), 0));
    let tour = example("agent").output().unwrap();
    assert_eq!(tour.status.code(), Some(0), "{tour:?}");
    let answers = String::from_utf8(tour.stdout).unwrap();
    let statuses: Vec<_> = answers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(statuses.len(), 9);
    assert_eq!(
        String::from_utf8(tour.stderr).unwrap().lines().filter(|line| line.starts_with("> {")).count(),
        9
    );
}
