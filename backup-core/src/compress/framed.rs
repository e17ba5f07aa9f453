//! [`Framed`]: compresses a dump so that the rows of some tables can be read without the others.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    Result, Transform,
    digest::{Algorithm, Hasher, Outcome},
    inventory::scan::places::{BEHIND, EdgeKind, Places, RowEdge},
    manifest::{Frame, FrameIndex, RowData},
    transform::Output,
};

/// When frames end, and what is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A frame is not ended before it has so many plain bytes: small ones cost size, and threads wait at each end.
    pub(crate) frame_bytes: u64,
    /// Rows of fewer bytes are not worth a place in the index: they are read with the rest.
    pub(crate) row_bytes: usize,
    /// So many tables are listed; the rows of those behind them are read with the rest.
    pub(crate) tables: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes: 2 << 20, row_bytes: 4096, tables: 1 << 16 }
    }
}

/// An encoder whose frames end where the rows of tables do, told by the inspector that saw each chunk before.
pub(crate) struct Framed {
    encoder: Box<dyn Transform>,
    places: Places,
    limits: Limits,
    edges: VecDeque<RowEdge>,
    /// The end of what came, in which rows may yet turn out to have ended.
    held: Bytes,
    /// What went into the encoder, and what came out of it.
    plain: u64,
    stored: Stored,
    /// Where the last frame begins that was asked for.
    begun: u64,
    open: Option<OpenRows>,
    rows: Vec<RowData>,
    rest: Hasher,
    outcome: Outcome<FrameIndex>,
}

/// Rows that are passing.
struct OpenRows {
    start: u64,
    /// All of them, as long as they are too few to be listed.
    few: Vec<u8>,
    are_many: bool,
}

impl Framed {
    /// `encoder`, and where its index will be.
    pub(crate) fn new(
        encoder: Box<dyn Transform>,
        places: Places,
        limits: Limits,
    ) -> Result<(Self, Outcome<FrameIndex>)> {
        places.watch();
        let outcome = Outcome::pending();
        let framed = Self {
            encoder,
            places,
            limits,
            edges: VecDeque::new(),
            held: Bytes::new(),
            plain: 0,
            stored: Stored { bytes: 0, frames: vec![Frame::new(0, 0)], asked: VecDeque::new() },
            begun: 0,
            open: None,
            rows: Vec::new(),
            rest: Hasher::new(Algorithm::for_plain())?,
            outcome: outcome.clone(),
        };
        Ok((framed, outcome))
    }

    /// Encodes bytes, up to each edge and on.
    fn encode(&mut self, mut bytes: Bytes, output: &mut dyn Output) -> Result<()> {
        while let Some(edge) = self.edges.front() {
            let before = edge.at.saturating_sub(self.plain);
            let Some(before) = usize::try_from(before).ok().filter(|before| *before <= bytes.len()) else {
                break;
            };
            self.pass(bytes.split_to(before), output)?;
            if let Some(edge) = self.edges.pop_front() {
                self.edge(edge.kind, output)?;
            }
        }
        self.pass(bytes, output)
    }

    fn pass(&mut self, bytes: Bytes, output: &mut dyn Output) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.open {
            None => self.rest.update(&bytes),
            Some(open) if open.are_many => {}
            Some(open) if open.few.len() + bytes.len() < self.limits.row_bytes => {
                open.few.extend_from_slice(&bytes);
            }
            Some(open) => {
                open.are_many = true;
                open.few = Vec::new();
            }
        }
        self.plain += bytes.len() as u64;
        self.encoder.update(bytes, &mut Counting { output, stored: &mut self.stored })
    }

    fn edge(&mut self, kind: EdgeKind, output: &mut dyn Output) -> Result<()> {
        match (kind, self.open.take()) {
            (EdgeKind::Begin, None) if self.rows.len() < self.limits.tables => {
                self.open = Some(OpenRows { start: self.plain, few: Vec::new(), are_many: false });
            }
            (EdgeKind::Begin, open) => self.open = open,
            (EdgeKind::End(_), None) => {}
            (EdgeKind::End(_), Some(open)) if !open.are_many => self.rest.update(&open.few),
            (EdgeKind::End(table), Some(open)) => {
                let is_table = table.is_some();
                self.rows.push(RowData::new(table, open.start, self.plain));
                if is_table && self.plain - self.begun >= self.limits.frame_bytes {
                    self.begun = self.plain;
                    self.stored.asked.push_back(self.plain);
                    self.encoder.boundary(&mut Counting { output, stored: &mut self.stored })?;
                }
            }
        }
        Ok(())
    }
}

impl Transform for Framed {
    fn update(&mut self, mut input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.edges.extend(self.places.take());
        if input.len() < BEHIND {
            input = [&self.held[..], &input].concat().into();
            self.held = Bytes::new();
        }
        let held = std::mem::take(&mut self.held);
        self.encode(held, output)?;
        self.held = input.split_off(input.len().saturating_sub(BEHIND));
        self.encode(input, output)
    }

    fn boundary(&mut self, output: &mut dyn Output) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        self.encode(held, output)?;
        self.encoder.boundary(output)
    }

    fn finish(mut self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        self.encode(held, output)?;
        if let Some(open) = self.open.take() {
            // Not the end of a dump that an inspector lets pass.
            self.rest.update(&open.few);
        }
        let Self { encoder, mut stored, rows, rest, outcome, .. } = *self;
        encoder.finish(&mut Counting { output, stored: &mut stored })?;
        if rows.iter().any(|rows| rows.table.is_some()) {
            outcome.set(FrameIndex::new(stored.frames, rows, rest.finish()));
        }
        Ok(())
    }
}

/// What came out of the encoder.
struct Stored {
    bytes: u64,
    frames: Vec<Frame>,
    /// Boundaries that the encoder was asked for and has not put yet, in the plain dump.
    asked: VecDeque<u64>,
}

/// Counts what is put, and notes where frames begin.
struct Counting<'a> {
    output: &'a mut dyn Output,
    stored: &'a mut Stored,
}

impl Output for Counting<'_> {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        self.stored.bytes += chunk.len() as u64;
        self.output.put(chunk)
    }

    fn boundary(&mut self) -> Result<()> {
        if let Some(plain) = self.stored.asked.pop_front() {
            self.stored.frames.push(Frame::new(plain, self.stored.bytes));
        }
        Ok(())
    }
}
