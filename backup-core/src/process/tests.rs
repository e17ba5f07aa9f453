use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::*;
use crate::Error;

const SOON: Duration = Duration::from_millis(300);
/// Longer than any test takes, on a machine that is very busy.
const LONG: Duration = Duration::from_secs(60);

fn sh(script: impl Into<OsString>) -> Tool {
    Tool::new("sh", "sh").arg("-c").arg(script)
}

/// A number of seconds to sleep that no other process has among its arguments.
fn unique_sleep() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("10{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes sleep for `seconds`.
#[allow(clippy::disallowed_methods)] // Small files, in a test.
fn sleepers(seconds: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    arguments.filter(|arguments| *arguments == format!("sleep\0{seconds}\0").into_bytes()).count()
}

async fn until(claim: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "not so: {claim}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_gone(seconds: &str) {
    until("every process is gone", || sleepers(seconds) == 0).await;
}

fn context<'a>(err: &'a Error, key: &str) -> &'a str {
    err.context().find(|(name, _)| *name == key).map_or("", |(_, value)| value)
}

/// All bytes, and the error at the end if there is one.
async fn drain(mut stream: ByteStream) -> (u64, Option<Error>) {
    let (mut bytes, mut failed) = (0, None);
    while let Some(item) = stream.next().await {
        assert!(failed.is_none(), "an item after the error");
        match item {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(err) => failed = Some(err),
        }
    }
    (bytes, failed)
}

#[tokio::test]
async fn a_tool_that_is_stopped_may_end_by_itself_and_is_killed_where_it_does_not() {
    for (trap, grace) in [("trap 'echo let go >&2; exit 0' TERM", LONG), ("trap '' TERM", SOON)] {
        let seconds = unique_sleep();
        let tool = sh(format!("{trap}; sleep {seconds} & wait; wait"));
        let started = Instant::now();
        let stop = until("it sleeps", || sleepers(&seconds) == 1);
        let err = tool.output_until(10, stop, grace).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Cancelled, "{err}");
        assert_eq!(context(&err, "stderr").contains("let go"), grace == LONG, "{err}");
        assert!(grace == LONG || started.elapsed() >= SOON, "{trap}: it had no time to end by itself");
        until_gone(&seconds).await;
    }
}

#[tokio::test]
async fn a_success_ends_the_stream_cleanly_with_every_byte() {
    let (bytes, failed) = drain(sh("head -c 30000000 /dev/zero").stream().unwrap()).await;
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(bytes, 30_000_000);
}

#[tokio::test]
async fn bytes_come_in_their_order_however_they_are_written() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; seq 20000 400000";
    let printed = sh(script).stream().unwrap().collect_bytes(10_000_000).await.unwrap();
    let printed = std::str::from_utf8(&printed).unwrap();
    assert!(printed.lines().map(|line| line.parse::<u32>().unwrap()).eq(0..=400_000));
}

#[tokio::test]
async fn any_end_but_success_is_the_last_item() {
    for (script, bytes, status) in [
        ("exit 3", 0, "exit 3"),
        ("head -c 1000000 /dev/zero; echo broken >&2; exit 3", 1_000_000, "exit 3"),
        ("printf abc; kill -9 $$", 3, "signal 9"),
        ("kill -TERM $$", 0, "signal 15"),
        // Its output is closed, and it fails only then.
        ("printf abc; exec >&-; sleep 0.2; exit 4", 3, "exit 4"),
    ] {
        let (read, failed) = drain(sh(script).stream().unwrap()).await;
        let failed = failed.unwrap();
        assert_eq!((failed.kind(), read), (ErrorKind::ToolFailed, bytes), "{script}");
        assert_eq!((context(&failed, "tool"), context(&failed, "status")), ("sh", status), "{script}");
        assert_eq!(context(&failed, "stderr"), if script.contains("broken") { "broken" } else { "" });
    }
}

