//! Sweeping: removing what uploads left behind whose process was killed.

use std::{fs::TryLockError, io, time::Duration};

use backup_core::{Clock, Result, SystemClock, store::SweepReport};
use chrono::TimeDelta;

use crate::{
    dir::{Dir, Stat},
    error,
    list::{Entry, Go, walk},
    path::Root,
    write::is_temp_name,
};

/// Removes temporary files that nobody has written to for `grace`, and that no living process holds locked.
pub(crate) fn sweep(root: &Root, grace: Duration) -> Result<SweepReport> {
    root.check_writable()?;
    let mut report = SweepReport::default();
    let mut emptied = Vec::new();
    walk(root, "", |entry| {
        if let Entry::Hidden { dir, folder, name, stat } = entry
            && is_temp_name(name)
        {
            if !is_older(stat, grace) {
                let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
                report.keep(stat.modified.checked_add_signed(grace));
                return Ok(Go::On);
            }
            if !remove(dir, name).map_err(|err| error::io_at(&root.full(folder).join(name), err))? {
                return Ok(Go::On);
            }
            report.removed += 1;
            report.freed_bytes += stat.size;
            if emptied.last().is_none_or(|last| last != folder) {
                emptied.push(folder.to_owned());
            }
        }
        Ok(Go::On)
    })?;
    for folder in emptied {
        let segments: Vec<_> = folder.split('/').filter(|segment| !segment.is_empty()).collect();
        root.prune(&segments)?;
    }
    Ok(report)
}

fn is_older(stat: Stat, grace: Duration) -> bool {
    // A time in the future is no age.
    (SystemClock.now() - stat.modified).to_std().is_ok_and(|age| age >= grace)
}

/// Removes a temporary file; false where a writer holds it, or it is gone.
fn remove(dir: &Dir, name: &str) -> io::Result<bool> {
    let file = match dir.open_file(name) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(err)) => tracing::debug!(%err, "the file system has no locks"),
    }
    match dir.remove_file(name) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(err) => Err(err),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_when_it_is_to_be_opened_was_removed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!remove(&Dir::open(dir.path()).unwrap(), ".x.0123456789abcdef.part").unwrap());
    }
}
