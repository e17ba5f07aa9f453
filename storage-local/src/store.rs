//! [`LocalStore`]: the asynchronous side; each call is one closure on a blocking thread.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Error, ErrorKind, GetOptions, GetResult, Key, ObjectLock, ObjectMeta, Prefix, PutOptions,
    Result, Store,
    store::{Space, StoreCapabilities, SweepReport},
};
use futures::{StreamExt, stream::BoxStream};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    dir::{Dir, Kind},
    error, list,
    path::{Access, Root, split},
    read,
    step::Synced,
    sweep,
    write::{PIECES, Piece, Turn, Withdraw, Writing},
};

#[cfg(test)]
pub(crate) mod tests;

/// Keeps objects as files below a directory.
///
/// A key is the path of its file. Clones share nothing but the path, and any number of processes may use one
/// directory at the same time. What it promises and what it does not is on the [front page](crate).
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use backup_core::{Key, StoreExt};
/// use storage_local::LocalStore;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("backups");
/// let store = LocalStore::open(&path).await?;
/// let key = Key::parse("production/shop/backup-20261120-020000.sql")?;
/// store.put_bytes(&key, "-- a dump").await?;
/// assert_eq!(std::fs::metadata(path.join(key.as_str())).unwrap().len(), 9);
/// # Ok::<_, backup_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: Arc<Root>,
}

impl LocalStore {
    /// Opens the directory `path`, which is made, with mode 0700 and with its missing parents, where it does
    /// not exist.
    ///
    /// A disk that is not mounted looks like an empty directory: keep the store in a folder of the disk and
    /// make that folder once, or check the mount before.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where `path` is no directory,
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) where this user may not write there.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have made the directory; call again.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_for(path.into(), Access::ReadWrite).await
    }

    /// Opens a directory that exists; a wrong path is an error instead of an empty store.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where `path` does not exist; those of [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn open_existing(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_for(path.into(), Access::Existing).await
    }

    /// Opens a directory that exists, for reading alone: a disk that is write-protected, to restore from.
    ///
    /// `put`, `delete` and `sweep` are refused.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where `path` does not exist,
    /// [`InvalidInput`](ErrorKind::InvalidInput) where it is no directory,
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) where this user may not read it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn open_read_only(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_for(path.into(), Access::ReadOnly).await
    }

    async fn open_for(path: PathBuf, access: Access) -> Result<Self> {
        let root = blocking("open store", move || Root::open(&path, access)).await?;
        Ok(Self { root: Arc::new(root) })
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    async fn with_root<T: Send + 'static>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&Root) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        blocking(operation, move || run(&root)).await
    }
}

#[async_trait]
impl Store for LocalStore {
    fn location(&self) -> String {
        format!("file://{}", self.root.path().display())
    }

    fn capabilities(&self) -> StoreCapabilities {
        let capabilities = StoreCapabilities::default().with_atomic_create();
        if Dir::DURABLE { capabilities.with_durable().with_space() } else { capabilities }
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        if options.lock.is_some() {
            return Err(ObjectLock::unsupported(&self.location()));
        }
        let turn = Arc::new(Turn::default());
        let _when_dropped = Withdraw(Arc::clone(&turn));
        let (sender, pieces) = mpsc::channel(PIECES);
        let writing = Writing { root: Arc::clone(&self.root), key: key.clone(), options, turn };
        let writer = spawn_blocking(move || writing.run(pieces));
        let fed = feed(body, sender).await;
        // Also after a failed body: when this returns, the temporary file is gone.
        let written = writer.await.map_err(stopped).flatten();
        fed?;
        written.map_err(|err| err.with_operation("put"))
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let key = key.clone();
        self.with_root("get", move |root| read::get(root, &key, &options)).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let key = key.clone();
        self.with_root("head", move |root| read::head(root, &key)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let key = key.clone();
        self.with_root("delete", move |root| delete(root, &key)).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let items = list::list(Arc::clone(&self.root), prefix.clone());
        items.map(|item| item.map_err(|err| err.with_operation("list"))).boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        let space = |root: &Root| root.dir()?.space().map_err(|err| error::io_at(root.path(), err));
        let space = self.with_root("space", space).await?;
        Ok(space.map(|(total, free)| Space::new(total, free)))
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.with_root("sweep", move |root| sweep::sweep(root, grace)).await
    }
}

/// Hands the body to the writer, and lets go of it as soon as one of the two ended.
async fn feed(mut body: ByteStream, pieces: mpsc::Sender<Piece>) -> Result<()> {
    loop {
        let chunk = tokio::select! {
            // First, so that a writer that cannot go on is noticed even when the body has nothing to say.
            biased;
            () = pieces.closed() => return Ok(()),
            chunk = body.next() => chunk,
        };
        let piece = match chunk {
            Some(Ok(bytes)) if bytes.is_empty() => continue,
            Some(Ok(bytes)) => Piece::Chunk(bytes),
            Some(Err(err)) => return Err(err),
            None => Piece::End,
        };
        let ended = matches!(piece, Piece::End);
        // A writer that is gone says why itself.
        if pieces.send(piece).await.is_err() || ended {
            return Ok(());
        }
    }
}

fn delete(root: &Root, key: &Key) -> Result<()> {
    root.check_writable()?;
    let (segments, name) = split(key);
    let path = || root.full(key.as_str());
    let Some(dir) = root.folder(&segments)? else {
        // Somebody else may have removed the object, and its folder, and not have come to this.
        return root.sync_way(key, Synced::Deletion);
    };
    match dir.stat(name).map(|stat| stat.kind) {
        Ok(Kind::File) => match dir.remove_file(name) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(error::io_at(&path(), err)),
            _ => {}
        },
        Ok(Kind::Dir) => return Ok(()),
        Ok(Kind::Link) => return Err(error::link(&path())),
        Ok(Kind::Other) => return Err(error::not_an_object(&path())),
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(error::io_at(&path(), err)),
    }
    // Also where it was gone: a call that was cut off before may have removed it and not come to this.
    dir.sync(Synced::Deletion).map_err(|err| error::io_at(&path(), err))?;
    root.prune(&segments)
}

async fn blocking<T: Send + 'static>(
    operation: &'static str,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(run).await.map_err(stopped).flatten().map_err(|err| err.with_operation(operation))
}

/// A thread that panicked, or that a runtime which shuts down never started.
fn stopped(err: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "the thread of the store stopped early").with_source(err)
}
