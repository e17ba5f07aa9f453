//! A large object: parts that travel side by side, and one request that makes an object of them.

use std::sync::Arc;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use backup_core::{Error, ErrorKind, Result};
use tokio::task::{JoinError, JoinSet};

use super::{
    Putting,
    abort::Upload,
    body::Body,
    fields::{describe, send_with_sum, with_customer_key},
    piece::{Piece, Sum},
};
use crate::{bucket::Bucket, error::Failure, options::Checksums, part::PartPlan};

/// Parts up to this size travel as many at once as the options say, larger ones fewer.
const USUAL_PART: u64 = 32 * 1024 * 1024;

/// Stores a body whose first part was read; returns its size.
pub(super) async fn put(putting: &Putting, first: Piece, body: Body, plan: &PartPlan) -> Result<u64> {
    let upload = begin(putting).await?;
    let stored = async {
        let (parts, size) = Flight::new(putting, upload.id()).fly(first, body, plan).await?;
        complete(putting, upload.id(), parts, size).await?;
        Ok(size)
    };
    match stored.await {
        Ok(size) => {
            upload.completed();
            Ok(size)
        }
        Err(err) => {
            upload.abort().await;
            Err(err)
        }
    }
}

async fn begin(putting: &Putting) -> Result<Upload> {
    let request = describe!(putting.bucket.client.create_multipart_upload(), putting).set_checksum_algorithm(
        (putting.bucket.checksums() == Checksums::Sha256).then_some(ChecksumAlgorithm::Sha256),
    );
    match Upload::begin(&putting.bucket, &putting.key, request).await {
        Ok(upload) => Ok(upload),
        Err(failure) => Err(putting.bucket.failed(failure, &putting.key).await),
    }
}

/// The parts that travel; dropped, they stop.
#[derive(Debug)]
struct Flight<'a> {
    putting: &'a Putting,
    id: String,
    tasks: JoinSet<Result<(usize, CompletedPart), Failure>>,
    done: Vec<(usize, CompletedPart)>,
}

impl<'a> Flight<'a> {
    fn new(putting: &'a Putting, id: &str) -> Self {
        Self { putting, id: id.to_owned(), tasks: JoinSet::new(), done: Vec::new() }
    }

    /// Sends the whole body; returns its parts in order, and its size.
    async fn fly(mut self, first: Piece, body: Body, plan: &PartPlan) -> Result<(Vec<CompletedPart>, u64)> {
        let sent = self.send(first, body, plan).await;
        // Also after a failure: no part shall arrive when the upload is aborted.
        if sent.is_err() {
            self.tasks.shutdown().await;
        }
        let size = sent?;
        self.done.sort_by_key(|(index, _)| *index);
        Ok((self.done.into_iter().map(|(_, part)| part).collect(), size))
    }

    async fn send(&mut self, first: Piece, mut body: Body, plan: &PartPlan) -> Result<u64> {
        let bucket = Arc::clone(&self.putting.bucket);
        let mut size = first.len();
        self.start(0, first);
        let mut index = 1;
        while !body.is_ended() {
            let Some(bytes) = plan.size(index) else { return Err(too_large(&bucket, plan)) };
            self.land(at_once(&bucket, bytes)).await?;
            let piece = tokio::select! {
                // First, so that a part that failed ends a body that has nothing to say.
                biased;
                failed = failed(&mut self.tasks, &mut self.done) => return Err(self.fold(failed).await),
                piece = body.part(bytes, &bucket) => piece?,
            };
            size += piece.len();
            self.start(index as usize, piece);
            index += 1;
        }
        // Before the object is made.
        body.check(&self.putting.key)?;
        self.land(1).await?;
        Ok(size)
    }

    fn start(&mut self, index: usize, piece: Piece) {
        let (bucket, key) = (Arc::clone(&self.putting.bucket), self.putting.key.clone());
        let id = self.id.clone();
        let path = bucket.path(&key);
        self.tasks.spawn(async move {
            let part = upload(&bucket, &path, &id, index, &piece).await?;
            Ok((index, part))
        });
    }

