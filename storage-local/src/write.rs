//! Storing an object: what the one blocking thread of a put does.

use std::{
    fs::{File, TryLockError},
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use backup_core::{Error, ErrorKind, Key, ObjectMeta, PutMode, PutOptions, Result, store::DigestCheck};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    dir::{Dir, Growing, Kind, Stat},
    error,
    path::{Root, split},
    step::{self, Step, Synced},
    writeback::Writeback,
};

/// Chunks smaller than this many bytes are written together.
const WRITE_BYTES: usize = 128 * 1024;
/// How many chunks are taken out of the channel at once.
pub(crate) const PIECES: usize = 16;
/// How often another temporary name is tried where a sweep took the first one.
const ATTEMPTS: usize = 16;

/// What the body's side sends; a channel that closes without `End` means "forget it".
#[derive(Debug)]
pub(crate) enum Piece {
    Chunk(Bytes),
    End,
}

/// Decides, once, between publishing and a caller that is gone.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicU8);

const OPEN: u8 = 0;
const TAKEN: u8 = 1;

impl Turn {
    /// True for the first one that asks.
    fn take(&self) -> bool {
        self.0.compare_exchange(OPEN, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Takes the turn away from the writer when the future of a put is dropped.
#[derive(Debug)]
pub(crate) struct Withdraw(pub(crate) Arc<Turn>);

impl Drop for Withdraw {
    fn drop(&mut self) {
        let _too_late_is_fine = self.0.take();
    }
}

/// One put, on a blocking thread.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) root: Arc<Root>,
    pub(crate) key: Key,
    pub(crate) options: PutOptions,
    pub(crate) turn: Arc<Turn>,
}

impl Writing {
    /// Takes the body, and publishes it once it ended cleanly.
    pub(crate) fn run(&self, pieces: mpsc::Receiver<Piece>) -> Result<ObjectMeta> {
        self.root.check_writable()?;
        let stored = self.store(pieces);
        if stored.is_err() {
            // Folders that were made for nothing; the error to report is the first one.
            if let Err(err) = self.root.prune(&split(&self.key).0) {
                tracing::debug!(%err, "empty folders stay");
            }
        }
        stored
    }

    fn store(&self, mut pieces: mpsc::Receiver<Piece>) -> Result<ObjectMeta> {
        let digest = self.options.digest_check()?;
        let (mut temp, file) = self.create_temp()?;
        let stat = self.fill(&mut pieces, &file, digest)?;
        if !self.turn.take() {
            return Err(withdrawn());
        }
        if let Err(err) = self.publish(&mut temp) {
            // Network file systems say that it failed and do it all the same: what others may now see must last.
            if err.kind() != ErrorKind::AlreadyExists
                && !temp.is_there()
                && let Err(err) = self.sync(&temp.dir)
            {
                tracing::warn!(key = %self.key, %err, "an object may be there whose put failed");
            }
            return Err(err);
        }
        if let Err(err) = self.sync(&temp.dir) {
            self.take_back(&temp.dir);
            return Err(err);
        }
        Ok(ObjectMeta::new(self.key.clone(), stat.size, stat.modified))
    }

    /// Makes the temporary file, locked, in the folder of the key, which is made where it is missing.
    fn create_temp(&self) -> Result<(Temp, File)> {
        let name = self.key.name();
        for _ in 0..ATTEMPTS {
            let dir = self.root.make_folder(&self.key)?;
            self.check_name(&dir, name)?;
            let temp = temp_name(name)?;
            let file = match dir.create_file(&temp) {
                Ok(file) => file,
                // Somebody removed the folder because it was empty.
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                Err(err) => return Err(self.failed(err)),
            };
            let temp = Temp { dir, name: Some(temp) };
            step::reached(Step::TempCreated);
            match file.try_lock() {
                Ok(()) => {}
                // A sweep looks at it and is about to remove it.
                Err(TryLockError::WouldBlock) => continue,
                // File systems without locks: the time of its last write still keeps a sweep away.
                Err(TryLockError::Error(err)) => tracing::debug!(%err, "the file system has no locks"),
            }
            step::reached(Step::Locked);
            if temp.is_there() {
                return Ok((temp, file));
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "sweeps keep removing the file to be written")
            .with_context("key", &self.key)
            .with_suggestion("sweep with a grace period longer than nothing"))
    }

    /// Refuses early what can only be refused at the end, before a byte of the body was taken.
    fn check_name(&self, dir: &Dir, name: &str) -> Result<()> {
        let path = || self.root.full(self.key.as_str());
        match dir.stat(name).map(|stat| stat.kind) {
            Ok(Kind::File) if self.options.mode == PutMode::Create => Err(error::exists(&self.key)),
            Ok(Kind::File) => Ok(()),
            Ok(Kind::Link) => Err(error::link(&path())),
            Ok(Kind::Other) => Err(error::not_an_object(&path())),
            // An empty one is left over and holds nothing.
            Ok(Kind::Dir) => match dir.remove_dir(name) {
                Ok(()) => Ok(()),
                Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(_) => Err(error::name_is_taken(&path(), &self.key)),
            },
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(err) => Err(self.failed(err)),
        }
    }

    /// Writes the body until its clean end, and waits until the disk has it.
    fn fill(&self, pieces: &mut mpsc::Receiver<Piece>, file: &File, mut digest: DigestCheck) -> Result<Stat> {
        let mut out = BufWriter::with_capacity(WRITE_BYTES, Growing(file));
        let mut writeback = Writeback::default();
        let mut batch = Vec::with_capacity(PIECES);
        loop {
            if pieces.blocking_recv_many(&mut batch, PIECES) == 0 {
                return Err(withdrawn());
            }
            let mut ended = false;
            for piece in batch.drain(..) {
                match piece {
                    Piece::Chunk(bytes) => {
                        digest.update(&bytes);
                        out.write_all(&bytes).map_err(|err| self.failed(err))?;
                        writeback.wrote(file, bytes.len()).map_err(|err| self.failed(err))?;
                        step::reached(Step::ChunkWritten);
                    }
                    Piece::End => ended = true,
                }
            }
            if ended {
                break;
            }
        }
        out.flush().map_err(|err| self.failed(err))?;
        digest.finish(&self.key)?;
        writeback.finish().and_then(|()| Growing(file).sync()).map_err(|err| self.failed(err))?;
        step::reached(Step::FileSynced);
        Stat::of_open(file).map_err(|err| self.failed(err))
    }

    fn publish(&self, temp: &mut Temp) -> Result<()> {
        let name = self.key.name();
        let Some(from) = &temp.name else { return Ok(()) };
        let done = match self.options.mode {
            PutMode::Create => temp.dir.publish(from, name),
            PutMode::Overwrite => temp.dir.replace(from, name),
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a mode of put that this store does not know",
                ));
            }
        };
        match done {
            Ok(()) => {
                temp.name = None;
                step::reached(Step::Published);
                Ok(())
            }
            Err(err) => Err(match temp.dir.stat(name).map(|stat| stat.kind) {
                Ok(Kind::Dir) => error::name_is_taken(&self.root.full(self.key.as_str()), &self.key),
                _ if err.kind() == io::ErrorKind::AlreadyExists => error::exists(&self.key),
                _ => self.failed(err),
            }),
        }
    }

    /// Waits until the object's name is on the disk, and every name on the way to it.
    fn sync(&self, folder: &Dir) -> Result<()> {
        folder.sync(Synced::Folder).map_err(|err| self.failed(err))?;
        step::reached(Step::FolderSynced);
        self.root.sync_way(&self.key, Synced::Way)
    }

    /// A created object whose name may not outlive a power cut: the put fails, so it must not stay.
    fn take_back(&self, folder: &Dir) {
        if self.options.mode == PutMode::Create
            && let Err(err) = folder.remove_file(self.key.name())
        {
            tracing::warn!(key = %self.key, %err, "an object stays whose put failed");
        }
    }

    fn failed(&self, err: io::Error) -> Error {
        error::io_at(&self.root.full(self.key.as_str()), err).with_context("key", &self.key)
    }
}

