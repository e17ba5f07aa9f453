//! What the service is like.

use backup_core::Secret;

/// Where a request names the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addressing {
    /// In the host's name: `https://bucket.s3.example.com/key`. AWS wants it so.
    #[default]
    VirtualHost,
    /// In the path: `https://s3.example.com/bucket/key`. Most services in one's own house want it so.
    Path,
}

/// A key to sign requests with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Credentials {
    /// Its public half; `Debug` does not show it either.
    pub access_key_id: Secret,
    /// Its secret half.
    pub secret_access_key: Secret,
    /// What belongs to a key that is valid for some hours.
    pub session_token: Option<Secret>,
}

impl S3Credentials {
    /// A key that is valid until it is withdrawn.
    pub fn new(access_key_id: impl Into<Secret>, secret_access_key: impl Into<Secret>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
        }
    }

    /// Adds the token of a key that is valid for some hours.
    ///
    /// The store cannot renew it: a store that lives longer takes its credentials from a profile or the environment.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<Secret>) -> Self {
        self.session_token = Some(token.into());
        self
    }
}

/// How a create is kept from replacing an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Creates {
    /// By the service (`If-None-Match: *`): one of any number of racing creates wins, and no right to read is needed.
    /// AWS, MinIO, Ceph and R2 know it; a service that ignores it replaces objects, so look first.
    #[default]
    Conditional,
    /// By asking before: for services that do not know the condition. Two creates that race may both succeed, and
    /// the later one replaces the other; the store does not declare `atomic_create`.
    Asked,
}

/// How the service learns that bytes changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksums {
    /// SHA-256 of every part, kept by the service with the object; the default for AWS.
    Sha256,
    /// The hash in the signature of each request, which every service checks, and `Content-MD5` where a lock demands
    /// a checksum; the default for other endpoints, of which many refuse newer ones.
    Signature,
}
