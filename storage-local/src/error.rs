//! Folds what the operating system says into errors that name the path and what to do.

use std::{io, path::Path};

use backup_core::{Error, ErrorKind, Key, Retryable};

/// An I/O error at `path`.
pub(crate) fn io_at(path: &Path, err: io::Error) -> Error {
    let here = path.display();
    let (kind, message, advice) = match err.kind() {
        io::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            "the operating system denies access",
            format!("make the user that runs this the owner of {here} with mode 0700, and of all below it"),
        ),
        io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::PermissionDenied,
            "the file system is read-only",
            format!(
                "remount the file system of {here} for writing; a kernel that found an error on the disk may \
                 have made it read-only, so look at its log first"
            ),
        ),
        io::ErrorKind::StorageFull => (
            ErrorKind::StorageFull,
            "no space is left on the device, or no inode",
            format!(
                "free space on the file system of {here} (`df` and `df -i`), then run the operation again"
            ),
        ),
        io::ErrorKind::QuotaExceeded => (
            ErrorKind::StorageFull,
            "the disk quota is used up",
            format!("raise the quota of the user on the file system of {here}, or delete what it counts"),
        ),
        io::ErrorKind::FileTooLarge => (
            ErrorKind::StorageFull,
            "the file is larger than the file system or a limit of the process allows",
            "check `ulimit -f`, and whether the file system takes files of this size (FAT ends at 4 GiB)"
                .into(),
        ),
        io::ErrorKind::NotADirectory => (
            ErrorKind::InvalidInput,
            "not a directory",
            format!("choose a directory, or move away the file {here}"),
        ),
        io::ErrorKind::InvalidFilename => (
            ErrorKind::InvalidInput,
            "the name is too long for this file system",
            "choose a shorter name, or a file system that takes names of 255 bytes".into(),
        ),
        io::ErrorKind::StaleNetworkFileHandle => (
            ErrorKind::Unavailable,
            "the network file system lost the directory",
            format!("mount the file system of {here} again"),
        ),
        io::ErrorKind::NotConnected | io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => (
            ErrorKind::Unavailable,
            "the network file system does not answer",
            format!(
                "check the server and the mount of the file system of {here}, then run the operation again"
            ),
        ),
        _ => return other(path, err),
    };
    Error::new(kind, message).with_context("path", here).with_suggestion(advice).with_source(err)
}

/// Why the directory of the store cannot be made at `path`, which is not there: what is in the way is above it.
pub(crate) fn not_made(path: &Path, err: io::Error) -> Error {
    match (err.kind(), path.parent()) {
        (io::ErrorKind::PermissionDenied, Some(parent)) => Error::new(
            ErrorKind::PermissionDenied,
            "the directory of the store cannot be made",
        )
        .with_context("path", path.display())
        .with_context("not_writable", parent.display())
        .with_suggestion(format!(
            "make {} as an administrator, with mode 0700 and the user that runs this as its owner, or choose \
                     another place",
            path.display()
        ))
        .with_source(err),
        (io::ErrorKind::NotFound | io::ErrorKind::InvalidInput, _) => {
            Error::new(ErrorKind::InvalidInput, "no directory can be made at this path")
                .with_context("path", path.display())
                .with_suggestion(
                    "check the path: it may be empty, or lead through a symbolic link to nothing",
                )
                .with_source(err)
        }
        _ => io_at(path, err),
    }
}

/// The errors that the standard library has no kind for.
#[cfg(unix)]
fn other(path: &Path, err: io::Error) -> Error {
    use rustix::io::Errno;

    let here = path.display();
    let failed = match Errno::from_io_error(&err) {
        Some(Errno::IO) => Error::new(ErrorKind::Unexpected, "the disk reports an input/output error")
            .with_suggestion("look at the kernel's log and the disk's health; do not trust this disk"),
        Some(Errno::MFILE | Errno::NFILE) => Error::new(ErrorKind::Unavailable, "too many files are open")
            .with_suggestion("raise `ulimit -n`, or run fewer backups at once"),
        Some(Errno::LOOP) => return link(path).with_source(err),
        _ => Error::from(err),
    };
    failed.with_context("path", here)
}

#[cfg(not(unix))]
fn other(path: &Path, err: io::Error) -> Error {
    Error::from(err).with_context("path", path.display())
}

/// A symbolic link where an object or a folder of the store should be.
pub(crate) fn link(path: &Path) -> Error {
    Error::new(ErrorKind::PermissionDenied, "a symbolic link inside the store is never followed")
        .with_context("path", path.display())
        .with_suggestion("move what it points to into its place, or bind-mount it there, and remove the link")
}

/// A pipe, a socket or a device where an object should be.
pub(crate) fn not_an_object(path: &Path) -> Error {
    Error::new(ErrorKind::PermissionDenied, "neither a file nor a directory, and never opened")
        .with_context("path", path.display())
        .with_suggestion("remove it: no store made it")
}

/// The directory of the store itself is gone: never "no such object", which would read as "no backups".
pub(crate) fn root_is_gone(root: &Path) -> Error {
    Error::new(ErrorKind::Unavailable, "the directory of the store is gone")
        .with_context("path", root.display())
        .with_retryable(Retryable::No)
        .with_suggestion("check that its disk is mounted, or that nobody moved it; then try again")
}

/// A file and a folder of one name.
pub(crate) fn name_is_taken(path: &Path, key: &Key) -> Error {
    Error::new(ErrorKind::Unsupported, "a file system cannot hold an object and a folder of one name")
        .with_context("key", key)
        .with_context("path", path.display())
        .with_suggestion("choose another name")
}

pub(crate) fn not_found(key: &Key) -> Error {
    Error::new(ErrorKind::NotFound, "no such object").with_context("key", key)
}

pub(crate) fn exists(key: &Key) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the object exists already").with_context("key", key)
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_the_system_says_is_told_with_what_to_do() {
        let path = Path::new("/store/key");
        for (errno, kind, advice) in [
            (Errno::ACCESS, ErrorKind::PermissionDenied, "the owner of /store/key"),
            (Errno::ROFS, ErrorKind::PermissionDenied, "remount the file system of /store/key"),
            (Errno::NOSPC, ErrorKind::StorageFull, "`df -i`"),
            (Errno::DQUOT, ErrorKind::StorageFull, "raise the quota"),
            (Errno::FBIG, ErrorKind::StorageFull, "`ulimit -f`"),
            (Errno::NOTDIR, ErrorKind::InvalidInput, "choose a directory"),
            (Errno::NAMETOOLONG, ErrorKind::InvalidInput, "choose a shorter name"),
            (Errno::STALE, ErrorKind::Unavailable, "mount the file system of /store/key again"),
            (Errno::IO, ErrorKind::Unexpected, "do not trust this disk"),
            (Errno::MFILE, ErrorKind::Unavailable, "`ulimit -n`"),
            (Errno::NFILE, ErrorKind::Unavailable, "`ulimit -n`"),
            (Errno::LOOP, ErrorKind::PermissionDenied, "remove the link"),
        ] {
            let err = io_at(path, errno.into());
            assert_eq!(err.kind(), kind, "{errno}: {err}");
            assert!(err.suggestions().iter().any(|said| said.contains(advice)), "{errno}: {err:?}");
            assert!(err.context().any(|(_, value)| value == "/store/key"), "{errno}: {err}");
        }
    }
}
