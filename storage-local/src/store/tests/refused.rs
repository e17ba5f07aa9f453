//! Every system call of the store is refused once, with every error that disks, quotas and network file systems give.
//!
//! A first run tells the calls of an operation. Each of them then fails with each [errno](ERRNOS) [in each way](How),
//! in a store of its own, and three things are looked at: what the caller was told, what is there afterwards, and that
//! the same operation works once the disk is well again.
//!
//! All of it is run where `BACKUP_TEST_LONG` is set; else a part in which each call and each errno occurs.
// The numbers of the cases are told.
#![allow(clippy::print_stdout)]

use std::{
    cell::RefCell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use backup_core::{Error, ErrorKind};
use rustix::io::Errno;

use crate::step::{Change, Look, Synced};

mod killed;
mod operation;
mod world;

use operation::{Operation, SCENARIOS, Scenario};
use world::{Template, World};

/// What was asked of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Make,
    Link,
    Rename,
    Remove,
    Write,
    Sync(Synced),
    Look(Look),
}

impl Call {
    /// Whether other processes see what it does.
    fn is_change(self) -> bool {
        !matches!(self, Self::Look(_) | Self::Sync(_))
    }
}

impl From<Change<'_>> for Call {
    fn from(change: Change<'_>) -> Self {
        match change {
            Change::MakeAt(_) | Change::Make(..) => Self::Make,
            Change::Link(..) => Self::Link,
            Change::Rename(..) => Self::Rename,
            Change::Remove(..) => Self::Remove,
            Change::Write(..) => Self::Write,
            Change::Sync(_, what) => Self::Sync(what),
        }
    }
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It does nothing and fails; the next one would succeed. So the system tells the error of a write that it
    /// made later: once, and a second sync knows nothing of it.
    Once,
    /// It does all of it, and says that it failed, as a network file system does.
    Done,
    /// It fails, and so do all after it.
    FromHere,
    /// It does all of it, and then the process is killed; of the changes alone.
    Killed,
}

const WAYS: [How; 3] = [How::Once, How::Done, How::FromHere];

/// The errors, and what the caller is told.
const ERRNOS: [(Errno, ErrorKind); 9] = [
    (Errno::IO, ErrorKind::Unexpected),
    (Errno::DQUOT, ErrorKind::StorageFull),
    (Errno::NOSPC, ErrorKind::StorageFull),
    (Errno::ROFS, ErrorKind::PermissionDenied),
    (Errno::ACCESS, ErrorKind::PermissionDenied),
    (Errno::MFILE, ErrorKind::Unavailable),
    (Errno::STALE, ErrorKind::Unavailable),
    (Errno::TIMEDOUT, ErrorKind::Unavailable),
    (Errno::NOTCONN, ErrorKind::Unavailable),
];

/// Of so many cases one is run, if not all: few enough that each call is refused at least once.
const SHORT: usize = 11;

const AT_ONCE: usize = 32;

/// The call to refuse, counted from 0.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    nth: usize,
    errno: Errno,
    how: How,
}

/// The calls of the threads that have it.
#[derive(Debug, Default)]
struct Calls(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    refusal: Option<Refusal>,
    /// Whether the file system has no rename that leaves a taken name alone, as NFS.
    only_links: bool,
}

thread_local! {
    static CALLS: RefCell<Option<Arc<Calls>>> = const { RefCell::new(None) };
}

/// Called by the code under test around each of its system calls.
pub(super) fn calling<T>(call: Call, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let calls = CALLS.with_borrow(Clone::clone);
    match calls.and_then(|calls| calls.next(call)) {
        None => run(),
        Some(Refusal { errno, how, .. }) => {
            let done = matches!(how, How::Done | How::Killed).then(run).transpose();
            if how == How::Killed {
                killed::kill();
            }
            done?;
            Err(errno.into())
        }
    }
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, call: Call) -> Option<Refusal> {
        let mut state = self.state();
        if state.only_links && call == Call::Rename {
            return Some(Refusal { nth: 0, errno: Errno::INVAL, how: How::Once });
        }
        let nth = state.calls.len();
        let changes = state.calls.iter().filter(|call| call.is_change()).count();
        state.calls.push(call);
        state.refusal.filter(|refusal| match refusal.how {
            How::Once | How::Done => refusal.nth == nth,
            How::Killed => call.is_change() && refusal.nth == changes,
            How::FromHere => refusal.nth <= nth,
        })
    }

    /// Counts anew, with a refusal ahead or none; returns the calls so far.
    fn plan(&self, refusal: Option<Refusal>) -> Vec<Call> {
        let mut state = self.state();
        state.refusal = refusal;
        std::mem::take(&mut state.calls)
    }
}

/// A runtime all of whose threads count.
fn counted(calls: &Arc<Calls>) -> tokio::runtime::Runtime {
    let calls = Arc::clone(calls);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || CALLS.set(Some(Arc::clone(&calls))))
        .build()
        .unwrap()
}

