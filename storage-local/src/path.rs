//! [`Root`]: the directory of the store, and the way from it to a key.

use std::{
    io,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Key, Result};

use crate::{
    dir::{Dir, Kind},
    error,
    step::{self, Step, Synced},
};

/// How often a folder is made again that somebody else removes, because it is empty, at the same time.
const ATTEMPTS: usize = 1000;

/// The folder that `fsck` keeps in the root of an ext file system, which only root may read.
const LOST_AND_FOUND: &str = "lost+found";

/// What may be done in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The directory is made where it is missing.
    ReadWrite,
    /// The directory must be there.
    Existing,
    ReadOnly,
}

/// The directory of the store; opened anew for each operation, so that it is never one that was moved away
/// or that a disk was mounted over.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    access: Access,
    mounted: bool,
}

impl Root {
    /// Opens the directory, making it and its missing parents where they are to be written to.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|err| error::not_made(path, err))?;
        if access == Access::ReadWrite {
            make_with_parents(&path).map_err(|(at, err)| error::not_made(&at, err))?;
        }
        let opened = (|| -> io::Result<bool> {
            let dir = Dir::open(&path)?;
            if access != Access::ReadOnly {
                dir.check_writable()?;
            }
            let mounted = dir.is_mount_point()?;
            if access != Access::ReadOnly && !mounted {
                sync_above(&path)?;
            }
            Ok(mounted)
        })();
        match opened {
            Ok(mounted) => Ok(Self { path, access, mounted }),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Err(error::root_is_gone(&path)),
            Err(err) => Err(error::io_at(&path, err)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole path of a key or a prefix, for messages.
    pub(crate) fn full(&self, relative: &str) -> PathBuf {
        if relative.is_empty() { self.path.clone() } else { self.path.join(relative) }
    }

    /// Refuses where the store was opened for reading.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.access {
            Access::ReadWrite | Access::Existing => Ok(()),
            Access::ReadOnly => {
                Err(Error::new(ErrorKind::PermissionDenied, "the store was opened for reading")
                    .with_context("path", self.path.display())
                    .with_suggestion("open it with `LocalStore::open`"))
            }
        }
    }

    /// The root itself.
    pub(crate) fn dir(&self) -> Result<Dir> {
        let opened = Dir::open(&self.path).and_then(|dir| Ok((dir.is_mount_point()?, dir)));
        match opened {
            Ok((mounted, _)) if self.mounted && !mounted => Err(error::root_is_gone(&self.path)),
            Ok((_, dir)) => Ok(dir),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Err(error::root_is_gone(&self.path)),
            Err(err) => Err(error::io_at(&self.path, err)),
        }
    }

    /// The folder of these segments; `None` where it does not exist, or is an object.
    pub(crate) fn folder(&self, segments: &[&str]) -> Result<Option<Dir>> {
        let mut dir = self.dir()?;
        for (depth, name) in segments.iter().enumerate() {
            dir = match dir.subdir(name) {
                Ok(next) => next,
                Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(err) => {
                    let path = self.full(&joined(segments, depth + 1));
                    return match dir.stat(name).map(|stat| stat.kind) {
                        Ok(Kind::Link) => Err(error::link(&path)),
                        Ok(Kind::File | Kind::Other) => Ok(None),
                        Ok(Kind::Dir) | Err(_) => Err(error::io_at(&path, err)),
                    };
                }
            };
        }
        Ok(Some(dir))
    }

    /// The folder of a key, made where it is missing.
    pub(crate) fn make_folder(&self, key: &Key) -> Result<Dir> {
        let (segments, _) = split(key);
        if segments.first() == Some(&LOST_AND_FOUND) {
            return Err(Error::new(ErrorKind::InvalidInput, "`lost+found` belongs to the file system")
                .with_context("key", key)
                .with_suggestion("choose another name"));
        }
        for _ in 0..ATTEMPTS {
            if let Some(dir) = self.try_make_folder(key, &segments)? {
                return Ok(dir);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "somebody else keeps removing the folder")
            .with_context("path", self.full(&joined(&segments, segments.len())).display()))
    }

