//! Where faults come in: every call that an operation makes passes a [`Seam`], which counts it and may break it.

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, pending},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use backup_core::{Error, ErrorKind, Result, testkit::clock::ManualClock};
use chrono::TimeDelta;
use tokio::sync::Notify;

/// The `nth` time, from 1, that an operation comes to what `name` says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) nth: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.name, self.nth)
    }
}

/// What a step is, which says what faults there are of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// A call of a store, or of the catalog, which is kept in it.
    Store,
    /// A call of a dumper, a restorer or a throw-away database.
    Tool,
    /// A moment in the middle or at the end of the bytes of an object.
    Body,
    /// A moment in the middle or at the end of the bytes of a tool.
    Dump,
    /// A transform on its blocking thread.
    Transform,
    /// An event on its way to an observer.
    Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and has done nothing.
    Error(ErrorKind),
    /// It did all of it, and says that it failed.
    LostAck,
    /// It never returns.
    Hang,
    /// It takes its time.
    Slow,
    /// The future of the operation is dropped just before it, or just after.
    DropBefore,
    DropAfter,
    /// It panics.
    Panic,
    /// `kill -9` of the own process just before it, or just after: nothing that this process would still do is done.
    KillBefore,
    KillAfter,
    /// The clock of the host is set back, or forward, by so many hours.
    Clock(i64),
}

impl Site {
    /// The faults of a step. ENOSPC and EDQUOT are [`ErrorKind::StorageFull`], EIO is [`ErrorKind::Unexpected`], a
    /// file system that became read-only is [`ErrorKind::PermissionDenied`], and no file descriptors are
    /// [`ErrorKind::Unavailable`], as the stores fold them.
    pub(crate) fn faults(self) -> Vec<Fault> {
        use ErrorKind::{
            ConnectionFailed, Corrupt, PermissionDenied, StorageFull, ToolFailed, Unavailable, Unexpected,
        };
        use Fault::{Clock, DropAfter, DropBefore, Hang, KillAfter, KillBefore, LostAck, Panic, Slow};
        let everywhere = [DropBefore, Panic, KillBefore, Clock(-30), Clock(30)];
        let of_call: &[Fault] = &[LostAck, Hang, Slow, DropAfter, KillAfter];
        let (errors, own): (&[ErrorKind], &[Fault]) = match self {
            Self::Store => (&[Unavailable, StorageFull, PermissionDenied, Unexpected], of_call),
            Self::Tool => (&[ToolFailed, ConnectionFailed], of_call),
            Self::Body => (&[Unavailable, Unexpected], &[Hang, Slow]),
            Self::Dump => (&[ToolFailed, ConnectionFailed], &[Hang, Slow]),
            Self::Transform => (&[Corrupt], &[Slow]),
            Self::Event => (&[], &[]),
        };
        let errors = errors.iter().map(|kind| Fault::Error(*kind));
        everywhere.into_iter().chain(errors).chain(own.iter().copied()).collect()
    }
}

impl Fault {
    /// Whether the process is gone: what it left may lie there until a sweep.
    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

/// Clones are one seam.
#[derive(Debug, Clone)]
pub(crate) struct Seam {
    state: Arc<Mutex<State>>,
    under_way: Arc<AtomicUsize>,
    cut: Arc<Notify>,
    clock: ManualClock,
}

#[derive(Debug, Default)]
struct State {
    reached: BTreeMap<String, (Site, u64)>,
    plan: Option<(Step, Fault)>,
    fired: bool,
    dead: bool,
}

impl Seam {
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self { state: Arc::default(), under_way: Arc::default(), cut: Arc::default(), clock }
    }

    /// Begins to count anew, with this fault ahead or none.
    pub(crate) fn plan(&self, plan: Option<(Step, Fault)>) {
        *self.state() = State { plan, ..State::default() };
    }

    /// Every step that was come to, in no order.
    pub(crate) fn steps(&self) -> Vec<(Site, Step)> {
        let state = self.state();
        let steps = state.reached.iter().flat_map(|(name, (site, count))| {
            (1..=*count).map(|nth| (*site, Step { name: name.clone(), nth }))
        });
        steps.collect()
    }

    pub(crate) fn fired(&self) -> bool {
        self.state().fired
    }

    /// Whether somebody is between the beginning and the end of a step.
    pub(crate) fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    /// Waits until the operation is to be dropped.
    pub(crate) async fn cut(&self) {
        self.cut.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step and says what shall happen to it.
    fn enter(&self, site: Site, name: &str) -> Option<Fault> {
        let mut state = self.state();
        if state.dead {
            return Some(Fault::Hang);
        }
        let (_, count) = state.reached.entry(name.to_owned()).or_insert((site, 0));
        *count += 1;
        let nth = *count;
        let hits = |(step, _): &(Step, Fault)| step.name == name && step.nth == nth;
        let fault = state.plan.as_ref().filter(|plan| hits(plan)).map(|(_, fault)| *fault)?;
        state.fired = true;
        Some(fault)
    }

    async fn dropped(&self) {
        self.cut.notify_one();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    fn kill(&self) {
        self.state().dead = true;
        self.cut.notify_one();
    }

    /// A step on its way: does `work`, unless it is to break.
    pub(crate) async fn pass<T>(
        &self,
        site: Site,
        name: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let _until_it_ends = UnderWay::begin(&self.under_way);
        match self.enter(site, name) {
            None => {
                // A store in memory never waits, and so would leave no place to be dropped at.
                tokio::task::yield_now().await;
                let done = work.await;
                tokio::task::yield_now().await;
                done
            }
            Some(Fault::Error(kind)) => Err(broken(kind)),
            Some(Fault::LostAck) => {
                work.await?;
                Err(broken(ErrorKind::Unavailable))
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::Slow) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                work.await
            }
            // What is on a task of its own goes on.
            Some(Fault::DropBefore) => {
                self.dropped().await;
                work.await
            }
            Some(Fault::DropAfter) => {
                let done = work.await;
                self.dropped().await;
                done
            }
            Some(Fault::Panic) => panic!("a panic on purpose"),
            Some(Fault::KillBefore) => {
                self.kill();
                pending().await
            }
            Some(Fault::KillAfter) => {
                let _done = work.await;
                self.kill();
                pending().await
            }
            Some(Fault::Clock(hours)) => {
                self.clock.advance(TimeDelta::hours(hours));
                work.await
            }
        }
    }

    /// A step that cannot wait: on a blocking thread, or in an observer.
    pub(crate) fn pass_now(&self, site: Site, name: &str) -> Result<()> {
        match self.enter(site, name) {
            Some(Fault::Error(kind)) => return Err(broken(kind)),
            Some(Fault::Slow) => std::thread::sleep(Duration::from_millis(20)),
            Some(Fault::DropBefore) => self.cut.notify_one(),
            Some(Fault::Panic) => panic!("a panic on purpose"),
            Some(Fault::KillBefore) => self.kill(),
            Some(Fault::Clock(hours)) => self.clock.advance(TimeDelta::hours(hours)),
            _ => {}
        }
        Ok(())
    }
}

/// A step that was begun and has not ended, also in a task that goes on by itself.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn begin(steps: &Arc<AtomicUsize>) -> Self {
        steps.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(steps))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn broken(kind: ErrorKind) -> Error {
    Error::new(kind, "a fault on purpose")
}
