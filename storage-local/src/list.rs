//! Listing: a walk through the folders on a blocking thread, one batch ahead of the reader.

use std::{ffi::OsString, io, sync::Arc};

use backup_core::{Error, ErrorKind, Key, ObjectMeta, Prefix, Result};
use futures::{Stream, StreamExt, stream::BoxStream};
use tokio::sync::mpsc;

use crate::{
    dir::{Dir, Kind, Stat},
    error,
    path::{Root, is_foreign},
    step::{self, Step},
};

/// How many objects are handed over at once.
const BATCH: usize = 256;

enum Message {
    Batch(Vec<ObjectMeta>),
    End,
    Failed(Error),
}

/// Lists the objects below `prefix`.
pub(crate) fn list(root: Arc<Root>, prefix: Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
    futures::stream::once(async move { start(root, prefix) }).flatten().boxed()
}

fn start(root: Arc<Root>, prefix: Prefix) -> impl Stream<Item = Result<ObjectMeta>> + Send {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut batch = Vec::new();
        let walked = walk(&root, prefix.as_str(), |entry| match entry {
            Entry::Object(meta) => {
                batch.push(meta);
                if batch.len() < BATCH {
                    return Ok(Go::On);
                }
                let full = Message::Batch(std::mem::take(&mut batch));
                Ok(if sender.blocking_send(full).is_ok() { Go::On } else { Go::Stop })
            }
            Entry::Hidden { .. } => Ok(Go::On),
        });
        let last = match walked {
            Ok(()) => Message::End,
            Err(err) => Message::Failed(err),
        };
        let _reader_may_be_gone =
            sender.blocking_send(Message::Batch(batch)).and_then(|()| sender.blocking_send(last));
    });
    let batches = futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        let (items, rest) = match receiver.recv().await {
            Some(Message::Batch(batch)) => (batch.into_iter().map(Ok).collect(), Some(receiver)),
            Some(Message::End) => return None,
            Some(Message::Failed(err)) => (vec![Err(err)], None),
            // Never an end that looks clean.
            None => (vec![Err(Error::new(ErrorKind::Unexpected, "the listing stopped early"))], None),
        };
        Some((futures::stream::iter(items), rest))
    });
    batches.flatten()
}

/// Something in a folder of the store.
pub(crate) enum Entry<'a> {
    /// An object.
    Object(ObjectMeta),
    /// A hidden file; `folder` is its folder's path inside the store.
    Hidden { dir: &'a Dir, folder: &'a str, name: &'a str, stat: Stat },
}

/// Whether to look at the next one.
pub(crate) enum Go {
    On,
    Stop,
}

/// Visits everything below `prefix`, with one open directory per level and nothing else in memory.
///
/// What disappears meanwhile is left out; everything else that cannot be looked at is an error, and so is a
/// symbolic link, behind which there may be backups that nobody would then see.
pub(crate) fn walk(root: &Root, prefix: &str, mut visit: impl FnMut(Entry<'_>) -> Result<Go>) -> Result<()> {
    let segments: Vec<_> = prefix.split('/').filter(|segment| !segment.is_empty()).collect();
    let Some(dir) = root.folder(&segments)? else { return Ok(()) };
    let mut levels = vec![Level::new(root, dir, prefix.to_owned())?];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        let name = name.map_err(|err| error::io_at(&root.full(&level.folder), err))?;
        let Some(name) = name.to_str() else { continue };
        let hidden = name.starts_with('.');
        if !hidden && is_foreign(&level.folder, name) {
            continue;
        }
        let path = if level.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", level.folder) };
        step::reached(Step::Named);
        let stat = match level.dir.stat(name) {
            Ok(stat) => stat,
            Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
            Err(err) => return Err(error::io_at(&root.full(&path), err)),
        };
        let go = match stat.kind {
            Kind::File if hidden => {
                visit(Entry::Hidden { dir: &level.dir, folder: &level.folder, name, stat })?
            }
            _ if hidden => Go::On,
            Kind::File => match Key::parse(path) {
                Ok(key) => visit(Entry::Object(ObjectMeta::new(key, stat.size, stat.modified)))?,
                // Deeper or longer than any key: not an object of a store.
                Err(_) => Go::On,
            },
            Kind::Link => return Err(error::link(&root.full(&path))),
            Kind::Other => Go::On,
            Kind::Dir => {
                step::reached(Step::FolderFound);
                match level.dir.subdir(name) {
                    Ok(dir) => levels.push(Level::new(root, dir, path)?),
                    Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                    Err(err) => return Err(error::io_at(&root.full(&path), err)),
                }
                Go::On
            }
        };
        if matches!(go, Go::Stop) {
            break;
        }
    }
    Ok(())
}

struct Level {
    dir: Dir,
    folder: String,
    names: Box<dyn Iterator<Item = io::Result<OsString>>>,
}

impl Level {
    fn new(root: &Root, dir: Dir, folder: String) -> Result<Self> {
        let names = dir.names().map_err(|err| error::io_at(&root.full(&folder), err))?;
        Ok(Self { dir, folder, names: Box::new(names) })
    }
}
