//! The encoder: while a frame ends, the next one begins.

use std::{mem, thread, thread::JoinHandle};

use ::zstd::zstd_safe::{CCtx, InBuffer};
use bytes::Bytes;

use super::{Pieces, Zstd, behind, refused};
use crate::{
    Error, ErrorKind, Result,
    transform::{Output, Transform},
};

/// How much output of a frame waits for the end of the one before it, in bytes.
const HELD_BYTES: usize = 4 << 20;

/// Compresses on the library's threads, which run out of work where a frame ends: its last jobs have nothing beside
/// them. So another context takes the next frame, while a thread of its own waits for the last of the old one.
pub(super) struct Encoder {
    zstd: Zstd,
    pub(super) context: CCtx<'static>,
    pieces: Pieces,
    ending: Option<Ending>,
    /// What came of this frame while the one before it is not put yet.
    held: Held,
    spare: Option<CCtx<'static>>,
}

/// A frame that takes no more input.
struct Ending(Option<JoinHandle<Result<Ended>>>);

struct Ended {
    context: CCtx<'static>,
    made: Held,
}

/// Output that waits for its turn.
#[derive(Default)]
struct Held {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Output for Held {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        self.bytes += chunk.len();
        self.pieces.push(chunk);
        Ok(())
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Held {
    fn put_on(&mut self, output: &mut dyn Output) -> Result<()> {
        mem::take(self).pieces.into_iter().try_for_each(|piece| output.put(piece))
    }
}

impl Encoder {
    pub(super) fn new(zstd: Zstd) -> Result<Self> {
        Ok(Self {
            zstd,
            context: zstd.context()?,
            pieces: Pieces::default(),
            ending: None,
            held: Held::default(),
            spare: None,
        })
    }

    /// Waits for the frame before this one, and puts it and what came since.
    fn settle(&mut self, output: &mut dyn Output) -> Result<()> {
        let Some(ending) = self.ending.take() else { return Ok(()) };
        let mut ended = ending.join()?;
        self.spare = Some(ended.context);
        ended.made.put_on(output)?;
        output.boundary()?;
        self.held.put_on(output)
    }
}

impl Ending {
    fn begin(mut context: CCtx<'static>, mut pieces: Pieces) -> Result<Self> {
        let thread = thread::Builder::new().name("zstd-frame".to_owned()).spawn(move || {
            let mut made = Held::default();
            end_frame(&mut context, &mut pieces, &mut made)?;
            Ok(Ended { context, made })
        });
        let thread = thread.map_err(|err| {
            Error::new(ErrorKind::Unavailable, "no thread can be started")
                .with_suggestion(
                    "raise the limits of the process's threads and memory (`ulimit -u`, `ulimit -v`)",
                )
                .with_source(err)
        })?;
        Ok(Self(Some(thread)))
    }

    fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn join(mut self) -> Result<Ended> {
        let panicked = || Error::new(ErrorKind::Unexpected, "the thread that ended a zstd frame panicked");
        self.0.take().ok_or_else(panicked)?.join().map_err(|_| panicked())?
    }
}

/// No thread outlives its encoder.
impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _nobody_asks_any_more = thread.join();
        }
    }
}

fn end_frame(context: &mut CCtx<'static>, pieces: &mut Pieces, output: &mut dyn Output) -> Result<()> {
    loop {
        let left = context.end_stream(&mut behind(pieces.room())).map_err(refused)?;
        if left == 0 {
            return pieces.put(output);
        }
        pieces.put_if_full(output)?;
    }
}

impl Transform for Encoder {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        let mut source = InBuffer::around(&input);
        while source.pos() < input.len() {
            if self.ending.as_ref().is_some_and(|ending| ending.is_over() || self.held.bytes >= HELD_BYTES) {
                self.settle(output)?;
            }
            self.context.compress_stream(&mut behind(self.pieces.room()), &mut source).map_err(refused)?;
            if self.ending.is_some() {
                self.pieces.put_if_full(&mut self.held)?;
            } else {
                self.pieces.put_if_full(output)?;
            }
        }
        Ok(())
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        self.settle(output)?;
        let next = self.spare.take().map_or_else(|| self.zstd.context(), Ok)?;
        let context = mem::replace(&mut self.context, next);
        self.ending = Some(Ending::begin(context, mem::take(&mut self.pieces))?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.settle(output)?;
        end_frame(&mut self.context, &mut self.pieces, output)
    }
}
