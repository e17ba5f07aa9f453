//! What is mailed, by a scripted mail server.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use backup_core::{
    Alert, AlertState, ErrorKind, Notifier, Result, Severity,
    notify::{Mail, MailServer, MailTls},
};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, Wire, everything, line};

const PASSWORD: &str = "p@ss w%rd'\"";

/// Speaks SMTP as far as `refuse` lets it: a command that begins so is answered so.
async fn speak(mut wire: Wire, refuse: Option<(&'static str, &'static str)>, seen: Arc<Mutex<Vec<String>>>) {
    if refuse.is_some_and(|(command, _)| command == "HANG") {
        std::future::pending::<()>().await;
    }
    let _ = wire.write_all(b"220 mail.example\r\n").await;
    loop {
        let command = line(&mut wire).await;
        seen.lock().unwrap().push(command.clone());
        let word = command.split([' ', ':']).next().unwrap_or_default().to_owned();
        let answer = match refuse {
            Some((refused, answer)) if command.starts_with(refused) => answer,
            _ => match word.as_str() {
                "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                "AUTH" => "235 ok",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                "" => return,
                _ => "250 ok",
            },
        };
        let _ = wire.write_all(format!("{answer}\r\n").as_bytes()).await;
        if word == "DATA" && answer.starts_with('3') {
            loop {
                let text = line(&mut wire).await;
                seen.lock().unwrap().push(text.clone());
                if text == "." || text.is_empty() && seen.lock().unwrap().len() > 10_000 {
                    break;
                }
            }
            let _ = wire.write_all(b"250 taken\r\n").await;
        }
    }
}

struct Post {
    server: Server,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Post {
    async fn office(refuse: Option<(&'static str, &'static str)>) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let script = Arc::clone(&seen);
        let server = Server::start(move |_, wire| {
            // Two mails are sent at the same time.
            let talk = tokio::spawn(speak(wire, refuse, Arc::clone(&script)));
            async move { drop(talk) }
        })
        .await;
        Self { server, seen }
    }

    fn mail(&self, to: &[&str]) -> Mail {
        let server = MailServer::new("127.0.0.1", MailTls::NoneOnThisHost)
            .with_port(self.server.address.port())
            .with_login("backups", PASSWORD);
        let mail = Mail::new(&server, "Backups <backups@shop.example>", to.iter().copied()).unwrap();
        mail.with_timeout(Duration::from_millis(500))
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn alert() -> Alert {
    let at = "2026-11-20T02:00:00Z".parse().unwrap();
    let summary = "the newest good backup is 3 days old";
    let mut alert = Alert::new("production/shop/health/age", Severity::Critical, "age", summary, at);
    alert.details = vec![("backup".to_owned(), "production/shop/backup-20261117-020000".to_owned())];
    alert.actions = vec!["make a backup now".to_owned(), "find out why\r\nBcc: none was made".to_owned()];
    alert
}

async fn refused(refuse: (&'static str, &'static str)) -> (backup_core::Error, Vec<String>) {
    let post = Post::office(Some(refuse)).await;
    let err = post.mail(&["ops@shop.example"]).notify(&alert()).await.unwrap_err();
    assert!(!everything(&err).contains(PASSWORD), "{}", everything(&err));
    (err, post.seen())
}

#[tokio::test]
async fn a_mail_says_how_bad_it_is_where_and_what_to_do() {
    let post = Post::office(None).await;
    post.mail(&["Ops <ops@shop.example>"]).notify(&alert()).await.unwrap();
    let seen = post.seen().join("\n");
    for expected in [
        "MAIL FROM:<backups@shop.example>",
        "RCPT TO:<ops@shop.example>",
        "From: Backups <backups@shop.example>",
        "To: Ops <ops@shop.example>",
        "Content-Type: text/plain; charset=utf-8",
        "\n[CRITICAL] production/shop/health/age: the newest good backup is 3 days old\n\nWhat to do:\n\
         1. make a backup now\n2. find out why Bcc: none was made\n\nWhat is known:\nat: 2026-11-20 02:00:00 UTC\n\
         code: age\nbackup: production/shop/backup-20261117-020000\n",
    ] {
        assert!(seen.contains(expected), "{expected}\n---\n{seen}");
    }
    let subject = seen.replace("\n ", " ");
    let expected = "\nSubject: [CRITICAL] production/shop/health/age: the newest good backup is 3 days old\n";
    assert!(subject.contains(expected), "{seen}");
}

#[tokio::test]
async fn that_it_is_over_is_mailed_without_advice() {
    let post = Post::office(None).await;
    post.mail(&["ops@shop.example"]).notify(&alert().in_state(AlertState::Resolved)).await.unwrap();
    let seen = post.seen().join("\n");
    assert!(seen.contains("Subject: [RESOLVED] production") && !seen.contains("What to do"), "{seen}");
}

#[tokio::test]
async fn a_text_with_line_breaks_makes_no_header() {
    let post = Post::office(None).await;
    let mut alert = alert();
    alert.summary = "failed\r\nBcc: everybody@shop.example".to_owned();
    post.mail(&["ops@shop.example"]).notify(&alert).await.unwrap();
    assert!(!post.seen().iter().any(|line| line.starts_with("Bcc:")), "{:?}", post.seen());
}

#[tokio::test]
async fn a_recipient_whom_the_server_does_not_know_keeps_it_from_nobody_else() {
    let post = Post::office(Some(("RCPT TO:<gone@shop.example>", "550 no such user"))).await;
    let mail = post.mail(&["gone@shop.example", "ops@shop.example"]);
    mail.notify(&alert()).await.unwrap();
    assert_eq!(post.seen().iter().filter(|line| *line == ".").count(), 1);
    let nobody = post.mail(&["gone@shop.example"]);
    let err = nobody.notify(&alert()).await.unwrap_err();
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::InvalidInput, false));
}

