use std::collections::VecDeque;

use bytes::Bytes;

use self::{
    decoder::Decoder,
    member::{Position, Writer},
    pool::OrderedPool,
};
use super::{Compressor, checked, default_threads};
use crate::{
    Result,
    transform::{Output, Transform},
};

mod decoder;
mod header;
mod member;
mod pool;

/// The gzip format (RFC 1952), compressed on several threads; `gzip -t`, `zcat` and Python open it.
///
/// The default is level 6 on as many threads as the machine has, at most 8 (4 from level 10 on). The output is a row of
/// members of 1 MiB of plain bytes each. It depends on the level alone, not on the threads.
///
/// # The end mark
///
/// A gzip file that is cut between two members is a valid gzip file. So each member says in an extra field
/// of its header (RFC 1952, 2.3.1.1; id `DB`, one byte) whether it is the last (1) or not (0), and the
/// decoder refuses a file whose last member is not the last. Other programs skip the field; the
/// decoder takes files of other programs, which do not have it, as they are.
///
/// # Memory
///
/// An encoder takes at most 3 MiB and for each thread 5 MiB, or 13 MiB from level 10 on; a decoder less than 1 MiB.
///
/// # Examples
///
/// ```
/// use backup_core::compress::Gzip;
///
/// let small = Gzip::level(9)?.with_threads(2)?;
/// assert!(Gzip::level(0).is_err());
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gzip {
    level: i32,
    threads: usize,
}

impl Default for Gzip {
    fn default() -> Self {
        Self { level: 6, threads: default_threads(8) }
    }
}

impl Gzip {
    /// A compressor of `level`, from 1 (fast) to 12 (small; above 9 slow).
    ///
    /// On text as `pg_dump` writes it, level 6 makes smaller files than `pigz -6` (by 3 to 10 %) in half the processor
    /// time; level 5 makes files of about its size in two fifths.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for another level.
    pub fn level(level: i32) -> Result<Self> {
        let level = checked("gzip level", level, 1..=12)?;
        Ok(Self { level, threads: default_threads(if level < 10 { 8 } else { 4 }) })
    }

    /// Compresses on `threads` threads, 1 to 32; each takes the memory said above.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for another number.
    pub fn with_threads(mut self, threads: usize) -> Result<Self> {
        self.threads = checked("number of threads", threads, 1..=32)?;
        Ok(self)
    }
}

impl Compressor for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn extension(&self) -> &'static str {
        "gz"
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        let mut workers = Vec::new();
        for _ in 0..self.threads {
            let mut writer = Writer::new(self.level)?;
            workers.push(move |job: Job| Done {
                member: writer.write(&job.plain, job.position),
                block: job.plain,
            });
        }
        Ok(Box::new(Encoder {
            // Enough that a thread that is done finds the next block waiting, also on a busy machine.
            pool: OrderedPool::start("gzip", workers, 2 * self.threads + 2)?,
            block: Vec::new(),
            spare: Vec::new(),
            boundaries: VecDeque::new(),
        }))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Decoder::default()))
    }
}

/// The plain bytes of one member: 1 MiB.
///
/// Smaller ones compress worse, because each starts without history; larger ones take more memory.
const BLOCK_BYTES: usize = 1024 * 1024;

struct Job {
    plain: Vec<u8>,
    position: Position,
}

struct Done {
    member: Result<Bytes>,
    /// The memory of the plain bytes, to be used again.
    block: Vec<u8>,
}

struct Encoder {
    pool: OrderedPool<Job, Done>,
    /// What comes next into a member.
    block: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// How many boundaries stand behind each member in the pool.
    boundaries: VecDeque<u32>,
}

impl Encoder {
    fn submit(&mut self, position: Position, output: &mut dyn Output) -> Result<()> {
        if self.pool.is_full() {
            self.put_oldest(output)?;
        }
        let next = self.spare.pop().unwrap_or_default();
        let plain = std::mem::replace(&mut self.block, next);
        self.boundaries.push_back(0);
        self.pool.submit(Job { plain, position })
    }

    /// Waits for the oldest member and puts it; false if there is none.
    fn put_oldest(&mut self, output: &mut dyn Output) -> Result<bool> {
        let Some(Done { member, mut block }) = self.pool.next()? else { return Ok(false) };
        block.clear();
        self.spare.push(block);
        output.put(member?)?;
        for _ in 0..self.boundaries.pop_front().unwrap_or_default() {
            output.boundary()?;
        }
        Ok(true)
    }
}

impl Transform for Encoder {
    fn update(&mut self, mut input: Bytes, output: &mut dyn Output) -> Result<()> {
        while !input.is_empty() {
            if self.block.capacity() == 0 {
                self.block.reserve_exact(BLOCK_BYTES);
            }
            let taken = input.split_to(input.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(&taken);
            if self.block.len() == BLOCK_BYTES {
                self.submit(Position::Inner, output)?;
            }
        }
        Ok(())
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        if !self.block.is_empty() {
            self.submit(Position::Inner, output)?;
        }
        match self.boundaries.back_mut() {
            Some(last) => *last += 1,
            None => output.boundary()?,
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        // Maybe empty: then it is the end mark alone.
        self.submit(Position::Last, output)?;
        while self.put_oldest(output)? {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;
