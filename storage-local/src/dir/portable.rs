//! The standard library alone: no test has run on such a system yet, names are looked up by path, and a
//! power cut may take back what was just stored.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Kind, Stat};
use crate::step::Synced;

/// A directory.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() { Ok(Self(path.to_owned())) } else { Err(not_a_directory()) }
    }

    pub(crate) fn make(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(crate) fn subdir(&self, name: &str) -> io::Result<Self> {
        match self.stat(name)?.kind {
            Kind::Dir => Ok(Self(self.0.join(name))),
            _ => Err(not_a_directory()),
        }
    }

    pub(crate) fn make_subdir(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        match self.stat(name)?.kind {
            Kind::File | Kind::Dir => File::open(self.0.join(name)),
            Kind::Link | Kind::Other => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        Stat::of(&fs::symlink_metadata(self.0.join(name))?)
    }

    // A drive that is missing has no directory.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub(crate) fn is_mount_point(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn check_writable(&self) -> io::Result<()> {
        if fs::metadata(&self.0)?.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    pub(crate) fn publish(&self, temp: &str, name: &str) -> io::Result<()> {
        self.publish_by_link(temp, name)
    }

    pub(crate) fn publish_by_link(&self, temp: &str, name: &str) -> io::Result<()> {
        fs::hard_link(self.0.join(temp), self.0.join(name))?;
        // It has its name; a second one that nobody sees goes with the next sweep.
        if let Err(err) = self.remove_file(temp) {
            tracing::warn!(name = temp, %err, "a temporary name stays until a sweep");
        }
        Ok(())
    }

    pub(crate) fn replace(&self, temp: &str, name: &str) -> io::Result<()> {
        fs::rename(self.0.join(temp), self.0.join(name))
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(crate) fn remove_dir(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    // There is no portable way; see `DURABLE`.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub(crate) fn sync(&self, _: Synced) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        Ok(fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name())))
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub(crate) fn space(&self) -> io::Result<Option<(u64, u64)>> {
        Ok(None)
    }

    pub(crate) const DURABLE: bool = false;
}

fn not_a_directory() -> io::Error {
    io::ErrorKind::NotADirectory.into()
}

pub(crate) fn read_up_to(file: &File, want: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(want);
    file.take(want as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
