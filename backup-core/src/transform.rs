//! [`Transform`]: bytes in, other bytes out; and [`Stages`], which runs several on one blocking thread.

use std::{cell::Cell, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use crate::{ByteSender, ByteStream, Error, ErrorKind, Result, digest::Tap};

/// Changes bytes step by step.
///
/// # Contract
///
/// - The output depends on the bytes, not on how they were cut.
/// - `finish` is called only after a clean end of the input; a transform that is dropped without it writes
///   no trailer, so that a cut stream can never look whole.
/// - An error of [`Output::put`] is returned at once, unchanged.
/// - Truncated or trailing input of a decoder is [`Corrupt`](crate::ErrorKind::Corrupt).
/// - Output is put in pieces as it comes into being (256 KiB is a good size, 1 MiB the most), never
///   collected: one `update` of a decoder may make gigabytes, and only so does the reader's pace bound
///   the memory.
/// - `update` may use other threads and wait for them, and keeps its memory bounded; the threads end when
///   the transform is dropped, and a panic in one of them is an error.
pub trait Transform: Send {
    /// Takes `input` and puts what is ready.
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()>;

    /// What was taken so far is put to its end, and what comes is independent of it.
    ///
    /// It calls [`Output::boundary`] once, behind all that was taken before: an encoder on several threads may do so later,
    /// but in the order of its calls, and before `finish` returns.
    ///
    /// An encoder of a format with frames ends its frame; whole and cut there, its output decodes all the same. A decoder
    /// fails with [`Corrupt`](crate::ErrorKind::Corrupt) unless its input so far ends with a frame. Where a format has no
    /// frames, as of no compression, it only puts what it holds.
    ///
    /// It costs size and time, and is called for nothing but that parts can be read alone.
    fn boundary(&mut self, output: &mut dyn Output) -> Result<()>;

    /// The input ended cleanly: puts the rest.
    fn finish(self: Box<Self>, output: &mut dyn Output) -> Result<()>;
}

/// Where a [`Transform`] puts its bytes.
pub trait Output {
    /// Takes the next bytes, waiting until there is room for them.
    ///
    /// # Errors
    ///
    /// A stage behind this one failed, or nobody reads any more: the transform stops and returns the error.
    fn put(&mut self, chunk: Bytes) -> Result<()>;

    /// What was put so far is what was taken before a [boundary](Transform::boundary).
    fn boundary(&mut self) -> Result<()>;
}

/// Collects everything without a bound, for tests and for small things.
impl Output for BytesMut {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        self.extend_from_slice(&chunk);
        Ok(())
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A chain of taps and transforms between two bounded channels.
///
/// All stages run on one thread of the blocking pool. At most 4 MiB wait before it (a larger chunk is let through
/// alone), and 8 pieces of output behind it: enough that a busy machine, which wakes threads late, does not starve it.
///
/// # Contract
///
/// - No stage is finished after an error, of the input or of another stage: no trailer, no outcome of a tap.
/// - An error or a panic of a stage is an error of the output.
/// - Dropping the output drops the input at once, also while it is pending, so that what makes the bytes
///   is ended too. The thread ends with the piece that it works on.
/// - The input is dropped as soon as a stage failed, before the error is read.
#[derive(Default)]
pub struct Stages(Vec<Stage>);

enum Stage {
    Tap(Box<dyn Tap>),
    Transform(Box<dyn Transform>),
}

impl Stages {
    /// A chain of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tap behind the stages so far.
    #[must_use]
    pub fn tap(self, tap: impl Tap + 'static) -> Self {
        self.boxed_tap(Box::new(tap))
    }

    /// Adds a boxed tap behind the stages so far.
    #[must_use]
    pub fn boxed_tap(mut self, tap: Box<dyn Tap>) -> Self {
        self.0.push(Stage::Tap(tap));
        self
    }

    /// Adds a transform behind the stages so far.
    #[must_use]
    pub fn transform(mut self, transform: Box<dyn Transform>) -> Self {
        self.0.push(Stage::Transform(transform));
        self
    }

    /// Runs the chain over `body`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn run(self, body: ByteStream) -> ByteStream {
        let (to_thread, input) = mpsc::channel(WAITING_CHUNKS);
        let (output, stream) = ByteStream::channel(WAITING_PIECES);
        let feeder = AbortOnDrop(tokio::spawn(feed(body, to_thread)));
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            if let Some(result) = drive(self.0, input, &output) {
                output.blocking_end(result);
            }
        });
        ByteStream::new(stream.inspect(move |_| {
            // Held for its drop: without a reader the feeder goes, and the input with it.
            let _ = &feeder;
        }))
    }
}