fn withdrawn() -> Error {
    Error::new(ErrorKind::Unexpected, "the body was cut off or the caller is gone; nothing was stored")
}

/// The temporary file, which is removed unless it was published.
#[derive(Debug)]
struct Temp {
    dir: Dir,
    name: Option<String>,
}

impl Temp {
    fn is_there(&self) -> bool {
        self.name.as_ref().is_some_and(|name| self.dir.stat(name).is_ok())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let Some(name) = &self.name else { return };
        match self.dir.remove_file(name) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(name, %err, "an unfinished upload stays until a sweep");
            }
            _ => {}
        }
    }
}

const TEMP_SUFFIX: &str = ".part";
const TEMP_RANDOM: usize = 16;

/// A hidden name that no key has and nobody else chooses: `.<name>.<16 hexadecimal digits>.part`.
fn temp_name(name: &str) -> Result<String> {
    let mut random = [0; TEMP_RANDOM / 2];
    getrandom::fill(&mut random).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the operating system has no random numbers").with_source(err)
    })?;
    Ok(format!(".{name}.{}{TEMP_SUFFIX}", hex::encode(random)))
}

/// Whether a name is one that [`temp_name`] makes.
pub(crate) fn is_temp_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(TEMP_SUFFIX)) else {
        return false;
    };
    let is_hex = |text: &str| {
        text.len() == TEMP_RANDOM && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    rest.rsplit_once('.').is_some_and(|(name, random)| is_hex(random) && Key::parse(name).is_ok())
}
