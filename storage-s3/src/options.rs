//! [`S3Options`]: which bucket, reached how, and what its objects shall be like.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use backup_core::{LockMode, Prefix};

use crate::{part, retry::Retries};

mod object;
mod service;
pub use object::{Deletes, Encryption, LegalHold, StorageClass};
pub use service::{Addressing, Checksums, Creates, S3Credentials};

/// How [`S3Store`](crate::S3Store) reaches its bucket and stores objects there.
///
/// # Examples
///
/// ```
/// use backup_core::{Prefix, Secret};
/// use storage_s3::{Addressing, S3Credentials, S3Options};
///
/// let aws = S3Options::new("company-backups").with_prefix(Prefix::parse("databases")?).with_region("eu-central-1");
/// let minio = S3Options::new("backups")
///     .with_endpoint("http://minio.internal:9000")
///     .with_addressing(Addressing::Path)
///     .with_credentials(S3Credentials::new("backup", Secret::new("p@ss")));
/// assert!(!format!("{minio:?}").contains("p@ss"));
/// # Ok::<_, backup_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct S3Options {
    /// The bucket; it is never made.
    pub bucket: String,
    /// Below which all objects lie: `databases` in `s3://bucket/databases`; the whole bucket unless said.
    pub prefix: Prefix,
    /// The region; what environment, profile or instance say where `None`, and `us-east-1` where none does.
    pub region: Option<String>,
    /// The URL of a service other than AWS.
    pub endpoint: Option<String>,
    /// Where a request names the bucket.
    pub addressing: Addressing,
    /// The profile of `~/.aws/config`; that of `AWS_PROFILE` where `None`.
    pub profile: Option<String>,
    /// The key to sign with.
    ///
    /// Where `None`, the first found of: environment, profile (with SSO and `credential_process`), web identity
    /// token, container, instance.
    pub credentials: Option<S3Credentials>,
    /// The size of the first parts, in bytes; 8 MiB unless said, at least 5 MiB.
    pub part_bytes: u64,
    /// How many parts travel at once; 4 unless said.
    pub parallel: usize,
    /// How many parts an object may have; 10,000 unless said.
    pub max_parts: u32,
    /// How large an object may become, in bytes; 5 TiB unless said, or what `max_parts` allow.
    pub max_object_bytes: u64,
    /// Where parts wait that are too large for the memory; the system's temporary folder where `None`.
    pub spool: Option<PathBuf>,
    /// Larger objects are copied in parts of this size by a transition, in bytes; 1 GiB unless said.
    pub copy_part_bytes: u64,
    /// How a create is kept from replacing an object.
    pub creates: Creates,
    /// How the service learns that bytes changed on the way; chosen by the endpoint where `None`.
    pub checksums: Option<Checksums>,
    /// The storage class of new artifacts; the bucket's own where `None`. Manifests are always of its own.
    pub storage_class: Option<StorageClass>,
    /// With which key the service encrypts; the bucket's own where `None`.
    pub encryption: Option<Encryption>,
    /// Tags of new objects.
    pub tags: BTreeMap<String, String>,
    /// Whether the bucket has Object Lock.
    pub object_lock: bool,
    /// How new objects are locked for whom [`PutOptions::lock`](backup_core::PutOptions::lock) says nothing.
    pub default_lock: Option<(LockMode, u32)>,
    /// Whether new objects get a legal hold.
    pub legal_hold: LegalHold,
    /// What a delete removes in a bucket with versions.
    pub deletes: Deletes,
    /// How often and how patiently a request is repeated.
    pub retries: Retries,
    /// For how long the service may be silent; 60 seconds unless said.
    ///
    /// Ten seconds at most for a connection; a request with a body has in addition the time that its body takes at
    /// 64 KiB a second.
    pub stall_timeout: Duration,
}

