//! What the tests share: a server, tools on it, and looks at what runs on this machine.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use backup_core::{
    ByteStream, Error,
    process::{Host, Tool},
    testkit::sshd::PrivateSshd,
};
use bytes::Bytes;
use futures::{StreamExt, stream};

/// Longer than any test takes, on a machine that is very busy.
const LONG: Duration = Duration::from_secs(60);

/// A server, and a connection to it.
pub struct There {
    pub host: Host,
    pub server: PrivateSshd,
}

pub async fn there() -> There {
    there_with(&[]).await
}

pub async fn there_with(lines: &[&str]) -> There {
    let server = PrivateSshd::start_with(lines).await;
    There { host: Host::ssh(server.ssh()), server }
}

pub fn sh(host: &Host, script: impl Into<OsString>) -> Tool {
    Tool::new("sh", "sh").arg("-c").arg(script).on(host)
}

/// A number of seconds to sleep that no other process has among its arguments.
pub fn unique_sleep() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("10{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The arguments of every process, by its id.
pub fn command_lines() -> BTreeMap<i32, String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()))
    });
    lines.collect()
}

/// The processes with this text among their arguments, this one left out.
pub fn running(text: &str) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let lines = command_lines().into_iter();
    lines.filter(|(id, line)| *id != own && line.contains(text)).map(|(id, _)| id).collect()
}

pub fn kill9(id: i32) {
    let pid = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

pub async fn until(claim: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "not so: {claim}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn until_gone(text: &str) {
    until(&format!("no process has {text} among its arguments"), || running(text).is_empty()).await;
}

pub fn context<'a>(err: &'a Error, key: &str) -> &'a str {
    err.context().find(|(name, _)| *name == key).map_or("", |(_, value)| value)
}

/// The number of bytes, a sum of them, and the error at the end if there is one.
pub async fn drain(mut stream: ByteStream) -> (u64, u64, Option<Error>) {
    let (mut bytes, mut sum, mut failed) = (0, 0_u64, None);
    while let Some(item) = stream.next().await {
        assert!(failed.is_none(), "an item after the error");
        match item {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                sum = chunk.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            }
            Err(err) => failed = Some(err),
        }
    }
    (bytes, sum, failed)
}

/// Every byte there is, again and again, in chunks of many sizes.
pub fn binary(bytes: usize) -> impl Iterator<Item = Bytes> {
    let pattern = Bytes::from(
        (0..300_007_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect::<Vec<_>>(),
    );
    let (mut left, mut round) = (bytes, 0);
    std::iter::from_fn(move || {
        round += 1;
        let size = [300_007, 1, 4096, 70_000][round % 4].min(left);
        left -= size;
        (size > 0).then(|| pattern.slice(..size))
    })
}

pub fn body(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> ByteStream {
    ByteStream::new(stream::iter(chunks.map(Ok)))
}
