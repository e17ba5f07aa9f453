//! [`Dir`]: an open directory; every name is looked up in it, never by a whole path.
//!
//! The one place that speaks to the operating system: `dir/unix.rs` with file descriptors, so that a
//! directory that is swapped for a symbolic link in between cannot lead anywhere else; `dir/portable.rs` with
//! the standard library alone, for other systems, where nobody has tested it yet.

use std::{
    fs::{File, Metadata},
    io::{self, Write},
};

use chrono::{DateTime, Utc};

use crate::step::{Change, Look, Synced, changing, looking};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Dir, read_up_to};

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub(crate) use portable::{Dir, read_up_to};

/// What an entry is, the entry itself: a link is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Dir,
    Link,
    Other,
}

/// What is known of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Stat {
    /// Looks at an open file.
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        looking(Look::Stat, || Self::of(&file.metadata()?))
    }

    fn of(metadata: &Metadata) -> io::Result<Self> {
        let kind = match metadata.file_type() {
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_dir() => Kind::Dir,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        Ok(Self { kind, size: metadata.len(), modified: metadata.modified()?.into() })
    }
}

/// A file that is being written, from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing<'a>(pub(crate) &'a File);

impl Growing<'_> {
    /// Waits until the disk has all of it.
    pub(crate) fn sync(self) -> io::Result<()> {
        changing(Change::Sync(self.0, Synced::File), || self.0.sync_all())
    }

    /// Waits until the disk has the bytes that are there now.
    pub(crate) fn sync_early(self) -> io::Result<()> {
        changing(Change::Sync(self.0, Synced::Early), || self.0.sync_data())
    }
}

impl Write for Growing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.0;
        changing(Change::Write(file, bytes), || file.write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
