//! [`SqliteDump`]: a consistent copy of a database file, while it is written to.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{ByteStream, Dump, Dumper, DumperInfo, Error, ErrorKind, Inventory, Result, SourceInfo};
use bytes::Bytes;

use super::{
    Check, ENGINE, EXTENSION, FORMAT, LOCK_TIMEOUT,
    blocking::{self, Cancel},
    check, copy, error,
    inventory::{self, Rows},
    open::{self, Source},
    staging::Staging,
};

/// How many bytes of the copy are read at once.
const CHUNK_BYTES: u64 = 256 * 1024;

/// The name of the copy in its staging folder.
const COPY: &str = "copy.sqlite";

/// Dumps an SQLite database by SQLite's online backup API.
///
/// The dump is the state of the database at one moment, whoever writes to it meanwhile; it is never a copy of
/// the file's bytes as they lie there. In WAL mode writers go on undisturbed. In rollback-journal mode their
/// commits wait while the copy is made (not while it is stored); [`with_copy_timeout`](Self::with_copy_timeout)
/// bounds that.
///
/// SQLite can copy only into a database, not into a stream. So the copy is made in a private folder beside the
/// database, or in [`with_temp_dir`](Self::with_temp_dir), and takes as much room as the database; that there
/// is so much is checked before. It is then checked ([`Check`]), counted and streamed. On Unix it is unlinked
/// before its first byte is read. What a process leaves that is killed before, the next dump removes.
///
/// The source is opened read-only and never created. An empty file is refused, although SQLite takes it for a
/// database without tables.
///
/// # Cancel safety
///
/// A dropped `probe` or `dump` stops its work soon, and removes what it made; a dropped body has nothing to remove.
///
/// # Examples
///
/// See the [crate](crate).
#[derive(Debug, Clone)]
pub struct SqliteDump {
    path: PathBuf,
    temp_dir: Option<PathBuf>,
    lock_timeout: Duration,
    copy_timeout: Option<Duration>,
    check: Check,
    rows: Rows,
}

impl SqliteDump {
    /// A dumper of the database at `path`; symbolic links are followed when it is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            temp_dir: None,
            lock_timeout: LOCK_TIMEOUT,
            copy_timeout: None,
            check: Check::Quick,
            rows: Rows::Counted,
        }
    }

    /// Makes the temporary copy in this folder instead of the database's own.
    ///
    /// Mind that `/tmp` is in memory on many systems.
    #[must_use]
    pub fn with_temp_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(folder.into());
        self
    }

    /// Waits so long for a writer that locks the database; 30 seconds unless said otherwise.
    #[must_use]
    pub fn with_lock_timeout(mut self, limit: Duration) -> Self {
        self.lock_timeout = limit;
        self
    }

    /// Gives up when the copy takes longer; unbounded unless said otherwise.
    #[must_use]
    pub fn with_copy_timeout(mut self, limit: Duration) -> Self {
        self.copy_timeout = Some(limit);
        self
    }

    /// Checks the copy so thoroughly; [`Check::Quick`] unless said otherwise.
    #[must_use]
    pub fn with_check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Takes a checksum of the rows of every table, so that a rehearsal can prove the restored ones equal.
    ///
    /// Every row of the copy is read for it once more. Neither the order of rows nor `VACUUM` changes it; generated
    /// columns are no part of it.
    #[must_use]
    pub fn with_checksums(mut self) -> Self {
        self.rows = Rows::Summed;
        self
    }

    fn probe_blocking(&self, cancel: &Cancel) -> Result<SourceInfo> {
        let path = open::locate(&self.path)?;
        let source = Source::open(&path, cancel)?;
        Ok(self.describe(&source, &path, cancel)?.info)
    }

    fn dump_blocking(&self, cancel: &Cancel) -> Result<Copied> {
        let path = open::locate(&self.path)?;
        let source = Source::open(&path, cancel)?;
        let described = self.describe(&source, &path, cancel)?;
        let folder = self.temp_dir.as_deref().or(path.parent()).unwrap_or(Path::new("."));
        let staging = Staging::create(folder)?;
        staging.require_space(described.bytes)?;
        drop(staging.create_file(COPY)?);
        let copy = staging.path(COPY);
        copy::copy(&source.connection, &path, &copy, described.page_size, self.copy_timeout, cancel)?;
        // Lets writers go on.
        drop(source);
        let inventory = self.examine(&copy, &path, cancel)?;
        let file = File::open(&copy).map_err(error::io_at(&copy))?;
        let length = file.metadata().map_err(error::io_at(&copy))?.len();
        if length != described.bytes {
            return Err(Error::new(ErrorKind::Incomplete, "the copy is not as long as the database")
                .with_context("path", path.display())
                .with_context("expected_bytes", described.bytes)
                .with_context("found_bytes", length));
        }
        // From here on the copy goes with its last descriptor, also by `kill -9`.
        let staging = if cfg!(unix) { staging.remove().map(|()| None)? } else { Some(staging) };
        let rest = Rest { file, left: length, _staging: staging };
        Ok(Copied { info: described.info, inventory, rest })
    }

    /// Opens a read transaction and asks what it shows.
    fn describe(&self, source: &Source, path: &Path, cancel: &Cancel) -> Result<Described> {
        let connection = &source.connection;
        let fold = |err| error::fold(err, path);
        connection.execute_batch("BEGIN").map_err(fold)?;
        // The transaction begins with its first read, which is also the first to see that it is no database.
        let pages: u64 = open::when_unlocked(path, self.lock_timeout, cancel, || {
            connection.query_row("PRAGMA page_count", [], |row| row.get(0))
        })?;
        let page_size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(fold)?;
        let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0)).map_err(fold)?;
        let bytes = pages * page_size;
        let mut info = SourceInfo::new(path.file_stem().unwrap_or_default().to_string_lossy());
        info.location = path.display().to_string();
        "SQLite".clone_into(&mut info.tool);
        rusqlite::version().clone_into(&mut info.tool_version);
        rusqlite::version().clone_into(&mut info.server_version);
        info.size_bytes = Some(bytes);
        info.encoding = Some(encoding);
        Ok(Described { info, bytes, page_size })
    }

    /// Checks and counts the copy; errors name the database that it was made of.
    fn examine(&self, copy: &Path, path: &Path, cancel: &Cancel) -> Result<Inventory> {
        let copied = Source::open(copy, cancel)?;
        for oddity in check::run(&copied.connection, self.check, path)? {
            tracing::warn!(path = %path.display(), oddity, "the database is odd, though not damaged");
        }
        cancel.check()?;
        inventory::take(&copied.connection, path, self.rows, cancel)
    }
}