impl S3Options {
    /// Stores in this bucket.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: Prefix::root(),
            region: None,
            endpoint: None,
            addressing: Addressing::default(),
            profile: None,
            credentials: None,
            part_bytes: part::FIRST_BYTES,
            parallel: 4,
            max_parts: part::MAX_PARTS,
            max_object_bytes: part::MAX_OBJECT_BYTES,
            spool: None,
            copy_part_bytes: part::COPY_BYTES,
            creates: Creates::default(),
            checksums: None,
            storage_class: None,
            encryption: None,
            tags: BTreeMap::new(),
            object_lock: false,
            default_lock: None,
            legal_hold: LegalHold::Off,
            deletes: Deletes::default(),
            retries: Retries::default(),
            stall_timeout: Duration::from_mins(1),
        }
    }

    /// Keeps all objects below a prefix of the bucket.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Prefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// Names the region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Speaks to a service other than AWS: `https://s3.example.com`.
    #[must_use]
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Says where a request names the bucket.
    #[must_use]
    pub fn with_addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// Takes region and credentials of a profile.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Signs with this key.
    #[must_use]
    pub fn with_credentials(mut self, credentials: S3Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Cuts the first parts this large, in bytes.
    ///
    /// A put holds this many bytes for each part that travels and for one that is being filled.
    #[must_use]
    pub fn with_part_bytes(mut self, bytes: u64) -> Self {
        self.part_bytes = bytes;
        self
    }

    /// Lets this many parts travel at once.
    #[must_use]
    pub fn with_parallel(mut self, parts: usize) -> Self {
        self.parallel = parts;
        self
    }

    /// Keeps to a service that takes fewer than 10,000 parts.
    #[must_use]
    pub fn with_max_parts(mut self, parts: u32) -> Self {
        self.max_parts = parts;
        self
    }

    /// Plans for objects of up to this many bytes.
    #[must_use]
    pub fn with_max_object_bytes(mut self, bytes: u64) -> Self {
        self.max_object_bytes = bytes;
        self
    }

    /// Lets parts that are too large for the memory wait in this folder.
    #[must_use]
    pub fn with_spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Some(folder.into());
        self
    }

    /// Lets a transition copy larger objects in parts of this size, in bytes.
    #[must_use]
    pub fn with_copy_part_bytes(mut self, bytes: u64) -> Self {
        self.copy_part_bytes = bytes;
        self
    }

    /// Says how a create is kept from replacing an object.
    #[must_use]
    pub fn with_creates(mut self, creates: Creates) -> Self {
        self.creates = creates;
        self
    }

    /// Says how the service learns that bytes changed on the way.
    #[must_use]
    pub fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = Some(checksums);
        self
    }

    /// Gives new objects, other than manifests, a storage class.
    #[must_use]
    pub fn with_storage_class(mut self, class: StorageClass) -> Self {
        self.storage_class = Some(class);
        self
    }

    /// Lets the service encrypt.
    #[must_use]
    pub fn with_encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// Tags new objects.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Declares that the bucket has Object Lock, which also means versions.
    #[must_use]
    pub fn with_object_lock(mut self) -> Self {
        self.object_lock = true;
        self
    }

    /// Locks every new object for so many days, unless its put says otherwise; declares Object Lock.
    #[must_use]
    pub fn with_default_lock(mut self, mode: LockMode, days: u32) -> Self {
        self.default_lock = Some((mode, days));
        self.with_object_lock()
    }

    /// Puts a legal hold on every new object; declares Object Lock.
    #[must_use]
    pub fn with_legal_hold(mut self) -> Self {
        self.legal_hold = LegalHold::On;
        self.with_object_lock()
    }

    /// Says what a delete removes in a bucket with versions.
    #[must_use]
    pub fn with_deletes(mut self, deletes: Deletes) -> Self {
        self.deletes = deletes;
        self
    }

    /// Says how often and how patiently a request is repeated.
    #[must_use]
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Gives up on a service that is silent for this long.
    #[must_use]
    pub fn with_stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }
}
