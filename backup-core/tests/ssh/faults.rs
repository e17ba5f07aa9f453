//! What is lost or missing on the way, or there.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use backup_core::{
    ByteStream, ErrorKind,
    process::{Host, Ssh, Tool, WireCompression},
};
use futures::{StreamExt, stream};

use crate::setup::{
    There, binary, body, context, drain, kill9, running, sh, there, there_with, unique_sleep, until,
    until_gone,
};

/// Names the tests' helper what to do.
const HELPER: &str = "BACKUP_SSH_HELPER";

impl There {
    /// The local processes of its connection: the keeper with its watcher, and `ssh`.
    fn masters(&self) -> Vec<i32> {
        let known = self.server.directory().join("known_hosts");
        let known = known.display().to_string();
        let mut found = running(&known);
        found.retain(|id| running(" -M ").contains(id));
        found
    }

    /// The local call of `ssh` for one tool.
    fn clients(&self) -> Vec<i32> {
        let known = self.server.directory().join("known_hosts").display().to_string();
        let mut found = running(&known);
        found.retain(|id| running("exec sh -c").contains(id) && !running(" -M ").contains(id));
        found
    }
}

/// The folders of sockets in the temporary folder.
fn socket_folders() -> Vec<String> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("bssh-")).collect()
}

#[tokio::test]
async fn whatever_is_killed_the_stream_fails_and_nothing_is_left() {
    for what in ["session", "master", "client"] {
        let there = there().await;
        let seconds = unique_sleep();
        let mut stream = sh(&there.host, format!("echo x; sleep {seconds}; true")).stream().unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        match what {
            "session" => assert!(there.server.kill9_sessions() > 0),
            "master" => there.masters().into_iter().filter(|id| is_ssh(*id)).for_each(kill9),
            _ => there.clients().into_iter().for_each(kill9),
        }
        let failed = drain(stream).await.2.expect("the stream fails");
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{what}: {failed:?}");
        assert!(failed.is_retryable() && context(&failed, "host") == "127.0.0.1", "{failed:?}");
        until_gone(&seconds).await;
        // The next one finds a way.
        assert_eq!(sh(&there.host, "echo again").output(10).await.unwrap().stdout, "again\n", "{what}");
        assert_eq!(there.server.accepted(), if what == "client" { 1 } else { 2 }, "{what}");
        let There { host, server } = there;
        drop(host);
        until_gone(&server.directory().join("known_hosts").display().to_string()).await;
    }
}

fn is_ssh(id: i32) -> bool {
    std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.ends_with("ssh"))
}

#[tokio::test]
async fn a_body_that_is_cut_off_on_its_way_is_never_taken_for_whole() {
    for what in ["session", "master", "client"] {
        let there = there().await;
        let mark = tempfile::NamedTempFile::new().unwrap();
        let seen = tempfile::NamedTempFile::new().unwrap();
        let script = format!(
            "head -c 1000000 >/dev/null; echo reads > {}; cat >/dev/null; echo committed > {}",
            seen.path().display(),
            mark.path().display()
        );
        let endless = ByteStream::new(body(binary(3_000_000)).chain(stream::pending()));
        let fed = tokio::spawn(sh(&there.host, script).feed(endless, 100));
        until("the tool reads", || seen.path().metadata().unwrap().len() > 0).await;
        match what {
            "session" => assert!(there.server.kill9_sessions() > 0),
            "master" => there.masters().into_iter().filter(|id| is_ssh(*id)).for_each(kill9),
            _ => there.clients().into_iter().for_each(kill9),
        }
        until_gone(&mark.path().display().to_string()).await;
        assert_eq!(mark.path().metadata().unwrap().len(), 0, "{what}");
        fed.abort();
    }
}

