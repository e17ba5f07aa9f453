//! [`FakeDumper`]: a dumper without a database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use crate::{
    ByteStream, Companion, Dump, Dumper, DumperInfo, Error, ErrorKind, Inventory, Result, SourceInfo,
};

/// Yields given bytes as a dump, of engine `fake` and format `blob` unless said; fails, hangs or dawdles if told so.
///
/// Clones share the count of [`running`](Self::running) dumps.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use backup_core::{Dumper, ErrorKind, testkit::fake::FakeDumper};
///
/// let dump = FakeDumper::new("bytes").fail_after(3, ErrorKind::ToolFailed).dump().await.unwrap();
/// assert_eq!(dump.body.collect_bytes(10).await.unwrap_err().kind(), ErrorKind::ToolFailed);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct FakeDumper {
    bytes: Bytes,
    info: DumperInfo,
    chunk_bytes: usize,
    source: SourceInfo,
    inventory: Option<Inventory>,
    companions: Vec<(String, Bytes)>,
    warnings: Vec<String>,
    delay: Duration,
    cut: Option<(usize, Cut)>,
    probe_fails: Option<ErrorKind>,
    running: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    Fail(ErrorKind),
    Hang,
}

impl FakeDumper {
    /// Dumps `bytes` of a database `fake`, in chunks of 64 KiB.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut source = SourceInfo::new("fake");
        source.location = "memory".into();
        source.tool = "fake".into();
        source.tool_version = "1.0".into();
        source.server_version = "1.0".into();
        source.size_bytes = Some(bytes.len() as u64);
        Self {
            bytes,
            info: DumperInfo::new("fake", "blob", "blob"),
            chunk_bytes: 64 * 1024,
            source,
            inventory: None,
            companions: Vec::new(),
            warnings: Vec::new(),
            delay: Duration::ZERO,
            cut: None,
            probe_fails: None,
            running: Arc::default(),
        }
    }

    /// Dumps a second object too.
    #[must_use]
    pub fn with_companion(mut self, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.companions.push((name.into(), bytes.into()));
        self
    }

    /// Says that the bytes are of another engine and format.
    #[must_use]
    pub fn with_info(mut self, info: DumperInfo) -> Self {
        self.info = info;
        self
    }

    /// What a probe finds.
    #[must_use]
    pub fn with_source(mut self, source: SourceInfo) -> Self {
        self.source = source;
        self
    }

    /// The inventory that comes with the dump.
    #[must_use]
    pub fn with_inventory(mut self, inventory: Inventory) -> Self {
        self.inventory = Some(inventory);
        self
    }

    /// Adds what is noticed before the first byte.
    #[must_use]
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// The body fails after its first `bytes` bytes, also where that is all of them.
    #[must_use]
    pub fn fail_after(mut self, bytes: usize, kind: ErrorKind) -> Self {
        self.cut = Some((bytes, Cut::Fail(kind)));
        self
    }

    /// The body never goes on after its first `bytes` bytes.
    #[must_use]
    pub fn hang_after(mut self, bytes: usize) -> Self {
        self.cut = Some((bytes, Cut::Hang));
        self
    }

    /// The body comes in chunks of `chunk_bytes`, each after `delay`.
    #[must_use]
    pub fn slow(mut self, chunk_bytes: usize, delay: Duration) -> Self {
        (self.chunk_bytes, self.delay) = (chunk_bytes.max(1), delay);
        self
    }

    /// `probe` and `dump` fail.
    #[must_use]
    pub fn fail_probe(mut self, kind: ErrorKind) -> Self {
        self.probe_fails = Some(kind);
        self
    }

    /// How many bodies are being read: neither at their end nor dropped.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Dumper for FakeDumper {
    fn info(&self) -> DumperInfo {
        self.info.clone()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        match self.probe_fails {
            Some(kind) => Err(Error::new(kind, "the fake probe fails")),
            None => Ok(self.source.clone()),
        }
    }

    async fn dump(&self) -> Result<Dump> {
        let source = self.probe().await?;
        let end = self.cut.map_or(self.bytes.len(), |(at, _)| at.min(self.bytes.len()));
        let (bytes, size, delay) = (self.bytes.slice(..end), self.chunk_bytes, self.delay);
        let chunks = (0..end).step_by(size).map(move |at| bytes.slice(at..(at + size).min(end)));
        let body = futures::stream::iter(chunks).then(move |chunk| async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            Ok(chunk)
        });
        let cut = self.cut.map(|(_, cut)| cut);
        let last = futures::stream::iter(cut).then(|cut| async move {
            match cut {
                Cut::Fail(kind) => Err(Error::new(kind, "the fake dump fails")),
                Cut::Hang => std::future::pending().await,
            }
        });
        let running = Running::start(&self.running);
        let body = body.chain(last).inspect(move |_| {
            let _until_the_body_is_dropped = &running;
        });
        let mut dump = Dump::new(source, ByteStream::new(body));
        dump.inventory.clone_from(&self.inventory);
        let companions = self.companions.iter().cloned();
        dump.companions = companions.map(|(name, bytes)| Companion::new(name, "sql", bytes.into())).collect();
        dump.warnings.clone_from(&self.warnings);
        Ok(dump)
    }
}

struct Running(Arc<AtomicUsize>);

impl Running {
    fn start(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_whole_and_failures_come_last() {
        let bytes = Bytes::from(vec![7; 200_000]);
        let fake = FakeDumper::new(bytes.clone());
        let dump = fake.dump().await.unwrap();
        assert_eq!(fake.running(), 1);
        assert_eq!(dump.body.collect_bytes(300_000).await.unwrap(), bytes);
        assert_eq!(fake.running(), 0);
        for at in [0, 1, 100_000, 200_000, 300_000] {
            let fake = fake.clone().fail_after(at, ErrorKind::ToolFailed);
            let items: Vec<_> = fake.dump().await.unwrap().body.collect().await;
            let (last, chunks) = items.split_last().unwrap();
            assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::ToolFailed);
            assert_eq!(chunks.iter().flatten().map(Bytes::len).sum::<usize>(), at.min(200_000));
        }
    }

    #[tokio::test]
    async fn a_hanging_dump_runs_until_it_is_dropped() {
        let fake = FakeDumper::new("abc").hang_after(1);
        let mut body = fake.dump().await.unwrap().body;
        assert_eq!(body.next().await.unwrap().unwrap(), "a");
        assert!(tokio::time::timeout(Duration::from_millis(10), body.next()).await.is_err());
        assert_eq!(fake.running(), 1);
        drop(body);
        assert_eq!(fake.running(), 0);
    }
}
