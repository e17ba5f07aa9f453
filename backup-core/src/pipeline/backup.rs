use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::{
    Pipeline,
    claim::{Claim, ClaimState, host_name},
    meter::Meter,
};
use crate::{
    BackupRef, Companion, Dump, Dumper, DumperInfo, Error, ErrorKind, Event, Evidence, Inventory, Kind,
    Manifest, Operation, PutMode, PutOptions, Result, SourceInfo, Stages,
    digest::{Algorithm, ByteCount, DigestTap},
    inventory::Inspector,
    manifest::{Artifact, CompanionObject, Encryption, Layout, Plain},
};

/// The longest text that a manifest takes, in bytes.
const MAX_TEXT: usize = 4096;

/// What to back up as: all optional.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackupRequest {
    /// Why, as far as retention treats it differently.
    pub kind: Kind,
    /// A word that becomes part of the id: letters, digits, `-` and `_`, at most 60.
    pub label: Option<String>,
    /// A sentence for people.
    pub reason: Option<String>,
    /// Free key-value pairs.
    pub tags: BTreeMap<String, String>,
    /// When retention may forget it, whatever the policy says.
    pub expires_at: Option<DateTime<Utc>>,
    /// The commit of the application.
    pub git_commit: Option<String>,
    /// What a store without enough space means.
    pub space_check: SpaceCheck,
}

/// What happens when the store's free space is less than the estimate: the database's size + 20 %, and 30 %
/// of that when compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpaceCheck {
    /// The backup is refused before it starts ([`ErrorKind::StorageFull`]).
    #[default]
    Refuse,
    /// It is a warning.
    Warn,
}

impl BackupRequest {
    /// A manual backup without label.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says why, as far as retention treats it differently.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a word to the id.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a sentence for people.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a key-value pair.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Says when retention may forget it.
    #[must_use]
    pub fn with_expires_at(mut self, at: DateTime<Utc>) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Says the commit of the application.
    #[must_use]
    pub fn with_git_commit(mut self, commit: impl Into<String>) -> Self {
        self.git_commit = Some(commit.into());
        self
    }

    /// Says what a store without enough space means.
    #[must_use]
    pub fn with_space_check(mut self, check: SpaceCheck) -> Self {
        self.space_check = check;
        self
    }

    fn validate(&self, environment: &str) -> Result<()> {
        let too_long = |what: &'static str, text: &str| {
            if text.len() <= MAX_TEXT {
                return Ok(());
            }
            Err(Error::new(ErrorKind::InvalidInput, "a text of the request is too long")
                .with_context("field", what)
                .with_context("limit_bytes", MAX_TEXT))
        };
        if environment.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the environment has no name"));
        }
        too_long("reason", self.reason.as_deref().unwrap_or_default())?;
        self.tags
            .iter()
            .try_for_each(|(key, value)| too_long("tag", key).and_then(|()| too_long("tag", value)))
    }
}

