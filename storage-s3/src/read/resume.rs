//! A body that goes on where the connection broke.

use std::{ops::Range, sync::Arc};

use aws_sdk_s3::primitives::ByteStream as SdkStream;
use backup_core::{ByteStream, Error, ErrorKind, Key, Result};
use bytes::Bytes;

use super::{check_range, fetch};
use crate::{
    bucket::{Bucket, limited},
    error::{Failure, chain},
};

/// Reads a range; where its body is cut, the rest of the same object is asked for.
#[derive(Debug)]
pub(super) struct Resumed {
    bucket: Arc<Bucket>,
    key: Key,
    /// What is still to come.
    rest: Range<u64>,
    etag: Option<String>,
    body: SdkStream,
    /// How often it was resumed without a byte in between.
    barren: u32,
}

impl Resumed {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        key: Key,
        range: Range<u64>,
        etag: Option<String>,
        body: SdkStream,
    ) -> Self {
        Self { bucket, key, rest: range, etag, body, barren: 0 }
    }

    pub(super) fn into_stream(self) -> ByteStream {
        ByteStream::new(futures::stream::try_unfold(self, |mut this| async move {
            let chunk = this.next().await.map_err(|err| err.with_operation("get"))?;
            Ok(chunk.map(|chunk| (chunk, this)))
        }))
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let failure = match self.chunk().await {
                Ok(chunk) => {
                    let length = chunk.len() as u64;
                    if length > self.rest.end - self.rest.start {
                        return Err(self.damaged("more bytes came than the object has"));
                    }
                    self.rest.start += length;
                    self.barren = 0;
                    return Ok(Some(chunk));
                }
                Err(failure) => failure,
            };
            self.resume(failure).await?;
        }
    }

    async fn chunk(&mut self) -> Result<Bytes, Failure> {
        let body = &mut self.body;
        let chunk = async move {
            match body.next().await {
                Some(Ok(chunk)) => Ok(chunk),
                Some(Err(err)) => Err(Failure::Broken(chain(&err))),
                None => Err(Failure::senseless("ended early")),
            }
        };
        limited(self.bucket.options.stall_timeout, chunk).await
    }

    /// Asks for the rest; `cut` is why.
    async fn resume(&mut self, cut: Failure) -> Result<()> {
        self.barren += 1;
        let retries = self.bucket.options.retries;
        if self.barren >= retries.attempts {
            let err = cut.into_error(&self.bucket.location, Some(&self.key));
            return Err(err.with_context("bytes_missing", self.rest.end - self.rest.start));
        }
        tracing::debug!(key = %self.key, from = self.rest.start, failure = %cut, "a read is resumed");
        tokio::time::sleep(retries.pause(self.barren)).await;
        let answer = fetch(&self.bucket, &self.key, Some(&self.rest), self.etag.as_deref()).await;
        let answer = answer.and_then(|answer| check_range(&answer, &self.rest).map(|()| answer));
        match answer {
            Ok(answer) => {
                self.body = answer.body;
                Ok(())
            }
            Err(failure) if failure.is_condition() => {
                Err(self.damaged("the object was replaced while it was read"))
            }
            Err(failure) => Err(failure.into_error(&self.bucket.location, Some(&self.key))),
        }
    }

    fn damaged(&self, what: &str) -> Error {
        Error::new(ErrorKind::Corrupt, what).with_context("key", &self.key)
    }
}
