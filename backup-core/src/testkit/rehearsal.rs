//! Who notices when something else is restored than was dumped: [`EditedRestorer`] and [`Fault`].

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::TryStreamExt;

use crate::{
    ByteStream, Contents, Dumper, Inventory, Level, MemoryStore, Pipeline, Rehearsal, RestoreOptions,
    RestoreOutcome, Restorer, Result, Scratch, ScratchLike, ScratchPlace, Selected, TargetInfo,
    pipeline::BackupRequest,
};

/// A change of a dump on its way into the database, and what has to notice it.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What is done, for messages.
    pub name: &'static str,
    /// Does it.
    pub edit: fn(String) -> String,
    /// The cheapest level that has to fail; the rehearsed level before it has to pass.
    pub caught_at: Level,
    /// What one of the findings has to say.
    pub finding: &'static str,
}

/// Makes a backup and rehearses it with each of the faults, and without.
///
/// # Panics
///
/// When a fault is not caught at its level, is caught too early, or a good backup is not proven.
pub async fn each_fault_is_caught(dumper: impl Dumper, restorer: impl Restorer + Clone, faults: &[Fault]) {
    let pipeline = Pipeline::new(dumper, MemoryStore::new());
    let made = pipeline.backup(BackupRequest::new()).await.expect("a backup");
    let plain = pipeline.clone().with_rehearsal(Rehearsal::new(restorer.clone()));
    for level in [Level::Restored, Level::Equal] {
        let report = plain.verify(&made.backup, level).await.expect("a rehearsal");
        assert_eq!(report.evidence.findings, Vec::<String>::new(), "{level}");
        let rehearsed = report.evidence.rehearsed.expect("what came of it");
        assert!(rehearsed.tables > 0 && rehearsed.rows > 0);
        assert!(!rehearsed.server_version.is_empty() && !rehearsed.tool_version.is_empty());
    }
    for fault in faults {
        let edit = fault.edit;
        let edited = EditedRestorer::new(restorer.clone(), move |dump| {
            let dump = String::from_utf8(dump).expect("a dump of UTF-8");
            let changed = edit(dump.clone());
            assert_ne!(changed, dump, "the fault changes nothing");
            changed.into_bytes()
        });
        let pipeline = pipeline.clone().with_rehearsal(Rehearsal::new(edited));
        for level in [Level::Restored, Level::Equal] {
            let report = pipeline.verify(&made.backup, level).await.expect("a rehearsal");
            let findings = report.evidence.findings;
            if level < fault.caught_at {
                assert_eq!(findings, Vec::<String>::new(), "{} at {level}", fault.name);
            } else {
                let says = findings.iter().any(|finding| finding.contains(fault.finding));
                assert!(says, "{} at {level}: {findings:?}", fault.name);
            }
        }
    }
}

type Edit = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A restorer whose bodies are changed on the way, in its throw-away databases too; they are held in memory.
#[derive(Clone)]
pub struct EditedRestorer {
    inner: Arc<dyn Restorer>,
    edit: Edit,
}

impl EditedRestorer {
    /// Restores by `inner` what `edit` makes of a dump.
    pub fn new(inner: impl Restorer, edit: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self { inner: Arc::new(inner), edit: Arc::new(edit) }
    }
}

impl fmt::Debug for EditedRestorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditedRestorer").field("inner", &self.inner).finish_non_exhaustive()
    }
}

async fn edited(edit: &Edit, body: ByteStream) -> Result<ByteStream> {
    let whole = body.try_fold(Vec::new(), |mut whole, chunk| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    let whole = edit(whole.await?);
    // In pieces, as a tool's output comes.
    let pieces: Vec<_> = whole.chunks(64 * 1024).map(|piece| Ok(piece.to_vec().into())).collect();
    Ok(ByteStream::new(futures::stream::iter(pieces)))
}

#[async_trait]
impl Restorer for EditedRestorer {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.inner.supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.inner.probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.inner.restore(edited(&self.edit, body).await?, options).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.inner.select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        self.inner.target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        let inner = self.inner.scratch(like).await?;
        Ok(Box::new(EditedScratch { inner, edit: Arc::clone(&self.edit) }))
    }
}

/// A throw-away database, and at the same time its restorer.
struct EditedScratch {
    inner: Box<dyn Scratch>,
    edit: Edit,
}

impl fmt::Debug for EditedScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditedScratch").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Restorer for EditedScratch {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.inner.restorer().supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.inner.restorer().probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.inner.restorer().restore(edited(&self.edit, body).await?, options).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.inner.restorer().select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        self.inner.restorer().target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        self.inner.restorer().scratch(like).await
    }
}

#[async_trait]
impl Scratch for EditedScratch {
    fn restorer(&self) -> &dyn Restorer {
        self
    }

    fn place(&self) -> ScratchPlace {
        self.inner.place()
    }

    fn dumper(&self, contents: Contents) -> Result<Arc<dyn Dumper>> {
        self.inner.dumper(contents)
    }

    async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        self.inner.scalar(sql).await
    }

    async fn inventory(&self) -> Result<Inventory> {
        self.inner.inventory().await
    }

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        self.inner.source_checksums().await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.inner.close().await
    }
}
