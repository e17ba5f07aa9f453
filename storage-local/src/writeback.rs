//! Writing back early: a second thread that syncs a large file while it grows.
//!
//! A dump comes more slowly than a disk writes. Left alone, the kernel keeps most of it in memory until the
//! sync at the end, which then takes as long as writing all of it.
//!
//! Measured with 512 MiB on ext4, medians of six: at 250 MiB a second, the put ended 0.04 s after its last byte
//! instead of 0.29 s; as fast as the bytes could come, it took 0.55 s instead of 0.75 s, and a plain write with
//! one sync 0.65 s. 64 and 128 MiB between two syncs gained a little less.

use std::{
    fs::File,
    io,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

use crate::dir::Growing;

/// How many bytes are written between two syncs; smaller files get the one at the end alone.
const SYNC_BYTES: u64 = 32 * 1024 * 1024;

/// Syncs a file now and then, on a thread that starts with the first need.
#[derive(Debug, Default)]
pub(crate) struct Writeback {
    unsynced: u64,
    syncer: Option<Syncer>,
}

#[derive(Debug)]
struct Syncer {
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writeback {
    /// Says that `bytes` more were written to `file`; never waits for the disk.
    pub(crate) fn wrote(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        self.unsynced += bytes as u64;
        if self.unsynced < SYNC_BYTES {
            return Ok(());
        }
        let syncer = match self.syncer.take() {
            Some(syncer) => syncer,
            None => Syncer::start(file.try_clone()?)?,
        };
        match syncer.wake.try_send(()) {
            Ok(()) => self.unsynced = 0,
            // Still at the one before, and not to be queued for: it is asked again with the next bytes.
            Err(TrySendError::Full(())) => {}
            // Only an error ends the thread.
            Err(TrySendError::Disconnected(())) => return syncer.end(),
        }
        self.syncer = Some(syncer);
        Ok(())
    }

    /// Waits for the thread, and hands over its error: the system tells each one only once, so that the sync
    /// at the end would not see it again.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.syncer.map_or(Ok(()), Syncer::end)
    }
}

impl Syncer {
    fn start(file: File) -> io::Result<Self> {
        let (wake, woken) = sync_channel(0);
        let sync = move || {
            while woken.recv().is_ok() {
                Growing(&file).sync_early()?;
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("writeback".into()).spawn(sync)?;
        Ok(Self { wake, thread })
    }

    fn end(self) -> io::Result<()> {
        drop(self.wake);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs panicked")))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn an_error_of_an_early_sync_is_not_lost() {
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(writer));
        let mut writeback = Writeback::default();
        writeback.wrote(&file, 1).unwrap();
        let err = loop {
            if let Err(err) = writeback.wrote(&file, usize::try_from(SYNC_BYTES).unwrap()) {
                break err;
            }
            std::thread::yield_now();
        };
        assert_eq!(err.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_error_of_the_last_early_sync_is_not_lost() {
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(writer));
        let mut writeback = Writeback::default();
        writeback.wrote(&file, usize::try_from(SYNC_BYTES).unwrap()).unwrap();
        // Asked again until the thread takes it.
        while writeback.unsynced > 0 {
            std::thread::yield_now();
            writeback.wrote(&file, 0).unwrap();
        }
        assert_eq!(writeback.finish().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_large_file_is_synced_early_and_a_small_one_is_not() {
        let file = tempfile::tempfile().unwrap();
        let mut writeback = Writeback::default();
        writeback.wrote(&file, 1000).unwrap();
        assert!(writeback.syncer.is_none());
        writeback.wrote(&file, usize::try_from(SYNC_BYTES).unwrap()).unwrap();
        assert!(writeback.syncer.is_some());
        writeback.finish().unwrap();
    }
}
