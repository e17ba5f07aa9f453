use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io, iter,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use chrono::DateTime;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::{Kind, Stat};
use crate::step::{Change, Look, Synced, changing, looking};

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const PRIVATE_DIR: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An open directory.
#[derive(Debug)]
pub(crate) struct Dir(File);

impl Dir {
    /// Opens the directory at `path`, following links: where the store is, is the administrator's choice.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        looking(Look::Open, || Ok(Self(rustix::fs::open(path, DIR, Mode::empty())?.into())))
    }

    /// Makes a directory for this user alone.
    pub(crate) fn make(path: &Path) -> io::Result<()> {
        changing(Change::MakeAt(path), || Ok(rustix::fs::mkdir(path, PRIVATE_DIR)?))
    }

    /// Opens a directory in this one; a symbolic link is refused.
    pub(crate) fn subdir(&self, name: &str) -> io::Result<Self> {
        looking(Look::Open, || {
            Ok(Self(rustix::fs::openat(&self.0, name, DIR | OFlags::NOFOLLOW, Mode::empty())?.into()))
        })
    }

    /// Makes a directory in this one, for this user alone.
    pub(crate) fn make_subdir(&self, name: &str) -> io::Result<()> {
        changing(Change::Make(&self.0, name), || Ok(rustix::fs::mkdirat(&self.0, name, PRIVATE_DIR)?))
    }

    /// Makes a file for this user alone, which must not exist.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        changing(Change::Make(&self.0, name), || {
            Ok(rustix::fs::openat(&self.0, name, flags, PRIVATE_FILE)?.into())
        })
    }

    /// Opens a file for reading; a symbolic link is refused, and a pipe does not wait for its other end.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        looking(Look::Open, || Ok(rustix::fs::openat(&self.0, name, flags, Mode::empty())?.into()))
    }

    /// Looks at an entry, not at what a link points to.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        let stat = looking(Look::Stat, || Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
        let modified = DateTime::from_timestamp(stat.st_mtime, nanos).unwrap_or_default();
        Ok(Stat { kind, size: u64::try_from(stat.st_size).unwrap_or_default(), modified })
    }

    /// Whether another file system is mounted here.
    pub(crate) fn is_mount_point(&self) -> io::Result<bool> {
        let here = looking(Look::Stat, || Ok(rustix::fs::fstat(&self.0)?))?;
        let above =
            looking(Look::Stat, || Ok(rustix::fs::statat(&self.0, "..", AtFlags::SYMLINK_NOFOLLOW)?))?;
        Ok(here.st_dev != above.st_dev)
    }

    /// Whether this user may make files here; a read-only file system is an error of its own.
    pub(crate) fn check_writable(&self) -> io::Result<()> {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        looking(Look::Access, || Ok(rustix::fs::accessat(&self.0, ".", access, AtFlags::EACCESS)?))
    }

    /// Gives a file its name unless the name is taken, in one step.
    pub(crate) fn publish(&self, temp: &str, name: &str) -> io::Result<()> {
        #[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::RenameFlags;
            let renamed = changing(Change::Rename(&self.0, temp, name), || {
                Ok(rustix::fs::renameat_with(&self.0, temp, &self.0, name, RenameFlags::NOREPLACE)?)
            });
            match renamed.as_ref().err().and_then(Errno::from_io_error) {
                // Kernels and file systems (NFS) without it.
                Some(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                _ => return renamed,
            }
        }
        self.publish_by_link(temp, name)
    }

    /// The same for file systems that can only link without overwriting.
    pub(crate) fn publish_by_link(&self, temp: &str, name: &str) -> io::Result<()> {
        let linked = changing(Change::Link(&self.0, temp, name), || {
            Ok(rustix::fs::linkat(&self.0, temp, &self.0, name, AtFlags::empty())?)
        });
        // NFS may do it and lose the answer, and then say of the next try that the name is taken: see open(2).
        if linked.is_err() && !self.is_same(temp, name) {
            return linked;
        }
        // It has its name; a second one that nobody sees goes with the next sweep.
        if let Err(err) = self.remove_file(temp) {
            tracing::warn!(name = temp, %err, "a temporary name stays until a sweep");
        }
        Ok(())
    }

    /// Whether both are names of one file; that it has two is not enough, as a snapshot by hard links gives it another.
    fn is_same(&self, one: &str, other: &str) -> bool {
        let stat =
            |name| looking(Look::Stat, || Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match (stat(one), stat(other)) {
            (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
            _ => false,
        }
    }

    /// Gives a file its name, replacing a file that has it.
    pub(crate) fn replace(&self, temp: &str, name: &str) -> io::Result<()> {
        changing(Change::Rename(&self.0, temp, name), || {
            Ok(rustix::fs::renameat(&self.0, temp, &self.0, name)?)
        })
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes a directory, which must be empty.
    pub(crate) fn remove_dir(&self, name: &str) -> io::Result<()> {
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &str, flags: AtFlags) -> io::Result<()> {
        changing(Change::Remove(&self.0, name), || Ok(rustix::fs::unlinkat(&self.0, name, flags)?))
    }

    /// Waits until the names in this directory are on the disk.
    pub(crate) fn sync(&self, what: Synced) -> io::Result<()> {
        match changing(Change::Sync(&self.0, what), || self.0.sync_all()) {
            // Some network file systems have no such call for a directory: their server keeps names itself.
            Err(err) if err.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
            done => done,
        }
    }

    /// The names in this directory, read little by little.
    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        let mut entries = looking(Look::Names, || Ok(rustix::fs::Dir::read_from(&self.0)?))?;
        Ok(iter::from_fn(move || {
            loop {
                match looking(Look::Name, || Ok(entries.next().transpose()?)) {
                    Ok(Some(entry)) => match entry.file_name().to_bytes() {
                        b"." | b".." => {}
                        name => return Some(Ok(OsStr::from_bytes(name).to_owned())),
                    },
                    Ok(None) => return None,
                    Err(err) => return Some(Err(err)),
                }
            }
        }))
    }

    /// All bytes of the file system, and those that this user may still write.
    pub(crate) fn space(&self) -> io::Result<Option<(u64, u64)>> {
        let stat = looking(Look::Space, || Ok(rustix::fs::fstatvfs(&self.0)?))?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Some((bytes(stat.f_blocks), bytes(stat.f_bavail))))
    }

    /// Whether names in a directory outlive a power cut once it was synced.
    pub(crate) const DURABLE: bool = true;
}

