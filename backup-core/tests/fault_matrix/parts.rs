//! Stores, dumpers, restorers, transforms and observers whose every call passes a [`Seam`].

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Compressor, Contents, Dump, Dumper, DumperInfo, Event, GetOptions, GetResult, Inventory, Key,
    ObjectMeta, Observer, Prefix, PutOptions, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch,
    ScratchLike, ScratchPlace, Selected, SourceInfo, Store, TargetInfo, Transform,
    store::{Space, StoreCapabilities, SweepReport},
    transform::Output,
};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};

use crate::seam::{Seam, Site};

/// What of a backup an object is.
fn role(key: &Key) -> &'static str {
    let key = key.as_str();
    if key.ends_with(".claim.json") {
        "claim"
    } else if key.ends_with(".manifest.json") {
        "manifest"
    } else if key.contains(".notes/") {
        "note"
    } else {
        "artifact"
    }
}

/// A body with a step at its first bytes and one at its end.
fn through(seam: &Seam, name: String, body: ByteStream) -> ByteStream {
    let chunks =
        futures::stream::unfold((body, seam.clone(), name, 0), |(mut body, seam, name, at)| async move {
            let chunk = body.next().await;
            let passed = match &chunk {
                Some(Ok(_)) if at == 0 => {
                    seam.pass(Site::Body, &format!("{name}, first bytes"), ready()).await
                }
                None => seam.pass(Site::Body, &format!("{name}, end"), ready()).await,
                _ => Ok(()),
            };
            let item = match passed {
                Ok(()) => chunk?,
                Err(err) => Err(err),
            };
            Some((item, (body, seam, name, at + 1)))
        });
    ByteStream::new(chunks)
}

fn ready() -> std::future::Ready<Result<()>> {
    std::future::ready(Ok(()))
}

/// A store, by the name under which its steps are told.
#[derive(Debug, Clone)]
pub(crate) struct SeamStore<S> {
    pub(crate) name: &'static str,
    pub(crate) inner: S,
    pub(crate) seam: Seam,
}

impl<S: Store> SeamStore<S> {
    async fn pass<T>(&self, op: &str, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.seam.pass(Site::Store, &format!("{}: {op} {what}", self.name), work).await
    }
}

#[async_trait]
impl<S: Store> Store for SeamStore<S> {
    fn location(&self) -> String {
        format!("seam://{}", self.name)
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let body = match role(key) {
            "artifact" => through(&self.seam, format!("{}: put artifact", self.name), body),
            _ => body,
        };
        self.pass("put", role(key), self.inner.put(key, body, options)).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let mut got = self.pass("get", role(key), self.inner.get(key, options)).await?;
        got.body = through(&self.seam, format!("{}: get {}", self.name, role(key)), got.body);
        Ok(got)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.pass("head", role(key), self.inner.head(key)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.pass("delete", role(key), self.inner.delete(key)).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let (seam, items) = (self.seam.clone(), self.inner.list(prefix));
        let name = format!("{}: list", self.name);
        let opened = async move { seam.pass(Site::Store, &name, async { Ok(items) }).await };
        futures::stream::once(opened)
            .flat_map(|opened| match opened {
                Ok(items) => items,
                Err(err) => futures::stream::iter([Err(err)]).boxed(),
            })
            .boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.pass("space", "", self.inner.space()).await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.pass("sweep", "", self.inner.sweep(grace)).await
    }
}

/// A database or a target, by the name under which its steps are told.
#[derive(Debug, Clone)]
pub(crate) struct SeamDumper {
    pub(crate) name: &'static str,
    pub(crate) inner: Arc<dyn Dumper>,
    pub(crate) seam: Seam,
}

#[async_trait]
impl Dumper for SeamDumper {
    fn info(&self) -> DumperInfo {
        self.inner.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.seam.pass(Site::Tool, &format!("{}: probe", self.name), self.inner.probe()).await
    }

    async fn dump(&self) -> Result<Dump> {
        let mut dump = self.seam.pass(Site::Tool, &format!("{}: dump", self.name), self.inner.dump()).await?;
        let (seam, name) = (self.seam.clone(), self.name);
        let chunks = futures::stream::unfold((dump.body, 0), move |(mut body, at)| {
            let seam = seam.clone();
            async move {
                let chunk = body.next().await;
                let step = match &chunk {
                    Some(_) => format!("{name}: chunk {at}"),
                    None => format!("{name}: end of the dump"),
                };
                let item = match seam.pass(Site::Dump, &step, ready()).await {
                    Ok(()) => chunk?,
                    Err(err) => Err(err),
                };
                Some((item, (body, at + 1)))
            }
        });
        dump.body = ByteStream::new(chunks);
        Ok(dump)
    }
}

/// A compressor with a step at each end of its encoder.
#[derive(Debug, Clone)]
pub(crate) struct SeamCompressor {
    pub(crate) inner: Arc<dyn Compressor>,
    pub(crate) seam: Seam,
}

impl Compressor for SeamCompressor {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn extension(&self) -> &'static str {
        self.inner.extension()
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(SeamTransform { inner: self.inner.encoder()?, seam: self.seam.clone() }))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        self.inner.decoder()
    }
}

