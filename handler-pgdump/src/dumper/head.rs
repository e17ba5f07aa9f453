//! An archive without its first bytes is no archive.

use backup_core::{ByteStream, Error, ErrorKind};
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

    const BAD: &[&[&[u8]]] = &[&[], &[b"PGD"], &[b"-- Post", b"greSQL"]];

    #[tokio::test]
    async fn an_archive_is_known_however_it_is_cut() {
        assert_eq!(run(&[b"PG", b"", b"DMPxy", b"z"]).await.unwrap(), b"PGDMPxyz".as_ref());
        for bad in BAD {
            assert_eq!(run(bad).await.unwrap_err().kind(), ErrorKind::Incomplete);
        }
    }
}
