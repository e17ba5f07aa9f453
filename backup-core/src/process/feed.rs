//! A body into a tool's standard input.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use tokio::{
    io::AsyncWriteExt,
    process::ChildStdin,
    time::{self, Instant},
};

use super::{
    TOO_MUCH, Tool, ToolOutput,
    group::Group,
    spawn::Running,
    ssh::{script::Use, session::Session},
};
use crate::{ByteStream, Error, ErrorKind, Result};

/// How long a write that filled the pipe is followed by a pause, in which the tool empties it.
const PAUSE: Duration = Duration::from_millis(1);

/// The longest pause between two looks at whether the tool has read everything.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How many bytes are sent to another host at once, each time by a process there.
const FRAME_BYTES: usize = 512 * 1024;

/// See [`Tool::feed`].
pub(super) async fn feed(
    tool: Tool,
    body: ByteStream,
    limit: usize,
    heard: &mut (dyn FnMut(&Bytes) + Send),
) -> Result<ToolOutput> {
    let idle_timeout = tool.idle_timeout;
    let (mut running, input) = start(tool).await?;
    let activity = Activity::new();
    let mut pumped = Box::pin(pump(input, body, &activity));
    // The input of a tool on another host is its lifeline too, and stays open.
    let mut lifeline = None;

    let (mut stdout, mut too_much) = (BytesMut::new(), false);
    let mut input = None;
    let mut ended = false;
    while !ended || input.is_none() {
        tokio::select! {
            pump = &mut pumped, if input.is_none() => match pump {
                Ok((all, open)) => {
                    input = Some(all);
                    lifeline = open;
                }
                Err(Broken::Body(err)) => {
                    // Killed already, or about to be on another host; this waits until it is gone, so that nothing is done after we returned.
                    let _said = running.fail(ErrorKind::ToolFailed, "was given an incomplete body").await;
                    return Err(err);
                }
                Err(Broken::Pipe(err)) => {
                    let failed = running.fail(ErrorKind::ToolFailed, "cannot be given its input").await;
                    return Err(failed.with_source(err));
                }
            },
            chunk = running.next_however_long(), if !ended => match chunk? {
                Some(chunk) => {
                    activity.tick();
                    heard(&chunk);
                    too_much |= stdout.len() + chunk.len() > limit;
                    if !too_much {
                        stdout.extend_from_slice(&chunk);
                    }
                }
                None => ended = true,
            },
            () = activity.ceased(idle_timeout), if !ended => {
                // With it goes the lifeline of a tool on another host.
                drop(pumped);
                drop(lifeline);
                return Err(running.idle().await);
            }
        }
    }
    drop(lifeline);
    if input == Some(Taken::InPart) {
        return Err(running
            .error(ErrorKind::ToolFailed, "stopped reading before the end of its input")
            .with_context("status", "exit 0"));
    }
    if too_much {
        return Err(running.error(ErrorKind::ToolFailed, TOO_MUCH).with_context("limit_bytes", limit));
    }
    Ok(ToolOutput { stdout: stdout.freeze(), stderr: running.stderr() })
}

/// Starts the tool, here or on its host.
async fn start(tool: Tool) -> Result<(Running, Input)> {
    let Some(ssh) = tool.host.remote().cloned() else {
        let (running, stdin, group) = Running::start_fed(tool)?;
        return Ok((running, Input { stdin, group, complete: false, framed: false }));
    };
    let mut running = Running::start_remote(Session::prepare(tool, ssh, Use::Feed).await?).await?;
    let Some(stdin) = running.take_lifeline() else {
        return Err(running.error(ErrorKind::Unexpected, "has no standard input"));
    };
    let input = Input { stdin, group: running.group(), complete: false, framed: true };
    Ok((running, input))
}

/// How much of the body the tool has read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    InPart,
}

/// Why the body could not be handed over.
enum Broken {
    Body(Error),
    Pipe(io::Error),
}

