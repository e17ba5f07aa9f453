//! [`Bucket`]: the client and what every request needs.

use std::{
    fmt,
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aws_sdk_s3::Client;
use aws_smithy_types::base64;
use backup_core::{Error, Key, Prefix};
use md5::{Digest, Md5};

use crate::{
    Encryption, S3Options,
    error::Failure,
    options::{Checksums, Creates},
    part::PartPlan,
};

/// The speed below which a request with a body counts as stalled, in bytes a second.
const SLOWEST: u64 = 64 * 1024;

/// A bucket, or a prefix of one.
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) options: S3Options,
    /// `s3://bucket/prefix`.
    pub(crate) location: String,
    /// The key of SSE-C, as requests want it.
    customer_key: Option<CustomerKey>,
    /// Whether the bucket is known to exist.
    seen: AtomicBool,
}

/// Without the client, which shows more than anybody has to see.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("location", &self.location)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A key of SSE-C with its hash, both in base64.
#[derive(Debug, Clone)]
pub(crate) struct CustomerKey {
    pub(crate) key: backup_core::Secret,
    pub(crate) md5: String,
}

impl Bucket {
    pub(crate) fn new(client: Client, options: S3Options) -> Self {
        let mut location = format!("s3://{}", options.bucket);
        if !options.prefix.as_str().is_empty() {
            location = format!("{location}/{}", options.prefix);
        }
        let customer_key = match &options.encryption {
            Some(Encryption::CustomerKey(key)) => {
                // A key that is no base64 was refused when the store was opened.
                let bytes = base64::decode(key.expose()).unwrap_or_default();
                Some(CustomerKey { key: key.clone(), md5: base64::encode(Md5::digest(bytes)) })
            }
            _ => None,
        };
        Self { client, options, location, customer_key, seen: AtomicBool::new(false) }
    }

    /// The name of the bucket.
    pub(crate) fn name(&self) -> &str {
        &self.options.bucket
    }

    /// The full name of an object.
    pub(crate) fn path(&self, key: &Key) -> String {
        match self.options.prefix.as_str() {
            "" => key.to_string(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    /// What the full names of all objects below `prefix` begin with.
    pub(crate) fn below(&self, prefix: &Prefix) -> String {
        let mut path = String::new();
        for part in [self.options.prefix.as_str(), prefix.as_str()] {
            if !part.is_empty() {
                path.push_str(part);
                path.push('/');
            }
        }
        path
    }

    /// The key of an object by its full name; `None` for what no store made.
    pub(crate) fn key_of(&self, path: &str) -> Option<Key> {
        let rest = path.strip_prefix(&self.below(&Prefix::root()))?;
        Key::parse(rest).ok()
    }

    pub(crate) fn customer_key(&self) -> Option<CustomerKey> {
        self.customer_key.clone()
    }

    pub(crate) fn parts(&self, hint: Option<u64>) -> PartPlan {
        let options = &self.options;
        PartPlan::new(options.max_parts, options.part_bytes, options.max_object_bytes, hint)
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.options.creates == Creates::Conditional
    }

    pub(crate) fn checksums(&self) -> Checksums {
        self.options.checksums.unwrap_or(if self.options.endpoint.is_some() {
            Checksums::Signature
        } else {
            Checksums::Sha256
        })
    }

    /// Sends a request, again and again where that can help; `body` is how many bytes one attempt carries along.
    pub(crate) async fn call<T, E, F>(&self, body: u64, mut send: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, E>>,
        Failure: From<E>,
    {
        let limit = self.options.stall_timeout + Duration::from_secs(body / SLOWEST);
        // On the heap, as all that calls it: requests of the SDK are large enough for several to fill a stack.
        let answer = self.options.retries.run(|| Box::pin(limited(limit, send()))).await;
        if answer.is_ok() {
            self.seen.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// The error for a failure that concerns `key`.
    ///
    /// "Not found" without a reason may mean the bucket as well, which is never to be taken for "no such object".
    pub(crate) async fn failed(&self, failure: Failure, key: &Key) -> Error {
        if failure.is_not_found() && failure.code() != "NoSuchKey" && !self.seen.load(Ordering::Relaxed) {
            let asked = self.call(0, || self.client.head_bucket().bucket(self.name()).send()).await;
            if let Err(gone) = asked
                && gone.is_not_found()
            {
                let gone = Failure::Refused {
                    status: 404,
                    code: "NoSuchBucket".into(),
                    message: "the bucket is not there".into(),
                    unclear: false,
                };
                return gone.into_error(&self.location, None);
            }
        }
        failure.into_error(&self.location, Some(key))
    }
}

/// An attempt that may last for so long.
pub(crate) async fn limited<T, E>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match tokio::time::timeout(limit, attempt).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::Silent(limit)),
    }
}