#[async_trait]
impl Dumper for SqliteDump {
    fn info(&self) -> DumperInfo {
        DumperInfo::new(ENGINE, FORMAT, EXTENSION)
    }

    async fn probe(&self) -> Result<SourceInfo> {
        let this = self.clone();
        blocking::run(move |cancel| this.probe_blocking(cancel))
            .await
            .map_err(|err| err.with_operation("probe"))
    }

    async fn dump(&self) -> Result<Dump> {
        let this = self.clone();
        let copied = blocking::run(move |cancel| this.dump_blocking(cancel))
            .await
            .map_err(|err| err.with_operation("dump"))?;
        let mut dump = Dump::new(copied.info, copied.rest.into_stream());
        dump.inventory = Some(copied.inventory);
        Ok(dump)
    }
}

struct Described {
    info: SourceInfo,
    bytes: u64,
    page_size: u64,
}

struct Copied {
    info: SourceInfo,
    inventory: Inventory,
    rest: Rest,
}

/// What was not yet read of the copy.
struct Rest {
    file: File,
    left: u64,
    // `None` where an open file can be unlinked.
    _staging: Option<Staging>,
}

impl Rest {
    /// Pulled by its reader: a slow one keeps no thread waiting. Ends cleanly only after `left` bytes.
    fn into_stream(self) -> ByteStream {
        ByteStream::new(futures::stream::try_unfold(self, |rest| async move {
            if rest.left == 0 {
                return Ok(None);
            }
            blocking::run(move |_| rest.read().map(Some)).await
        }))
    }

    fn read(mut self) -> Result<(Bytes, Self)> {
        let size = self.left.min(CHUNK_BYTES);
        let mut chunk = Vec::new();
        let read = (&mut self.file)
            .take(size)
            .read_to_end(&mut chunk)
            .map_err(|err| Error::from(err).with_operation("dump"))?;
        if read as u64 != size {
            return Err(
                Error::new(ErrorKind::Incomplete, "the temporary copy was cut short").with_operation("dump")
            );
        }
        self.left -= size;
        Ok((Bytes::from(chunk), self))
    }
}
