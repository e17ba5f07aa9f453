//! The child and its process group: killed as a whole, and only while its number is still its own.

use std::{
    io,
    process::{Child, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A running child, the leader of a process group of its own.
///
/// Once the leader is reaped the kernel may give its number to somebody else. Killing and reaping
/// therefore happen under one lock, and nothing is killed after the reaping.
pub(super) struct Group {
    #[cfg(unix)]
    leader: rustix::process::Pid,
    state: Mutex<State>,
    /// Set when the other host said that the tool there has ended.
    ended_there: Arc<AtomicBool>,
}

struct State {
    child: Child,
    reaped: bool,
    overdue: bool,
}

impl Group {
    pub(super) fn new(child: Child, ended_there: Arc<AtomicBool>) -> Self {
        Self {
            #[cfg(unix)]
            leader: rustix::process::Pid::from_child(&child),
            state: Mutex::new(State { child, reaped: false, overdue: false }),
            ended_there,
        }
    }

    /// Kills the leader and everything that it started, unless it was reaped already.
    pub(super) fn kill(&self) {
        self.kill_locked(&mut self.lock());
    }

    /// Asks the leader and everything that it started to end, unless it was reaped already; where nobody can be asked, it
    /// kills them.
    pub(super) fn ask_to_end(&self) {
        #[cfg_attr(unix, allow(unused_mut))]
        let mut state = self.lock();
        #[cfg(unix)]
        if !state.reaped {
            // The one possible failure is that nobody is left to be asked.
            let _nobody_left =
                rustix::process::kill_process_group(self.leader, rustix::process::Signal::TERM);
        }
        #[cfg(not(unix))]
        self.kill_locked(&mut state);
    }

    /// Kills the group because its total time is over.
    pub(super) fn expire(&self) {
        let mut state = self.lock();
        state.overdue = !state.reaped;
        self.kill_locked(&mut state);
    }

    /// True once [`expire`](Self::expire) has killed it.
    pub(super) fn is_overdue(&self) -> bool {
        self.lock().overdue
    }

    /// True once another host said that the tool there has ended; the leader passes on what is left.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(super) fn has_ended_there(&self) -> bool {
        self.ended_there.load(Ordering::Acquire)
    }

    /// Waits for the leader's end, kills what it left behind, and reaps it.
    ///
    /// Blocks its thread. To be called by one thread only.
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        let ended = self.wait_unreaped();
        let mut state = self.lock();
        if ended.is_ok() {
            self.kill_locked(&mut state);
        }
        // Either it has ended, and this returns at once, or there is no such child, and this says so.
        let status = state.child.wait();
        state.reaped = true;
        status
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
impl Group {
    /// True if the leader has ended (it stays unreaped) or cannot be asked about.
    pub(super) fn has_ended(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.leader), options), Ok(None) | Err(rustix::io::Errno::INTR))
    }

    fn wait_unreaped(&self) -> io::Result<()> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.leader), options))?;
        Ok(())
    }

    fn kill_locked(&self, state: &mut State) {
        if !state.reaped {
            // The one possible failure is that nobody is left to be killed.
            let _nobody_left =
                rustix::process::kill_process_group(self.leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(not(unix))]
impl Group {
    fn wait_unreaped(&self) -> io::Result<()> {
        while self.lock().child.try_wait()?.is_none() {
            #[allow(clippy::disallowed_methods)] // Runs on the tool's own thread, never on the runtime.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ok(())
    }

    #[allow(clippy::unused_self)] // The same shape as on Unix.
    fn kill_locked(&self, state: &mut State) {
        if !state.reaped {
            let _ended_already = state.child.kill();
        }
    }
}
