//! [`ByteStream::require_end_mark`]: a clean end counts only after the format's own end.

use futures::StreamExt;

use super::ByteStream;
use crate::{Error, ErrorKind, Result, digest::Tap};

impl ByteStream {
    /// Passes the bytes on unchanged, and turns a clean end without the format's end mark into an error.
    ///
    /// At the end `is_marked` gets the last `window` bytes, or all if there are fewer, and says whether the
    /// format ends in them. A tool that says success after half of its work is caught by this alone.
    ///
    /// # Errors
    ///
    /// [`Incomplete`](ErrorKind::Incomplete) as the last item; an error of the stream itself stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use backup_core::{ByteStream, ErrorKind};
    /// use bytes::Bytes;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let cut_off = ByteStream::from(Bytes::from_static(b"CREATE TABLE t (i"));
    /// let marked = cut_off.require_end_mark(64, |end| end.ends_with(b"-- dump complete\n"));
    /// assert_eq!(marked.collect_bytes(100).await.unwrap_err().kind(), ErrorKind::Incomplete);
    /// # });
    /// ```
    #[must_use]
    pub fn require_end_mark(
        self,
        window: usize,
        is_marked: impl FnOnce(&[u8]) -> bool + Send + 'static,
    ) -> Self {
        let state = (self, End { window, kept: Vec::new(), bytes: 0 }, is_marked);
        Self::new(futures::stream::try_unfold(Some(state), |state| async move {
            let Some((mut stream, mut end, is_marked)) = state else { return Ok(None) };
            match stream.next().await.transpose()? {
                Some(chunk) => {
                    end.push(&chunk);
                    Ok(Some((chunk, Some((stream, end, is_marked)))))
                }
                None => end.judge(is_marked).map(|()| None),
            }
        }))
    }
}

/// A [`Tap`] that does what [`ByteStream::require_end_mark`] does, for bytes that come out of a decoder.
pub struct EndMark<F> {
    end: End,
    is_marked: F,
}

impl<F: FnOnce(&[u8]) -> bool + Send> EndMark<F> {
    /// Fails at the end unless `is_marked` says yes to the last `window` bytes.
    pub fn new(window: usize, is_marked: F) -> Self {
        Self { end: End { window, kept: Vec::new(), bytes: 0 }, is_marked }
    }
}

impl<F> std::fmt::Debug for EndMark<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndMark").finish_non_exhaustive()
    }
}

impl<F: FnOnce(&[u8]) -> bool + Send> Tap for EndMark<F> {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.end.push(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { end, is_marked } = *self;
        end.judge(is_marked)
    }
}

/// The last bytes of what passed.
struct End {
    window: usize,
    kept: Vec<u8>,
    bytes: u64,
}

impl End {
    fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        // Only its end is copied, and moved only now and then: chunks may be large, or tiny.
        let end = chunk.get(chunk.len().saturating_sub(self.window)..).unwrap_or_default();
        if end.len() == self.window {
            self.kept.clear();
        }
        self.kept.extend_from_slice(end);
        if self.kept.len() > self.window.saturating_mul(2) {
            self.kept.drain(..self.kept.len() - self.window);
        }
    }

    fn judge(&self, is_marked: impl FnOnce(&[u8]) -> bool) -> Result<()> {
        let last = self.kept.get(self.kept.len().saturating_sub(self.window)..).unwrap_or_default();
        if is_marked(last) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Incomplete, "ended without its end mark").with_context("bytes", self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{TryStreamExt, stream};
    use proptest::prelude::*;

    use super::*;

    const MARK: &[u8] = b"-- complete\n";

    fn cut(bytes: &[u8], at_once: usize) -> ByteStream {
        let chunks: Vec<_> = bytes.chunks(at_once).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        ByteStream::new(stream::iter(chunks))
    }

    proptest! {
        /// Whatever the bytes and however they are cut, the verdict depends on the last bytes alone.
        #[test]
        fn the_last_bytes_decide(before in 0_usize..200, after in 0_usize..40, at_once in 1_usize..80) {
            let bytes = [vec![b'x'; before], MARK.to_vec(), vec![b'\n'; after]].concat();
            let marked = cut(&bytes, at_once)
                .require_end_mark(MARK.len() + 16, |end| end.windows(MARK.len()).any(|part| part == MARK));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let collected = runtime.block_on(marked.collect_bytes(1000));
            match collected {
                Ok(ref all) => prop_assert!(after <= 16 && *all == bytes),
                Err(ref err) => prop_assert!(after > 16 && err.kind() == ErrorKind::Incomplete),
            }
            let mut tap = EndMark::new(MARK.len() + 16, |end: &[u8]| end.windows(MARK.len()).any(|part| part == MARK));
            bytes.chunks(at_once).for_each(|chunk| tap.update(chunk).unwrap());
            prop_assert_eq!(Box::new(tap).finish().is_ok(), collected.is_ok());
        }
    }

    #[tokio::test]
    async fn the_bytes_come_before_the_verdict() {
        let items: Vec<_> = cut(b"half", 4).require_end_mark(8, |_| false).collect().await;
        assert!(items[0].as_ref().is_ok_and(|chunk| chunk == "half"));
        assert_eq!(items[1].as_ref().unwrap_err().kind(), ErrorKind::Incomplete);
        assert_eq!(items.len(), 2);
    }

    #[tokio::test]
    async fn an_error_of_the_stream_is_not_covered_by_the_mark() {
        let failed =
            stream::iter([Ok(Bytes::from_static(MARK)), Err(Error::new(ErrorKind::ToolFailed, "exit 1"))]);
        let mut marked = ByteStream::new(failed).require_end_mark(100, |end| end == MARK);
        assert!(marked.try_next().await.is_ok());
        assert_eq!(marked.try_next().await.unwrap_err().kind(), ErrorKind::ToolFailed);
    }
}
