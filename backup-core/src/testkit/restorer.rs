//! The clauses of the contract of a [`Restorer`], one function each.
//!
//! [`restorer_conformance!`](crate::restorer_conformance) makes a test of every clause. A clause fails by
//! panicking, and its name is the claim that does not hold.

use std::{
    any::Any,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture};

use super::dumper::inspect_as;
use crate::{
    ByteStream, Dump, Dumper, Error, ErrorKind, Inventory, OnExisting, RestoreOptions, RestoreOutcome,
    Restorer, Result, ScratchLike,
};

/// How long a clause waits for a dropped scratch to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two databases with content, and targets to restore their dumps into.
pub struct RestorerFixture {
    source: Arc<dyn Dumper>,
    other: Arc<dyn Dumper>,
    target: Box<dyn Fn() -> BoxFuture<'static, FreshTarget> + Send + Sync>,
    secrets: Vec<String>,
    guard: Option<Box<dyn Any + Send + Sync>>,
}

/// A restorer into a new or empty database.
pub struct FreshTarget {
    restorer: Arc<dyn Restorer>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl FreshTarget {
    /// A target that `guard` (a temporary directory, a server) keeps.
    pub fn new(restorer: Arc<dyn Restorer>, guard: impl Any + Send + Sync) -> Self {
        Self { restorer, _guard: Box::new(guard) }
    }
}

impl fmt::Debug for FreshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FreshTarget").field(&self.restorer).finish()
    }
}

