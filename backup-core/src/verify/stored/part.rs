//! Reads some of a dump by the index of its frames, without the rows that nobody wants.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use tokio::{runtime::Handle, sync::oneshot};

use super::{RowsOf, missing_is_corrupt};
use crate::{
    ByteSender, ByteStream, Compressor, Error, ErrorKind, GetOptions, Inventory, Key, Manifest, Result,
    Store,
    digest::{ByteCount, Digest, Hasher, Outcome, Tap},
    encrypt::Parts,
    inventory::Inspector,
    manifest::{FrameIndex, RowData},
    transform::{Output, Transform},
};

/// The first window of a frame of which only the start is wanted; each next one is twice as large.
const FIRST_WINDOW: u64 = 32 * 1024;
const LARGEST_WINDOW: u64 = 4 * 1024 * 1024;

/// A part of a dump, and how it is read.
pub(super) struct Part {
    key: Key,
    /// What opens the artifact, where it is encrypted.
    sealed: Option<Arc<dyn Parts>>,
    /// The size of the compressed dump: of the artifact, or of what is encrypted in it.
    stored_size: u64,
    /// What is read, in order.
    runs: Vec<Run>,
    /// Rows in the plain dump, all that are listed, in order.
    rows: Vec<Place>,
    /// The digest of all bytes outside of them.
    rest: Digest,
}

/// Where rows stand, and whether somebody wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    plain: Range<u64>,
    is_wanted: bool,
}

/// Frames that follow each other and are wanted whole, or one of which only the start is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// In the compressed dump.
    stored: Range<u64>,
    /// Up to the last byte that is wanted.
    plain: Range<u64>,
    is_whole: bool,
}

impl Part {
    /// Finds what to read.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) for an index that cannot be one of this artifact.
    pub(super) fn new(
        manifest: &Manifest,
        sealed: Option<Arc<dyn Parts>>,
        index: &FrameIndex,
        wanted: &RowsOf<'_>,
    ) -> Result<Self> {
        let plain_size = manifest.plain.size;
        let stored_size = sealed.as_ref().map_or(manifest.artifact.size, |sealed| sealed.content_bytes());
        let key = manifest.artifact.key.clone();
        if !is_sound(index, plain_size, stored_size) {
            return Err(damaged(&key));
        }
        let is_wanted = |rows: &RowData| match (&rows.table, wanted) {
            (None, _) => true,
            (Some(_), RowsOf::Nothing) => false,
            (Some(table), RowsOf::Tables(tables)) => tables.contains(table),
        };
        let rows: Vec<_> = index
            .rows
            .iter()
            .map(|rows| Place { plain: rows.start..rows.end, is_wanted: is_wanted(rows) })
            .collect();
        Ok(Self {
            key,
            sealed,
            stored_size,
            runs: runs(index, &rows, plain_size, stored_size),
            rows,
            rest: index.rest,
        })
    }