/// Hands the body over, and closes the tool's standard input after the last byte was *read*.
///
/// What is returned is the lifeline of a tool on another host.
async fn pump(
    mut input: Input,
    mut body: ByteStream,
    activity: &Activity,
) -> Result<(Taken, Option<Input>), Broken> {
    let mut frame = BytesMut::new();
    loop {
        activity.wait_for_body();
        let chunk = match body.next().now_or_never() {
            Some(next) => next,
            // Nothing more for now: what was gathered is sent, so that the tool can go on.
            None if frame.is_empty() => body.next().await,
            None => {
                activity.wait_for_tool();
                if !input.write_frame(&mut frame, activity).await? {
                    return Ok((input.taken_in_part(), None));
                }
                continue;
            }
        };
        let Some(chunk) = chunk else { break };
        let mut chunk = chunk.map_err(Broken::Body)?;
        activity.wait_for_tool();
        if !input.framed {
            if !input.write_all(&mut chunk, activity).await? {
                return Ok((input.taken_in_part(), None));
            }
            continue;
        }
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(FRAME_BYTES - frame.len()));
            frame.extend_from_slice(&part);
            if frame.len() == FRAME_BYTES && !input.write_frame(&mut frame, activity).await? {
                return Ok((input.taken_in_part(), None));
            }
        }
    }
    activity.wait_for_tool();
    if input.framed {
        let mut end = Bytes::from_static(b"end\n");
        if !input.write_frame(&mut frame, activity).await? || !input.write_all(&mut end, activity).await? {
            return Ok((input.taken_in_part(), None));
        }
        // Whether the tool read everything is said by its host.
        input.complete = true;
        return Ok((Taken::Whole, Some(input)));
    }
    let mut pause = PAUSE;
    let mut left = input.unread();
    while left > 0 {
        if input.is_closed_by_tool() {
            return Ok((input.taken_in_part(), None));
        }
        time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
        let now_left = input.unread();
        if now_left < left {
            activity.tick();
        }
        left = now_left;
    }
    input.complete = true;
    Ok((Taken::Whole, None))
}

/// The tool's standard input: if it is closed before everything was handed over, the tool is killed first.
///
/// Whatever happens, an error, a dropped future, a panic: the tool cannot take its input for whole.
struct Input {
    stdin: ChildStdin,
    group: Arc<Group>,
    complete: bool,
    /// Sent in frames, of which the last one says that it is the last: the tool's host kills the tool when they end
    /// without it.
    framed: bool,
}

impl Drop for Input {
    fn drop(&mut self) {
        if !self.complete && !self.framed {
            self.group.kill();
        }
    }
}

impl Input {
    /// Writes all of `bytes`; false when nobody reads any more.
    async fn write_all(&mut self, bytes: &mut Bytes, activity: &Activity) -> Result<bool, Broken> {
        while !bytes.is_empty() {
            match self.stdin.write(bytes).await {
                Ok(written) => {
                    activity.tick();
                    bytes.advance(written);
                    if !bytes.is_empty() {
                        // The pipe is full. Without a pause we would be woken for every 4 KiB that are read.
                        time::sleep(PAUSE).await;
                    }
                }
                Err(err) if err.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
                Err(err) => return Err(Broken::Pipe(err)),
            }
        }
        Ok(true)
    }

    /// Writes what was gathered as a frame, unless that is nothing.
    async fn write_frame(&mut self, frame: &mut BytesMut, activity: &Activity) -> Result<bool, Broken> {
        if frame.is_empty() {
            return Ok(true);
        }
        let mut length = Bytes::from(format!("{}\n", frame.len()));
        let mut bytes = frame.split().freeze();
        Ok(self.write_all(&mut length, activity).await? && self.write_all(&mut bytes, activity).await?)
    }

    /// The tool itself has stopped reading: it cannot be misled any more, and is judged by its exit status.
    fn taken_in_part(mut self) -> Taken {
        self.complete = true;
        Taken::InPart
    }

    /// How many bytes are in the pipe; 0 where that cannot be known.
    #[cfg(target_os = "linux")]
    fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(std::os::fd::AsFd::as_fd(&self.stdin)).unwrap_or(0)
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self)] // The same shape as on Linux.
    fn unread(&self) -> u64 {
        0
    }

    /// True once nobody holds the reading end.
    #[cfg(target_os = "linux")]
    fn is_closed_by_tool(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut pipe = [PollFd::new(&self.stdin, PollFlags::OUT)];
        let polled = poll(&mut pipe, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled.is_ok() && pipe.iter().any(|pipe| pipe.revents().contains(PollFlags::ERR))
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self)] // The same shape as on Linux.
    fn is_closed_by_tool(&self) -> bool {
        false
    }
}

/// When the tool last gave or took a byte, and whether it is the tool that we wait for.
struct Activity(Mutex<Last>);

#[derive(Clone, Copy)]
struct Last {
    at: Instant,
    waiting_for_body: bool,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(Last { at: Instant::now(), waiting_for_body: false }))
    }

    fn set(&self, change: impl FnOnce(&mut Last)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The tool gave or took something.
    fn tick(&self) {
        self.set(|last| last.at = Instant::now());
    }

    /// It is the body that we wait for.
    fn wait_for_body(&self) {
        self.set(|last| last.waiting_for_body = true);
    }

    /// It is the tool that we wait for, from now on.
    fn wait_for_tool(&self) {
        self.set(|last| *last = Last { at: Instant::now(), waiting_for_body: false });
    }

    /// Waits until nothing has happened for `limit`.
    async fn ceased(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if last.waiting_for_body {
                time::sleep(limit).await;
            } else if last.at.elapsed() >= limit {
                return;
            } else {
                time::sleep_until(last.at + limit).await;
            }
        }
    }
}
