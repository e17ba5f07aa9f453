//! Starting a tool, and following it to its end.

use std::{
    io,
    process::{Child, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time,
};

use super::{
    Tool,
    group::Group,
    reader::{self, Ended, FromTool, Stdout},
    ssh::{
        marks::Marks,
        script::Use,
        session::{Remote, Session},
    },
    start::spawn,
    tail::Tail,
};
use crate::{ByteStream, Error, ErrorKind, Result};

/// What we ask of a pipe, in bytes; the most that Linux gives to everybody.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PIPE_BYTES: usize = 1024 * 1024;

/// How many chunks may wait for the consumer.
const CHUNKS: usize = 2;

/// How long a killed tool may take to be gone, and its last messages to arrive.
const GRACE: Duration = Duration::from_secs(2);

/// How long a tool on another host may take to be gone after its lifeline was closed: it is warned, then killed.
const GRACE_THERE: Duration = Duration::from_secs(5);

/// A tool at work: killed with everything that it started when this is dropped.
pub(super) struct Running {
    name: &'static str,
    idle_timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    group: Arc<Group>,
    events: mpsc::Receiver<FromTool>,
    tail: Arc<Mutex<Tail>>,
    drained: Option<oneshot::Receiver<()>>,
    /// How the tool ended, until that was said.
    ended: Option<io::Result<Ended>>,
    attendant: JoinHandle<()>,
    remote: Option<Remote>,
    killed_on_drop: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.killed_on_drop {
            self.group.kill();
        }
        self.attendant.abort();
    }
}

impl Running {
    /// Starts `tool` with nothing to read.
    pub(super) fn start(tool: Tool) -> Result<Self> {
        let child = spawn(&tool, Stdio::null())?;
        Self::follow(tool, child, None)
    }

    /// Starts `tool` with nothing to read, here or on its host.
    pub(super) async fn open(tool: Tool, how: Use) -> Result<Self> {
        match tool.host.remote().cloned() {
            None => Self::start(tool),
            Some(ssh) => Self::start_remote(Session::prepare(tool, ssh, how).await?).await,
        }
    }

    /// Starts a tool on another host; its lifeline is also what a body is sent by.
    pub(super) async fn start_remote(session: Session) -> Result<Self> {
        let Session { client, header, token, has_ended, remote } = session;
        let mut child = spawn(&client, Stdio::piped())?;
        let stdin = child.stdin.take();
        let mut running =
            Self::follow(client, child, Some((remote, Marks::new(token, has_ended.clone()), has_ended)))?;
        let stdin = stdin.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        #[cfg(unix)]
        enlarge(&stdin);
        let mut lifeline = ChildStdin::from_std(stdin)?;
        // An `ssh` that does not take it has failed, and says why when it is read.
        let _or_says_why = lifeline.write_all(&header).await;
        if let Some(remote) = &mut running.remote {
            remote.lifeline = Some(lifeline);
        }
        Ok(running)
    }

    /// The lifeline of a tool on another host, taken to send a body by it.
    pub(super) fn take_lifeline(&mut self) -> Option<ChildStdin> {
        self.remote.as_mut()?.lifeline.take()
    }

    pub(super) fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// True once it has ended, whatever was read of it.
    #[cfg(unix)]
    pub(super) fn has_ended(&self) -> bool {
        self.group.has_ended()
    }

    #[cfg(not(unix))]
    #[allow(clippy::unused_self)] // The same shape as on Unix.
    pub(super) fn has_ended(&self) -> bool {
        false
    }

    /// Leaves it to end by itself, within a second or so.
    pub(super) fn let_go(mut self) {
        self.killed_on_drop = false;
    }

    /// Starts `tool` with a pipe to read from.
    pub(super) fn start_fed(tool: Tool) -> Result<(Self, ChildStdin, Arc<Group>)> {
        let mut child = spawn(&tool, Stdio::piped())?;
        let stdin = child.stdin.take();
        let running = Self::follow(tool, child, None)?;
        let stdin = stdin.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        #[cfg(unix)]
        enlarge(&stdin);
        let stdin = ChildStdin::from_std(stdin)?;
        let group = Arc::clone(&running.group);
        Ok((running, stdin, group))
    }

