//! The clauses of the contract of a [`Dumper`], one function each.
//!
//! [`dumper_conformance!`](crate::dumper_conformance) makes a test of every clause. A clause fails by
//! panicking, and its name is the claim that does not hold.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use backup_core::{Dumper, testkit::dumper::DumperFixture};
//!
//! fn fixture_of(dumper: Arc<dyn Dumper>) -> DumperFixture {
//!     DumperFixture::new(dumper).with_secret("p@ss/w%rd").with_temp_dir("/var/tmp/of-this-test-alone")
//! }
//! ```

use std::{any::Any, collections::BTreeSet, fmt, future::Future, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture};

use crate::{ByteStream, Dump, Dumper, ErrorKind, Inventory, SourceInfo, inventory::Inspector};

pub mod traces;

use traces::{Processes, names_in};

/// How long a clause waits for what a dropped dump leaves to vanish.
const PATIENCE: Duration = Duration::from_secs(60);

/// A dumper of a database with content, and what to watch while it works.
///
/// The database should hold tables with rows, and its dump be larger than what lies in the pipes between the
/// tool and the reader (a few MiB), so that a tool is really at work when its reader goes away.
pub struct DumperFixture {
    dumper: Arc<dyn Dumper>,
    secrets: Vec<String>,
    temp_dirs: Vec<PathBuf>,
    fingerprint: Option<Fingerprint>,
    shows_end: bool,
    guard: Option<Box<dyn Any + Send + Sync>>,
}

type Fingerprint = Box<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

impl DumperFixture {
    /// A fixture of `dumper`.
    #[must_use]
    pub fn new(dumper: Arc<dyn Dumper>) -> Self {
        Self {
            dumper,
            secrets: Vec::new(),
            temp_dirs: Vec::new(),
            fingerprint: None,
            shows_end: true,
            guard: None,
        }
    }

    /// A password or the like that the dumper uses and must never show.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// A folder that only this fixture's dumper uses, in which no file may stay.
    #[must_use]
    pub fn with_temp_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temp_dirs.push(folder.into());
        self
    }

    /// Describes the state of the source, so that a change by a probe shows.
    #[must_use]
    pub fn with_fingerprint<F>(mut self, fingerprint: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = String> + Send + 'static,
    {
        self.fingerprint = Some(Box::new(move || fingerprint().boxed()));
        self
    }

    /// Says that the format does not show where it ends: only the tool's exit status tells, and cuts are not tried.
    #[must_use]
    pub fn without_end_mark(mut self) -> Self {
        self.shows_end = false;
        self
    }

    /// Keeps `guard` (a temporary directory, a server) until the clause is over.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    async fn state(&self) -> Option<String> {
        match &self.fingerprint {
            Some(fingerprint) => Some(fingerprint().await),
            None => None,
        }
    }

    fn temp_files(&self) -> BTreeSet<PathBuf> {
        names_in(&self.temp_dirs)
    }
}

