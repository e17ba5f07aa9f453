//! [`FakeRestorer`]: a restorer without a database.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::fake::FakeDumper;
use crate::{
    ByteStream, Contents, Dumper, DumperInfo, Error, ErrorKind, Inventory, OnExisting, RestoreOptions,
    RestoreOutcome, Restorer, Result, Scratch, ScratchLike, ScratchPlace, Selected, TargetInfo,
    inventory::Inspector,
};

/// The largest dump that is taken, in bytes.
const LARGEST: usize = 1 << 28;

/// Keeps what is restored in memory, and dumps it again; clones are one target.
///
/// It counts rows as far as the format of the dumps shows them.
#[derive(Debug, Clone)]
pub struct FakeRestorer {
    info: DumperInfo,
    held: Arc<Mutex<Option<Bytes>>>,
}

impl FakeRestorer {
    /// An empty target for dumps of this engine and format.
    #[must_use]
    pub fn new(info: DumperInfo) -> Self {
        Self { info, held: Arc::default() }
    }

    /// What was restored last.
    #[must_use]
    pub fn held(&self) -> Option<Bytes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn dump(&self) -> FakeDumper {
        FakeDumper::new(self.held().unwrap_or_default()).with_info(self.info.clone())
    }

    fn inventory(&self) -> Result<Inventory> {
        let mut inspector = Inspector::for_format(&self.info.engine, &self.info.format);
        inspector.tap.update(&self.held().unwrap_or_default())?;
        inspector.tap.finish()?;
        // As a server counts: rows, and nothing else.
        let mut inventory = inspector.inventory.take().flatten().unwrap_or_default();
        inventory.objects.clear();
        for table in &mut inventory.tables {
            (table.checksum, table.definition) = (None, None);
        }
        Ok(inventory)
    }
}

#[async_trait]
impl Restorer for FakeRestorer {
    fn supports(&self, engine: &str, format: &str) -> bool {
        engine == self.info.engine && format == self.info.format
    }

    async fn probe(&self) -> Result<TargetInfo> {
        let mut target = TargetInfo::new("fake target");
        target.objects = u64::from(self.held().is_some());
        target.exists = true;
        Ok(target)
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        if self.held().is_some() && options.on_existing == OnExisting::Refuse {
            return Err(Error::new(ErrorKind::TargetNotEmpty, "the target is not empty"));
        }
        let bytes = body.collect_bytes(LARGEST).await?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        Ok(RestoreOutcome::new(self.inventory()?))
    }

    async fn select(&self, _: ByteStream, _: &RestoreOptions) -> Result<Selected> {
        Err(Error::new(ErrorKind::Unsupported, "nothing can be selected in this format"))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.dump()))
    }

    async fn scratch(&self, _: &ScratchLike) -> Result<Box<dyn Scratch>> {
        Ok(Box::new(FakeScratch(Self::new(self.info.clone()))))
    }
}

#[derive(Debug)]
struct FakeScratch(FakeRestorer);

#[async_trait]
impl Scratch for FakeScratch {
    fn restorer(&self) -> &dyn Restorer {
        &self.0
    }

    fn place(&self) -> ScratchPlace {
        ScratchPlace::server("1.0")
    }

    fn dumper(&self, _: Contents) -> Result<Arc<dyn Dumper>> {
        self.0.target_dumper()
    }

    async fn scalar(&self, _: &str) -> Result<Option<String>> {
        Err(Error::new(ErrorKind::Unsupported, "a fake knows no SQL"))
    }

    async fn inventory(&self) -> Result<Inventory> {
        self.0.inventory()
    }

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        Ok(None)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