    /// Reads it. What comes is compared with the index, and not yet with the inventory.
    ///
    /// The stream ends what reads when it is dropped.
    pub(super) fn open(
        self,
        store: Arc<dyn Store>,
        compressor: Arc<dyn Compressor>,
        read: ByteCount,
    ) -> Result<ByteStream> {
        /// How many pieces wait for whoever takes them.
        const WAITING_PIECES: usize = 8;
        let (sender, stream) = ByteStream::channel(WAITING_PIECES);
        let rest = Hasher::new(self.rest.algorithm())?;
        let (alive, gone) = oneshot::channel::<()>();
        let (runtime, span) = (Handle::current(), tracing::Span::current());
        tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            let mut reader = Reader { store, compressor, read, runtime, gone };
            let result = self.read(&mut reader, &sender, rest);
            sender.blocking_end(result);
        });
        Ok(ByteStream::new(stream.inspect(move |_| {
            // Held for its drop: without it the reader waits for no store.
            let _ = &alive;
        })))
    }

    fn read(&self, reader: &mut Reader, sender: &ByteSender, rest: Hasher) -> Result<()> {
        let mut wanted = Wanted { part: self, sender, run: None, position: 0, place: 0, rest };
        for run in &self.runs {
            wanted.position = run.plain.start;
            wanted.run = Some(run.clone());
            self.read_run(reader, run, &mut wanted)?;
        }
        if wanted.rest.finish() == self.rest { Ok(()) } else { Err(damaged(&self.key)) }
    }

    fn read_run(&self, reader: &mut Reader, run: &Run, wanted: &mut Wanted<'_>) -> Result<()> {
        let mut decoder = reader.compressor.decoder()?;
        let (mut opener, place, first) = match &self.sealed {
            None => (None, run.stored.clone(), FIRST_WINDOW),
            Some(sealed) => {
                let first =
                    run.stored.start..run.stored.end.min(run.stored.start.saturating_add(FIRST_WINDOW));
                let first = sealed.place(first);
                (
                    Some(sealed.open(run.stored.clone())?),
                    sealed.place(run.stored.clone()),
                    first.end - first.start,
                )
            }
        };
        let mut window = if run.is_whole { u64::MAX } else { first };
        let mut at = place.start;
        while at < place.end {
            let end = at.saturating_add(window).min(place.end);
            let options = GetOptions::range(at..end);
            let got = reader.wait_for(|store| {
                let key = self.key.clone();
                async move { store.get(&key, options).await }
            });
            let mut body = got?.map_err(missing_is_corrupt)?.body;
            while let Some(chunk) = reader.wait_for_next(&mut body)? {
                let chunk = chunk?;
                at += chunk.len() as u64;
                reader.read.update(&chunk)?;
                let result = match &mut opener {
                    None => decoder.update(chunk, wanted),
                    Some(opener) => opener.update(chunk, &mut Decoding(&mut *decoder, wanted)),
                };
                if wanted.has_enough() {
                    return Ok(());
                }
                result?;
            }
            if at != end {
                return Err(damaged(&self.key));
            }
            window = window.saturating_mul(2).min(LARGEST_WINDOW.max(first));
        }
        let opened = opener.map_or(Ok(()), |opener| opener.finish(&mut Decoding(&mut *decoder, wanted)));
        if wanted.has_enough() {
            return Ok(());
        }
        opened?;
        let result = if run.stored.end == self.stored_size {
            decoder.finish(wanted)
        } else {
            decoder.boundary(wanted)
        };
        if wanted.has_enough() {
            return Ok(());
        }
        result?;
        if wanted.position == run.plain.end { Ok(()) } else { Err(damaged(&self.key)) }
    }
}

/// Whether frames and rows follow each other and lie within the artifact.
fn is_sound(index: &FrameIndex, plain_size: u64, stored_size: u64) -> bool {
    let (Some(first), Some(last)) = (index.frames.first(), index.frames.last()) else { return false };
    let rise = index.frames.is_sorted_by(|one, two| one.plain < two.plain && one.stored < two.stored);
    let follow = index.rows.is_sorted_by(|one, two| one.end <= two.start);
    let inside = index.rows.iter().all(|rows| rows.start < rows.end && rows.end <= plain_size);
    let begins = first.plain == 0 && first.stored == 0;
    begins && rise && last.plain <= plain_size && last.stored < stored_size && follow && inside
}

/// What has to be read so that nothing but unwanted rows is left out.
fn runs(index: &FrameIndex, rows: &[Place], plain_size: u64, stored_size: u64) -> Vec<Run> {
    let unwanted: Vec<_> = rows.iter().filter(|place| !place.is_wanted).map(|place| &place.plain).collect();
    let ends = index.frames.iter().skip(1).map(|frame| (frame.plain, frame.stored));
    let ends = ends.chain([(plain_size, stored_size)]);
    let mut runs: Vec<Run> = Vec::new();
    for (frame, (plain_end, stored_end)) in index.frames.iter().zip(ends) {
        // Unwanted rows at the end of a frame need not be read.
        let mut end = plain_end;
        let before = unwanted.partition_point(|place| place.start < plain_end);
        for place in unwanted.iter().take(before).rev() {
            if place.end < end || end <= frame.plain {
                break;
            }
            end = place.start.max(frame.plain);
        }
        if end == frame.plain {
            continue;
        }
        let is_whole = end == plain_end;
        match runs.last_mut() {
            Some(last) if is_whole && last.is_whole && last.stored.end == frame.stored => {
                (last.stored.end, last.plain.end) = (stored_end, plain_end);
            }
            _ => runs.push(Run { stored: frame.stored..stored_end, plain: frame.plain..end, is_whole }),
        }
    }
    runs
}