    /// `None` where a folder vanished on the way.
    fn try_make_folder(&self, key: &Key, segments: &[&str]) -> Result<Option<Dir>> {
        let mut dir = self.dir()?;
        for (depth, name) in segments.iter().enumerate() {
            let path = || self.full(&joined(segments, depth + 1));
            let opened = match dir.subdir(name) {
                Err(err) if err.kind() == io::ErrorKind::NotFound => {
                    match dir.make_subdir(name) {
                        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
                        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                        made => made.map_err(|err| error::io_at(&path(), err))?,
                    }
                    step::reached(Step::FolderMade);
                    dir.subdir(name)
                }
                opened => opened,
            };
            dir = match opened {
                Ok(next) => next,
                Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(err) => {
                    return Err(match dir.stat(name).map(|stat| stat.kind) {
                        Ok(Kind::Link) => error::link(&path()),
                        Ok(Kind::File) => error::name_is_taken(&path(), key),
                        Ok(Kind::Other) => error::not_an_object(&path()),
                        Ok(Kind::Dir) | Err(_) => error::io_at(&path(), err),
                    });
                }
            };
        }
        Ok(Some(dir))
    }

    /// Waits until every name on the way to the key's folder is on the disk.
    ///
    /// All of them, each time: a folder that another call, or another process, has just made may not be
    /// there yet, and what is in it is then lost with it in a power cut.
    pub(crate) fn sync_way(&self, key: &Key, what: Synced) -> Result<()> {
        let (segments, _) = split(key);
        let mut dir = self.dir()?;
        for (depth, name) in segments.iter().enumerate() {
            dir.sync(what).map_err(|err| error::io_at(&self.full(&joined(&segments, depth)), err))?;
            step::reached(Step::WaySynced);
            dir = match dir.subdir(name) {
                Ok(next) => next,
                // The object was deleted by somebody else, and its folder with it.
                Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
                // Or there never was one: the folder's name is that of an object.
                Err(_) if dir.stat(name).is_ok_and(|stat| stat.kind == Kind::File) => return Ok(()),
                Err(err) => return Err(error::io_at(&self.full(&joined(&segments, depth + 1)), err)),
            };
        }
        Ok(())
    }

    /// Removes the folders of a key that are empty, from the innermost on.
    pub(crate) fn prune(&self, segments: &[&str]) -> Result<()> {
        for depth in (0..segments.len()).rev() {
            let (Some(above), Some(name)) = (segments.get(..depth), segments.get(depth)) else { break };
            let Some(dir) = self.folder(above)? else { continue };
            match dir.remove_dir(name) {
                Ok(()) => {}
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                // Not empty, in almost every case; an empty folder that stays harms nobody.
                Err(err) => {
                    tracing::trace!(%err, "the folder stays");
                    break;
                }
            }
        }
        Ok(())
    }
}

/// The folders of a key, and its last segment.
pub(crate) fn split(key: &Key) -> (Vec<&str>, &str) {
    let mut segments: Vec<_> = key.segments().collect();
    let name = segments.pop().unwrap_or_default();
    (segments, name)
}

/// The first `count` segments as one path.
fn joined(segments: &[&str], count: usize) -> String {
    segments.get(..count).unwrap_or(segments).join("/")
}

/// Whether a listing leaves this entry out: hidden, no key's name, or the file system's own.
pub(crate) fn is_foreign(folder: &str, name: &str) -> bool {
    Key::parse(name).is_err() || (folder.is_empty() && name == LOST_AND_FOUND)
}

/// Waits until the names that lead to the directory are on the disk, up to the root of its file system.
///
/// Also those that were there: somebody else may have made them a moment ago, or was killed before this, and
/// everything that is stored is lost with them in a power cut.
fn sync_above(path: &Path) -> io::Result<()> {
    for above in path.ancestors().skip(1) {
        match Dir::open(above).and_then(|dir| dir.sync(Synced::Root).and_then(|()| dir.is_mount_point())) {
            Ok(true) => break,
            Ok(false) => {}
            // What this user may not even read it has not made.
            Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                tracing::debug!(path = %above.display(), %err, "a directory above the store is not synced");
            }
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Makes a directory, the missing ones above it first, each durable before the next.
fn make_with_parents(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    let missing: Vec<_> = path
        .ancestors()
        .take_while(
            |above| matches!(above.symlink_metadata(), Err(err) if err.kind() == io::ErrorKind::NotFound),
        )
        .collect();
    for dir in missing.into_iter().rev() {
        let at = |err| (dir.to_owned(), err);
        match Dir::make(dir) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(at(err)),
            _ => {}
        }
        if let Some(above) = dir.parent() {
            Dir::open(above).and_then(|above| above.sync(Synced::Root)).map_err(at)?;
        }
    }
    Ok(())
}