impl RestorerFixture {
    /// `source` and `other` dump databases whose tables differ, both with rows, in a format that the restorers
    /// take; `target` makes a restorer into a new or empty database each time.
    pub fn new<F>(
        source: Arc<dyn Dumper>,
        other: Arc<dyn Dumper>,
        target: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = FreshTarget> + Send + 'static,
    {
        let target = Box::new(move || target().boxed());
        Self { source, other, target, secrets: Vec::new(), guard: None }
    }

    /// A password or the like that the restorer uses and must never show.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Keeps `guard` (a temporary directory, a server) until the clause is over.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// A target that holds what `source` holds, and its inventory.
    async fn occupied(&self) -> (FreshTarget, Inventory) {
        let target = (self.target)().await;
        let dumped = Dumped::take(&*self.source).await;
        restore(&target, dumped.body(), self.options()).await.expect("the dump can be restored");
        (target, dumped.inventory)
    }

    fn options(&self) -> RestoreOptions {
        RestoreOptions::new(self.source.info().format)
    }

    fn replace(&self) -> RestoreOptions {
        self.options().with_on_existing(OnExisting::Replace)
    }
}

impl fmt::Debug for RestorerFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestorerFixture")
            .field("source", &self.source)
            .field("other", &self.other)
            .field("guarded", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

/// Makes a module `restorer_conformance` with one `#[tokio::test]` per clause of the contract of
/// [`Restorer`](crate::Restorer) and [`Scratch`](crate::Scratch).
///
/// The argument is an expression that makes a [`RestorerFixture`](crate::testkit::restorer::RestorerFixture);
/// it is evaluated once per clause, in an asynchronous function, so that it may `.await`. The crate that uses
/// the macro needs `tokio` with its features `macros`, `rt` and `time`.
#[macro_export]
macro_rules! restorer_conformance {
    ($fixture:expr) => {
        $crate::restorer_conformance!(@each $fixture;
            probe_changes_nothing_and_tells_empty_from_occupied,
            dump_restored_into_a_fresh_target_has_an_equal_inventory,
            occupied_target_is_refused_before_the_first_byte,
            occupied_target_is_replaced_when_told,
            failed_body_leaves_the_old_content,
            failed_body_leaves_a_fresh_target_empty,
            failed_restore_can_be_repeated,
            other_formats_are_unsupported,
            scratch_holds_what_was_restored_and_the_target_does_not,
            closed_scratch_is_gone,
            dropped_scratch_is_gone,
            no_secret_is_shown);
    };
    (@each $fixture:expr; $($clause:ident),+) => {
        mod restorer_conformance {
            #[allow(unused_imports, reason = "the fixture may need none of them")]
            use super::*;
            $(
                #[tokio::test]
                async fn $clause() {
                    let fixture = $fixture;
                    $crate::testkit::restorer::$clause(&fixture).await;
                }
            )+
        }
    };
}

/// `probe` says the same twice, and whether the target holds anything.
pub async fn probe_changes_nothing_and_tells_empty_from_occupied(fixture: &RestorerFixture) {
    let fresh = (fixture.target)().await;
    let one = fresh.restorer.probe().await.expect("a fresh target can be probed");
    assert_eq!(one, fresh.restorer.probe().await.expect("it can be probed again"));
    assert!(one.is_empty(), "{one:?}");
    let (occupied, inventory) = fixture.occupied().await;
    let one = occupied.restorer.probe().await.expect("an occupied target can be probed");
    assert_eq!(one, occupied.restorer.probe().await.expect("it can be probed again"));
    assert!(one.exists && one.tables >= inventory.tables.len() as u64, "{one:?}, {inventory:?}");
    assert!(!one.database.is_empty() && !one.location.is_empty(), "{one:?}");
    assert!(!one.tool_version.is_empty() && !one.server_version.is_empty(), "{one:?}");
    assert_holds(&occupied, &inventory).await;
}

/// What was dumped comes back: the outcome and a dump of the target have the inventory of the dump.
pub async fn dump_restored_into_a_fresh_target_has_an_equal_inventory(fixture: &RestorerFixture) {
    let dumped = Dumped::take(&*fixture.source).await;
    assert!(dumped.inventory.rows() > 0, "the fixture's source holds no rows");
    let target = (fixture.target)().await;
    let outcome = restore(&target, dumped.body(), fixture.options()).await.expect("the dump can be restored");
    assert_eq!(dumped.inventory.differences(&outcome.inventory), Vec::<String>::new());
    assert_holds(&target, &dumped.inventory).await;
}

/// A target with tables is refused without a byte of the body being asked for, and stays as it is.
pub async fn occupied_target_is_refused_before_the_first_byte(fixture: &RestorerFixture) {
    let (target, inventory) = fixture.occupied().await;
    let other = Dumped::take(&*fixture.other).await;
    let (body, polls) = counted(other.body());
    let err = restore(&target, body, fixture.options()).await.expect_err("an occupied target is refused");
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{err}");
    assert_eq!(polls.load(Ordering::Relaxed), 0, "the body was read before the target was refused");
    assert_holds(&target, &inventory).await;
}

/// With [`OnExisting::Replace`] the target holds what was restored, and nothing of what it held.
pub async fn occupied_target_is_replaced_when_told(fixture: &RestorerFixture) {
    let (target, inventory) = fixture.occupied().await;
    let other = Dumped::take(&*fixture.other).await;
    assert_ne!(
        inventory.differences(&other.inventory),
        Vec::<String>::new(),
        "the fixture's databases are alike"
    );
    let outcome = restore(&target, other.body(), fixture.replace()).await.expect("the target is replaced");
    assert_eq!(other.inventory.differences(&outcome.inventory), Vec::<String>::new());
    assert_holds(&target, &other.inventory).await;
}

/// A body that fails at its start, in the middle or at its very end leaves the target as it was.
pub async fn failed_body_leaves_the_old_content(fixture: &RestorerFixture) {
    let (target, inventory) = fixture.occupied().await;
    let other = Dumped::take(&*fixture.other).await;
    for length in [0, other.bytes.len() / 2, other.bytes.len()] {
        let err = restore(&target, other.failing_after(length), fixture.replace())
            .await
            .expect_err("a failed body is no restore");
        assert_eq!(
            err.kind(),
            ErrorKind::RateLimited,
            "after {length} bytes: the body's own error is lost: {err}"
        );
        assert_holds(&target, &inventory).await;
    }
}

/// A body that fails leaves no tables in a target that had none.
pub async fn failed_body_leaves_a_fresh_target_empty(fixture: &RestorerFixture) {
    let dumped = Dumped::take(&*fixture.source).await;
    for length in [0, dumped.bytes.len() / 2, dumped.bytes.len()] {
        let target = (fixture.target)().await;
        restore(&target, dumped.failing_after(length), fixture.options())
            .await
            .expect_err("a failed body is no restore");
        let probed = target.restorer.probe().await.expect("the target can be probed");
        assert!(probed.is_empty(), "after {length} bytes: {probed:?}");
    }
}

/// After a restore that failed, the same restore works.
pub async fn failed_restore_can_be_repeated(fixture: &RestorerFixture) {
    let dumped = Dumped::take(&*fixture.source).await;
    let target = (fixture.target)().await;
    restore(&target, dumped.failing_after(dumped.bytes.len() / 2), fixture.options())
        .await
        .expect_err("a failed body is no restore");
    restore(&target, dumped.body(), fixture.options()).await.expect("the whole dump can be restored");
    assert_holds(&target, &dumped.inventory).await;
}

/// A format that it does not know is refused, without a byte of the body being asked for.
pub async fn other_formats_are_unsupported(fixture: &RestorerFixture) {
    let info = fixture.source.info();
    let target = (fixture.target)().await;
    assert!(target.restorer.supports(&info.engine, &info.format));
    assert!(!target.restorer.supports("no such engine", &info.format));
    assert!(!target.restorer.supports(&info.engine, "no such format"));
    let dumped = Dumped::take(&*fixture.source).await;
    let (body, polls) = counted(dumped.body());
    let err = restore(&target, body, RestoreOptions::new("no such format")).await.expect_err("it is refused");
    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err}");
    assert_eq!(polls.load(Ordering::Relaxed), 0, "the body was read before the format was refused");
}

/// A restore into a scratch is counted there, and leaves the target alone.
pub async fn scratch_holds_what_was_restored_and_the_target_does_not(fixture: &RestorerFixture) {
    let (target, inventory) = fixture.occupied().await;
    let other = Dumped::take(&*fixture.other).await;
    let scratch = target.restorer.scratch(&ScratchLike::anything()).await.expect("a scratch can be made");
    let outcome = scratch
        .restorer()
        .restore(other.body(), fixture.options())
        .await
        .expect("the scratch takes the dump");
    assert_eq!(other.inventory.differences(&outcome.inventory), Vec::<String>::new());
    let counted = scratch.inventory().await.expect("the scratch can be counted");
    assert_eq!(other.inventory.differences(&counted), Vec::<String>::new());
    scratch.close().await.expect("the scratch can be closed");
    assert_holds(&target, &inventory).await;
}

/// After `close` the throw-away database cannot be dumped any more.
pub async fn closed_scratch_is_gone(fixture: &RestorerFixture) {
    let target = (fixture.target)().await;
    let scratch = target.restorer.scratch(&ScratchLike::anything()).await.expect("a scratch can be made");
    let dumped = Dumped::take(&*fixture.source).await;
    scratch.restorer().restore(dumped.body(), fixture.options()).await.expect("the scratch takes the dump");
    let of_scratch = scratch.restorer().target_dumper().expect("the scratch has a dumper");
    of_scratch.probe().await.expect("the scratch is there");
    scratch.close().await.expect("the scratch can be closed");
    of_scratch.probe().await.expect_err("the scratch is gone");
}

/// After a drop too, in a moment.
pub async fn dropped_scratch_is_gone(fixture: &RestorerFixture) {
    let target = (fixture.target)().await;
    let scratch = target.restorer.scratch(&ScratchLike::anything()).await.expect("a scratch can be made");
    let dumped = Dumped::take(&*fixture.source).await;
    scratch.restorer().restore(dumped.body(), fixture.options()).await.expect("the scratch takes the dump");
    let of_scratch = scratch.restorer().target_dumper().expect("the scratch has a dumper");
    drop(scratch);
    let vanished = async {
        while of_scratch.probe().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, vanished).await.expect("the dropped scratch is gone");
}

/// No secret is in `Debug`, in what a probe says, or in an error.
pub async fn no_secret_is_shown(fixture: &RestorerFixture) {
    let (target, _) = fixture.occupied().await;
    let probed = target.restorer.probe().await.expect("the target can be probed");
    let err = restore(&target, ByteStream::empty(), fixture.options()).await.expect_err("it is refused");
    let scratch = target.restorer.scratch(&ScratchLike::anything()).await.expect("a scratch can be made");
    let shown = format!("{:?} {probed:?} {err} {err:?} {scratch:?}", target.restorer);
    scratch.close().await.expect("the scratch can be closed");
    for secret in &fixture.secrets {
        assert!(!shown.contains(secret.as_str()), "a secret is shown");
    }
}

/// A dump in memory.
struct Dumped {
    bytes: Bytes,
    inventory: Inventory,
}

impl Dumped {
    /// Dumps, and takes the inventory that the dumper told, or else the one that is read out of the bytes.
    async fn take(dumper: &dyn Dumper) -> Self {
        let dump = dumper.dump().await.and_then(Dump::into_plain).expect("the dump starts");
        let bytes = dump.body.collect_bytes(usize::MAX).await.expect("the body ends cleanly");
        let inventory = match dump.inventory {
            Some(inventory) => inventory,
            None => inspect_as(dumper, &bytes, bytes.len())
                .expect("the dump is whole")
                .expect("the dumper or its format shows the inventory"),
        };
        Self { bytes, inventory }
    }

