//! Reading from several stores: the first answer counts, and what breaks goes on elsewhere.

use std::{collections::HashSet, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, future::BoxFuture, stream};

use super::{CopiesFailed, CopyTo, FanOut};
use crate::{ByteStream, Error, ErrorKind, GetOptions, GetResult, Key, ObjectMeta, Prefix, Result};

/// The first answer, with what gave it by its number.
///
/// A range that lies outside of the object is an answer too.
pub(super) async fn first<'a, T>(
    copies: &'a [CopyTo],
    key: &Key,
    ask: impl Fn(&'a CopyTo) -> BoxFuture<'a, Result<T>>,
) -> Result<(usize, T)> {
    let mut missing = None;
    let mut failures = Vec::new();
    for (index, copy) in copies.iter().enumerate() {
        match copy.within(ask(copy)).await {
            Ok(answer) => return Ok((index, answer)),
            Err(err) if err.kind() == ErrorKind::InvalidInput => return Err(err),
            Err(err) if err.kind() == ErrorKind::NotFound => missing = missing.or(Some(err)),
            Err(err) => failures.push((copy.name.clone(), err)),
        }
    }
    match missing {
        Some(missing) if failures.is_empty() => Err(missing),
        None => {
            Err(CopiesFailed::error("no store could be asked for the object", failures)
                .with_context("key", key))
        }
        Some(_) => {
            let message = "the object is not in the stores that could be asked, and may be in another";
            Err(CopiesFailed::partial(message, failures).with_context("key", key))
        }
    }
}

pub(super) async fn get(fan_out: &FanOut, key: &Key, options: GetOptions) -> Result<GetResult> {
    let copies = Arc::clone(&fan_out.copies);
    let (index, got) = first(&fan_out.copies, key, |copy| copy.store.get(key, options.clone())).await?;
    let GetResult { meta, range, body, .. } = got;
    let reading = Reading {
        copies,
        key: key.clone(),
        size: meta.size,
        left: range.clone(),
        reader: index,
        next: index + 1,
        body,
    };
    Ok(GetResult::new(meta, range, reading.into_stream()))
}

/// An object that is being read from one of its copies.
struct Reading {
    copies: Arc<[CopyTo]>,
    key: Key,
    size: u64,
    /// The bytes that are still to come.
    left: Range<u64>,
    /// The store that is being read, by its number.
    reader: usize,
    /// The next one to go on with.
    next: usize,
    body: ByteStream,
}

impl Reading {
    fn into_stream(self) -> ByteStream {
        ByteStream::new(stream::try_unfold(self, |mut reading| async move {
            let chunk = reading.chunk().await?;
            Ok(chunk.map(|chunk| (chunk, reading)))
        }))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let broken = match self.read_on().await {
                Ok(chunk) => return Ok(chunk),
                Err(err) => err,
            };
            if !self.go_on_elsewhere(&broken).await {
                return Err(broken);
            }
        }
    }

    async fn read_on(&mut self) -> Result<Option<Bytes>> {
        let Some(copy) = self.copies.get(self.reader) else { return Ok(None) };
        let next = copy.within(async { Ok(self.body.next().await) }).await?;
        let wrong = |message| {
            Error::new(ErrorKind::Corrupt, message)
                .with_context("key", &self.key)
                .with_context("store", &copy.name)
                .with_context("missing_bytes", self.left.end - self.left.start)
        };
        match next {
            Some(Ok(chunk)) if chunk.len() as u64 > self.left.end - self.left.start => {
                Err(wrong("the store sent more than was asked for"))
            }
            Some(Ok(chunk)) => {
                self.left.start += chunk.len() as u64;
                Ok(Some(chunk))
            }
            Some(Err(err)) => Err(err),
            None if self.left.is_empty() => Ok(None),
            None => Err(wrong("the object ended before its end")),
        }
    }

    /// Whether another copy of the same size goes on where this one broke.
    async fn go_on_elsewhere(&mut self, broken: &Error) -> bool {
        while let Some(copy) = self.copies.get(self.next) {
            self.reader = self.next;
            self.next += 1;
            let options = GetOptions::range(self.left.clone());
            match copy.within(copy.store.get(&self.key, options)).await {
                Ok(got) if got.meta.size == self.size => {
                    tracing::warn!(key = %self.key, at = self.left.start, store = copy.name, "reading goes on here: {broken}");
                    self.body = got.body;
                    return true;
                }
                Ok(got) => {
                    tracing::warn!(key = %self.key, store = copy.name, size = got.meta.size, "a copy of another size");
                }
                Err(err) => {
                    tracing::warn!(key = %self.key, store = copy.name, "a copy that cannot be read: {err}");
                }
            }
        }
        false
    }
}

/// What any store holds, once each; then an error where one could not be listed.
///
/// The keys of what was told are kept in memory, some hundred bytes an object.
pub(super) fn list(
    fan_out: FanOut,
    prefix: Prefix,
) -> impl Stream<Item = Result<ObjectMeta>> + Send + 'static {
    let listing = Listing {
        // The last one need not remember what it told.
        last: fan_out.copies.len().saturating_sub(1),
        fan_out,
        prefix,
        index: 0,
        objects: None,
        told: HashSet::new(),
        failures: Vec::new(),
    };
    stream::unfold(Some(listing), |listing| async move {
        let mut listing = listing?;
        match listing.next().await {
            Some(object) => Some((Ok(object), Some(listing))),
            None => listing.ended().map(|err| (Err(err), None)),
        }
    })
}

struct Listing {
    fan_out: FanOut,
    prefix: Prefix,
    last: usize,
    /// The store that is being listed.
    index: usize,
    objects: Option<stream::BoxStream<'static, Result<ObjectMeta>>>,
    told: HashSet<Key>,
    failures: Vec<(String, Error)>,
}

impl Listing {
    async fn next(&mut self) -> Option<ObjectMeta> {
        while let Some(copy) = self.fan_out.copies.get(self.index) {
            let objects = self.objects.get_or_insert_with(|| copy.store.list(&self.prefix));
            match copy.within(async { objects.next().await.transpose() }).await {
                Ok(Some(object)) => {
                    let is_new = if self.index < self.last {
                        self.told.insert(object.key.clone())
                    } else {
                        !self.told.contains(&object.key)
                    };
                    if is_new {
                        return Some(object);
                    }
                    continue;
                }
                Ok(None) => {}
                Err(err) => self.failures.push((copy.name.clone(), err)),
            }
            self.objects = None;
            self.index += 1;
        }
        None
    }

    fn ended(self) -> Option<Error> {
        match self.failures.len() {
            0 => None,
            all if all == self.fan_out.copies.len() => {
                Some(CopiesFailed::error("no store could be listed", self.failures))
            }
            _ => Some(CopiesFailed::partial(
                "a store could not be listed, and what it alone holds is not in the listing",
                self.failures,
            )),
        }
    }
}
