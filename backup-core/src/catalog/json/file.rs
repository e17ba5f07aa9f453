use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{Error, ErrorKind, Result};

/// The largest file that is read or written, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// The ending of temporary files.
const TEMPORARY: &str = ".tmp";

/// The file's absolute path, through symbolic links, so that replacing it does not replace a link.
pub(super) fn resolve(path: &Path) -> Result<PathBuf> {
    let at = |err: io::Error| Error::from(err).with_context("path", path.display());
    match fs::canonicalize(path) {
        Ok(path) => return Ok(path),
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(at(err)),
    }
    let Some(name) = path.file_name() else {
        return Err(
            Error::new(ErrorKind::InvalidInput, "not a path of a file").with_context("path", path.display())
        );
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::canonicalize(dir) {
        Ok(dir) => Ok(dir.join(name)),
        Err(err) => Err(at(err).with_suggestion("create the directory of the catalog first")),
    }
}

/// Whether there is a file.
pub(super) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|err| Error::from(err).with_context("path", path.display()))
}

/// The file's content, or `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let at = |err: io::Error| Error::from(err).with_context("path", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        // A directory that is gone, an unmounted disk for instance, is not an empty catalog.
        Err(err) if err.kind() == io::ErrorKind::NotFound && directory(path).is_dir() => return Ok(None),
        Err(err) => return Err(at(err)),
    };
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(at)?;
    check_size(path, content.len())?;
    Ok(Some(content))
}

/// Replaces the file's content in one step, durably; the caller holds the lock.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    check_size(path, content.len())?;
    remove_leftovers(path);
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "no random numbers").with_source(err))?;
    let mut name = temporary_prefix(path);
    name.push(hex::encode(random));
    name.push(TEMPORARY);
    let temporary = path.with_file_name(name);
    let replaced = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err()
        && let Err(err) = fs::remove_file(&temporary)
        && err.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %temporary.display(), %err, "cannot remove a temporary file");
    }
    replaced
        .and_then(|()| sync_directory(directory(path)))
        .map_err(|err| Error::from(err).with_context("path", path.display()))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Removes what writers left that were killed; while the lock is held, no temporary file is in use.
fn remove_leftovers(path: &Path) {
    let prefix = temporary_prefix(path);
    let is_leftover = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| rest.strip_suffix(TEMPORARY.as_bytes()))
            .is_some_and(|random| random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit))
    };
    let remove = || -> io::Result<()> {
        for entry in fs::read_dir(directory(path))? {
            let entry = entry?;
            if is_leftover(&entry.file_name()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    // They take space and harm nobody: no reason to refuse a change.
    if let Err(err) = remove() {
        tracing::warn!(path = %path.display(), %err, "cannot remove temporary files that were left");
    }
}

fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Opens the file that is locked; it is never deleted, since two processes could lock two of them then.
pub(super) fn open_lock(path: &Path) -> Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private(&mut options);
    options.open(&lock).map_err(|err| Error::from(err).with_context("path", lock.display()))
}

/// Takes the lock, unless somebody else has it.
pub(super) fn try_lock(lock: &File, path: &Path) -> Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(err)) => Err(Error::from(err).with_context("path", path.display())),
    }
}

fn check_size(path: &Path, bytes: usize) -> Result<()> {
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= MAX_BYTES) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "the catalog is too large for one file")
        .with_context("path", path.display())
        .with_context("limit_bytes", MAX_BYTES)
        .with_suggestion("keep the catalog in the store"))
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Lets only the owner read and write.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _the_directory_decides = options;
}

/// Makes a rename survive a power cut, where the system allows to ask for that.
fn sync_directory(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _the_system_decides = dir;
    Ok(())
}