impl fmt::Debug for DumperFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumperFixture")
            .field("dumper", &self.dumper)
            .field("temp_dirs", &self.temp_dirs)
            .field("guarded", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

/// Makes a module `dumper_conformance` with one `#[tokio::test]` per clause of the contract of
/// [`Dumper`](crate::Dumper).
///
/// The argument is an expression that makes a [`DumperFixture`](crate::testkit::dumper::DumperFixture); it is
/// evaluated once per clause, in an asynchronous function, so that it may `.await`. The crate that uses the
/// macro needs `tokio` with its features `macros`, `rt` and `time`.
#[macro_export]
macro_rules! dumper_conformance {
    ($fixture:expr) => {
        $crate::dumper_conformance!(@each $fixture;
            probe_changes_nothing_and_names_database_and_versions,
            probe_and_dump_agree,
            body_ends_cleanly_and_is_not_empty,
            inspector_accepts_the_whole_dump,
            inspector_rejects_every_cut,
            two_dumps_at_once_are_both_whole,
            dropped_body_leaves_no_process_and_no_file,
            dropped_dump_leaves_no_process_and_no_file,
            finished_dump_leaves_no_file,
            no_secret_is_shown);
    };
    (@each $fixture:expr; $($clause:ident),+) => {
        mod dumper_conformance {
            #[allow(unused_imports, reason = "the fixture may need none of them")]
            use super::*;
            $(
                #[tokio::test]
                async fn $clause() {
                    let fixture = $fixture;
                    $crate::testkit::dumper::$clause(&fixture).await;
                }
            )+
        }
    };
}

/// `probe` changes nothing, says the same twice, and names the database and the versions.
pub async fn probe_changes_nothing_and_names_database_and_versions(fixture: &DumperFixture) {
    let before = (fixture.state().await, fixture.temp_files());
    let one = fixture.dumper.probe().await.expect("the source can be probed");
    let two = fixture.dumper.probe().await.expect("the source can be probed again");
    assert_eq!(one, two, "two probes differ");
    assert_eq!((fixture.state().await, fixture.temp_files()), before, "a probe changed something");
    for (what, text) in [
        ("database", &one.database),
        ("location", &one.location),
        ("tool", &one.tool),
        ("tool_version", &one.tool_version),
        ("server_version", &one.server_version),
    ] {
        assert!(!text.is_empty(), "the probe does not say the {what}");
    }
}

/// A dump says of its source what a probe says, and its format has a name and an extension.
pub async fn probe_and_dump_agree(fixture: &DumperFixture) {
    let probed = fixture.dumper.probe().await.expect("the source can be probed");
    let dump = start(fixture).await;
    let named = |source: &SourceInfo| {
        (
            source.database.clone(),
            source.location.clone(),
            source.tool_version.clone(),
            source.server_version.clone(),
        )
    };
    assert_eq!(named(&probed), named(&dump.source));
    let info = fixture.dumper.info();
    assert!(!info.engine.is_empty() && !info.format.is_empty(), "{info:?}");
    assert!(!info.extension.is_empty() && !info.extension.contains(['.', '/']), "{info:?}");
    assert_eq!(info, fixture.dumper.info(), "it changes");
}

/// The body ends cleanly, and something is in it; its companions too.
pub async fn body_ends_cleanly_and_is_not_empty(fixture: &DumperFixture) {
    let dump = start(fixture).await;
    assert!(!read(dump.body).await.is_empty(), "the dump is empty");
    for companion in dump.companions {
        assert!(!companion.name.is_empty() && !companion.extension.contains(['.', '/']), "{companion:?}");
        assert!(!read(companion.body).await.is_empty(), "the companion {} is empty", companion.name);
    }
}

/// The inspector for the format accepts the whole dump, and finds the inventory that the dumper told, if it did.
pub async fn inspector_accepts_the_whole_dump(fixture: &DumperFixture) {
    let dump = start(fixture).await;
    let told = dump.inventory;
    let bytes = read(dump.body).await;
    for chunk_bytes in [bytes.len(), 4093] {
        let found = inspect(fixture, &bytes, chunk_bytes).expect("the inspector accepts the dump");
        if let (Some(told), Some(found)) = (&told, found) {
            assert_eq!(told.differences(&found), Vec::<String>::new());
        }
    }
}

/// The inspector for the format takes no cut of the dump for whole.
pub async fn inspector_rejects_every_cut(fixture: &DumperFixture) {
    if !fixture.shows_end {
        return;
    }
    let bytes = read(start(fixture).await.body).await;
    let tail = bytes.len().saturating_sub(200);
    let cuts = [0, 1, 16, 99, 512, bytes.len() / 4, bytes.len() / 2, bytes.len() * 9 / 10, tail];
    for cut in cuts.into_iter().filter(|cut| *cut < bytes.len()) {
        let Err(err) = inspect(fixture, &bytes.slice(..cut), 4093) else {
            panic!("the first {cut} of {} bytes pass for a whole dump", bytes.len());
        };
        assert!(matches!(err.kind(), ErrorKind::Incomplete | ErrorKind::Corrupt), "{err}");
    }
}

/// Two dumps that run at the same time are both whole.
pub async fn two_dumps_at_once_are_both_whole(fixture: &DumperFixture) {
    let whole = async { read(start(fixture).await.body).await };
    let other = async { read(start(fixture).await.body).await };
    let (one, two) = futures::join!(whole, other);
    let one = inspect(fixture, &one, one.len()).expect("the first is whole");
    let two = inspect(fixture, &two, two.len()).expect("the second is whole");
    if let (Some(one), Some(two)) = (one, two) {
        assert_eq!(one.differences(&two), Vec::<String>::new());
    }
}

/// Dropping the body early ends the tools and removes their files.
pub async fn dropped_body_leaves_no_process_and_no_file(fixture: &DumperFixture) {
    let (before, earlier) = (fixture.temp_files(), Processes::below_this_one());
    let mut dump = start(fixture).await;
    dump.body.next().await.expect("the dump is not empty").expect("it starts well");
    let at_work = Processes::below_this_one().without(&earlier);
    drop(dump);
    gone(fixture, &before, &at_work).await;
}

/// Dropping the future of `dump`, at whatever point, ends the tools and removes their files.
pub async fn dropped_dump_leaves_no_process_and_no_file(fixture: &DumperFixture) {
    let (before, earlier) = (fixture.temp_files(), Processes::below_this_one());
    for wait in [0, 1, 3, 10, 30] {
        let dropped_or_done = tokio::time::timeout(Duration::from_millis(wait), fixture.dumper.dump()).await;
        let at_work = Processes::below_this_one().without(&earlier);
        drop(dropped_or_done);
        gone(fixture, &before, &at_work).await;
    }
}

/// A dump that was read to its end leaves no file.
pub async fn finished_dump_leaves_no_file(fixture: &DumperFixture) {
    let before = fixture.temp_files();
    let dump = start(fixture).await;
    read(dump.body).await;
    let nobody = Processes::default();
    gone(fixture, &before, &nobody).await;
}

/// No secret is in `Debug`, in what a probe says, or in the dump's description.
pub async fn no_secret_is_shown(fixture: &DumperFixture) {
    let probed = fixture.dumper.probe().await.expect("the source can be probed");
    let mut dump = start(fixture).await;
    dump.body.next().await.expect("the dump is not empty").expect("it starts well");
    let mut shown = format!("{:?} {:?} {probed:?} {dump:?}", fixture.dumper, fixture.dumper.info());
    // While the tool runs, its arguments are there for everybody to read.
    shown.push_str(&Processes::below_this_one().command_lines());
    for secret in &fixture.secrets {
        assert!(!shown.contains(secret.as_str()), "a secret is shown");
    }
}

async fn start(fixture: &DumperFixture) -> Dump {
    fixture.dumper.dump().await.and_then(Dump::into_plain).expect("the dump starts")
}

/// Reads a body to its clean end.
async fn read(body: ByteStream) -> Bytes {
    body.collect_bytes(usize::MAX).await.expect("the body ends cleanly")
}

/// What the inspector for the dumper's format finds in `bytes`.
pub(super) fn inspect(
    fixture: &DumperFixture,
    bytes: &Bytes,
    chunk_bytes: usize,
) -> crate::Result<Option<Inventory>> {
    inspect_as(&*fixture.dumper, bytes, chunk_bytes)
}

/// What the inspector for the format of `dumper` finds in `bytes`.
pub(super) fn inspect_as(
    dumper: &dyn Dumper,
    bytes: &Bytes,
    chunk_bytes: usize,
) -> crate::Result<Option<Inventory>> {
    let info = dumper.info();
    let Inspector { mut tap, inventory, .. } = Inspector::for_format(&info.engine, &info.format);
    for chunk in bytes.chunks(chunk_bytes.max(1)) {
        tap.update(chunk)?;
    }
    tap.finish()?;
    Ok(inventory.take().expect("an inspector that ended well leaves its outcome"))
}

async fn gone(fixture: &DumperFixture, before: &BTreeSet<PathBuf>, at_work: &Processes) {
    let vanished = async {
        while &fixture.temp_files() != before || !at_work.alive().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, vanished).await.is_ok();
    assert!(in_time, "left behind: files {:?}, processes {:?}", fixture.temp_files(), at_work.alive());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::fake::FakeDumper;

    fn fixture(dumper: FakeDumper) -> DumperFixture {
        DumperFixture::new(Arc::new(dumper)).without_end_mark()
    }

    mod a_dumper_that_keeps_the_contract {
        use super::*;

        crate::dumper_conformance!(fixture(FakeDumper::new(vec![7; 3_000_000])));
    }

    #[tokio::test]
    #[should_panic(expected = "the body ends cleanly")]
    async fn a_body_that_fails_is_found() {
        let dumper = FakeDumper::new("bytes").fail_after(5, ErrorKind::ToolFailed);
        body_ends_cleanly_and_is_not_empty(&fixture(dumper)).await;
    }

    #[tokio::test]
    #[should_panic(expected = "the dump is empty")]
    async fn an_empty_body_is_found() {
        body_ends_cleanly_and_is_not_empty(&fixture(FakeDumper::new(""))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "pass for a whole dump")]
    async fn a_format_without_an_end_is_found() {
        let fixture = DumperFixture::new(Arc::new(FakeDumper::new("bytes")));
        inspector_rejects_every_cut(&fixture).await;
    }

    #[tokio::test]
    #[should_panic(expected = "a secret is shown")]
    async fn a_secret_is_found() {
        no_secret_is_shown(&fixture(FakeDumper::new("bytes")).with_secret("memory")).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn processes_below_this_one_are_found_until_they_were_waited_for() {
        let mut child = tokio::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let id = child.id().unwrap();
        let below = Processes::below_this_one();
        assert!(below.alive().contains(&id) && below.command_lines().contains("sleep 1000"));
        child.kill().await.unwrap();
        assert!(!below.alive().contains(&id));
    }
}
