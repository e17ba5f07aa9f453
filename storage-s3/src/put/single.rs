//! A small object: one request.

use super::{
    Putting,
    fields::{describe, send_with_sum},
    piece::{Piece, Sum},
};
use crate::error::Failure;
use backup_core::Result;

/// Stores a whole body; returns its size.
pub(super) async fn put(putting: &Putting, piece: Piece) -> Result<u64> {
    let size = piece.len();
    match send(putting, &piece).await {
        Ok(()) => {}
        Err(failure) => putting.settle(failure, size).await?,
    }
    Ok(size)
}

async fn send(putting: &Putting, piece: &Piece) -> Result<(), Failure> {
    let bucket = &putting.bucket;
    let sum = piece.sum(bucket.checksums(), bucket.options.object_lock).await?;
    let attempt = || async {
        let request = describe!(bucket.client.put_object(), putting)
            .body(piece.stream().await?)
            .content_length(i64::try_from(piece.len()).unwrap_or(i64::MAX))
            .set_if_none_match(putting.condition());
        let answer = send_with_sum!(request, sum.clone());
        match answer?.e_tag() {
            None | Some("") => Err(Failure::senseless("no ETag")),
            Some(_) => Ok(()),
        }
    };
    bucket.call(piece.len(), attempt).await
}