    /// Waits until fewer than `most` parts travel.
    async fn land(&mut self, most: usize) -> Result<()> {
        while self.tasks.len() >= most {
            match self.tasks.join_next().await {
                None => break,
                Some(landed) => match flat(landed) {
                    Ok(part) => self.done.push(part),
                    Err(failure) => return Err(self.fold(failure).await),
                },
            }
        }
        Ok(())
    }

    async fn fold(&self, failure: Failure) -> Error {
        self.putting.bucket.failed(failure, &self.putting.key).await
    }
}

/// Takes what landed, and returns when a part failed.
async fn failed(
    tasks: &mut JoinSet<Result<(usize, CompletedPart), Failure>>,
    done: &mut Vec<(usize, CompletedPart)>,
) -> Failure {
    loop {
        match tasks.join_next().await {
            None => std::future::pending().await,
            Some(landed) => match flat(landed) {
                Ok(part) => done.push(part),
                Err(failure) => return failure,
            },
        }
    }
}

fn flat<T>(landed: Result<Result<T, Failure>, JoinError>) -> Result<T, Failure> {
    landed.unwrap_or_else(|_| Err(Failure::Broken("the task of a part stopped early".into())))
}

/// How many parts of this size may travel side by side.
fn at_once(bucket: &Bucket, bytes: u64) -> usize {
    let options = &bucket.options;
    let usual = options.part_bytes.max(USUAL_PART);
    let fit = usize::try_from(usual.saturating_mul(options.parallel as u64) / bytes).unwrap_or(usize::MAX);
    fit.max(2).min(options.parallel)
}

fn too_large(bucket: &Bucket, plan: &PartPlan) -> Error {
    Error::new(ErrorKind::StorageFull, "the object is larger than was planned for")
        .with_context("store", &bucket.location)
        .with_context("planned_bytes", plan.capacity())
        .with_suggestion(
            "raise `S3Options::with_max_object_bytes`, and `with_max_parts` where the service allows",
        )
}

async fn upload(
    bucket: &Bucket,
    path: &str,
    id: &str,
    index: usize,
    piece: &Piece,
) -> Result<CompletedPart, Failure> {
    let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
    let sum = piece.sum(bucket.checksums(), bucket.options.object_lock).await?;
    let secret = bucket.customer_key();
    let attempt = || async {
        let request = bucket.client.upload_part().bucket(bucket.name()).key(path).upload_id(id);
        let request = with_customer_key!(request, secret.as_ref())
            .part_number(number)
            .content_length(i64::try_from(piece.len()).unwrap_or(i64::MAX))
            .body(piece.stream().await?);
        let answer = send_with_sum!(request, sum.clone());
        match answer?.e_tag() {
            None | Some("") => Err(Failure::senseless("no ETag")),
            Some(etag) => Ok(etag.to_owned()),
        }
    };
    let etag = bucket.call(piece.len(), attempt).await?;
    let part = CompletedPart::builder().part_number(number).e_tag(etag);
    Ok(match sum {
        Sum::Sha256(sum) => part.checksum_sha256(sum).build(),
        Sum::Md5(_) | Sum::None => part.build(),
    })
}

/// Makes an object of the parts. Its answer is judged by its body: a status of 200 alone says nothing.
async fn complete(putting: &Putting, id: &str, parts: Vec<CompletedPart>, size: u64) -> Result<()> {
    let bucket = &putting.bucket;
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let secret = bucket.customer_key();
    let attempt = || async {
        let request = bucket.client.complete_multipart_upload().bucket(bucket.name());
        let request = with_customer_key!(request, secret.as_ref())
            .key(bucket.path(&putting.key))
            .upload_id(id)
            .multipart_upload(parts.clone())
            .set_if_none_match(putting.condition());
        match request.send().await?.e_tag() {
            None | Some("") => Err(Failure::senseless("no ETag")),
            Some(_) => Ok(()),
        }
    };
    match bucket.call(0, attempt).await {
        Ok(()) => Ok(()),
        Err(failure) => putting.settle(failure, size).await,
    }
}