#[tokio::test]
async fn a_flood_of_messages_neither_blocks_nor_grows() {
    let flood = "head -c 4000000 /dev/zero | tr '\\0' x >&2; echo ' the end' >&2; printf done; exit 1";
    let (bytes, failed) = drain(sh(flood).stream().unwrap()).await;
    let failed = failed.unwrap();
    let stderr = context(&failed, "stderr");
    assert!(stderr.ends_with("x the end") && stderr.len() <= 16 * 1024);
    assert_eq!(bytes, 4);
}

#[tokio::test]
async fn messages_are_drained_while_nobody_reads_the_output() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "head -c 4000000 /dev/zero >&2; echo said > {}; head -c 9000000 /dev/zero",
        mark.path().display()
    );
    let stream = sh(script).stream().unwrap();
    until("the flood is over", || mark.path().metadata().unwrap().len() > 0).await;
    let (bytes, failed) = drain(stream).await;
    assert!(bytes == 9_000_000 && failed.is_none());
}

#[tokio::test]
async fn what_waits_for_a_slow_consumer_is_bounded() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!("head -c 20000000 /dev/zero; echo done > {}", mark.path().display());
    let mut stream = sh(script).stream().unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    tokio::time::sleep(SOON).await;
    assert_eq!(mark.path().metadata().unwrap().len(), 0, "20 MB were taken without a consumer");
    drain(stream).await;
}

#[tokio::test]
async fn a_dropped_stream_kills_the_tool_and_its_children() {
    let seconds = unique_sleep();
    let script = format!("sleep {seconds} & (sleep {seconds} &) ; echo x; sleep {seconds}; true");
    let mut stream = sh(script).stream().unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap(), "x\n");
    until("three sleep", || sleepers(&seconds) == 3).await;
    drop(stream);
    until_gone(&seconds).await;
}

#[tokio::test]
async fn a_stream_dropped_while_the_pipe_is_full_kills_the_tool() {
    let seconds = unique_sleep();
    let mut stream = sh(format!("sleep {seconds} & exec cat /dev/zero")).stream().unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    until_gone(&seconds).await;
}

#[tokio::test]
async fn a_dropped_call_kills_the_tool() {
    let seconds = unique_sleep();
    for fed in [true, false] {
        let tool = sh(format!("sleep {seconds} & wait"));
        let call =
            async { if fed { tool.feed(ByteStream::empty(), 10).await } else { tool.output(10).await } };
        let started = until("it sleeps", || sleepers(&seconds) == 1);
        tokio::select! {
            result = call => panic!("ended: {result:?}"),
            () = started => {}
        }
        until_gone(&seconds).await;
    }
}

#[test]
fn the_end_of_the_runtime_kills_the_tool() {
    let seconds = unique_sleep();
    let script = format!("echo x; sleep {seconds} & wait");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let mut stream = sh(script).stream().unwrap();
        stream.try_next().await.unwrap();
        started.send(()).unwrap();
        stream.try_next().await.unwrap();
    });
    has_started.recv().unwrap();
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(until_gone(&seconds));
}

#[tokio::test]
async fn nothing_that_the_tool_left_behind_outlives_a_success() {
    let seconds = unique_sleep();
    let (_, failed) = drain(sh(format!("sleep {seconds} >/dev/null 2>&1 & echo x")).stream().unwrap()).await;
    assert!(failed.is_none());
    until_gone(&seconds).await;
}

#[tokio::test]
async fn an_output_held_open_by_something_left_behind_is_an_error() {
    let seconds = unique_sleep();
    let (bytes, failed) = drain(sh(format!("sleep {seconds} & echo x")).stream().unwrap()).await;
    let failed = failed.unwrap();
    assert_eq!((bytes, failed.kind()), (2, ErrorKind::ToolFailed));
    assert!(failed.message().contains("kept its output open"), "{failed}");
    until_gone(&seconds).await;
}

#[tokio::test]
async fn messages_held_open_by_a_daemon_do_not_hang() {
    let seconds = unique_sleep();
    // A session of its own is not killed with the group; it ends itself.
    let script = format!("setsid sh -c 'sleep 5; : {seconds}' >/dev/null & echo x; echo said >&2; exit 1");
    let (_, failed) = drain(sh(script).stream().unwrap()).await;
    assert_eq!(context(&failed.unwrap(), "stderr"), "said");
}