    fn follow(
        tool: Tool,
        mut child: Child,
        remote: Option<(Remote, Marks, Arc<AtomicBool>)>,
    ) -> Result<Self> {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut tail = Tail::new(tool.secrets);
        let (remote, ended_there) = match remote {
            Some((remote, marks, ended_there)) => {
                tail = tail.with_marks(marks);
                (Some(remote), ended_there)
            }
            None => (None, Arc::default()),
        };
        let group = Arc::new(Group::new(child, ended_there));
        // Blocks until the kernel has ended what was just started; there is no thread yet to do it.
        let abandon = |err: io::Error| {
            group.kill();
            let _reaped = group.wait();
            Error::from(err).with_context("tool", tool.name)
        };
        let no_pipe = || abandon(io::ErrorKind::BrokenPipe.into());
        let stdout = open(stdout.ok_or_else(no_pipe)?).map_err(abandon)?;
        let stderr = ChildStderr::from_std(stderr.ok_or_else(no_pipe)?).map_err(abandon)?;

        let (sender, events) = mpsc::channel(CHUNKS);
        let guards = tool.guards.clone();
        let on_thread = Arc::clone(&group);
        thread::Builder::new()
            .name(tool.name.to_owned())
            .spawn(move || reader::run(stdout, &on_thread, &sender, guards))
            .map_err(abandon)?;

        let tail = Arc::new(Mutex::new(tail));
        let (all_read, drained) = oneshot::channel();
        let attendant =
            tokio::spawn(attend(stderr, Arc::clone(&tail), all_read, tool.total_timeout, Arc::clone(&group)));
        Ok(Self {
            name: tool.name,
            idle_timeout: tool.idle_timeout,
            total_timeout: tool.total_timeout,
            group,
            events,
            tail,
            drained: Some(drained),
            ended: None,
            attendant,
            remote,
            killed_on_drop: true,
        })
    }

    /// The tool's standard output, and how it ended as the last item.
    pub(super) fn into_stream(self) -> ByteStream {
        ByteStream::new(futures::stream::try_unfold(self, |mut running| async move {
            let chunk = running.next().await?;
            Ok(chunk.map(|chunk| (chunk, running)))
        }))
    }

    /// The next chunk, or nothing after an exit with success.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe until it has returned `None` or an error.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.idle_timeout {
            None => self.next_however_long().await,
            Some(limit) => match time::timeout(limit, self.next_however_long()).await {
                Ok(next) => next,
                Err(_) => Err(self.idle().await),
            },
        }
    }

    /// [`next`](Self::next) without the idle limit.
    pub(super) async fn next_however_long(&mut self) -> Result<Option<Bytes>> {
        if self.group.is_overdue() {
            return Err(self.overdue().await);
        }
        while self.ended.is_none() {
            match self.events.recv().await {
                Some(FromTool::Chunk(chunk)) => {
                    let chunk = match &mut self.remote {
                        None => chunk,
                        Some(remote) => remote.stdout.strip(chunk)?,
                    };
                    if !chunk.is_empty() {
                        return Ok(Some(chunk));
                    }
                }
                // Kept, as this call may be dropped while it waits for the last messages.
                Some(FromTool::Ended(ended)) => {
                    self.ended = Some(ended);
                    let rest = self.remote.as_mut().map(|remote| remote.stdout.finish()).unwrap_or_default();
                    if !rest.is_empty() {
                        return Ok(Some(rest));
                    }
                }
                None => return Err(self.fail(ErrorKind::Unexpected, "the thread that reads it died").await),
            }
        }
        self.last_messages().await;
        match self.ended.take() {
            Some(Ok(ended)) => self.judge(&ended).await.map(|()| None),
            Some(Err(err)) => {
                Err(self.error(ErrorKind::ToolFailed, "its end cannot be followed").with_source(err))
            }
            None => Err(self.fail(ErrorKind::Unexpected, "the thread that reads it died").await),
        }
    }

    /// Kills the tool and makes an error of what it said.
    pub(super) async fn fail(&mut self, kind: ErrorKind, message: &'static str) -> Error {
        if let Some(remote) = &mut self.remote {
            drop(remote.lifeline.take());
            // The connection ends after the tool there, whose own end is waited for.
            let _or_out_of_reach = time::timeout(GRACE_THERE, gone(&mut self.events)).await;
        }
        self.group.kill();
        let _gone_or_as_good = time::timeout(GRACE, gone(&mut self.events)).await;
        self.last_messages().await;
        self.error(kind, message)
    }

    /// Asks the tool to end, kills it where it does not within `grace`, and says whether it is gone.
    pub(super) async fn stop(&mut self, grace: Duration) -> Error {
        self.group.ask_to_end();
        let has_obeyed = self.ended.is_some() || time::timeout(grace, gone(&mut self.events)).await.is_ok();
        let is_gone = has_obeyed || {
            self.group.kill();
            time::timeout(GRACE, gone(&mut self.events)).await.is_ok()
        };
        self.last_messages().await;
        if is_gone {
            return self.error(ErrorKind::Cancelled, "was stopped, with everything that it started");
        }
        self.error(ErrorKind::Cancelled, "was told to stop, killed, and has not gone yet")
            .with_suggestion("look whether it still runs before you do anything else")
    }

    /// Kills the tool because it does nothing.
    pub(super) async fn idle(&mut self) -> Error {
        let limit = self.idle_timeout.unwrap_or_default();
        self.fail(ErrorKind::Timeout, "neither gave nor took a byte for too long")
            .await
            .with_context("limit_seconds", limit.as_secs_f64())
    }

    /// The end of what the tool said so far on standard error.
    pub(super) fn stderr(&self) -> String {
        lock(&self.tail).text()
    }

    /// An error about this tool, with the end of what it said.
    pub(super) fn error(&self, kind: ErrorKind, message: &'static str) -> Error {
        self.error_with(kind, message, "")
    }

    pub(super) fn error_with(&self, kind: ErrorKind, message: &'static str, status: &str) -> Error {
        let mut err = Error::new(kind, message).with_context("tool", self.name);
        if let Some(remote) = &self.remote {
            err = err.with_context("host", remote.host());
        }
        if !status.is_empty() {
            err = err.with_context("status", status);
        }
        match self.stderr() {
            stderr if stderr.is_empty() => err,
            stderr => err.with_context("stderr", stderr),
        }
    }

    async fn overdue(&mut self) -> Error {
        let limit = self.total_timeout.unwrap_or_default();
        self.fail(ErrorKind::Timeout, "took longer than it may")
            .await
            .with_context("limit_seconds", limit.as_secs_f64())
    }

    async fn judge(&mut self, ended: &Ended) -> Result<()> {
        if self.group.is_overdue() {
            return Err(self.overdue().await);
        }
        if let Some(remote) = &self.remote {
            let report = lock(&self.tail).report();
            return remote.judge(self, &report, ended.status, ended.held_open);
        }
        if !ended.status.success() {
            return Err(self.exited_with(ended.status));
        }
        if ended.held_open {
            return Err(self
                .error(ErrorKind::ToolFailed, "ended while something that it started kept its output open")
                .with_suggestion("do not let the program leave background processes behind"));
        }
        Ok(())
    }

    fn exited_with(&self, status: ExitStatus) -> Error {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            let err = self.error_with(ErrorKind::ToolFailed, "was killed", &format!("signal {signal}"));
            return if signal == rustix::process::Signal::KILL.as_raw() {
                err.with_suggestion("look in the kernel's log whether memory ran out")
            } else {
                err
            };
        }
        let status = status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"));
        self.error_with(ErrorKind::ToolFailed, "failed", &status)
    }

    /// Waits until standard error was read to its end, unless something holds it open.
    async fn last_messages(&mut self) {
        if let Some(drained) = &mut self.drained {
            let _or_held_open = time::timeout(GRACE, drained).await;
            self.drained = None;
        }
    }
}

