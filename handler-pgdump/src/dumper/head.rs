//! An archive without its first bytes is no archive.

use backup_core::{ByteStream, Error, ErrorKind, Result, digest::Tap};
use futures::StreamExt;

/// Passes the stream on; its clean end becomes an error unless it began with `magic`.
pub(super) fn require(stream: ByteStream, magic: &'static [u8]) -> ByteStream {
    let state = (stream, Some(0_usize));
    ByteStream::new(futures::stream::unfold(state, move |(mut stream, matched)| async move {
        let matched = matched?;
        match stream.next().await {
            Some(Ok(chunk)) => {
                let rest = magic.get(matched..).unwrap_or_default();
                let length = rest.len().min(chunk.len());
                if chunk.get(..length) != rest.get(..length) {
                    return Some((Err(not_one()), (stream, None)));
                }
                Some((Ok(chunk), (stream, Some(matched + length))))
            }
            None if matched < magic.len() => Some((Err(not_one()), (stream, None))),
            None => None,
            Some(Err(err)) => Some((Err(err), (stream, None))),
        }
    }))
}

/// The same for bytes that come out of a decoder.
pub(super) struct Head {
    rest: &'static [u8],
}

impl Head {
    pub(super) fn new(magic: &'static [u8]) -> Self {
        Self { rest: magic }
    }
}

impl Tap for Head {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        let length = self.rest.len().min(bytes.len());
        let (wanted, rest) = self.rest.split_at(length);
        self.rest = rest;
        if bytes.starts_with(wanted) { Ok(()) } else { Err(not_one()) }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(not_one()) }
    }
}

fn not_one() -> Error {
    Error::new(ErrorKind::Incomplete, "the tool ended with success, but wrote no archive")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn run(chunks: &'static [&'static [u8]]) -> backup_core::Result<Bytes> {
        let items = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk)));
        require(ByteStream::new(futures::stream::iter(items)), b"PGDMP").collect_bytes(100).await
    }

    fn tap(chunks: &[&[u8]]) -> Result<()> {
        let mut head = Head::new(b"PGDMP");
        chunks.iter().try_for_each(|chunk| head.update(chunk))?;
        Box::new(head).finish()
    }

    const BAD: &[&[&[u8]]] = &[&[], &[b"PGD"], &[b"-- Post", b"greSQL"]];

    #[tokio::test]
    async fn an_archive_is_known_however_it_is_cut() {
        assert_eq!(run(&[b"PG", b"", b"DMPxy", b"z"]).await.unwrap(), b"PGDMPxyz".as_slice());
        assert!(tap(&[b"PG", b"", b"DMPxy", b"z"]).is_ok());
        for bad in BAD {
            assert_eq!(run(bad).await.unwrap_err().kind(), ErrorKind::Incomplete);
            assert_eq!(tap(bad).unwrap_err().kind(), ErrorKind::Incomplete);
        }
    }
}
