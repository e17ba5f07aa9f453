//! [`AuditTrail`]: who did what to which backup, one JSON object a line, in a file that is only appended to.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use self::{
    file::{Command, Writer},
    line::{Line, Who},
};
use crate::{
    BackupRef, Clock, Error, ErrorKind, Event, Observer, Operation, Result, SystemClock, event::Running,
};

mod file;
mod line;

/// How many lines wait for the disk at most.
const QUEUE: usize = 1024;

/// An [`Observer`] that appends every operation to a file, for those who have to show later what was done.
///
/// Every line is a JSON object with `at` (UTC, to the millisecond), `event` (`started`, `committed`, `deleted`,
/// `warning`, `finished`, `failed`, `lost`), `actor` (as given), `user` and `uid` of the operating system, `host` and `pid`; with
/// `operation`, `backup`, `duration_ms`, and for failures `code` and `message`, as far as there are. An error's message
/// is its `Display`, which holds no secret. How far an operation got is not written.
///
/// Operations never wait for the disk: a thread of its own writes. What does not fit into its queue of 1024 lines, and
/// what cannot be written, a full disk for instance, is [counted](Self::lost), said in the log of the application, and
/// followed by a line `{"event":"lost","count":n}` as soon as one can be written.
///
/// The file has mode 0600 when it is made. Each line is one write at its end, so that several processes may have one
/// file. A line that was torn when its writer was killed stays as it is, and the next one begins on a line of its own. A
/// tool that rotates files has to copy and truncate: the file that was opened is the one that is written to.
///
/// Clones are the same trail. [`close`](Self::close) it before the process ends, or the last lines may be missing.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// use backup_core::{AuditTrail, MemoryStore, Pipeline, testkit::fake::FakeDumper};
///
/// let audit = AuditTrail::open(folder.path().join("audit.jsonl"), "nightly job").await?;
/// let pipeline = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new()).with_observer(audit.clone());
/// pipeline.backup(Default::default()).await?;
/// audit.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AuditTrail {
    who: Arc<Who>,
    clock: Arc<dyn Clock>,
    running: Arc<Running>,
    queue: mpsc::Sender<Command>,
    lost: Arc<Lost>,
}

/// Lines that are not in the file.
#[derive(Debug, Default)]
struct Lost {
    /// Those that no line in the file tells of yet.
    untold: AtomicU64,
    all: AtomicU64,
}

impl Lost {
    /// Counts one, and says so where it is the first since a line was written.
    fn add(&self, why: &str) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if self.untold.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("the audit trail loses lines: {why}");
        }
    }
}

impl AuditTrail {
    /// Opens the trail at `path`, or makes it; `actor` is whoever or whatever the operations are done for.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where the folder is missing, and others of the file system.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call may have made the file.
    pub async fn open(path: impl Into<PathBuf>, actor: impl Into<String>) -> Result<Self> {
        let (path, actor) = (path.into(), actor.into());
        let (who, file) =
            tokio::task::spawn_blocking(move || Ok::<_, Error>((Who::new(actor), file::open(path)?)))
                .await
                .map_err(|err| {
                    Error::new(ErrorKind::Unexpected, "the audit trail was not opened").with_source(err)
                })??;
        Self::start(who, file, QUEUE)
    }

    fn start(who: Who, file: file::Appended, queue: usize) -> Result<Self> {
        let (queue, commands) = mpsc::channel(queue);
        let (who, lost) = (Arc::new(who), Arc::<Lost>::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let writer =
            Writer { file, who: Arc::clone(&who), clock: Arc::clone(&clock), lost: Arc::clone(&lost) };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(commands))
            .map_err(|err| Error::from(err).with_context("thread", "audit"))?;
        Ok(Self { who, clock, running: Arc::default(), queue, lost })
    }

    /// Takes the time of events from elsewhere than the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many lines are not in the file since it was opened.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.all.load(Ordering::Relaxed)
    }

    /// Waits until all that was seen so far is on the disk.
    ///
    /// # Errors
    ///
    /// Where that failed, or where lines are lost of which no line in the file tells.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn flush(&self) -> Result<()> {
        self.ask(Command::Flush).await
    }

    /// [Flushes](Self::flush), and stops writing; what is seen afterwards, by clones too, is counted as lost.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have closed it.
    pub async fn close(&self) -> Result<()> {
        self.ask(Command::Close).await
    }

    async fn ask(&self, command: fn(oneshot::Sender<Result<()>>) -> Command) -> Result<()> {
        let closed = || Error::new(ErrorKind::Unexpected, "the audit trail is closed");
        let (answer, answered) = oneshot::channel();
        self.queue.send(command(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    fn append(&self, line: &Line<'_>) {
        let bytes = line.encode(&self.who, self.clock.now());
        if let Err(full) = self.queue.try_send(Command::Line(bytes)) {
            self.lost.add(match full {
                mpsc::error::TrySendError::Full(_) => "they come faster than the disk takes them",
                mpsc::error::TrySendError::Closed(_) => "it is closed",
            });
        }
    }

    /// How long an operation took, in milliseconds.
    fn ended(&self, operation: Operation, backup: &BackupRef) -> Option<u64> {
        let run = self.running.end(operation, backup)?;
        u64::try_from(run.elapsed().as_millis()).ok()
    }
}

impl Observer for AuditTrail {
    fn observe(&self, event: &Event<'_>) {
        let line = match *event {
            Event::Started { operation, backup } => {
                self.running.begin(operation, backup);
                Line { operation: Some(operation.name()), ..Line::new("started").of(backup) }
            }
            Event::Committed { backup } => {
                Line { operation: Some(Operation::Backup.name()), ..Line::new("committed").of(backup) }
            }
            Event::Deleted { operation, backup, .. } => {
                Line { operation: Some(operation.name()), ..Line::new("deleted").of(backup) }
            }
            Event::Warning { operation, message } => Line {
                operation: Some(operation.name()),
                message: Some(message.to_owned()),
                ..Line::new("warning")
            },
            Event::Finished { operation, backup } => Line {
                operation: Some(operation.name()),
                duration_ms: self.ended(operation, backup),
                ..Line::new("finished").of(backup)
            },
            Event::Failed { operation, backup, error } => Line {
                operation: Some(operation.name()),
                backup: backup.map(ToString::to_string),
                duration_ms: backup.and_then(|backup| self.ended(operation, backup)),
                code: Some(error.code()),
                message: Some(error.to_string()),
                ..Line::new("failed")
            },
            Event::Progress { .. } => return,
        };
        self.append(&line);
    }
}

#[cfg(test)]
mod tests;
