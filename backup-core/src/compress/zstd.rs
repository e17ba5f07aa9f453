use ::zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer};
use bytes::Bytes;

use super::{Compressor, checked, default_threads, pieces::Pieces};
use crate::{
    Error, ErrorKind, Result,
    transform::{Output, Transform},
};

mod encoder;
use encoder::Encoder;

/// The zstd format (RFC 8878), compressed on several threads; `zstd -t` and `zstdcat` open it.
///
/// The default is level 1 on as many threads as the machine has, at most 4. On text as `pg_dump` writes it the next
/// levels take up to twice the time, and files of levels 2 to 5 are often larger: their shorter matches fit digits badly.
/// The output is one frame with a content checksum, or one for each [boundary](Transform::boundary). It depends on the level alone, not on the threads.
///
/// # Memory
///
/// A job is 1 MiB (2 MiB from level 9 on), and the window and the tables of the levels from 9 on are held at
/// those of 2 MiB and 8 MiB, which costs a dump little. So an encoder takes at most, in MiB:
///
/// | levels | 1 thread | 2 threads | 4 threads |
/// |---|---|---|---|
/// | 1 to 4 | 12 | 18 | 30 |
/// | 5 to 8 | 17 | 28 | 50 |
/// | 9 to 19 | 30 | 46 | 78 |
///
/// From its first boundary on it takes that twice and 4 MiB: while a frame ends, the next one is begun, so that the threads
/// have something to do.
///
/// A decoder takes the frame's window and 1 MiB. It refuses windows above 32 MiB, which only `zstd --ultra -21`
/// and `zstd --long` write: a few hostile bytes may not claim gigabytes.
///
/// # Examples
///
/// ```
/// use backup_core::compress::Zstd;
///
/// let fast = Zstd::level(1)?.with_threads(2)?;
/// assert!(Zstd::level(23).is_err());
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zstd {
    level: i32,
    threads: usize,
}

impl Default for Zstd {
    fn default() -> Self {
        Self { level: 1, threads: default_threads(DEFAULT_THREADS_MAX) }
    }
}

/// More would take more memory than a backup beside a service may.
const DEFAULT_THREADS_MAX: usize = 4;

/// The largest window that a decoder accepts: 2^25 bytes.
const WINDOW_LOG_MAX: u32 = 25;

/// What the library says about a larger one, and where it gets no memory; it has no numbers for them that are stable.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";
const NO_MEMORY: &str = "Allocation error : not enough memory";

impl Zstd {
    /// A compressor of `level`, from 1 (fast) to 19 (small).
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for another level.
    pub fn level(level: i32) -> Result<Self> {
        Ok(Self { level: checked("zstd level", level, 1..=19)?, ..Self::default() })
    }

    /// Compresses on `threads` threads, 1 to 32; each takes the memory that the table above says.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for another number.
    pub fn with_threads(mut self, threads: usize) -> Result<Self> {
        self.threads = checked("number of threads", threads, 1..=32)?;
        Ok(self)
    }

    fn context(self) -> Result<CCtx<'static>> {
        let mut context = CCtx::try_create().ok_or_else(no_memory)?;
        let mut set = |parameter| context.set_parameter(parameter).map(drop).map_err(refused);
        set(CParameter::CompressionLevel(self.level))?;
        set(CParameter::ChecksumFlag(true))?;
        // One worker is a thread too: the output does not depend on how many there are.
        set(CParameter::NbWorkers(u32::try_from(self.threads).unwrap_or(1)))?;
        // The library's own jobs are four windows each, 8 MiB at level 3, and there are several in flight.
        if self.level < 9 {
            set(CParameter::JobSize(1 << 20))?;
        } else {
            set(CParameter::JobSize(2 << 20))?;
            set(CParameter::WindowLog(21))?;
            set(CParameter::HashLog(20))?;
            set(CParameter::ChainLog(20))?;
        }
        Ok(context)
    }
}

impl Compressor for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn extension(&self) -> &'static str {
        "zst"
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Encoder::new(*self)?))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        let mut context = DCtx::try_create().ok_or_else(no_memory)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(refused)?;
        Ok(Box::new(Decoder { context, pieces: Pieces::default(), state: State::Empty }))
    }
}

struct Decoder {
    context: DCtx<'static>,
    pieces: Pieces,
    state: State,
}

/// Where in the file the decoder is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Empty,
    InFrame,
    BetweenFrames,
}

impl Transform for Decoder {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        let mut source = InBuffer::around(&input);
        // A full piece may mean that the library holds more, also when it took all input.
        let mut more = false;
        while source.pos() < input.len() || more {
            let left = self
                .context
                .decompress_stream(&mut behind(self.pieces.room()), &mut source)
                .map_err(corrupt)?;
            self.state = if left == 0 { State::BetweenFrames } else { State::InFrame };
            more = self.pieces.put_if_full(output)? && left != 0;
        }
        self.pieces.put_if_worth(output)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        self.end_frame(output)?;
        output.boundary()
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.end_frame(output)
    }
}

impl Decoder {
    fn end_frame(&mut self, output: &mut dyn Output) -> Result<()> {
        match self.state {
            State::BetweenFrames => self.pieces.put(output),
            State::Empty => Err(Error::new(ErrorKind::Corrupt, "empty where zstd data should be")),
            State::InFrame => Err(Error::new(ErrorKind::Corrupt, "zstd data is cut short")),
        }
    }
}

/// The room behind what `buffer` holds.
fn behind(buffer: &mut Vec<u8>) -> OutBuffer<'_, Vec<u8>> {
    let len = buffer.len();
    OutBuffer::around_pos(buffer, len)
}

fn corrupt(code: usize) -> Error {
    let name = zstd_safe::get_error_name(code);
    if name == NO_MEMORY {
        // It says nothing of the data.
        return no_memory();
    }
    let err = Error::new(ErrorKind::Corrupt, "not valid zstd data").with_context("detail", name);
    if name == WINDOW_TOO_LARGE {
        return err.with_suggestion(
            "do not restore from this backup, unless another program wrote it: then decompress it with `zstd -d --long=31`",
        );
    }
    err
}

fn refused(code: usize) -> Error {
    let name = zstd_safe::get_error_name(code);
    if name == NO_MEMORY {
        return no_memory();
    }
    Error::new(ErrorKind::Unexpected, "zstd failed").with_context("detail", name)
}

fn no_memory() -> Error {
    Error::new(ErrorKind::Unavailable, "zstd got no memory").with_suggestion(
        "raise the limit of the process's memory (`ulimit -v`, or that of its container), or compress on fewer threads",
    )
}

#[cfg(test)]
mod tests;
