use std::time::Duration;

use backup_core::{
    MemoryStore, Pipeline,
    protocol::{Environment, MAX_REQUEST_BYTES, Service},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::oneshot,
};

use super::setup::{World, answer, code, dumper};

const CREATE: &str = r#"{"operation":"create-backup","environment":"staging"}"#;
const LIST: &str = r#"{"operation":"list-backups","environment":"staging"}"#;

async fn serve(service: &Service, requests: &[u8]) -> Vec<Value> {
    let mut answers = Vec::new();
    service.serve_lines(requests, &mut answers, std::future::pending()).await.unwrap();
    let text = String::from_utf8(answers).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(answer).collect()
}

#[tokio::test]
async fn each_line_has_its_answer_in_order_and_the_end_ends_it() {
    let world = World::new();
    let long = "x".repeat(2 * MAX_REQUEST_BYTES);
    let lines = format!("{CREATE}\n\ngarbage\r\n{long}\n{LIST}\r\n{LIST}").into_bytes();
    let answers = serve(&world.service, &lines).await;
    let codes: Vec<_> = answers.iter().map(code).collect();
    let refused = ("refused", "invalid_input");
    assert_eq!(codes, [("ok", ""), refused, refused, refused, ("ok", ""), ("ok", "")]);
    assert_eq!(answers[3]["error"], "the request is too long, limit_bytes: 1048576");
    assert_eq!(answers[5]["result"]["total"], 1, "the last line needs no line break");
    assert_eq!(serve(&world.service, b"").await, Vec::<Value>::new());
    assert_eq!(code(&serve(&world.service, long.as_bytes()).await[0]), refused);
    let invalid = serve(&world.service, b"{\"operation\":\"\xff\xfe\"}\n").await;
    assert!(invalid[0]["error"].as_str().unwrap().contains("not UTF-8"));
}

#[tokio::test]
async fn a_stop_lets_the_running_request_finish_and_reads_no_further() {
    let world = World::new();
    let (mut to, requests) = tokio::io::duplex(64 * 1024);
    let (answers, from) = tokio::io::duplex(64 * 1024);
    let (stop, stopped) = oneshot::channel::<()>();
    let service = world.service.clone();
    let serving = tokio::spawn(async move {
        let stop = async move {
            let _ = stopped.await;
        };
        service.serve_lines(BufReader::new(requests), answers, stop).await
    });
    let mut from = BufReader::new(from);
    to.write_all(format!("{CREATE}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    from.read_line(&mut line).await.unwrap();
    assert_eq!(answer(line.trim())["status"], "ok");
    // It waits for a line that never comes whole.
    to.write_all(b"{\"operation\"").await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap().unwrap();
    let mut rest = String::new();
    from.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn a_stop_in_mid_request_comes_after_its_answer() {
    let world = World::new();
    let lines = format!("{CREATE}\n{LIST}\n");
    let mut answers = Vec::new();
    // Ready only when it is asked a second time, which is while the first request is answered.
    let mut asked = 0;
    let stop = std::future::poll_fn(|context| {
        asked += 1;
        context.waker().wake_by_ref();
        if asked > 1 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    world.service.serve_lines(lines.as_bytes(), &mut answers, stop).await.unwrap();
    let text = String::from_utf8(answers).unwrap();
    assert_eq!(
        text.lines().map(|line| answer(line)["operation"].clone()).collect::<Vec<_>>(),
        ["create-backup"]
    );
    assert_eq!(world.listed().await.len(), 1);
}

/// Whoever waits for a signal has to go on waiting for it, or it ends the process.
#[tokio::test]
async fn a_stop_is_awaited_while_a_request_is_answered() {
    let pipeline = Pipeline::new(dumper().hang_after(1), MemoryStore::new());
    let service = Service::new().with_environment("staging", Environment::new(pipeline));
    let lines = format!("{CREATE}\n");
    let mut asked = 0;
    let stop = std::future::poll_fn(|_| {
        asked += 1;
        std::task::Poll::Pending
    });
    let serving = service.serve_lines(lines.as_bytes(), Vec::new(), stop);
    assert!(tokio::time::timeout(Duration::from_millis(300), serving).await.is_err());
    assert!(asked > 1, "{asked}");
}

#[tokio::test]
async fn answers_that_nobody_takes_are_an_error() {
    let world = World::new();
    let (answers, from) = tokio::io::duplex(64);
    drop(from);
    let lines = format!("{LIST}\n{CREATE}\n");
    let served = world.service.serve_lines(lines.as_bytes(), answers, std::future::pending()).await;
    assert!(served.is_err());
    assert!(world.listed().await.is_empty(), "what comes after it is not done in silence");
}