/// The calls of a run in which nothing fails.
fn calls_of(scenario: Scenario, template: &Template) -> Vec<Call> {
    let calls = Arc::new(Calls::default());
    counted(&calls).block_on(async {
        let world = World::new(scenario, template).await;
        calls.state().only_links = scenario == Scenario::CreateByLink;
        calls.plan(None);
        world.operation.run().await.unwrap();
    });
    calls.plan(None)
}

/// One call fails; what is wrong afterwards is the error.
fn refuse(scenario: Scenario, template: &Template, refusal: Refusal, kind: ErrorKind) {
    let calls = Arc::new(Calls::default());
    counted(&calls).block_on(async {
        let world = World::new(scenario, template).await;
        calls.state().only_links = scenario == Scenario::CreateByLink;
        calls.plan(Some(refusal));
        let result = world.operation.run().await;
        let met = calls.plan(None);
        let Some(call) = met.get(refusal.nth).copied() else {
            // Names came in another order, and fewer of them had to be looked at.
            drop(result.unwrap());
            return;
        };
        match &result {
            Ok(warnings) => {
                let may = may_be_survived(scenario, call, refusal) || !warnings.is_empty();
                assert!(may, "a call that failed is taken for done");
            }
            Err(err) => is_of_use(err, kind),
        }
        if matches!(call, Call::Rename | Call::Link) && refusal.how == How::Done {
            let made_to_last = met.iter().skip(refusal.nth).any(|call| *call == Call::Sync(Synced::Folder));
            assert!(made_to_last, "what others see now a power cut may take away");
        }
        // Nothing of this process is left where only that call failed.
        let clean = refusal.how == How::Once && call != Call::Remove;
        world.check(&result, clean).await;
        world.again(&result).await;
    });
}

/// Whether an operation may end well, and without a warning, although this failed.
fn may_be_survived(scenario: Scenario, call: Call, refusal: Refusal) -> bool {
    match call {
        // A lease that could not be given back ends by itself; that all was deleted is looked at.
        _ if scenario == Scenario::Prune => true,
        // A full disk is emptied without a mark; that all is gone is looked at.
        _ if scenario == Scenario::DeleteBackup && matches!(refusal.errno, Errno::NOSPC | Errno::DQUOT) => {
            true
        }
        // An empty folder, or a file that nobody sees, which a sweep removes.
        Call::Remove => true,
        // A directory above the store that this user may not even open is none that it made.
        Call::Sync(Synced::Root) | Call::Look(_) if scenario == Scenario::Open => {
            refusal.errno == Errno::ACCESS
        }
        // The pipeline asks again whether the manifest is there, and it is, for good.
        Call::Rename => refusal.how == How::Done && scenario == Scenario::Backup,
        // That the file has two names now tells that it was done.
        Call::Link => refusal.how == How::Done,
        // Whether the temporary file is still there: where nobody knows, another one is made.
        Call::Look(Look::Stat) => refusal.how == How::Once,
        _ => false,
    }
}

/// Whether somebody who reads the error at night knows what to do.
fn is_of_use(err: &Error, kind: ErrorKind) {
    assert_eq!(err.kind(), kind, "{err:?}");
    assert!(!err.suggestions().is_empty(), "no advice: {err:?}");
    assert!(format!("{err:?}").contains("store"), "no path: {err:?}");
}

/// The cases of an operation, and how many there would be of all.
fn cases(calls: &[Call]) -> (Vec<(Refusal, ErrorKind)>, usize) {
    let stride = if std::env::var_os("BACKUP_TEST_LONG").is_some() { 1 } else { SHORT };
    let (mut cases, mut all) = (Vec::new(), 0);
    for (nth, call) in calls.iter().enumerate() {
        for (number, (errno, kind)) in ERRNOS.into_iter().enumerate() {
            for (way, how) in WAYS.into_iter().enumerate() {
                if how == How::Done && matches!(call, Call::Look(_)) {
                    continue;
                }
                all += 1;
                if (nth + number + way) % stride == 0 {
                    cases.push((Refusal { nth, errno, how }, kind));
                }
            }
        }
    }
    (cases, all)
}

/// Runs cases, many at once, as some wait before they try again; the names of those that failed.
fn all_of<T: Sync>(cases: &[T], name: impl Fn(&T) -> String + Sync, run: impl Fn(&T) + Sync) -> Vec<String> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| run(case))).is_err() {
                        failed.lock().unwrap().push(name(case));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

#[test]
fn no_system_call_that_fails_is_taken_for_done() {
    let (mut count, mut all, mut failed) = (0, 0, Vec::new());
    for scenario in SCENARIOS {
        let started = std::time::Instant::now();
        let template = counted(&Arc::default()).block_on(Template::new(scenario));
        let calls = calls_of(scenario, &template);
        let (cases, of) = cases(&calls);
        let name = |(refusal, _): &_| format!("{scenario:?}: {refusal:?}");
        failed.extend(all_of(&cases, name, |(refusal, kind)| refuse(scenario, &template, *refusal, *kind)));
        let (seconds, run) = (started.elapsed().as_secs_f64(), cases.len());
        println!("{scenario:?}: {run} of {of} refusals of {} calls in {seconds:.1} s", calls.len());
        count += run;
        all += of;
    }
    println!("{count} of {all} refusals");
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
    assert!(all > 10_000, "only {all} cases");
}
