//! [`S3Store`]: what the crate is for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Entry, GetOptions, GetResult, Key, ObjectLock, ObjectMeta, Prefix, PutOptions, Result, Store,
    store::{Space, StoreCapabilities, SweepReport},
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream::BoxStream};

use crate::{
    LegalHold, PresignedUrl, S3Options,
    bucket::Bucket,
    connect, delete, list, lock, presign, put, read, sweep,
    transition::{self, Candidate, Plan, TransitionReport},
};

/// Keeps objects in a bucket of S3, or of a service that speaks its protocol.
///
/// Clones share connections and credentials. What it promises and what it does not is on the [front page](crate).
///
/// # Examples
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use backup_core::{Key, StoreExt};
/// use storage_s3::{S3Options, S3Store};
///
/// let store = S3Store::open(S3Options::new("company-backups").with_region("eu-central-1")).await?;
/// store.put_bytes(&Key::parse("production/shop/backup-20261120-020000.sql")?, "-- a dump").await?;
/// # Ok::<_, backup_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

impl S3Store {
    /// Prepares a store; no request is sent to the bucket yet.
    ///
    /// Region and credentials are looked for where the options name none, which may ask the instance that this runs
    /// on.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput) for options that can be known to be wrong.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn open(options: S3Options) -> Result<Self> {
        let client = connect::client(&options).await.map_err(|err| err.with_operation("open store"))?;
        Ok(Self { bucket: Arc::new(Bucket::new(client, options)) })
    }

    /// Takes a client that the application made, with its HTTP client, credentials, region and endpoint.
    ///
    /// Retries, time limits and checksums are those of this crate; the options' region, endpoint, addressing, profile
    /// and credentials are not used, but an endpoint there says that it is not AWS.
    #[cfg(feature = "sdk-client")]
    pub fn from_client(client: &aws_sdk_s3::Client, options: S3Options) -> Result<Self> {
        let client = connect::adopted(client, &options).map_err(|err| err.with_operation("open store"))?;
        Ok(Self { bucket: Arc::new(Bucket::new(client, options)) })
    }

    /// Sets or lifts the legal hold of an object: while it is set nobody can delete it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](backup_core::ErrorKind::Unsupported) unless Object Lock was declared;
    /// [`NotFound`](backup_core::ErrorKind::NotFound).
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have set it; call again.
    pub async fn set_legal_hold(&self, key: &Key, hold: LegalHold) -> Result<()> {
        let set = lock::set_legal_hold(&self.bucket, key, hold).await;
        set.map_err(|err| err.with_operation("set legal hold"))
    }

    /// Locks an object, or locks it for longer; returns its new lock.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput) where the lock would become shorter or weaker, which this
    /// library never does; [`Unsupported`](backup_core::ErrorKind::Unsupported) unless Object Lock was declared;
    /// [`NotFound`](backup_core::ErrorKind::NotFound).
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have locked; call again.
    pub async fn extend_lock(&self, key: &Key, lock: ObjectLock) -> Result<ObjectLock> {
        lock::extend(&self.bucket, key, lock).await.map_err(|err| err.with_operation("extend lock"))
    }

    /// Makes a URL with which anybody can read the object, for at most seven days.
    ///
    /// It ends earlier where the credentials do. The object need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](backup_core::ErrorKind::InvalidInput) for no time or more than seven days;
    /// [`Unsupported`](backup_core::ErrorKind::Unsupported) with a customer's key, which no URL can bring along.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn presigned_get(&self, key: &Key, expires_in: Duration) -> Result<PresignedUrl> {
        presign::get(&self.bucket, key, expires_in).await.map_err(|err| err.with_operation("presign"))
    }

    /// Finds the artifacts of these backups with their storage classes, to plan a transition.
    ///
    /// # Errors
    ///
    /// Those of a listing.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn transition_candidates(&self, entries: &[Entry]) -> Result<Vec<Candidate>> {
        transition::candidates(&self.bucket, entries)
            .await
            .map_err(|err| err.with_operation("plan transition"))
    }

    /// Plans which of these backups move to another storage class now; see [`transition::plan`].
    ///
    /// # Errors
    ///
    /// Those of a listing.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn plan_transition(
        &self,
        entries: &[Entry],
        rules: &transition::Rules,
        now: DateTime<Utc>,
    ) -> Result<Plan> {
        Ok(transition::plan(self.transition_candidates(entries).await?, rules, now))
    }

    /// Moves objects to the storage classes that a plan says, each by a copy onto itself that the service makes.
    ///
    /// Metadata, tags, lock and legal hold stay. An object that changed since is left alone; one that fails does not
    /// keep the others from moving. In a bucket with versions the old version stays and is paid for, unless the
    /// options delete [every version](crate::Deletes::EveryVersion).
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves every object whole, in the old class or in the new; plan and call again.
    pub async fn transition(&self, plan: &Plan) -> TransitionReport {
        transition::carry_out(&self.bucket, plan).await
    }
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        self.bucket.location.clone()
    }

    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = StoreCapabilities::default().with_durable();
        if self.bucket.is_conditional() {
            capabilities = capabilities.with_atomic_create();
        }
        if self.bucket.options.object_lock {
            capabilities = capabilities.with_object_lock();
        }
        let most = self.bucket.parts(None).capacity();
        capabilities.max_object_size = Some(most.min(self.bucket.options.max_object_bytes));
        capabilities
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        let put = put::put(Arc::clone(&self.bucket), key, body, options).await;
        put.map_err(|err| err.with_operation("put"))
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let got = read::get(Arc::clone(&self.bucket), key, &options).await;
        got.map_err(|err| err.with_operation("get"))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let head = read::head(&self.bucket, key).await;
        head.map(|head| head.meta).map_err(|err| err.with_operation("head"))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        delete::delete(&self.bucket, key).await.map_err(|err| err.with_operation("delete"))
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = list::list(Arc::clone(&self.bucket), prefix);
        listed.map(|listed| listed.map(|listed| listed.meta)).boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        sweep::sweep(&self.bucket, grace).await.map_err(|err| err.with_operation("sweep"))
    }
}
