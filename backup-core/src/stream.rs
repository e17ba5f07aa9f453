//! [`ByteStream`]: bytes on their way, where the last item says whether they are all there.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use tokio::{
    io::AsyncRead,
    sync::mpsc::{self, error::SendError},
};

use crate::{Error, ErrorKind, Result};

mod end_mark;
pub use end_mark::EndMark;

/// How many bytes [`ByteStream::from_reader`] reads at once.
const READ_BYTES: usize = 256 * 1024;

/// A stream of byte chunks whose failure is its last item.
///
/// # Contract
///
/// The stream ends (`None`) only after everything that belongs to it was yielded. Whatever cuts it short,
/// a failed tool, a broken connection, a panic in a stage, is an `Err` item, after which nothing follows.
/// A consumer publishes what it got only after it saw the clean end.
///
/// Chunks may have any size, also zero; nothing may depend on how the bytes are cut.
pub struct ByteStream {
    inner: BoxStream<'static, Result<Bytes>>,
    failed: bool,
}

impl ByteStream {
    /// Wraps a stream; nothing is yielded after its first error.
    pub fn new(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self { inner: stream.boxed(), failed: false }
    }

    /// A stream of no bytes that ends cleanly.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(futures::stream::empty())
    }

    /// Reads `reader` to its end in chunks of at most 256 KiB.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::new(tokio_util::io::ReaderStream::with_capacity(reader, READ_BYTES).map_err(Error::from))
    }

    /// Turns the stream into a reader; an [`Error`] comes out as an [`std::io::Error`] and can be turned back.
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        tokio_util::io::StreamReader::new(self.map_err(std::io::Error::from))
    }

    /// A stream fed from elsewhere, buffering at most `chunks` chunks.
    ///
    /// The stream ends cleanly only after [`ByteSender::finish`]; a sender that is dropped before, by a
    /// panic for instance, makes the stream end in an error.
    #[must_use]
    pub fn channel(chunks: usize) -> (ByteSender, Self) {
        let (sender, receiver) = mpsc::channel(chunks.max(1));
        let stream = futures::stream::unfold(Some(receiver), |receiver| async move {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Message::Chunk(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Message::End) => None,
                Some(Message::Failed(err)) => Some((Err(err), None)),
                None => Some((
                    Err(Error::new(ErrorKind::Unexpected, "a stage of the stream stopped early")),
                    None,
                )),
            }
        });
        (ByteSender(sender), Self::new(stream))
    }

    /// Collects everything, refusing more than `limit` bytes.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: what was read so far is lost, and the stream with it.
    pub async fn collect_bytes(mut self, limit: usize) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if all.len() + chunk.len() > limit {
                return Err(Error::new(ErrorKind::Corrupt, "larger than it can be")
                    .with_context("limit_bytes", limit));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

enum Message {
    Chunk(Bytes),
    End,
    Failed(Error),
}

/// The writing end of [`ByteStream::channel`].
#[derive(Debug)]
pub struct ByteSender(mpsc::Sender<Message>);

/// The reader is gone: stop producing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderGone;

impl ByteSender {
    /// Hands a chunk over, waiting for room.
    ///
    /// # Errors
    ///
    /// [`ReaderGone`] when the stream was dropped: there is nobody to produce for.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call hands nothing over.
    pub async fn send(&self, chunk: Bytes) -> Result<(), ReaderGone> {
        self.0.send(Message::Chunk(chunk)).await.map_err(gone)
    }

    /// Ends the stream cleanly: everything was sent.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the stream to end in an error.
    pub async fn finish(self) {
        let _reader_may_be_gone = self.0.send(Message::End).await;
    }

    /// Ends the stream with an error.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the stream to end in another error.
    pub async fn fail(self, err: Error) {
        let _reader_may_be_gone = self.0.send(Message::Failed(err)).await;
    }

    /// [`send`](Self::send) for a blocking thread.
    ///
    /// # Panics
    ///
    /// When called in an asynchronous context.
    pub fn blocking_send(&self, chunk: Bytes) -> Result<(), ReaderGone> {
        self.0.blocking_send(Message::Chunk(chunk)).map_err(gone)
    }

    /// [`finish`](Self::finish) and [`fail`](Self::fail) for a blocking thread.
    ///
    /// # Panics
    ///
    /// When called in an asynchronous context.
    pub fn blocking_end(self, result: Result<()>) {
        let _reader_may_be_gone = self.0.blocking_send(match result {
            Ok(()) => Message::End,
            Err(err) => Message::Failed(err),
        });
    }

    /// Waits until the stream is dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

// Taken by value because `map_err` hands it over so.
#[allow(clippy::needless_pass_by_value)]
fn gone(_: SendError<Message>) -> ReaderGone {
    ReaderGone
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let item = self.inner.as_mut().poll_next(cx);
        if matches!(item, Poll::Ready(Some(Err(_)))) {
            self.failed = true;
            // Whatever produced the bytes is of no more use: let it go now, not when the consumer does.
            self.inner = futures::stream::empty().boxed();
        }
        item
    }
}

impl From<Bytes> for ByteStream {
    fn from(bytes: Bytes) -> Self {
        Self::new(futures::stream::once(async move { Ok(bytes) }))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn broken() -> ByteStream {
        ByteStream::new(futures::stream::iter([
            Ok(Bytes::from_static(b"ab")),
            Err(Error::new(ErrorKind::ToolFailed, "exit 1")),
            Ok(Bytes::from_static(b"never")),
        ]))
    }

    #[tokio::test]
    async fn nothing_follows_an_error() {
        let items: Vec<_> = broken().collect().await;
        assert_eq!(items.len(), 2);
        assert!(items[1].is_err());
    }

    #[tokio::test]
    async fn an_error_survives_the_reader_bridge() {
        let mut read = Vec::new();
        let err = broken().into_reader().read_to_end(&mut read).await.unwrap_err();
        assert_eq!(Error::from(err).kind(), ErrorKind::ToolFailed);
        assert_eq!(read, b"ab");
    }

    #[tokio::test]
    async fn a_sender_that_vanishes_is_an_error() {
        let (sender, stream) = ByteStream::channel(2);
        sender.send(Bytes::from_static(b"x")).await.unwrap();
        drop(sender);
        let items: Vec<_> = stream.collect().await;
        assert!(items[0].is_ok() && items[1].is_err());
    }

    #[tokio::test]
    async fn a_finished_sender_ends_cleanly() {
        let (sender, stream) = ByteStream::channel(2);
        sender.send(Bytes::from_static(b"x")).await.unwrap();
        sender.finish().await;
        assert_eq!(stream.collect_bytes(10).await.unwrap(), b"x".as_slice());
    }

    #[tokio::test]
    async fn collecting_is_bounded() {
        let err = ByteStream::from(Bytes::from_static(b"abc")).collect_bytes(2).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
    }
}
