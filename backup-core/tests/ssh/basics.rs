//! A tool there does what it does here.

use std::time::Duration;

use backup_core::{
    ByteStream, Error, ErrorKind, Secret, Stages, compress,
    process::{Host, Tool, WireCompression},
};
use futures::{StreamExt, stream};

use crate::setup::{binary, body, context, drain, running, sh, there, unique_sleep, until, until_gone};

#[tokio::test]
async fn output_errors_and_messages_are_those_of_a_tool_here() {
    let there = there().await;
    for script in [
        "echo out; echo warning >&2",
        "printf abc; echo broken >&2; exit 3",
        "exit 255",
        "exit 127",
        "printf abc; kill -9 $$",
        "kill -TERM $$",
        "printf oops >&2; exit 1",
        "head -c 4000000 /dev/zero | tr '\\0' x >&2; echo ' the end' >&2; printf done; exit 1",
        "wc -c; echo \"$0\" 'a'\"'\"'b' ${X-unset}",
    ] {
        let [here, remote] = [Host::local(), there.host.clone()].map(|host| async move {
            let output = sh(&host, script).arg("ü $(id) \n'").env("X", "a b").output(1_000_000).await;
            output.map(|said| (said.stdout, said.stderr)).map_err(|err| {
                let of = |key| context(&err, key).to_owned();
                (err.kind(), err.message().to_owned(), of("status"), of("stderr"))
            })
        });
        assert_eq!(here.await, remote.await, "{script}");
    }
    assert_eq!(there.server.accepted(), 1, "one connection for all of them");
}

#[tokio::test]
async fn large_binary_output_comes_whole() {
    let there = there().await;
    let script = "yes 'ab\u{1}\u{ff}' | head -c 200000000";
    let here = drain(sh(&Host::local(), script).stream().unwrap()).await;
    let remote = drain(sh(&there.host, script).stream().unwrap()).await;
    assert!(here.2.is_none() && remote.2.is_none(), "{:?}", remote.2);
    assert_eq!((here.0, here.1), (remote.0, remote.1));
    assert_eq!(remote.0, 200_000_000);
}

#[tokio::test]
async fn a_large_binary_body_is_fed_whole() {
    let there = there().await;
    let [here, remote] = [Host::local(), there.host.clone()].map(|host| async move {
        sh(&host, "sha256sum").feed(body(binary(200_000_000)), 100).await.unwrap()
    });
    assert_eq!(here.await.stdout, remote.await.stdout);
    assert_eq!(sh(&there.host, "wc -c").feed(ByteStream::empty(), 100).await.unwrap().stdout, "0\n");
}

#[tokio::test]
async fn what_waits_for_a_slow_reader_is_bounded() {
    let there = there().await;
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!("head -c 50000000 /dev/zero; echo done > {}", mark.path().display());
    let mut stream = sh(&there.host, script).idle_timeout(Duration::from_secs(20)).stream().unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(mark.path().metadata().unwrap().len(), 0, "50 MB were taken without a reader");
    // Another tool of the same connection is not held up by it.
    assert_eq!(sh(&there.host, "echo quick").output(10).await.unwrap().stdout, "quick\n");
    let (_, _, failed) = drain(stream).await;
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(there.server.accepted(), 1);
}

#[tokio::test]
async fn a_tool_that_stops_reading_is_judged_as_here() {
    let there = there().await;
    let large = || body(binary(20_000_000));
    let failed =
        sh(&there.host, "head -c 10 >/dev/null; echo bad input >&2; exit 3").feed(large(), 100).await;
    let failed = failed.unwrap_err();
    assert_eq!((context(&failed, "status"), context(&failed, "stderr")), ("exit 3", "bad input"));
    for body in [large(), ByteStream::from(bytes::Bytes::from_static(b"ab"))] {
        let lying =
            sh(&there.host, "dd bs=1 count=1 of=/dev/null 2>/dev/null").feed(body, 100).await.unwrap_err();
        assert!(lying.message().contains("stopped reading"), "{lying}");
    }
    let exact = sh(&there.host, "dd bs=1 count=3 2>/dev/null");
    let exact = exact.feed(ByteStream::from(bytes::Bytes::from_static(b"abc")), 100).await.unwrap();
    assert_eq!(exact.stdout, "abc");
}