/// Not a test: what [`killed_processes_leave_nothing`] starts, and kills.
#[tokio::test]
async fn helper_that_is_killed() {
    let Ok(folder) = std::env::var(HELPER) else { return };
    let folder = Path::new(&folder);
    let port = std::fs::read_to_string(folder.join("port")).unwrap().parse().unwrap();
    let ssh = Ssh::new("127.0.0.1").unwrap().port(port).config_file(folder.join("ssh_config"));
    let ssh = ssh.known_hosts(folder.join("known_hosts")).identity(folder.join("user_key"));
    let host = Host::ssh(ssh);
    let seconds = std::env::var("BACKUP_SSH_SECONDS").unwrap();
    let mut stream = sh(&host, format!("echo x; sleep {seconds}; true")).stream().unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let script = format!("cat >/dev/null; echo committed > {}", folder.join("mark").display());
    let endless = ByteStream::new(body(binary(3_000_000)).chain(stream::pending()));
    let fed = tokio::spawn(sh(&host, script).feed(endless, 100));
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!("ready");
    let _never = fed.await;
}

#[tokio::test]
async fn killed_processes_leave_nothing() {
    let there = there().await;
    let seconds = unique_sleep();
    std::fs::write(there.server.directory().join("port"), there.server.port().to_string()).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["faults::helper_that_is_killed", "--exact", "--nocapture"])
        .env(HELPER, there.server.directory())
        .env("BACKUP_SSH_SECONDS", &seconds)
        .env("TMPDIR", temp.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.into_iter().any(|line| line.contains("ready")), "the helper is at work");
    let sessions = running(&seconds).len();
    assert!(sessions > 0 && std::fs::read_dir(temp.path()).unwrap().count() == 1);
    helper.kill().unwrap();
    helper.wait().unwrap();
    until_gone(&seconds).await;
    until_gone(&temp.path().display().to_string()).await;
    until("the socket is gone", || std::fs::read_dir(temp.path()).unwrap().count() == 0).await;
    assert!(!there.server.directory().join("mark").exists());
}

#[tokio::test]
async fn the_connection_ends_with_its_last_user() {
    let there = there().await;
    let seconds = unique_sleep();
    let before = socket_folders();
    let mut stream = sh(&there.host, format!("echo x; sleep {seconds}")).stream().unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let There { host, server } = there;
    let known = server.directory().join("known_hosts").display().to_string();
    drop(host);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!running(&known).is_empty(), "a running tool keeps it");
    drop(stream);
    until_gone(&known).await;
    until_gone(&seconds).await;
    until("no socket of ours is left", || {
        socket_folders().iter().all(|name| before.contains(name) || server_of(name, &known))
    })
    .await;
}

/// Folders of other tests of this process are theirs.
fn server_of(folder: &str, known: &str) -> bool {
    let lines = crate::setup::command_lines().into_values();
    lines.into_iter().any(|line| line.contains(folder) && !line.contains(known))
}

#[tokio::test]
async fn the_first_users_at_once_share_one_connection() {
    let there = there().await;
    let calls = (0..8).map(|number| {
        let tool = sh(&there.host, format!("sleep 0.2; echo {number}"));
        async move { tool.output(10).await.unwrap().stdout }
    });
    let said = futures::future::join_all(calls).await;
    assert!(said.iter().enumerate().all(|(number, said)| *said == format!("{number}\n")));
    assert_eq!(there.server.accepted(), 1);
}

#[tokio::test]
async fn a_server_that_allows_one_session_gives_each_tool_its_own_connection() {
    let there = there_with(&["MaxSessions 1"]).await;
    let [one, two] = [1, 2].map(|number| sh(&there.host, format!("sleep 0.5; echo {number}")).output(10));
    let (one, two) = futures::future::join(one, two).await;
    assert_eq!((one.unwrap().stdout, two.unwrap().stdout), ("1\n".into(), "2\n".into()));
    assert_eq!(there.server.accepted(), 2);
}

