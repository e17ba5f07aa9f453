//! The thread that writes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Lost,
    line::{Line, Who},
};
use crate::{Clock, Error, ErrorKind, Result};

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Command {
    Line(Vec<u8>),
    Flush(oneshot::Sender<Result<()>>),
    Close(oneshot::Sender<Result<()>>),
}

/// The file, and whether it ends in the middle of a line.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) file: File,
    path: PathBuf,
    torn: bool,
}

/// Opens the file, or makes it, durably; it blocks.
pub(super) fn open(path: PathBuf) -> Result<Appended> {
    let at = |err: io::Error| Error::from(err).with_context("path", path.display());
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(at)?;
    let torn = if file.seek(SeekFrom::End(0)).map_err(at)? == 0 {
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { std::path::Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)?;
        }
        false
    } else {
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(at)?;
        last != *b"\n"
    };
    Ok(Appended { file, path, torn })
}

impl Appended {
    /// Appends a line by one write, so that lines of other processes are never mixed into it.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let repaired;
        let bytes = if self.torn {
            repaired = [b"\n", line].concat();
            &repaired
        } else {
            line
        };
        let written = loop {
            match self.file.write(bytes) {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written == bytes.len() {
            self.torn = false;
            return Ok(());
        }
        // A disk that filled up meanwhile; the rest would not be one write with the beginning.
        self.torn = self.torn || written > 0;
        Err(io::Error::from(io::ErrorKind::WriteZero))
    }
}

pub(super) struct Writer {
    pub(super) file: Appended,
    pub(super) who: Arc<Who>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lost: Arc<Lost>,
}

impl Writer {
    /// Writes until it is told to close, or nobody is left who could tell it anything.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut closers = Vec::new();
        while let Some(command) = commands.blocking_recv() {
            match command {
                Command::Line(line) => {
                    // What is lost stands before what comes after it.
                    if let Err(err) = self.tell_lost().and_then(|()| self.file.append(&line)) {
                        self.lost.add(&err.to_string());
                    }
                }
                // Who stopped waiting needs no answer.
                Command::Flush(answer) => drop(answer.send(self.flush())),
                Command::Close(answer) => {
                    // Nothing more comes in; what came before is still written.
                    commands.close();
                    closers.push(answer);
                }
            }
        }
        if closers.is_empty()
            && let Err(err) = self.flush()
        {
            tracing::error!("the audit trail is not complete: {err}");
        }
        for answer in closers {
            drop(answer.send(self.flush()));
        }
    }

    fn tell_lost(&mut self) -> io::Result<()> {
        let count = self.lost.untold.swap(0, Ordering::Relaxed);
        if count == 0 {
            return Ok(());
        }
        let line = Line { count: Some(count), ..Line::new("lost") };
        self.file.append(&line.encode(&self.who, self.clock.now())).inspect_err(|_| {
            self.lost.untold.fetch_add(count, Ordering::Relaxed);
        })
    }

    fn flush(&mut self) -> Result<()> {
        let flushed = self.tell_lost().and_then(|()| self.file.file.sync_all());
        flushed.map_err(|err| {
            let err = match err.kind() {
                io::ErrorKind::WriteZero => Error::new(ErrorKind::StorageFull, "no space left on the device"),
                _ => Error::from(err),
            };
            err.with_context("path", self.file.path.display())
                .with_context("lost_lines", self.lost.untold.load(Ordering::Relaxed))
        })
    }
}
