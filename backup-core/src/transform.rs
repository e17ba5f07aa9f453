//! [`Transform`]: bytes in, other bytes out; and [`Stages`], which runs several on one blocking thread.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::{ByteStream, Result, digest::Tap};

/// Changes bytes step by step.
///
/// # Contract
///
/// - The output depends on the bytes, not on how they were cut.
/// - `finish` is called only after a clean end of the input; a transform that is dropped without it writes
///   no trailer, so that a cut stream can never look whole.
/// - Truncated or trailing input of a decoder is [`Corrupt`](crate::ErrorKind::Corrupt).
/// - `update` may use other threads and wait for them, and keeps its memory bounded.
pub trait Transform: Send {
    /// Takes `input` and appends what is ready to `output`.
    fn update(&mut self, input: &[u8], output: &mut BytesMut) -> Result<()>;

    /// The input ended cleanly: appends the rest.
    fn finish(self: Box<Self>, output: &mut BytesMut) -> Result<()>;
}

/// A chain of taps and transforms between two bounded channels.
///
/// All stages run on one thread of the blocking pool, which ends when the output is dropped.
#[derive(Default)]
pub struct Stages(Vec<Stage>);

enum Stage {
    Tap(Box<dyn Tap>),
    Transform { transform: Box<dyn Transform>, output: BytesMut },
}

impl Stages {
    /// A chain of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tap behind the stages so far.
    #[must_use]
    pub fn tap(mut self, tap: impl Tap + 'static) -> Self {
        self.0.push(Stage::Tap(Box::new(tap)));
        self
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
        self.0.push(Stage::Transform { transform, output: BytesMut::new() });
        self
    }

    /// Runs the chain over `body`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn run(self, mut body: ByteStream) -> ByteStream {
        let (to_thread, mut input) = mpsc::channel::<Result<Option<Bytes>>>(CHUNKS_IN_FLIGHT);
        let (output, stream) = ByteStream::channel(CHUNKS_IN_FLIGHT);
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    biased;
                    // The reader of the output is gone: dropping `body` ends what makes the bytes.
                    () = to_thread.closed() => return,
                    next = body.next() => next,
                };
                let last = !matches!(next, Some(Ok(_)));
                if to_thread.send(next.transpose()).await.is_err() || last {
                    return;
                }
            }
        });
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            let mut stages = self.0;
            let mut emit = |chunk: Bytes| output.blocking_send(chunk).is_ok();
            let result = loop {
                match input.blocking_recv() {
                    Some(Ok(Some(chunk))) => match push(&mut stages, chunk, &mut emit) {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(err) => break Err(err),
                    },
                    // Only a clean end may finish the stages: no trailer after an error.
                    Some(Ok(None)) => match finish(stages, &mut emit) {
                        Ok(true) => break Ok(()),
                        Ok(false) => return,
                        Err(err) => break Err(err),
                    },
                    Some(Err(err)) => break Err(err),
                    // The task above vanished: dropping `output` without an end is an error for the reader.
                    None => return,
                }
            };
            output.blocking_end(result);
        });
        stream
    }
}

/// How many chunks wait before and behind the blocking thread.
const CHUNKS_IN_FLIGHT: usize = 4;

/// Sends `chunk` through `stages`; false when nobody reads the output any more.
fn push(stages: &mut [Stage], chunk: Bytes, emit: &mut impl FnMut(Bytes) -> bool) -> Result<bool> {
    let mut chunk = chunk;
    for stage in stages {
        match stage {
            Stage::Tap(tap) => tap.update(&chunk)?,
            Stage::Transform { transform, output } => {
                transform.update(&chunk, output)?;
                chunk = output.split().freeze();
            }
        }
        if chunk.is_empty() {
            return Ok(true);
        }
    }
    Ok(emit(chunk))
}

/// Finishes each stage, sending what it still holds through those behind it.
fn finish(mut stages: Vec<Stage>, emit: &mut impl FnMut(Bytes) -> bool) -> Result<bool> {
    while !stages.is_empty() {
        match stages.remove(0) {
            Stage::Tap(tap) => tap.finish()?,
            Stage::Transform { transform, mut output } => {
                transform.finish(&mut output)?;
                if !output.is_empty() && !push(&mut stages, output.freeze(), emit)? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

impl std::fmt::Debug for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stages").field("len", &self.0.len()).finish()
    }
}