#[tokio::test]
async fn a_server_that_refuses_for_now_may_be_tried_again() {
    let (err, _) = refused(("MAIL FROM", "451 greylisted")).await;
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Unavailable, true));
    assert!(everything(&err).contains("greylisted"));
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_without_what_the_server_repeats() {
    // The user and the password in base 64.
    let (err, seen) = refused(("AUTH", "535 no: AGJhY2t1cHMAcEBzcyB3JXJkJyI=")).await;
    assert!(seen.iter().any(|line| line.contains("AGJhY2t1cHMAcEBzcyB3JXJkJyI=")), "{seen:?}");
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::PermissionDenied, false));
    assert!(!everything(&err).contains("AGJhY2t1cHMAcEBzcyB3JXJkJyI="), "{}", everything(&err));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let started = Instant::now();
    let (err, _) = refused(("HANG", "")).await;
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Timeout, true));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let post = Post::office(None).await;
    let server = MailServer::new("127.0.0.1", MailTls::StartTls)
        .with_port(post.server.address.port())
        .with_login("backups", PASSWORD);
    // No provider of rustls was installed by anybody.
    let mail = Mail::new(&server, "backups@shop.example", ["ops@shop.example"]).unwrap();
    let err = mail.notify(&alert()).await.unwrap_err();
    assert!(!everything(&err).contains(PASSWORD));
    let seen = post.seen();
    assert!(!seen.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_tried_again() {
    let server = Server::start(|_, _| async {}).await;
    let there = MailServer::new("127.0.0.1", MailTls::NoneOnThisHost).with_port(server.address.port());
    drop(server);
    tokio::task::yield_now().await;
    let mail = Mail::new(&there, "backups@shop.example", ["ops@shop.example"]).unwrap();
    let err = mail.notify(&alert()).await.unwrap_err();
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Unavailable, true));
}

#[test]
fn what_would_cross_the_network_unencrypted_is_refused() {
    let new = |server: MailServer| -> Result<Mail> {
        Mail::new(&server, "backups@shop.example", ["ops@shop.example"])
    };
    let there = |tls| MailServer::new("mail.example", tls);
    assert_eq!(new(there(MailTls::NoneOnThisHost)).unwrap_err().kind(), ErrorKind::InvalidInput);
    new(there(MailTls::NoneOverNetwork)).unwrap();
    let with_password = there(MailTls::NoneOverNetwork).with_login("backups", PASSWORD);
    assert_eq!(new(with_password).unwrap_err().kind(), ErrorKind::InvalidInput);
    new(there(MailTls::Implicit).with_login("backups", PASSWORD)).unwrap();
    for host in ["localhost", "127.0.0.1", "::1"] {
        new(MailServer::new(host, MailTls::NoneOnThisHost)).unwrap();
    }
}

#[test]
fn the_password_is_not_shown_and_addresses_are_checked() {
    let server = MailServer::new("localhost", MailTls::NoneOnThisHost).with_login("backups", PASSWORD);
    let mail = Mail::new(&server, "backups@shop.example", ["ops@shop.example"]).unwrap();
    assert!(!format!("{server:?} {mail:?}").contains(PASSWORD));
    let none: [&str; 0] = [];
    assert_eq!(Mail::new(&server, "backups@shop.example", none).unwrap_err().kind(), ErrorKind::InvalidInput);
    let err = Mail::new(&server, "backups@shop.example", ["ops"]).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}