#[tokio::test]
async fn a_broken_or_dropped_body_is_never_taken_for_whole() {
    let there = there().await;
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!("cat >/dev/null; echo committed >> {}", mark.path().display());
    for round in 0..10 {
        let broken = stream::iter([Err(Error::new(ErrorKind::Corrupt, "cut off"))]);
        let broken = ByteStream::new(body(binary(round * 300_000)).chain(broken));
        let failed = sh(&there.host, &script).feed(broken, 100).await.unwrap_err();
        assert_eq!((failed.kind(), failed.message()), (ErrorKind::Corrupt, "cut off"));

        let pending = ByteStream::new(body(binary(round * 300_000)).chain(stream::pending()));
        let fed = sh(&there.host, &script).feed(pending, 100);
        assert!(tokio::time::timeout(Duration::from_millis(100), fed).await.is_err());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mark.path().metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn limits_of_time_end_the_tool_there() {
    let there = there().await;
    let seconds = unique_sleep();
    let soon = Duration::from_millis(500);
    let sleeping = || sh(&there.host, format!("echo x; echo waiting >&2; sleep {seconds}; true"));
    let (_, _, idle) = drain(sleeping().idle_timeout(soon).stream().unwrap()).await;
    let idle = idle.unwrap();
    assert_eq!((idle.kind(), context(&idle, "stderr")), (ErrorKind::Timeout, "waiting"));
    let total = sleeping().total_timeout(soon).output(100).await.unwrap_err();
    assert_eq!(total.kind(), ErrorKind::Timeout);
    for body in [ByteStream::empty(), body(binary(20_000_000))] {
        let fed = sleeping().idle_timeout(soon).feed(body, 100).await.unwrap_err();
        assert_eq!(fed.kind(), ErrorKind::Timeout);
    }
    until_gone(&seconds).await;
}

#[tokio::test]
async fn what_a_tool_leaves_behind_is_ended_as_here() {
    let there = there().await;
    let seconds = unique_sleep();
    sh(&there.host, format!("sleep {seconds} >/dev/null 2>&1 & echo x")).output(10).await.unwrap();
    until_gone(&seconds).await;
    let held = sh(&there.host, format!("sleep {seconds} & echo x")).output(10).await.unwrap_err();
    assert!(held.message().contains("kept its output open"), "{held}");
    until_gone(&seconds).await;
}

#[tokio::test]
async fn a_dropped_stream_or_call_ends_the_tool_there() {
    let there = there().await;
    let seconds = unique_sleep();
    let tool = |script: &str| sh(&there.host, format!("{script} & sleep {seconds}; true"));
    let mut read = tool("echo x; sleep 1").stream().unwrap();
    assert!(read.next().await.unwrap().is_ok());
    let unread = tool("exec cat /dev/zero").stream().unwrap();
    until("two sleep", || running(&format!("sleep {seconds}")).len() >= 2).await;
    drop((read, unread));
    until_gone(&seconds).await;
    let call = tokio::spawn(tool("true").feed(ByteStream::empty(), 10));
    until("one sleeps", || !running(&format!("sleep {seconds}")).is_empty()).await;
    call.abort();
    until_gone(&seconds).await;
    assert_eq!(there.server.accepted(), 1, "the connection is still the same");
}

#[tokio::test]
async fn compressed_output_is_as_the_host_compressed_it_and_fails_with_the_tool() {
    let there = there().await;
    for (wire, name) in [(WireCompression::Zstd, "zstd"), (WireCompression::Gzip, "gzip")] {
        let host = Host::ssh(there.server.ssh().wire(wire));
        let (stream, format) = sh(&host, "seq 1 2000000").stream_compressed().unwrap();
        assert_eq!(format, Some(name));
        let bytes = stream.collect_bytes(100_000_000).await.unwrap();
        assert!(bytes.len() < 6_000_000, "{} bytes", bytes.len());
        let decoder = compress::by_name(name).unwrap().decoder().unwrap();
        let plain = Stages::new().transform(decoder).run(ByteStream::from(bytes));
        let here = drain(sh(&Host::local(), "seq 1 2000000").stream().unwrap()).await;
        let there = drain(plain).await;
        assert_eq!((here.0, here.1, there.2.is_none()), (there.0, there.1, true));

        let (failing, _) = sh(&host, "seq 1 1000; echo why >&2; exit 4").stream_compressed().unwrap();
        let failed = drain(failing).await.2.unwrap();
        assert_eq!((context(&failed, "status"), context(&failed, "stderr")), ("exit 4", "why"));
        // Other calls get what the tool printed.
        assert_eq!(sh(&host, "echo plain").output(10).await.unwrap().stdout, "plain\n");
    }
    let (_, none) = sh(&there.host, "true").stream_compressed().unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn programs_are_found_there() {
    let there = there().await;
    let root = tempfile::tempdir().unwrap();
    for folder in ["v 9", "v 10"] {
        let folder = root.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy("/bin/true", folder.join("sh")).unwrap();
    }
    let pattern = format!("{}/v *", root.path().display());
    for names in [&["sh", "no-such-program"][..], &["zstd"], &["no-such-program"]] {
        let here = Host::local().find_program(names, &[&pattern, "/no/such/*"]).await.unwrap();
        // The server gives its commands a path of its own, which holds the same folders at least.
        let found = there.host.find_program(names, &[&pattern, "/no/such/*"]).await.unwrap();
        let in_root = |paths: &[std::path::PathBuf]| {
            paths.iter().filter(|path| path.starts_with(root.path())).cloned().collect::<Vec<_>>()
        };
        assert_eq!(in_root(&found), in_root(&here));
        assert_eq!(found.is_empty(), here.is_empty(), "{names:?}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_list_of_processes_and_in_no_message() {
    let there = there().await;
    let secret = "p@ss'w\"rd $(id) é-only-here";
    let script = r#"cat "$FILE" >&2; echo "user $V" >&2; echo started; sleep 1; exit 1"#;
    let tool =
        sh(&there.host, script).secret_env("V", Secret::new(secret)).redact(Secret::new("in the file"));
    let tool = tool.file_env("FILE", Secret::new("in the file\n")).await.unwrap();
    let mut stream = tool.stream().unwrap();
    let started = stream.next().await;
    until("the tool runs", || !running("sleep 1").is_empty()).await;
    let (mut seen, mut lines) = (false, String::new());
    for line in crate::setup::command_lines().into_values() {
        seen |= line.contains("echo started");
        lines.push_str(&line);
        lines.push('\n');
    }
    assert!(started.unwrap().is_ok());
    assert!(seen, "the tool is seen");
    assert!(!lines.contains("only-here") && !lines.contains("in the file"), "{lines}");
    let failed = drain(stream).await.2.unwrap();
    assert_eq!(context(&failed, "stderr"), "***\nuser ***");
    assert!(!format!("{failed:?}").contains("only-here"));
    let local = command_line_of_ssh(&lines);
    assert!(local.contains("exec sh -c") && !local.contains("echo started"), "{local}");
}

/// The call of the local `ssh` for a tool.
fn command_line_of_ssh(lines: &str) -> &str {
    lines.lines().find(|line| line.starts_with("ssh ") && line.contains("exec sh -c")).expect("ssh is seen")
}

#[tokio::test]
async fn files_are_pipes_there() {
    let there = there().await;
    let tool = Tool::new("sh", "sh").args(["-c", "echo \"$1\"; cat \"$1\"", "sh"]).on(&there.host);
    let tool = tool.file_arg("", Secret::new("[client]\npassword=x\n")).await.unwrap();
    assert_eq!(tool.output(100).await.unwrap().stdout, "/dev/fd/3\n[client]\npassword=x\n");
}
