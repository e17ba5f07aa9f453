//! [`PresignedUrl`]: a URL that is itself a credential.

use std::{fmt, time::Duration};

use aws_sdk_s3::presigning::PresigningConfig;
use backup_core::{Error, ErrorKind, Key, Result, Secret};

use crate::{bucket::Bucket, error::Failure};

/// The longest that S3 allows.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// A URL with which anybody can read one object for a time: `Debug` and `Display` leave its signature out.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(Secret);

impl PresignedUrl {
    /// The URL itself, for whom it is meant.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    fn without_signature(&self) -> &str {
        self.0.expose().split('?').next().unwrap_or_default()
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresignedUrl({self})")
    }
}

impl fmt::Display for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?***", self.without_signature())
    }
}

pub(crate) async fn get(bucket: &Bucket, key: &Key, expires_in: Duration) -> Result<PresignedUrl> {
    if bucket.customer_key().is_some() {
        return Err(Error::new(ErrorKind::Unsupported, "no URL can bring the customer's key along")
            .with_context("key", key)
            .with_suggestion("read the object through the store, or let the service keep the key"));
    }
    let wrong = || Error::new(ErrorKind::InvalidInput, "a URL is valid from one second to seven days");
    if expires_in < Duration::from_secs(1) || expires_in > LONGEST {
        return Err(wrong());
    }
    let config = PresigningConfig::expires_in(expires_in).map_err(|err| wrong().with_source(err))?;
    let request = bucket.client.get_object().bucket(bucket.name()).key(bucket.path(key));
    let signed = request.presigned(config).await;
    let signed = signed.map_err(|err| Failure::from(err).into_error(&bucket.location, Some(key)))?;
    Ok(PresignedUrl(Secret::new(signed.uri())))
}