    fn chunks(&self, length: usize) -> Vec<Result<Bytes>> {
        let chunk = |at: usize| Ok(self.bytes.slice(at..length.min(at + 64 * 1024)));
        (0..length).step_by(64 * 1024).map(chunk).collect()
    }

    fn body(&self) -> ByteStream {
        ByteStream::new(futures::stream::iter(self.chunks(self.bytes.len())))
    }

    /// A body that fails after `length` bytes, with an error that no restorer makes itself.
    fn failing_after(&self, length: usize) -> ByteStream {
        let mut items = self.chunks(length);
        items.push(Err(Error::new(ErrorKind::RateLimited, "the body failed")));
        ByteStream::new(futures::stream::iter(items))
    }
}

/// Counts how often the body is asked for a chunk.
fn counted(body: ByteStream) -> (ByteStream, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polls);
    let counting = futures::stream::unfold(body, move |mut body| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { body.next().await.map(|item| (item, body)) }
    });
    (ByteStream::new(counting), polls)
}

async fn restore(target: &FreshTarget, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
    target.restorer.restore(body, options).await
}

async fn assert_holds(target: &FreshTarget, expected: &Inventory) {
    let dumper = target.restorer.target_dumper().expect("the target has a dumper");
    let held = Dumped::take(&*dumper).await;
    assert_eq!(
        expected.differences(&held.inventory),
        Vec::<String>::new(),
        "the target holds something else"
    );
}