impl std::fmt::Debug for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stages").field("len", &self.0.len()).finish()
    }
}

/// How many bytes wait before the blocking thread or are in its hands.
const WAITING_BYTES: u32 = 4 * 1024 * 1024;

/// In how many chunks they wait: as many as the smallest that are read from a pipe, and then some.
const WAITING_CHUNKS: usize = 1024;

/// How many pieces of output wait behind the blocking thread.
const WAITING_PIECES: usize = 8;

/// A chunk on its way through the blocking thread, and the room that it takes until the stages are done with it.
struct Waiting {
    chunk: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Ends a task when it is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Hands `body` over until its end, its error, or the end of the thread; `None` is the clean end.
async fn feed(mut body: ByteStream, to_thread: mpsc::Sender<Result<Option<Waiting>>>) {
    let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
    loop {
        let next = tokio::select! {
            biased;
            // A stage failed: dropping `body` ends what makes the bytes.
            () = to_thread.closed() => return,
            next = body.next() => next,
        };
        let message = match next {
            Some(Ok(chunk)) => {
                let bytes = u32::try_from(chunk.len()).unwrap_or(u32::MAX).min(WAITING_BYTES);
                // Never waits for ever: a thread that is gone has dropped what waited.
                let Ok(room) = Arc::clone(&room).acquire_many_owned(bytes).await else { return };
                Ok(Some(Waiting { chunk, _room: room }))
            }
            Some(Err(err)) => Err(err),
            None => Ok(None),
        };
        let last = !matches!(message, Ok(Some(_)));
        if to_thread.send(message).await.is_err() || last {
            return;
        }
    }
}

/// Runs the stages over all input; `None` when the feeder vanished, where an end would be a lie.
fn drive(
    mut stages: Vec<Stage>,
    mut input: mpsc::Receiver<Result<Option<Waiting>>>,
    output: &ByteSender,
) -> Option<Result<()>> {
    let failed = Cell::new(false);
    let result = loop {
        match input.blocking_recv()? {
            Ok(Some(Waiting { chunk, .. })) => {
                let put = Chain { stages: &mut stages, output, failed: &failed }.put(chunk);
                if put.is_err() {
                    break put;
                }
            }
            // Only a clean end may finish the stages: no trailer after an error.
            Ok(None) => break finish(stages, output, &failed),
            Err(err) => break Err(err),
        }
        if failed.get() {
            break Ok(());
        }
    };
    if result.is_ok() && failed.get() {
        return Some(Err(Error::new(ErrorKind::Unexpected, "a stage of the stream hid an error")));
    }
    Some(result)
}

/// Finishes each stage, sending what it still holds through those behind it.
fn finish(stages: Vec<Stage>, output: &ByteSender, failed: &Cell<bool>) -> Result<()> {
    let mut stages = stages.into_iter();
    while let Some(stage) = stages.next() {
        match stage {
            Stage::Tap(tap) => tap.finish()?,
            Stage::Transform(transform) => {
                transform.finish(&mut Chain { stages: stages.as_mut_slice(), output, failed })?;
            }
        }
        if failed.get() {
            break;
        }
    }
    Ok(())
}

/// The stages that are still ahead of a chunk, and the channel behind them.
struct Chain<'a> {
    stages: &'a mut [Stage],
    output: &'a ByteSender,
    /// Remembers that a `put` failed, so that a stage that swallows the error cannot end the stream cleanly.
    failed: &'a Cell<bool>,
}

impl Output for Chain<'_> {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        let result = match self.stages.split_first_mut() {
            None => self
                .output
                .blocking_send(chunk)
                .map_err(|_| Error::new(ErrorKind::Unexpected, "nobody reads the stream any more")),
            Some((stage, rest)) => {
                let mut rest = Chain { stages: rest, output: self.output, failed: self.failed };
                match stage {
                    Stage::Tap(tap) => tap.update(&chunk).and_then(|()| rest.put(chunk)),
                    Stage::Transform(transform) => transform.update(chunk, &mut rest),
                }
            }
        };
        if result.is_err() {
            self.failed.set(true);
        }
        result
    }

    /// Means nothing to the stages behind.
    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