struct SeamTransform {
    inner: Box<dyn Transform>,
    seam: Seam,
}

impl Transform for SeamTransform {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.seam.pass_now(Site::Transform, "compressor: update")?;
        self.inner.update(input, output)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        self.inner.boundary(output)
    }

    fn finish(self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.seam.pass_now(Site::Transform, "compressor: finish")?;
        self.inner.finish(output)
    }
}

/// An observer with a step at each event, but for progress, which comes as time passes.
#[derive(Debug, Clone)]
pub(crate) struct SeamObserver(pub(crate) Seam);

impl Observer for SeamObserver {
    fn observe(&self, event: &Event<'_>) {
        let name = match event {
            Event::Started { operation, .. } => format!("{} started", operation.name()),
            Event::Committed { .. } => "committed".to_owned(),
            Event::Deleted { operation, .. } => format!("{} deleted", operation.name()),
            Event::Finished { operation, .. } => format!("{} finished", operation.name()),
            _ => return,
        };
        // An event cannot fail.
        let _ignored = self.0.pass_now(Site::Event, &format!("event: {name}"));
    }
}

/// A target, or a throw-away database, by the name under which its steps are told.
#[derive(Debug, Clone)]
pub(crate) struct SeamRestorer<R> {
    pub(crate) name: &'static str,
    pub(crate) inner: R,
    pub(crate) seam: Seam,
}

#[async_trait]
impl<R: Restorer> Restorer for SeamRestorer<R> {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.inner.supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.seam.pass(Site::Tool, &format!("{}: probe", self.name), self.inner.probe()).await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let body = through(&self.seam, format!("{}: restore", self.name), body);
        let restoring = self.inner.restore(body, options);
        self.seam.pass(Site::Tool, &format!("{}: restore", self.name), restoring).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.inner.select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        let (name, inner) = (self.name, self.inner.target_dumper()?);
        Ok(Arc::new(SeamDumper { name, inner, seam: self.seam.clone() }))
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        let seam = self.seam.clone();
        let inner = seam.pass(Site::Tool, "scratch: made", self.inner.scratch(like)).await?;
        let inner: Arc<dyn Scratch> = inner.into();
        let restorer =
            SeamRestorer { name: "scratch", inner: OfScratch(Arc::clone(&inner)), seam: seam.clone() };
        Ok(Box::new(SeamScratch { inner, restorer, seam }))
    }
}

#[derive(Debug)]
struct SeamScratch {
    inner: Arc<dyn Scratch>,
    restorer: SeamRestorer<OfScratch>,
    seam: Seam,
}

#[async_trait]
impl Scratch for SeamScratch {
    fn restorer(&self) -> &dyn Restorer {
        &self.restorer
    }

    fn place(&self) -> ScratchPlace {
        self.inner.place()
    }

    fn dumper(&self, contents: Contents) -> Result<Arc<dyn Dumper>> {
        let inner = self.inner.dumper(contents)?;
        Ok(Arc::new(SeamDumper { name: "scratch", inner, seam: self.seam.clone() }))
    }

    async fn scalar(&self, sql: &str) -> Result<Option<String>> {
        self.seam.pass(Site::Tool, "scratch: scalar", self.inner.scalar(sql)).await
    }

    async fn inventory(&self) -> Result<Inventory> {
        self.seam.pass(Site::Tool, "scratch: inventory", self.inner.inventory()).await
    }

    async fn source_checksums(&self) -> Result<Option<Inventory>> {
        self.seam.pass(Site::Tool, "scratch: checksums", self.inner.source_checksums()).await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let Self { seam, .. } = *self;
        seam.pass(Site::Tool, "scratch: close", ready()).await
    }
}

/// The restorer of a throw-away database.
#[derive(Debug, Clone)]
pub(crate) struct OfScratch(Arc<dyn Scratch>);

#[async_trait]
impl Restorer for OfScratch {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.0.restorer().supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.0.restorer().probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        self.0.restorer().restore(body, options).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.0.restorer().select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        self.0.restorer().target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        self.0.restorer().scratch(like).await
    }
}
