//! [`Tool`]: a program described as a value, run as a stream that cannot lie about its end.

use std::{any::Any, ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use tokio::task::JoinHandle;

use self::{spawn::Running, ssh::script::Use};
use crate::{ByteStream, Error, ErrorKind, Result, Secret};

mod feed;
mod files;
mod group;
mod held;
mod host;
mod in_drop;
mod private;
mod reader;
mod spawn;
mod ssh;
mod start;
mod tail;
#[cfg(test)]
mod tests;

pub use held::HeldSession;
pub use host::{Host, Places};
pub use in_drop::finish_in_drop;
pub use private::{PrivateServer, ServerRecipe};
pub use ssh::{Ssh, WireCompression};

/// A program with its arguments and environment, ready to be started.
///
/// A plain value until one of its run methods is called, so that "settings to command" can be tested
/// without starting anything. `Debug` shows arguments, and the *names* of environment variables.
#[derive(Clone)]
pub struct Tool {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, Secret)>,
    pub(crate) env_remove: Vec<OsString>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) guards: Vec<Arc<dyn Any + Send + Sync>>,
    host: Host,
    /// The files of a tool on another host.
    files: Vec<Secret>,
    has_local_files: bool,
    /// Files here that the tool gets as descriptors, from [`FIRST_FD`](files::FIRST_FD) on.
    opened: Vec<PathBuf>,
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("host", &self.host.name())
            .finish_non_exhaustive()
    }
}

/// What a tool that ran to its end left: the end of its messages and, of [`Tool::output`], what it printed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ToolOutput {
    /// Standard output, whole.
    pub stdout: Bytes,
    /// The last 16 KiB of standard error, with secrets replaced by `***`.
    pub stderr: String,
}

impl Tool {
    /// A tool called `name` in messages, found at `program` (a path, or a name looked up in `PATH`).
    pub fn new(name: &'static str, program: impl Into<PathBuf>) -> Self {
        Self {
            name,
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_remove: Vec::new(),
            secrets: Vec::new(),
            idle_timeout: None,
            total_timeout: None,
            guards: Vec::new(),
            host: Host::local(),
            files: Vec::new(),
            has_local_files: false,
            opened: Vec::new(),
        }
    }