#[tokio::test]
async fn a_silent_tool_meets_the_idle_limit() {
    let seconds = unique_sleep();
    let tool = sh(format!("echo x; echo waiting >&2; sleep {seconds}; true")).idle_timeout(SOON);
    let (bytes, failed) = drain(tool.stream().unwrap()).await;
    let failed = failed.unwrap();
    assert_eq!((bytes, failed.kind()), (2, ErrorKind::Timeout));
    assert_eq!((context(&failed, "stderr"), context(&failed, "limit_seconds")), ("waiting", "0.3"));
    until_gone(&seconds).await;
}

#[tokio::test]
async fn the_time_of_a_slow_consumer_is_not_the_tools() {
    let limit = Duration::from_secs(3);
    let mut stream = sh("head -c 8000000 /dev/zero").idle_timeout(limit).stream().unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    tokio::time::sleep(limit + SOON).await;
    let (_, failed) = drain(stream).await;
    assert!(failed.is_none(), "{failed:?}");
}

#[tokio::test]
async fn the_total_limit_ends_a_busy_tool_and_one_that_nobody_reads() {
    let seconds = unique_sleep();
    let tool = sh(format!("sleep {seconds} & exec cat /dev/zero")).total_timeout(SOON);
    let (bytes, failed) = drain(tool.clone().stream().unwrap()).await;
    assert!(bytes > 0);
    assert_eq!(failed.unwrap().kind(), ErrorKind::Timeout);
    until_gone(&seconds).await;

    let unread = tool.stream().unwrap();
    until("it sleeps", || sleepers(&seconds) == 1).await;
    until_gone(&seconds).await;
    assert_eq!(drain(unread).await.1.unwrap().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn secrets_are_hidden_in_messages() {
    let tool = sh(r#"echo "user=u password=$PGPASSWORD url=postgres://u:p%40ss%2Fw@h" >&2; exit 1"#)
        .secret_env("PGPASSWORD", Secret::new("p@ss/w"));
    assert!(!format!("{tool:?}").contains("p@ss"));
    let failed = tool.output(10).await.unwrap_err();
    assert_eq!(context(&failed, "stderr"), "user=u password=*** url=postgres://u:***@h");
    assert!(!format!("{failed} {failed:?}").contains("ss/w"));
}

#[tokio::test]
async fn the_environment_is_inherited_but_for_what_is_removed() {
    let tool = sh("echo ${PATH:+path} ${CARGO_MANIFEST_DIR:-none} $MINE")
        .env_remove("CARGO_MANIFEST_DIR")
        .env("MINE", "mine");
    assert_eq!(tool.output(100).await.unwrap().stdout, "path none mine\n");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let missing = Tool::new("pg_dump", "no-such-program-anywhere").stream().unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::ToolNotFound);
    assert!(missing.to_string().contains("no-such-program-anywhere"));
    assert_eq!(missing.suggestions(), ["install pg_dump, or say where it is"]);

    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = Tool::new("pg_dump", file.path()).output(10).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    assert!(refused.suggestions()[0].contains("chmod"));

    let nul = Tool::new("sh", "sh").arg("a\0b").output(10).await.unwrap_err();
    assert_eq!(nul.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn output_returns_both_streams_of_a_success() {
    let output = sh("echo out; echo warning >&2").output(100).await.unwrap();
    assert_eq!((output.stdout.as_ref(), output.stderr.as_str()), (b"out\n".as_slice(), "warning"));
}

#[tokio::test]
async fn output_is_bounded_and_ends_an_endless_tool() {
    assert_eq!(sh("printf 1234").output(4).await.unwrap().stdout, "1234");
    let failed = Tool::new("cat", "cat").arg("/dev/zero").output(1000).await.unwrap_err();
    assert_eq!((failed.kind(), context(&failed, "limit_bytes")), (ErrorKind::ToolFailed, "1000"));
}

#[tokio::test]
async fn a_guard_is_kept_until_the_tool_has_ended() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_owned();
    let tool = sh(format!("sleep 0.3; cat {} && printf there", path.display())).keep(file);
    assert_eq!(tool.output(100).await.unwrap().stdout, "there");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_argument_is_private_stands_where_it_was_added_and_goes_with_the_tool() {
    let script = r#"cat "$0" "$V"; stat -c %a "$0" "${0%/*}"; echo "$0 $1""#;
    let tool =
        Tool::new("sh", "sh").args(["-c", script]).file_arg("", Secret::new("[client]\n")).await.unwrap();
    let tool = tool.arg("last").file_env("V", Secret::new("two\n")).await.unwrap();
    let printed = tool.output(1000).await.unwrap().stdout;
    let lines: Vec<_> = std::str::from_utf8(&printed).unwrap().lines().collect();
    let [one, two, file, folder, args] = lines[..] else { panic!("{lines:?}") };
    assert_eq!((one, two, file, folder), ("[client]", "two", "600", "700"));
    let path = args.strip_suffix(" last").unwrap();
    until("the file is gone", || !std::path::Path::new(path).parent().unwrap().exists()).await;

    let tool = Tool::new("sh", "sh").file_arg("", Secret::new("x")).await.unwrap();
    let elsewhere = Host::ssh(Ssh::new("nowhere").unwrap());
    assert_eq!(tool.on(&elsewhere).stream().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn programs_are_found_in_folders_then_in_the_path() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = tempfile::tempdir().unwrap();
    for (folder, mode) in [("v10/bin", 0o755), ("v9/bin", 0o755), ("w1/bin", 0o755), ("v8/bin", 0o644)] {
        let folder = root.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("sh"), "").unwrap();
        std::fs::set_permissions(folder.join("sh"), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink(root.path().join("v9"), root.path().join("v7")).unwrap();
    let pattern = format!("{}/v*/bin", root.path().display());
    let found = Host::local().find_program(&["sh", "no-such-program"], &[&pattern, "/none*"]).await.unwrap();
    let in_root: Vec<_> = found.iter().filter_map(|path| path.strip_prefix(root.path()).ok()).collect();
    assert_eq!(in_root, ["v10/bin/sh", "v7/bin/sh", "v9/bin/sh"].map(std::path::Path::new));
    assert!(found.len() > 3 && found[3..].iter().all(|path| path.is_absolute() && path.ends_with("sh")));
    assert!(Host::local().find_program(&["a/b"], &[]).await.is_err());
}

fn large_body(bytes: usize) -> ByteStream {
    let chunk = Bytes::from(vec![b'x'; 100_000]);
    ByteStream::new(stream::iter((0..bytes / 100_000).map(move |_| Ok(chunk.clone()))))
}

fn broken_body() -> ByteStream {
    let broken = stream::iter([Err(Error::new(ErrorKind::Corrupt, "cut off"))]);
    ByteStream::new(large_body(3_000_000).chain(broken))
}

#[tokio::test]
async fn a_body_is_fed_whole() {
    let output = sh("wc -c; echo noted >&2").feed(large_body(20_000_000), 100).await.unwrap();
    assert_eq!((output.stdout.as_ref(), output.stderr.as_str()), (b"20000000\n".as_slice(), "noted"));
    assert_eq!(sh("wc -c").feed(ByteStream::empty(), 100).await.unwrap().stdout, "0\n");
}

#[tokio::test]
async fn a_body_and_a_large_output_do_not_block_each_other() {
    let output = sh("tee /dev/stderr").feed(large_body(9_000_000), 9_000_000).await.unwrap();
    assert_eq!(output.stdout.len(), 9_000_000);
}

#[tokio::test]
async fn a_tool_never_takes_a_broken_body_for_whole() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    for _ in 0..20 {
        let tool = sh(format!("cat >/dev/null; echo committed >> {}", mark.path().display()));
        let failed = tool.feed(broken_body(), 100).await.unwrap_err();
        assert_eq!((failed.kind(), failed.message()), (ErrorKind::Corrupt, "cut off"));
    }
    assert_eq!(mark.path().metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn a_tool_never_takes_a_dropped_body_for_whole() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    for _ in 0..20 {
        let tool = sh(format!("echo ready >&2; cat >/dev/null; echo committed >> {}", mark.path().display()));
        let body = ByteStream::new(large_body(3_000_000).chain(stream::pending()));
        let fed = tokio::time::timeout(Duration::from_millis(50), tool.feed(body, 100)).await;
        assert!(fed.is_err());
    }
    assert_eq!(mark.path().metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn a_tool_that_stops_reading_is_judged_by_its_status() {
    let failed = sh("head -c 10 >/dev/null; echo bad input >&2; exit 3")
        .feed(large_body(20_000_000), 100)
        .await
        .unwrap_err();
    assert_eq!(context(&failed, "status"), "exit 3");
    assert_eq!(context(&failed, "stderr"), "bad input");
}

#[tokio::test]
async fn a_success_without_reading_everything_is_a_failure() {
    // The rest of the second body fits into the pipe: no write fails.
    for body in [large_body(20_000_000), large_body(200_000), ByteStream::from(Bytes::from_static(b"ab"))] {
        let failed = sh("dd bs=1 count=1 of=/dev/null 2>&1; exit 0").feed(body, 1000).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::ToolFailed);
        assert!(failed.message().contains("stopped reading"), "{failed}");
    }
}

#[tokio::test]
async fn a_success_with_the_last_byte_and_without_the_end_is_a_success() {
    for _ in 0..20 {
        let body = ByteStream::from(Bytes::from_static(b"abc"));
        let output = sh("dd bs=1 count=3 2>/dev/null").feed(body, 100).await.unwrap();
        assert_eq!(output.stdout, "abc");
    }
}

#[tokio::test]
async fn a_fed_tool_that_prints_too_much_runs_to_its_end_and_fails() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    let tool = sh(format!("cat; echo done > {}", mark.path().display()));
    let failed = tool.feed(large_body(3_000_000), 1000).await.unwrap_err();
    assert_eq!(context(&failed, "limit_bytes"), "1000");
    assert_eq!(mark.path().metadata().unwrap().len(), 5);
}

#[tokio::test]
async fn a_fed_tool_that_does_nothing_meets_the_idle_limit() {
    let seconds = unique_sleep();
    for body in [large_body(20_000_000), ByteStream::empty()] {
        let failed =
            sh(format!("sleep {seconds}; true")).idle_timeout(SOON).feed(body, 10).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Timeout);
    }
    let failed =
        sh(format!("sleep {seconds}; true")).total_timeout(SOON).feed(broken_body(), 10).await.unwrap_err();
    assert!(matches!(failed.kind(), ErrorKind::Timeout), "{failed}");
    until_gone(&seconds).await;
}

#[tokio::test]
async fn the_time_of_a_slow_body_is_not_the_tools() {
    let body = stream::iter([b"a".as_slice(), b"b"]).then(|part| async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(Bytes::from_static(part))
    });
    let tool = sh("echo early; exec cat").idle_timeout(Duration::from_secs(1));
    assert_eq!(tool.feed(ByteStream::new(body), 100).await.unwrap().stdout, "early\nab");
}

#[tokio::test]
async fn a_wait_that_is_dropped_at_any_point_loses_nothing() {
    use futures::FutureExt;

    for (script, status) in [("echo x; exit 0", ""), ("echo x; echo why >&2; exit 3", "exit 3")] {
        // Standard error stays open for a moment after the tool's end, so that there is a wait for it.
        let script = format!("setsid sleep 0.3 >/dev/null & {script}");
        let mut running = Running::start(sh(script)).unwrap();
        let mut stdout = BytesMut::new();
        let ended = loop {
            // Polled once and dropped, wherever it waits: for bytes, for the end, for the last messages.
            match running.next_however_long().now_or_never() {
                Some(Ok(Some(chunk))) => stdout.extend_from_slice(&chunk),
                Some(Ok(None)) => break None,
                Some(Err(err)) => break Some(err),
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(stdout, b"x\n".as_slice());
        assert_eq!(ended.as_ref().map_or("", |err| context(err, "status")), status, "{ended:?}");
        assert_eq!(
            ended.as_ref().map_or("", |err| context(err, "stderr")),
            if status.is_empty() { "" } else { "why" }
        );
    }
}
