//! What is sent over HTTP, and what comes of answers of every kind.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use backup_core::{
    Alert, AlertState, ErrorKind, MemoryStore, Notifier, Pipeline, Result, Secret, Severity,
    notify::{AlertPolicy, Alerter, Healthchecks, PagerDuty, Ping, Slack, Webhook},
    pipeline::BackupRequest,
    testkit::fake::FakeDumper,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Server, Wire, everything, line};

const SECRET: &str = "T0KEN-s3cret";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    line: String,
    content_type: String,
    body: String,
}

/// What came in, and a server that answers each request with the next answer; with the last one again and again.
struct Receiver {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    async fn answering(answers: &[&str]) -> Self {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let server = Server::start(move |_, mut wire| {
            let (answers, seen) = (answers.clone(), Arc::clone(&seen));
            async move {
                let Some(request) = read(&mut wire).await else { return };
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request);
                    seen.len()
                };
                let answer = answers.get(count - 1).or(answers.last()).unwrap();
                let _ = wire.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        })
        .await;
        Self { server, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/services/{SECRET}", self.server.address)
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
    }
}

async fn read(wire: &mut Wire) -> Option<Request> {
    let first = line(wire).await;
    if first.is_empty() {
        return None;
    }
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let header = line(wire).await;
        let Some((name, value)) = header.split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => value.clone_into(&mut content_type),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    wire.read_exact(&mut body).await.unwrap();
    Some(Request { line: first, content_type, body: String::from_utf8(body).unwrap() })
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn ok() -> String {
    answer("200 OK", "", "ok")
}

fn alert() -> Alert {
    let at = "2026-11-20T02:00:00Z".parse().unwrap();
    let mut alert = Alert::new(
        "production/shop/backup",
        Severity::Critical,
        "tool_failed",
        "backup: pg_dump failed <1>",
        at,
    );
    alert.details = vec![("exit".to_owned(), "1".to_owned()), ("stderr".to_owned(), "a & b".to_owned())];
    alert.actions = vec!["look at the server's log".to_owned()];
    alert
}

/// What comes of one alert where answers are these; also how long it took, and how many requests there were.
async fn outcome(answers: &[&str]) -> (Result<()>, Duration, usize) {
    let receiver = Receiver::answering(answers).await;
    let webhook = Webhook::new(receiver.url()).unwrap().with_timeout(Duration::from_millis(300));
    let started = Instant::now();
    let result = webhook.notify(&alert()).await;
    if let Err(err) = &result {
        assert!(!everything(err).contains(SECRET), "{}", everything(err));
    }
    (result, started.elapsed(), receiver.requests().len())
}

#[tokio::test]
async fn a_webhook_gets_the_alert_as_it_is() {
    let receiver = Receiver::answering(&[&ok()]).await;
    Webhook::new(receiver.url()).unwrap().notify(&alert()).await.unwrap();
    let request = &receiver.requests()[0];
    assert_eq!(request.line, format!("POST /services/{SECRET} HTTP/1.1"));
    assert_eq!(request.content_type, "application/json");
    assert_eq!(serde_json::from_str::<Alert>(&request.body).unwrap(), alert());
}

#[tokio::test]
async fn slack_gets_a_text_that_calls_nobody() {
    let receiver = Receiver::answering(&[&ok()]).await;
    let slack = Slack::new(receiver.url()).unwrap();
    slack.notify(&alert()).await.unwrap();
    slack.notify(&alert().in_state(AlertState::Resolved)).await.unwrap();
    let bodies = receiver.bodies();
    let expected = ":red_circle: *[CRITICAL] production/shop/backup: backup: pg_dump failed &lt;1&gt;*\n\
                    • exit: 1\n• stderr: a &amp; b\n→ look at the server's log";
    assert_eq!(bodies[0], json!({ "text": expected }));
    assert!(bodies[1]["text"].as_str().unwrap().starts_with(":white_check_mark: *[RESOLVED] production"));
}

#[tokio::test]
async fn pagerduty_gets_one_incident_per_key() {
    let receiver = Receiver::answering(&[&answer("202 Accepted", "", "{}")]).await;
    let url = format!("http://{}/v2/enqueue", receiver.server.address);
    let pager = PagerDuty::new(SECRET).unwrap().with_url(url).unwrap();
    pager.notify(&alert()).await.unwrap();
    pager.notify(&alert().in_state(AlertState::Escalated)).await.unwrap();
    pager.notify(&alert().in_state(AlertState::Resolved)).await.unwrap();
    let mut long = alert();
    long.key = "k".repeat(256);
    pager.notify(&long).await.unwrap();
    let bodies = receiver.bodies();
    let trigger = json!({
        "routing_key": SECRET,
        "event_action": "trigger",
        "dedup_key": "production/shop/backup",
        "payload": {
            "summary": "[CRITICAL] production/shop/backup: backup: pg_dump failed <1>",
            "source": "production/shop/backup",
            "severity": "critical",
            "timestamp": "2026-11-20T02:00:00+00:00",
            "class": "tool_failed",
            "custom_details": { "exit": "1", "stderr": "a & b", "actions": ["look at the server's log"] },
        },
    });
    assert_eq!(bodies[0], trigger);
    assert_eq!(
        (&bodies[1]["event_action"], &bodies[1]["dedup_key"]),
        (&json!("trigger"), &trigger["dedup_key"])
    );
    let resolve =
        json!({ "routing_key": SECRET, "event_action": "resolve", "dedup_key": "production/shop/backup" });
    assert_eq!(bodies[2], resolve);
    assert!(bodies[3]["dedup_key"].as_str().unwrap().len() <= 255);
    assert!(!format!("{pager:?}").contains(SECRET));
}

#[tokio::test]
async fn healthchecks_hears_start_success_failure_and_exit_status() {
    let receiver = Receiver::answering(&[&answer("200 OK", "", "OK")]).await;
    let checks = Healthchecks::new(receiver.url()).unwrap();
    for ping in [Ping::Start, Ping::Success, Ping::Fail, Ping::ExitStatus(3)] {
        checks.ping(ping, "what happened").await.unwrap();
    }
    let lines: Vec<_> = receiver.requests().into_iter().map(|request| (request.line, request.body)).collect();
    let expected = ["/start", "", "/fail", "/3"]
        .map(|below| (format!("POST /services/{SECRET}{below} HTTP/1.1"), "what happened".to_owned()));
    assert_eq!(lines, expected);
    checks.ping(Ping::Fail, &"ä".repeat(20_000)).await.unwrap();
    assert_eq!(receiver.requests()[4].body.chars().count(), 10_000);
}

#[tokio::test]
async fn a_check_that_the_service_does_not_know_is_an_error_though_it_says_ok() {
    let receiver = Receiver::answering(&[&answer("200 OK", "", "OK (not found)")]).await;
    let checks = Healthchecks::new(receiver.url()).unwrap();
    let err = checks.ping(Ping::Success, "").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert!(!everything(&err).contains(SECRET));
}

#[tokio::test]
async fn a_pipeline_signals_start_success_and_failure() {
    let receiver = Receiver::answering(&[&answer("200 OK", "", "OK")]).await;
    let observer = Healthchecks::new(receiver.url()).unwrap().observer().unwrap();
    let works = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new()).with_observer(observer.clone());
    let report = works.backup(BackupRequest::new()).await.unwrap();
    let broken = FakeDumper::new("rows").fail_after(1, ErrorKind::ToolFailed);
    let broken = Pipeline::new(broken, MemoryStore::new()).with_observer(observer.clone());
    broken.backup(BackupRequest::new()).await.unwrap_err();
    observer.settle().await;
    let requests = receiver.requests();
    let ends: Vec<_> = requests
        .iter()
        .map(|request| {
            request
                .line
                .trim_end_matches(" HTTP/1.1")
                .trim_start_matches("POST /services/")
                .replace(SECRET, "")
        })
        .collect();
    assert_eq!(ends, ["/start", "", "/start", "/fail"]);
    assert_eq!(requests[1].body, report.backup.to_string());
    assert!(requests[3].body.contains("the fake dump fails"), "{}", requests[3].body);
}