/// A backup that exists.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// Its full name.
    pub backup: BackupRef,
    /// Everything known of it.
    pub manifest: Manifest,
    /// What the read-back found.
    pub evidence: Evidence,
    /// What needs a look; also in the manifest as far as it was known by then.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Pipeline {
    /// Makes a backup: probe, dump, compress, store, read back, commit.
    ///
    /// # Errors
    ///
    /// Any failure leaves no backup; what was stored by then is removed.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the tool, leaves no backup, and removes what was stored, on a task of
    /// its own. Once the manifest is being written, the commit goes on by itself.
    pub async fn backup(&self, request: BackupRequest) -> Result<BackupReport> {
        let Some(dumper) = &self.dumper else {
            let err = Error::new(ErrorKind::InvalidInput, "the pipeline has no database to back up")
                .with_suggestion("make it by Pipeline::new, with a dumper");
            return self.ended(Operation::Backup, None, Err(err));
        };
        self.backup_from(dumper, request).await
    }

    /// [`backup`](Self::backup) of another database than the pipeline's own.
    ///
    /// # Errors
    ///
    /// As [`backup`](Self::backup).
    ///
    /// # Cancel safety
    ///
    /// As [`backup`](Self::backup).
    #[tracing::instrument(skip_all, fields(environment = %self.environment, kind = %request.kind))]
    pub async fn backup_from(
        &self,
        dumper: &Arc<dyn Dumper>,
        request: BackupRequest,
    ) -> Result<BackupReport> {
        let mut backup = None;
        let result = self.run_backup(dumper, request, &mut backup).await;
        self.ended(Operation::Backup, backup.as_ref(), result)
    }

    async fn run_backup(
        &self,
        dumper: &Arc<dyn Dumper>,
        request: BackupRequest,
        name: &mut Option<BackupRef>,
    ) -> Result<BackupReport> {
        let started = tokio::time::Instant::now();
        request.validate(&self.environment)?;
        let mut warnings = Vec::new();
        let source = self.within("probe", dumper.probe()).await?;
        let estimate = self.check_space(&source, request.space_check, &mut warnings).await?;

        let info = dumper.info();
        let created_at = self.clock.now().trunc_subsecs(3);
        let extensions = self.extensions(&info.extension);
        let mut claim =
            self.claim(&source.database, created_at, request.label.as_deref(), &extensions).await?;
        let backup = claim.backup().clone();
        *name = Some(backup.clone());
        tracing::info!(%backup, "started");
        self.emit(&Event::Started { operation: Operation::Backup, backup: &backup });

        let meter = Meter { estimate: source.size_bytes, ..Meter::default() };
        let stored = self.store_dump(dumper, &info, &mut claim, &meter, estimate);
        let (mut manifest, mut warned) = match self.watch(Operation::Backup, &backup, &meter, stored).await {
            Ok(stored) => stored,
            Err(err) => return Err(self.abort(claim, err).await),
        };
        warnings.append(&mut warned);
        manifest.created_at = created_at;
        manifest.kind = request.kind;
        manifest.label = request.label;
        manifest.reason = request.reason;
        manifest.tags = request.tags;
        manifest.expires_at = request.expires_at;
        manifest.git_commit = request.git_commit;
        manifest.host = host_name();
        manifest.warnings.clone_from(&warnings);

        let evidence = match self.read_back(&mut manifest).await {
            Ok(evidence) => evidence,
            Err(err) => return Err(self.abort(claim, err).await),
        };
        // On a task of its own: a caller that goes away now must not leave us between "is" and "is not".
        let pipeline = self.clone();
        let committed = manifest.clone();
        let commit = tokio::spawn(async move { pipeline.commit(claim, &committed).await });
        let commit = commit.await.map_err(|err| {
            Error::new(
                ErrorKind::Unexpected,
                "the commit was cut off; list the backups to see whether it took",
            )
            .with_source(err)
        })?;
        if let Some(warning) = commit? {
            self.warn(Operation::Backup, &mut warnings, warning);
        }
        self.emit(&Event::Committed { backup: &backup });
        self.mirror(&manifest, &mut warnings).await;
        self.record(Operation::Backup, &backup, &evidence, &mut warnings).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(BackupReport { backup, manifest, evidence, warnings, duration_ms })
    }

    /// The estimated stored bytes, checked against the store's free space.
    async fn check_space(
        &self,
        source: &SourceInfo,
        check: SpaceCheck,
        warnings: &mut Vec<String>,
    ) -> Result<Option<u64>> {
        let Some(size) = source.size_bytes else { return Ok(None) };
        let plain = size.saturating_add(size / 5);
        let needed = if self.compressor.extension().is_empty() { plain } else { plain / 10 * 3 };
        let Some(space) = self.within("space", self.store.space()).await? else { return Ok(Some(needed)) };
        if space.free_bytes >= needed {
            return Ok(Some(needed));
        }
        let err = Error::new(
            ErrorKind::StorageFull,
            "the store has less free space than the backup is estimated to take",
        )
        .with_context("store", self.store.location())
        .with_context("free_bytes", space.free_bytes)
        .with_context("estimated_bytes", needed)
        .with_suggestion("free space on the store, or skip the check if the estimate is too high");
        match check {
            SpaceCheck::Refuse => Err(err),
            SpaceCheck::Warn => {
                self.warn(Operation::Backup, warnings, err.to_string());
                Ok(Some(needed))
            }
        }
    }

    fn extensions<'a>(&'a self, format: &'a str) -> [&'a str; 3] {
        [
            format,
            self.compressor.extension(),
            self.encryptor.as_ref().map_or("", |encryptor| encryptor.extension()),
        ]
    }

    /// Streams dump and companions into the store; the warnings are those to keep.
    async fn store_dump(
        &self,
        dumper: &Arc<dyn Dumper>,
        info: &DumperInfo,
        claim: &mut Claim,
        meter: &Meter,
        estimate: Option<u64>,
    ) -> Result<(Manifest, Vec<String>)> {
        let Dump { source, body, inventory, companions } = dumper.dump().await?;
        let backup = claim.backup().clone();
        if source.database != backup.database {
            return Err(Error::new(ErrorKind::Unexpected, "the dump is of another database than the probe")
                .with_context("probed", &backup.database)
                .with_context("dumped", &source.database));
        }
        let inspector = Inspector::for_format(&info.engine, &info.format);
        let seen = inspector.inventory.clone();
        let key = Layout::of(&backup).artifact(&self.extensions(&info.extension))?;
        claim.will_put(key.clone());
        let (artifact, plain) = self.store_one(key, body, inspector, meter, estimate).await?;
        let mut warnings = Vec::new();
        let inventory = self.agreed(inventory, seen.take().flatten(), &mut warnings)?;

        let mut manifest = Manifest::new(backup, self.clock.now(), source, artifact, plain);
        manifest.engine.clone_from(&info.engine);
        manifest.format.clone_from(&info.format);
        self.compressor.name().clone_into(&mut manifest.compression);
        manifest.encryption = self
            .encryptor
            .as_ref()
            .map(|encryptor| Encryption::new(encryptor.name(), encryptor.recipients()));
        manifest.inventory = inventory;
        for companion in companions {
            let (name, object) = self.store_companion(companion, claim, meter).await?;
            manifest.companions.insert(name, object);
        }
        Ok((manifest, warnings))
    }

    /// One inventory out of what the tool said beforehand and what was seen in the stream.
    fn agreed(
        &self,
        said: Option<Inventory>,
        seen: Option<Inventory>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Inventory>> {
        if let (Some(said), Some(seen)) = (&said, &seen) {
            let differences = said.differences(seen);
            if !differences.is_empty() {
                return Err(Error::new(
                    ErrorKind::Incomplete,
                    "the dump does not hold the rows that the tool counted",
                )
                .with_context("differences", differences.join("; ")));
            }
        }
        let inventory = said.or(seen);
        if inventory.as_ref().is_some_and(|inventory| inventory.tables.is_empty()) {
            self.warn(Operation::Backup, warnings, "the dump holds no tables".to_owned());
        }
        Ok(inventory)
    }

    async fn store_companion(
        &self,
        companion: Companion,
        claim: &mut Claim,
        meter: &Meter,
    ) -> Result<(String, CompanionObject)> {
        let [format, compression, encryption] = self.extensions(&companion.extension);
        let extensions = [companion.name.as_str(), format, compression, encryption];
        let key = Layout::of(claim.backup()).artifact(&extensions)?;
        claim.will_put(key.clone());
        let (artifact, plain) = self.store_one(key, companion.body, Inspector::blind(), meter, None).await?;
        Ok((companion.name, CompanionObject::new(artifact, plain)))
    }

    /// One stream into one object: inspect → digest → compress → encrypt → digest → put.
    async fn store_one(
        &self,
        key: crate::Key,
        body: crate::ByteStream,
        inspector: Inspector,
        meter: &Meter,
        estimate: Option<u64>,
    ) -> Result<(Artifact, Plain)> {
        let (plain_size, stored_size) = (ByteCount::default(), ByteCount::default());
        let (plain_tap, plain_digest) = DigestTap::new(Algorithm::for_plain())?;
        let (stored_tap, stored_digest) = DigestTap::new(Algorithm::Sha256)?;
        let mut stages = Stages::new()
            .tap(meter.plain.clone())
            .tap(plain_size.clone())
            .boxed_tap(inspector.tap)
            .tap(plain_tap)
            .transform(self.compressor.encoder()?);
        if let Some(encryptor) = &self.encryptor {
            stages = stages.transform(encryptor.seal()?);
        }
        let stages = stages.tap(stored_tap).tap(stored_size.clone()).tap(meter.stored.clone());
        let options =
            estimate.map_or_else(PutOptions::default, |bytes| PutOptions::default().with_size_hint(bytes));
        let meta = self.store.put(&key, stages.run(body), options).await?;
        let (Some(plain_digest), Some(stored_digest)) = (plain_digest.take(), stored_digest.take()) else {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "the store reported success before the dump had ended",
            ));
        };
        if plain_size.get() == 0 {
            return Err(Error::new(ErrorKind::Incomplete, "the dump is empty"));
        }
        if meta.size != stored_size.get() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the store holds another number of bytes than were sent",
            )
            .with_context("sent_bytes", stored_size.get())
            .with_context("stored_bytes", meta.size));
        }
        Ok((Artifact::new(key, meta.size, stored_digest), Plain::new(plain_size.get(), plain_digest)))
    }

    /// Checks what was stored, as deep as the pipeline demands.
    async fn read_back(&self, manifest: &mut Manifest) -> Result<Evidence> {
        let backup = manifest.backup_ref();
        // Renews the claim's age, so that a sweep cannot take this for remains while it is read back.
        self.put_claim(&backup, self.clock.now(), ClaimState::Creating, PutMode::Overwrite).await?;
        let evidence = self.examine(Operation::Backup, manifest, self.level).await?;
        if !evidence.passed() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "what was stored does not read back as it was written",
            )
            .with_context("findings", evidence.findings.join("; "))
            .with_suggestion("check disk and memory of store and host, then run the backup again"));
        }
        manifest.finished_at = self.clock.now().trunc_subsecs(3);
        Ok(evidence)
    }

    /// Inserts the manifest; the warning is of a claim that could not be removed.
    async fn commit(self, mut claim: Claim, manifest: &Manifest) -> Result<Option<String>> {
        claim.disarm();
        let backup = manifest.backup_ref();
        if let Err(err) = self.within("commit", self.catalog.insert(manifest)).await {
            // The acknowledgement may have been lost: what the catalog holds decides.
            match self.catalog.get(&backup).await {
                Ok(entry) if entry.manifest == *manifest => {}
                Err(lookup) if lookup.kind() == ErrorKind::NotFound => {
                    return Err(self.abort(claim, err).await);
                }
                Ok(_) | Err(_) => {
                    return Err(err.with_suggestion(
                        "it is unknown whether the backup was recorded; list the backups, and run a sweep later",
                    ));
                }
            }
        }
        Ok(claim
            .release()
            .await
            .err()
            .map(|err| format!("the claim of the backup could not be removed: {err}")))
    }

    /// Tells the mirrors of a new backup.
    async fn mirror(&self, manifest: &Manifest, warnings: &mut Vec<String>) {
        for mirror in &self.mirrors {
            if let Err(err) = self.within("mirror", mirror.insert(manifest)).await {
                self.warn(
                    Operation::Backup,
                    warnings,
                    format!("a mirror of the catalog did not take the backup: {err}"),
                );
            }
        }
    }

    /// Removes what a failed backup stored; the error says where that failed too.
    async fn abort(&self, claim: Claim, err: Error) -> Error {
        match claim.clean_up().await {
            Ok(()) => err,
            Err(left) => {
                tracing::warn!("the remains of the failed backup stay for the sweep: {left}");
                err.with_context("remains", "left for the sweep")
            }
        }
    }
}
