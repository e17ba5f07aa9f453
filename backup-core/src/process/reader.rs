//! The thread of a tool: reads its standard output in large pieces, then waits for its end and reaps it.
//!
//! A thread and not a task, because it was measured: a tool like `pg_dump` writes 4 KiB at a time, and a
//! reader that waits in `epoll` is woken for every write. This one waits in a plain sleep while the pipe
//! fills, and needs half of the processor time, and a tenth of the wakeups. It also makes reaping
//! independent of the runtime, which may be shut down first.

use std::{any::Any, io, process::ExitStatus, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::group::Group;

/// How many bytes are read at once: fits the second-level cache, and the consumer gets few, large chunks.
const READ_BYTES: usize = 256 * 1024;

/// Below this a chunk is copied out and its buffer used again, so that a kept chunk wastes no memory.
const SMALL_BYTES: usize = READ_BYTES / 4;

/// What comes from the thread; the last one is `Ended`, or the thread died.
pub(super) enum FromTool {
    Chunk(Bytes),
    Ended(io::Result<Ended>),
}

/// How the tool ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The tool was gone, and something that it had started still held its standard output.
    pub(super) held_open: bool,
}

/// How the reading ended.
enum Read {
    ToTheEnd,
    HeldOpen,
    ReaderGone,
}

/// Runs until the tool is reaped; `guards` are let go then.
pub(super) fn run(
    stdout: Stdout,
    group: &Group,
    events: &Sender<FromTool>,
    guards: Vec<Arc<dyn Any + Send + Sync>>,
) {
    let read = pass_on(stdout, group, events);
    if !matches!(read, Ok(Read::ToTheEnd)) {
        group.kill();
    }
    let ended = group.wait();
    drop(guards);
    let ended = match read {
        Ok(read) => ended.map(|status| Ended { status, held_open: matches!(read, Read::HeldOpen) }),
        Err(err) => Err(err),
    };
    let _reader_may_be_gone = events.blocking_send(FromTool::Ended(ended));
}

#[cfg(unix)]
pub(super) use unix::Stdout;
#[cfg(unix)]
use unix::pass_on;

#[cfg(unix)]
mod unix {
    use std::{io, os::fd::OwnedFd, process::ChildStdout, thread::sleep, time::Duration};

    use bytes::Bytes;
    use rustix::{
        buffer::spare_capacity,
        event::{PollFd, PollFlags, Timespec, poll},
        io::Errno,
    };
    use tokio::sync::mpsc::Sender;

    use super::{FromTool, Group, READ_BYTES, Read, SMALL_BYTES};

    /// Reads smaller than this are followed by a pause, in which the pipe fills.
    const WORTH_READING: usize = READ_BYTES / 2;
    /// From this capacity on a pipe takes what a fast tool writes during a pause.
    const LARGE_PIPE: usize = 256 * 1024;
    const SHORTEST_PAUSE: Duration = Duration::from_micros(500);
    const LONGEST_PAUSE: Duration = Duration::from_millis(4);
    /// How often a silent tool is looked at.
    const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    /// For how many looks a tool may be gone while its standard output stays open and silent.
    const LOOKS_AFTER_END: u32 = 2;
    /// The same where the tool was on another host: its last bytes may still be on their way.
    const LOOKS_AFTER_END_THERE: u32 = 5;

    /// The reading end of the tool's standard output.
    pub(in crate::process) struct Stdout {
        pipe: OwnedFd,
        large: bool,
    }

    impl Stdout {
        pub(in crate::process) fn new(stdout: ChildStdout) -> io::Result<Self> {
            let pipe = OwnedFd::from(stdout);
            rustix::io::ioctl_fionbio(&pipe, true)?;
            let large = crate::process::spawn::enlarge(&pipe) >= LARGE_PIPE;
            Ok(Self { pipe, large })
        }
    }

    // The pipe is closed when this returns, so that a tool that goes on writing notices.
    #[allow(clippy::needless_pass_by_value)]
    #[allow(clippy::disallowed_methods)] // The pauses are on the tool's own thread, never on the runtime.
    pub(super) fn pass_on(stdout: Stdout, group: &Group, events: &Sender<FromTool>) -> io::Result<Read> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let (mut total, mut pause) = (0_usize, SHORTEST_PAUSE);
        loop {
            let read = match rustix::io::read(&stdout.pipe, spare_capacity(&mut buffer)) {
                Ok(0) => return Ok(Read::ToTheEnd),
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => match wait_for_bytes(&stdout, group, events)? {
                    None => continue,
                    Some(end) => return Ok(end),
                },
                Err(err) => return Err(err.into()),
            };
            let chunk = if read < SMALL_BYTES {
                let chunk = Bytes::copy_from_slice(&buffer);
                buffer.clear();
                chunk
            } else {
                Bytes::from(std::mem::replace(&mut buffer, Vec::with_capacity(READ_BYTES)))
            };
            if events.blocking_send(FromTool::Chunk(chunk)).is_err() {
                return Ok(Read::ReaderGone);
            }
            total = total.saturating_add(read);
            // Not at the start, so that a tool that prints a line pays nothing.
            if stdout.large && read < WORTH_READING && total > SMALL_BYTES {
                sleep(pause);
                pause = if read < SMALL_BYTES { LONGEST_PAUSE.min(pause * 2) } else { SHORTEST_PAUSE };
            }
        }
    }

    /// Waits until there is something to read, or a reason not to wait any more.
    fn wait_for_bytes(stdout: &Stdout, group: &Group, events: &Sender<FromTool>) -> io::Result<Option<Read>> {
        let mut looks_after_end = 0;
        loop {
            match poll(&mut [PollFd::new(&stdout.pipe, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) => {}
                Ok(_) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(err) => return Err(err.into()),
            }
            if events.is_closed() {
                return Ok(Some(Read::ReaderGone));
            }
            let looks = match (group.has_ended(), group.has_ended_there()) {
                (true, _) => LOOKS_AFTER_END,
                (false, true) => LOOKS_AFTER_END_THERE,
                (false, false) => continue,
            };
            looks_after_end += 1;
            if looks_after_end > looks {
                return Ok(Some(Read::HeldOpen));
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) use std::process::ChildStdout as Stdout;

#[cfg(not(unix))]
fn pass_on(mut stdout: Stdout, _: &Group, events: &Sender<FromTool>) -> io::Result<Read> {
    use std::io::Read as _;
    loop {
        let mut buffer = vec![0; READ_BYTES];
        let read = match stdout.read(&mut buffer) {
            Ok(0) => return Ok(Read::ToTheEnd),
            Ok(read) => read,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(err),
        };
        buffer.truncate(read);
        let chunk = if read < SMALL_BYTES { Bytes::copy_from_slice(&buffer) } else { buffer.into() };
        if events.blocking_send(FromTool::Chunk(chunk)).is_err() {
            return Ok(Read::ReaderGone);
        }
    }
}