#[tokio::test]
async fn login_shells_that_print_or_differ_change_nothing() {
    for command in [
        "echo noise; echo more >&2; exec bash -c \"$SSH_ORIGINAL_COMMAND\"",
        "exec dash -c \"$SSH_ORIGINAL_COMMAND\"",
        "printf 'no line end'; exec bash -lc \"$SSH_ORIGINAL_COMMAND\"",
    ] {
        let there = there_with(&[&format!("ForceCommand {command}")]).await;
        let output = sh(&there.host, "echo out; echo said >&2").output(100).await.unwrap();
        assert_eq!(
            (output.stdout.as_ref(), output.stderr.as_str()),
            (b"out\n".as_slice(), "said"),
            "{command}"
        );
        let fed = sh(&there.host, "wc -c").feed(body(binary(1_000_000)), 100).await.unwrap();
        assert_eq!(fed.stdout, "1000000\n", "{command}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_connection_is_said() {
    let there = there().await;
    let directory = there.server.directory();
    let other_key = tempfile::tempdir().unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(other_key.path().join("key"))
        .status()
        .unwrap();
    assert!(made.success());
    let other = std::fs::read_to_string(other_key.path().join("key.pub")).unwrap();
    let changed = other_key.path().join("changed");
    std::fs::write(&changed, format!("[127.0.0.1]:{} {other}", there.server.port())).unwrap();
    let empty = other_key.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let ssh = || there.server.ssh();
    let nothing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (ssh, kind, retryable, suggestion) in [
        (ssh().known_hosts(&empty), ErrorKind::ConnectionFailed, false, "ssh-keyscan"),
        (ssh().known_hosts(&changed), ErrorKind::ConnectionFailed, false, "ssh-keygen -R"),
        (
            ssh().identity(other_key.path().join("key")),
            ErrorKind::AuthenticationFailed,
            false,
            "authorized_keys",
        ),
        (ssh().port(nothing), ErrorKind::ConnectionFailed, true, "port"),
        (ssh().option("NoSuchOption", "1").unwrap(), ErrorKind::InvalidInput, false, "option"),
        (ssh().program("/no/such/ssh"), ErrorKind::ToolNotFound, false, "openssh-client"),
    ] {
        let host = Host::ssh(ssh);
        let failed = sh(&host, "echo never").output(10).await.unwrap_err();
        assert_eq!((failed.kind(), failed.is_retryable()), (kind, retryable), "{failed:?}");
        assert!(failed.suggestions().join(" ").contains(suggestion), "{failed:?} {:?}", failed.suggestions());
        let streamed = drain(sh(&host, "echo never").stream().unwrap()).await;
        assert_eq!((streamed.0, streamed.2.unwrap().kind()), (0, kind));
        let fed = sh(&host, "cat").feed(body(binary(1_000_000)), 10).await.unwrap_err();
        assert_eq!(fed.kind(), kind);
    }
    assert!(directory.exists());
    let nobody = Host::ssh(Ssh::new("no-such-host.invalid").unwrap());
    let failed = sh(&nobody, "true").output(10).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::ConnectionFailed, "{failed:?}");
}

#[tokio::test]
async fn what_is_missing_there_is_named() {
    let tools = tempfile::tempdir().unwrap();
    for name in ["sh", "cat", "echo"] {
        std::os::unix::fs::symlink(format!("/bin/{name}"), tools.path().join(name)).unwrap();
    }
    std::fs::write(tools.path().join("data"), "").unwrap();
    let path = format!("SetEnv PATH={}", tools.path().display());
    let there = there_with(&[&path]).await;
    let missing = Tool::new("pg_dump", "pg_dump").on(&there.host).output(10).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::ToolNotFound);
    assert_eq!(missing.message(), "the program is not installed on the host");
    assert_eq!(missing.suggestions()[0], "install pg_dump on 127.0.0.1");
    let missing = Tool::new("pg_dump", "/no/such/pg_dump").on(&there.host).output(10).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::ToolNotFound);
    let refused = Tool::new("data", tools.path().join("data")).on(&there.host).output(10).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused:?}");

    let host = Host::ssh(there.server.ssh().wire(WireCompression::Zstd));
    let (stream, _) = sh(&host, "echo x").stream_compressed().unwrap();
    let failed = drain(stream).await.2.unwrap();
    assert_eq!((failed.kind(), context(&failed, "program")), (ErrorKind::ToolNotFound, "zstd"));
    assert!(failed.suggestions()[0].contains("install zstd on"), "{failed:?}");
}

#[tokio::test]
async fn what_a_tool_says_is_not_taken_for_ssh() {
    let there = there().await;
    let script =
        "echo 'Permission denied (publickey).' >&2; echo 'Host key verification failed.' >&2; exit 255";
    let failed = sh(&there.host, script).output(10).await.unwrap_err();
    assert_eq!((failed.kind(), context(&failed, "status")), (ErrorKind::ToolFailed, "exit 255"));
}