/// Reads at most `want` bytes; fewer only at the end of the file.
pub(crate) fn read_up_to(file: &File, want: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(want);
    while bytes.len() < want {
        let read = || Ok(rustix::io::read(file, rustix::buffer::spare_capacity(&mut bytes))?);
        match looking(Look::Read, read) {
            Ok(0) => break,
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    // The allocation may be larger than what was asked for.
    bytes.truncate(want);
    Ok(bytes)
}

#[cfg(test)]
// A test may block, and its files are small.
#[allow(clippy::disallowed_methods)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_is_made_only_where_nothing_has_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let open = Dir::open(dir.path()).unwrap();
        fs::write(dir.path().join("file"), "kept").unwrap();
        symlink("nothing", dir.path().join("link")).unwrap();
        for taken in ["file", "link"] {
            assert_eq!(open.create_file(taken).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"kept");
        assert!(!dir.path().join("nothing").exists());
    }

    #[test]
    fn no_program_that_is_started_gets_what_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let open = Dir::open(dir.path()).unwrap();
        let made = open.create_file("file").unwrap();
        open.make_subdir("folder").unwrap();
        for file in [made, open.open_file("file").unwrap(), open.subdir("folder").unwrap().0, open.0] {
            assert!(
                rustix::io::fcntl_getfd(&file).unwrap().contains(rustix::io::FdFlags::CLOEXEC),
                "{file:?}"
            );
        }
    }
}