/// Waits until the tool is gone, throwing away what it still prints.
async fn gone(events: &mut mpsc::Receiver<FromTool>) {
    while let Some(FromTool::Chunk(_)) = events.recv().await {}
}

/// Reads standard error to its end whatever the consumer of standard output does, and ends an overdue tool.
async fn attend(
    mut stderr: ChildStderr,
    tail: Arc<Mutex<Tail>>,
    all_read: oneshot::Sender<()>,
    total_timeout: Option<Duration>,
    group: Arc<Group>,
) {
    let drain = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match stderr.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => lock(&tail).push(buffer.get(..read).unwrap_or_default()),
                Err(err) => {
                    lock(&tail).push(format!("\n(its messages cannot be read: {err})").as_bytes());
                    break;
                }
            }
        }
        lock(&tail).finish();
        let _nobody_waits = all_read.send(());
    };
    let limit = async {
        if let Some(limit) = total_timeout {
            time::sleep(limit).await;
            group.expire();
        }
    };
    tokio::join!(drain, limit);
}

fn lock(tail: &Mutex<Tail>) -> MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn open(stdout: std::process::ChildStdout) -> io::Result<Stdout> {
    Stdout::new(stdout)
}

#[cfg(not(unix))]
fn open(stdout: std::process::ChildStdout) -> io::Result<Stdout> {
    Ok(stdout)
}

/// Makes a pipe as large as the system allows, and returns its size in bytes, 0 if unknown.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn enlarge(pipe: impl std::os::fd::AsFd) -> usize {
    // A user with many large pipes is refused more; then it stays as it is.
    rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES)
        .or_else(|_| rustix::pipe::fcntl_getpipe_size(&pipe))
        .unwrap_or(0)
}

/// Pipes cannot be enlarged here.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(super) fn enlarge(_: impl std::os::fd::AsFd) -> usize {
    0
}
