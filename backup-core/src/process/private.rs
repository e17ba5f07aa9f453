//! [`PrivateServer`]: a database server of our own, which cannot outlive us.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::task::spawn_blocking;

use crate::{Error, ErrorKind, Result, Secret};

#[cfg(unix)]
mod supervisor;

#[cfg(unix)]
use supervisor::Supervisor;

/// The longest that a start may take.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The longest that [`PrivateServer::close`] waits.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);

/// How one kind of server is started: a script behind the supervisor's common part, `private/supervisor.sh`.
///
/// The script finds the directory in `$dir`, a random password of letters and digits in `$password`, its arguments in
/// `"$@"`, and the functions of the common part: `run` and `run_with` for what ends by itself, `start` for the server, `wait_until`,
/// `serve`, `fail`. The server's data has to be in `$dir/data`.
#[derive(Debug, Clone)]
pub struct ServerRecipe {
    name: &'static str,
    script: &'static str,
    args: Vec<OsString>,
    within: Option<PathBuf>,
}

impl ServerRecipe {
    /// The start of a server that is called `name` in messages and in its directory's name.
    #[must_use]
    pub fn new(name: &'static str, script: &'static str) -> Self {
        Self { name, script, args: Vec::new(), within: None }
    }

    /// Adds an argument of the script; never a secret.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Makes the directory in this folder instead of the system's temporary one.
    #[must_use]
    pub fn within(mut self, folder: impl Into<PathBuf>) -> Self {
        self.within = Some(folder.into());
        self
    }

    /// Starts the server, and waits until it takes connections.
    ///
    /// It runs under a shell that holds a pipe to this process. Where this process is root's, both run as `nobody`, or
    /// whoever `fallback_users` names and exists: a database server refuses to be root, and a user of its own has
    /// nothing that a hostile dump could want.
    ///
    /// # Errors
    ///
    /// [`ToolFailed`](ErrorKind::ToolFailed) or [`StorageFull`](ErrorKind::StorageFull) with the end of the server's
    /// log; [`Timeout`](ErrorKind::Timeout) after two minutes; [`PermissionDenied`](ErrorKind::PermissionDenied)
    /// where the server's user cannot reach the folder; [`Unsupported`](ErrorKind::Unsupported) on other systems than
    /// Unix.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends what was started, at once, and removes it.
    #[cfg(unix)]
    pub async fn start(self, fallback_users: &'static [&'static str]) -> Result<PrivateServer> {
        let name = self.name;
        let named = |err: Error| err.with_context("server", name);
        let spawned = spawn_blocking(move || Supervisor::spawn(&self, fallback_users)).await;
        let (supervisor, answer) = spawned.map_err(ended)?.map_err(named)?;
        match tokio::time::timeout(START_LIMIT, spawn_blocking(move || answer.read())).await {
            Ok(answer) => answer.map_err(ended)?.map_err(|log| named(did_not_start(&supervisor, &log)))?,
            Err(_) => {
                return Err(named(
                    Error::new(ErrorKind::Timeout, "a private server did not start in time")
                        .with_context("limit_seconds", START_LIMIT.as_secs()),
                ));
            }
        }
        Ok(PrivateServer { name, supervisor })
    }

    /// Starts no server: there is no supervisor for this system.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    #[cfg(not(unix))]
    #[allow(clippy::unused_async)]
    pub async fn start(self, _: &'static [&'static str]) -> Result<PrivateServer> {
        Err(Error::new(ErrorKind::Unsupported, "private servers need a Unix system"))
    }
}

/// A database server that this process started for itself.
///
/// # Contract
///
/// It ends, and its directory is removed, when this is closed or dropped, also by a panic, and within seconds after
/// this process is gone, however it went (`SIGTERM`, `SIGKILL`). A drop waits for that, ten seconds at most. Its
/// directory has mode 0700 and belongs to the server's user: nobody but that user, root and, where these are not the
/// same, we can reach the socket in it.
#[derive(Debug)]
pub struct PrivateServer {
    name: &'static str,
    #[cfg(unix)]
    supervisor: Supervisor,
}

#[cfg(unix)]
impl PrivateServer {
    /// The directory that holds all of it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// The password that the script was given.
    #[must_use]
    pub fn password(&self) -> &Secret {
        self.supervisor.password()
    }

    /// The end of what the server logged, without the password.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn log(&self) -> String {
        let log = self.directory().join("log");
        let read = spawn_blocking(move || supervisor::tail(&log)).await;
        self.supervisor.redacted(&read.unwrap_or_default())
    }

    /// Ends the server, removes its directory, and says when that failed.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) after a minute; the supervisor goes on trying.
    ///
    /// # Cancel safety
    ///
    /// A dropped call ends it as a drop does.
    pub async fn close(mut self) -> Result<()> {
        let (name, directory) = (self.name, self.directory().to_owned());
        let closed = spawn_blocking(move || self.supervisor.end(CLOSE_LIMIT)).await.map_err(ended)?;
        closed.map_err(|err| {
            let kind = if err.kind() == io::ErrorKind::TimedOut {
                ErrorKind::Timeout
            } else {
                ErrorKind::Unexpected
            };
            Error::new(kind, "a private server is not gone")
                .with_context("server", name)
                .with_context("left_behind", directory.display())
                .with_source(err)
        })
    }
}

/// What the end of the log says of a server that did not start.
#[cfg(unix)]
fn did_not_start(supervisor: &Supervisor, log: &str) -> Error {
    let log = supervisor.redacted(log);
    let (kind, suggestion) = if log.contains("No space left on device") || log.contains("Disk quota exceeded")
    {
        (ErrorKind::StorageFull, "free space in the temporary folder, or name another folder")
    } else if log.contains("cannot enter the directory") || log.contains("Permission denied") {
        (
            ErrorKind::PermissionDenied,
            "name a folder for temporary copies that every user can enter: the private server runs as an \
             unprivileged user",
        )
    } else {
        (
            ErrorKind::ToolFailed,
            "read the server's log; free memory, or name another folder of server programs",
        )
    };
    Error::new(kind, "a private server did not start")
        .with_context("log", log.trim())
        .with_suggestion(suggestion)
}

fn ended(err: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "a background task did not end").with_source(crate::BoxError::from(err))
}