#[tokio::test]
async fn a_service_that_is_out_of_order_is_tried_again() {
    let (result, elapsed, requests) = outcome(&[&answer("503 Service Unavailable", "", ""), &ok()]).await;
    result.unwrap();
    assert_eq!(requests, 2);
    assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
}

#[tokio::test]
async fn a_service_that_asks_to_wait_is_waited_for_and_not_for_long() {
    let busy = answer("429 Too Many Requests", "retry-after: 2\r\n", "");
    let (result, elapsed, requests) = outcome(&[&busy, &ok()]).await;
    result.unwrap();
    assert_eq!(requests, 2);
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");

    let tomorrow = answer("429 Too Many Requests", "retry-after: 86400\r\n", "");
    let (result, elapsed, requests) = outcome(&[&tomorrow, &ok()]).await;
    assert_eq!((result.unwrap_err().kind(), requests), (ErrorKind::RateLimited, 1));
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[tokio::test]
async fn a_service_that_stays_out_of_order_is_given_up_and_not_to_be_tried_again() {
    let (result, _, requests) = outcome(&[&answer("500 Internal Server Error", "", "")]).await;
    let err = result.unwrap_err();
    assert_eq!((err.kind(), err.is_retryable(), requests), (ErrorKind::Unavailable, false, 3));
    assert_eq!(err.to_string(), "the service is out of order, service: webhook, status: 500, attempts: 3");
}

#[tokio::test]
async fn what_the_service_refuses_is_not_tried_again() {
    for (status, kind) in [
        ("400 Bad Request", ErrorKind::InvalidInput),
        ("403 Forbidden", ErrorKind::PermissionDenied),
        ("404 Not Found", ErrorKind::NotFound),
    ] {
        // An answer that repeats the secret is not repeated.
        let (result, _, requests) = outcome(&[&answer(status, "", &format!("no {SECRET}"))]).await;
        let err = result.unwrap_err();
        assert_eq!((err.kind(), requests), (kind, 1), "{status}");
        assert!(!err.suggestions().is_empty());
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_success() {
    let elsewhere = Receiver::answering(&[&ok()]).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}\r\n", elsewhere.url());
        let (result, _, requests) = outcome(&[&answer(status, &location, "")]).await;
        assert_eq!((result.unwrap_err().kind(), requests), (ErrorKind::InvalidInput, 1), "{status}");
    }
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up() {
    let (result, elapsed, _) = outcome(&[""]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error_without_its_url() {
    let server = Server::start(|_, _| async {}).await;
    let url = format!("http://{}/services/{SECRET}", server.address);
    drop(server);
    tokio::task::yield_now().await;
    let err = Webhook::new(url).unwrap().notify(&alert()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
    assert!(!everything(&err).contains(SECRET), "{}", everything(&err));
}

#[tokio::test]
async fn an_answer_without_end_is_read_only_at_its_start() {
    let server = Server::start(|_, mut wire| async move {
        read(&mut wire).await;
        let endless = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let _ = wire.write_all(endless.as_bytes()).await;
        // Ends when the other side has gone.
        while wire.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let webhook = Webhook::new(format!("http://{}/", server.address)).unwrap();
    let started = Instant::now();
    webhook.notify(&alert()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_no_url_is_refused_without_showing_it() {
    for text in [SECRET, "ftp://host/T0KEN-s3cret", "https://", "https://host:99999/T0KEN-s3cret"] {
        let err = Webhook::new(text).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(!everything(&err).contains(SECRET), "{}", everything(&err));
    }
}

#[test]
fn no_notifier_shows_where_it_sends_and_none_needs_a_provider_of_tls() {
    let url = || Secret::new(format!("https://hooks.example/{SECRET}"));
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        Webhook::new(url()).unwrap(),
        Slack::new(url()).unwrap(),
        Healthchecks::new(url()).unwrap(),
        PagerDuty::new(SECRET).unwrap().with_url(url()).unwrap(),
    );
    assert!(!shown.contains(SECRET) && !shown.contains("hooks.example"), "{shown}");
}

/// Keeps every field of every event and span of all crates.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?} "));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let receiver = Receiver::answering(&[&answer("404 Not Found", "", SECRET)]).await;
    let alerter = Alerter::new(AlertPolicy::new())
        .with_notifier(Webhook::new(receiver.url()).unwrap(), Severity::Info)
        .with_notifier(PagerDuty::new(SECRET).unwrap().with_url(receiver.url()).unwrap(), Severity::Info);
    alerter.notify(&alert()).await.unwrap_err();
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("an alert was not delivered") && !logged.contains(SECRET), "{logged}");
}

#[test]
fn a_url_that_would_cross_the_network_unencrypted_is_refused() {
    for url in [
        "http://hooks.example/services/x",
        "http://10.0.0.1/x",
        "http://localhost.example/x",
        "http://[2001:db8::1]/x",
    ] {
        let err = Webhook::new(url).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{url}");
        assert!(err.to_string().contains("unencrypted") && !err.to_string().contains("/x"), "{err}");
    }
    for url in [
        "https://hooks.example/services/x",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]/x",
    ] {
        Webhook::new(url).unwrap();
    }
}