/// Decodes what is opened.
struct Decoding<'a, 'b>(&'a mut dyn Transform, &'a mut Wanted<'b>);

impl Output for Decoding<'_, '_> {
    fn put(&mut self, chunk: Bytes) -> Result<()> {
        self.0.update(chunk, self.1)
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a thread reads with.
struct Reader {
    store: Arc<dyn Store>,
    compressor: Arc<dyn Compressor>,
    read: ByteCount,
    runtime: Handle,
    /// Ends when nobody takes the bytes any more.
    gone: oneshot::Receiver<()>,
}

impl Reader {
    fn wait_for<T, F: Future<Output = T>>(&mut self, ask: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T> {
        let asking = ask(Arc::clone(&self.store));
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = &mut self.gone => Err(nobody_reads()),
                answer = asking => Ok(answer),
            }
        })
    }

    fn wait_for_next(&mut self, body: &mut ByteStream) -> Result<Option<Result<Bytes>>> {
        self.wait_for(|_| body.next())
    }
}

/// Takes what is decoded, and hands on what is wanted of it.
struct Wanted<'a> {
    part: &'a Part,
    sender: &'a ByteSender,
    run: Option<Run>,
    /// Of the next byte in the plain dump.
    position: u64,
    /// The first rows that do not lie before the position.
    place: usize,
    rest: Hasher,
}

impl Wanted<'_> {
    /// Whether everything was decoded that is wanted of a frame that is not wanted whole.
    fn has_enough(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_whole && self.position >= run.plain.end)
    }
}

impl Output for Wanted<'_> {
    fn put(&mut self, mut chunk: Bytes) -> Result<()> {
        let end = self.run.as_ref().map_or(0, |run| run.plain.end);
        while !chunk.is_empty() {
            if self.position >= end {
                // Of a frame that is wanted whole, it is more than there should be.
                return Err(damaged(&self.part.key));
            }
            while self.part.rows.get(self.place).is_some_and(|place| place.plain.end <= self.position) {
                self.place += 1;
            }
            let (stop, rows) = match self.part.rows.get(self.place) {
                Some(place) if place.plain.start <= self.position => (place.plain.end, Some(place)),
                Some(place) => (place.plain.start, None),
                None => (end, None),
            };
            let length = usize::try_from(stop.min(end) - self.position).unwrap_or(usize::MAX);
            let piece = chunk.split_to(length.min(chunk.len()));
            self.position += piece.len() as u64;
            if rows.is_none() {
                self.rest.update(&piece);
            }
            if rows.is_none_or(|rows| rows.is_wanted) {
                self.sender.blocking_send(piece).map_err(|_| nobody_reads())?;
            }
        }
        Ok(())
    }

    fn boundary(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A tap that fails the stream at its end unless the tables of which the rows were wanted hold what the backup recorded.
pub(super) struct Complete {
    inspector: Box<dyn Tap>,
    found: Outcome<Option<Inventory>>,
    expected: Inventory,
    key: Key,
}

impl Complete {
    pub(super) fn new(manifest: &Manifest, inventory: &Inventory, wanted: &RowsOf<'_>) -> Self {
        let Inspector { tap, inventory: found, .. } =
            Inspector::with_checksums(&manifest.engine, &manifest.format);
        let is_wanted = |name: &String| matches!(wanted, RowsOf::Tables(tables) if tables.contains(name));
        let tables = inventory.tables.iter().filter(|table| is_wanted(&table.name)).cloned();
        Self {
            inspector: tap,
            found,
            expected: Inventory::new(tables.collect()),
            key: manifest.artifact.key.clone(),
        }
    }
}

impl Tap for Complete {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.inspector.update(bytes)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { inspector, found, expected, key } = *self;
        inspector.finish()?;
        let mut found = found.take().flatten().unwrap_or_default();
        found.tables.retain(|table| expected.table(&table.name).is_some());
        match expected.differences(&found).first() {
            None => Ok(()),
            Some(difference) => Err(damaged(&key).with_context("difference", difference)),
        }
    }
}

fn damaged(key: &Key) -> Error {
    Error::new(ErrorKind::Corrupt, "the part that was read of the artifact is not what the manifest says")
        .with_context("key", key)
        .with_suggestion(
            "verify the backup; restoring all of it needs no index, and says whether it is whole",
        )
}

fn nobody_reads() -> Error {
    Error::new(ErrorKind::Unexpected, "nobody reads the stream any more")
}

#[cfg(feature = "testkit")]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