    /// Says on which machine it runs; on this one unless said. To be said before
    /// [`file_arg`](Self::file_arg) and [`file_env`](Self::file_env).
    ///
    /// On another host it runs with the environment of a login there, the tool's own variables added: what this
    /// process has in its environment stays here. Whatever ends it here, ends it there, with everything that it
    /// started; a tool that reads nothing is warned (SIGTERM) two seconds before it is killed. Its arguments can be
    /// seen in the list of processes there, as they can here, but not those of `ssh`.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self
    }

    /// Adds an argument; never a secret.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments; never a secret.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the child.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<Secret>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets an environment variable of the child to a secret, which is redacted from its messages too.
    #[must_use]
    pub fn secret_env(self, name: impl Into<OsString>, value: Secret) -> Self {
        self.redact(value.clone()).env(name, value)
    }

    /// Keeps an inherited environment variable from the child.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env_remove.push(name.into());
        self
    }

    /// Replaces this text by `***` wherever it stands in the tool's messages.
    #[must_use]
    pub fn redact(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Ends the tool when it neither gives nor takes a byte for this long while we wait for it.
    ///
    /// The time in which the consumer of its output is slow does not count.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// Ends the tool after this long.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Keeps `guard`, for example a temporary file, until the tool has ended.
    #[must_use]
    pub fn keep(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Arc::new(guard));
        self
    }

    /// The arguments, for tests of what is passed.
    pub fn get_args(&self) -> impl Iterator<Item = &OsString> {
        self.args.iter()
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// Starts the tool and streams its standard output; the last item is an error unless it exits with success.
    ///
    /// The tool runs in a process group of its own, which is killed when the stream is dropped, or when the
    /// tool itself has ended: nothing that it started outlives it. Standard error is drained all the time,
    /// its end kept for the error. Standard input is empty.
    ///
    /// On another host it is started in the background: everything that goes wrong there, also that it cannot be
    /// started, is the last item. Of the connection, these are [`ConnectionFailed`](ErrorKind::ConnectionFailed) and
    /// [`AuthenticationFailed`](ErrorKind::AuthenticationFailed) before the start, and
    /// [`Unavailable`](ErrorKind::Unavailable) later.
    ///
    /// # Errors
    ///
    /// [`ToolNotFound`](ErrorKind::ToolNotFound) or [`PermissionDenied`](ErrorKind::PermissionDenied) when it
    /// cannot be started; [`ToolFailed`](ErrorKind::ToolFailed) with `tool`, `status`, `stderr` as context, or
    /// [`Timeout`](ErrorKind::Timeout), as the stream's last item. A tool that is gone while something that it
    /// started keeps its output open and silent for some seconds has failed: nobody knows what is missing.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn stream(self) -> Result<ByteStream> {
        self.check()?;
        if self.host.is_local() {
            return Ok(Running::start(self)?.into_stream());
        }
        Ok(in_background(self, Use::Stream))
    }

    /// [`stream`](Self::stream), with the output as its host compresses it for the wire, and the format's name.
    ///
    /// The name is that of [`compress::by_name`](crate::compress::by_name), and `None` where nothing is compressed:
    /// on this machine, and on a host without [`wire`](Ssh::wire). The stream ends cleanly only after tool *and*
    /// compressor ended with success. Whether the plain bytes have their end mark can only be said of the decoded
    /// ones: see [`Encoding`](crate::dump::Encoding).
    ///
    /// # Errors
    ///
    /// Those of [`stream`](Self::stream); [`ToolNotFound`](ErrorKind::ToolNotFound) for a compressor that the host
    /// lacks.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn stream_compressed(self) -> Result<(ByteStream, Option<&'static str>)> {
        let wire = self.host.remote().map(Ssh::wire_compression).unwrap_or_default();
        match wire.format() {
            None => Ok((self.stream()?, None)),
            Some(format) => {
                self.check()?;
                Ok((in_background(self, Use::Compressed(wire)), Some(format)))
            }
        }
    }

    /// Runs the tool to its end, and returns what it printed, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// Those of [`stream`](Self::stream), all at once; [`ToolFailed`](ErrorKind::ToolFailed) for a tool that
    /// prints more, which is killed.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call kills the tool and its children.
    pub async fn output(self, limit: usize) -> Result<ToolOutput> {
        self.output_until(limit, std::future::pending(), Duration::ZERO).await
    }

    /// [`output`](Self::output), until `stop` is over: the tool and what it started are then asked to end (SIGTERM), so
    /// that they can let go of what they hold, and killed where they do not within `grace`.
    ///
    /// On another host it is ended as any tool there: see [`on`](Self::on).
    ///
    /// # Errors
    ///
    /// Those of [`output`](Self::output); [`Cancelled`](ErrorKind::Cancelled) where it was stopped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call kills the tool and its children.
    pub async fn output_until(
        self,
        limit: usize,
        stop: impl Future<Output = ()>,
        grace: Duration,
    ) -> Result<ToolOutput> {
        self.check()?;
        let mut running = Running::open(self, Use::Stream).await?;
        let mut stop = std::pin::pin!(stop);
        let mut stdout = BytesMut::new();
        loop {
            let next = tokio::select! {
                biased;
                next = running.next() => next?,
                () = &mut stop => return Err(running.stop(grace).await),
            };
            let Some(chunk) = next else { break };
            if stdout.len() + chunk.len() > limit {
                return Err(running
                    .fail(ErrorKind::ToolFailed, TOO_MUCH)
                    .await
                    .with_context("limit_bytes", limit));
            }
            stdout.extend_from_slice(&chunk);
        }
        Ok(ToolOutput { stdout: stdout.freeze(), stderr: running.stderr() })
    }

    /// Runs the tool with `body` as its standard input, and returns at most `limit` bytes of what it printed.
    ///
    /// A body that ends in an error kills the tool *before* its standard input is closed, so that it cannot
    /// take the cut-off input for whole; the body's error is returned. A tool that stops reading early is
    /// judged by its exit status; if it says success although input was left, it has failed. On Linux this
    /// holds to the last byte; elsewhere what still fits into the pipe goes unnoticed.
    ///
    /// The idle limit runs while the tool neither takes input nor prints, also after the last byte of input;
    /// waiting for the body does not count.
    ///
    /// # Errors
    ///
    /// The body's, else those of [`stream`](Self::stream), all at once. A tool that prints more than `limit`
    /// bytes is not stopped, because it is changing something, but fails at its end.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe in that a dropped call kills the tool and its children; what the tool did by then stays.
    pub async fn feed(self, body: ByteStream, limit: usize) -> Result<ToolOutput> {
        self.feed_and_hear(body, limit, |_| {}).await
    }

    /// [`feed`](Self::feed), telling what the tool prints while it runs: what answers to a part of the body can
    /// decide when the rest of it comes.
    ///
    /// # Cancel safety
    ///
    /// As [`feed`](Self::feed).
    pub(crate) async fn feed_and_hear(
        self,
        body: ByteStream,
        limit: usize,
        mut heard: impl FnMut(&Bytes) + Send,
    ) -> Result<ToolOutput> {
        self.check()?;
        feed::feed(self, body, limit, &mut heard).await
    }

    /// Refuses files that are on another machine than the tool.
    fn check(&self) -> Result<()> {
        if self.has_local_files && !self.host.is_local() || !self.files.is_empty() && self.host.is_local() {
            return Err(Error::new(ErrorKind::InvalidInput, "the tool got its files before its host")
                .with_context("tool", self.name)
                .with_suggestion("call `on` before `file_arg` and `file_env`"));
        }
        Ok(())
    }
}

/// Starts a tool on another host at once, though its stream is not polled yet.
fn in_background(tool: Tool, how: Use) -> ByteStream {
    let started = AbortOnDrop(tokio::spawn(Running::open(tool, how)));
    ByteStream::new(
        futures::stream::once(async move {
            let mut started = started;
            match (&mut started.0).await {
                Ok(running) => Ok(running?.into_stream()),
                Err(err) => {
                    Err(Error::new(ErrorKind::Unexpected, "the tool's start was cut short").with_source(err))
                }
            }
        })
        .try_flatten(),
    )
}

/// Ends a task, and what it made, when it is dropped.
struct AbortOnDrop(JoinHandle<Result<Running>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is said of a tool whose output is larger than the caller's limit.
const TOO_MUCH: &str = "printed more than it should";
