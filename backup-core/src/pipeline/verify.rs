use futures::StreamExt;
use serde::Serialize;

use super::{Pipeline, keys::sealed_for, meter::Meter, rehearse::Found};
use crate::{
    Annotation, BackupRef, ByteStream, Error, ErrorKind, Event, Evidence, Inventory, Level, Manifest, Note,
    Operation, Result, Verdict,
    encrypt::NoIdentity,
    inventory::Inspector,
    manifest::{Artifact, Plain},
    verify::stored::{self, Codec},
};

/// The field of an error that lists where rows differ.
pub(super) const DIFFERENCES: &str = "differences";

/// The most tables whose rows are named.
const NAMED_DIFFERENCES: usize = 20;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The backup.
    pub backup: BackupRef,
    /// What was found; recorded in the catalog too.
    pub evidence: Evidence,
    /// What needs a look.
    pub warnings: Vec<String>,
}

impl VerifyReport {
    /// Turns a failed verification into an error, for callers that go on only with a proven backup.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) with the findings.
    pub fn ensure_passed(self) -> Result<Self> {
        if self.evidence.passed() {
            return Ok(self);
        }
        Err(Error::new(ErrorKind::Corrupt, "the backup is not as it was recorded")
            .with_operation(Operation::Verify.name())
            .with_context("backup", &self.backup)
            .with_context("findings", self.evidence.findings.join("\n")))
    }
}

impl Pipeline {
    /// Checks a backup as deep as `level` says, and records the evidence.
    ///
    /// A backup that is not as recorded is no error but evidence with the verdict
    /// [`Failed`](Verdict::Failed) and findings.
    ///
    /// # Errors
    ///
    /// Where the check could not be carried out: unproven is not failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call records nothing.
    #[tracing::instrument(skip_all, fields(%backup, %level))]
    pub async fn verify(&self, backup: &BackupRef, level: Level) -> Result<VerifyReport> {
        self.emit(&Event::Started { operation: Operation::Verify, backup });
        let result = async {
            let entry = self.entry(backup).await?;
            let evidence = self.examine(Operation::Verify, &entry.manifest, level).await?;
            let mut warnings = Vec::new();
            self.record(Operation::Verify, backup, &evidence, &mut warnings).await;
            Ok(VerifyReport { backup: backup.clone(), evidence, warnings })
        };
        let result = result.await;
        self.ended(Operation::Verify, Some(backup), result)
    }

    /// Adds evidence to the catalogs; a catalog that does not take it is a warning.
    pub(super) async fn record(
        &self,
        operation: Operation,
        backup: &BackupRef,
        evidence: &Evidence,
        warnings: &mut Vec<String>,
    ) {
        let annotation = Annotation::new(self.clock.now(), Note::Verified(evidence.clone()));
        for catalog in std::iter::once(&self.catalog).chain(&self.mirrors) {
            if let Err(err) = self.within("evidence", catalog.annotate(backup, &annotation)).await {
                self.warn(operation, warnings, format!("the evidence could not be recorded: {err}"));
            }
        }
    }

    /// Checks what a manifest promises, without asking the catalog.
    pub(super) async fn examine(
        &self,
        operation: Operation,
        manifest: &Manifest,
        level: Level,
    ) -> Result<Evidence> {
        let started = tokio::time::Instant::now();
        let at = self.clock.now();
        let backup = manifest.backup_ref();
        let meter = Meter { estimate: Some(manifest.plain.size), ..Meter::default() };
        let work = async {
            if level < Level::Decoded {
                return self.check_all(manifest, level, &meter).await.map(|()| Found::default());
            }
            let mut manifest = manifest.clone();
            self.unseal(&mut manifest).await?;
            let manifest = &manifest;
            if !level.is_rehearsed() {
                return self.check_all(manifest, level, &meter).await.map(|()| Found::default());
            }
            let found = self.rehearse(manifest, level, &meter).await?;
            self.check_companions(manifest, Level::Decoded, &meter).await?;
            Ok(found)
        };
        // Boxed, so that the futures of callers stay small.
        let Found { findings, mut rehearsed } =
            match self.watch(operation, &backup, &meter, Box::pin(work)).await {
                Ok(found) => found,
                Err(err) if is_finding(&err) => Found { findings: findings_of(&err), ..Found::default() },
                Err(err) => return Err(sealed_for(err, manifest)),
            };
        // The evidence is stored in clear.
        if let Some(inventory) = rehearsed.inventory.as_mut().filter(|_| manifest.encryption.is_some()) {
            inventory.remove_fingerprints();
        }
        Ok(Evidence {
            level,
            result: if findings.is_empty() { Verdict::Passed } else { Verdict::Failed },
            at: chrono::SubsecRound::trunc_subsecs(at, 3),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes_read: meter.stored.get(),
            findings,
            rehearsed: level.is_rehearsed().then(|| Box::new(rehearsed)),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Fails with [`ErrorKind::Corrupt`] or [`ErrorKind::Incomplete`] where something is not as recorded.
    async fn check_all(&self, manifest: &Manifest, level: Level, meter: &Meter) -> Result<()> {
        let inspector = Inspector::for_format(&manifest.engine, &manifest.format);
        let found =
            self.check_one(manifest, &manifest.artifact, &manifest.plain, inspector, level, meter).await?;
        if let (Some(expected), Some(found)) = (&manifest.inventory, found) {
            let differences = expected.differences(&found);
            if !differences.is_empty() {
                return Err(Error::new(ErrorKind::Corrupt, "the dump does not hold the recorded rows")
                    .with_context(DIFFERENCES, listed(&differences)));
            }
        }
        self.check_companions(manifest, level, meter).await
    }

    async fn check_companions(&self, manifest: &Manifest, level: Level, meter: &Meter) -> Result<()> {
        for companion in manifest.companions.values() {
            self.check_one(manifest, &companion.artifact, &companion.plain, Inspector::blind(), level, meter)
                .await?;
        }
        Ok(())
    }

    async fn check_one(
        &self,
        manifest: &Manifest,
        artifact: &Artifact,
        plain: &Plain,
        inspector: Inspector,
        level: Level,
        meter: &Meter,
    ) -> Result<Option<Inventory>> {
        match level {
            Level::Present => stored::check_present(&*self.store, artifact).await?,
            Level::Digest => {
                drain(stored::open_stored(&*self.store, artifact, meter.stored.clone()).await?).await?;
            }
            Level::Decoded | Level::Restored | Level::Equal => {
                let codec = self.codec(manifest)?;
                let (read, decoded) = (meter.stored.clone(), meter.plain.clone());
                let (body, inventory) =
                    stored::open_plain(&*self.store, artifact, plain, &codec, inspector, read, decoded)
                        .await?;
                match drain(body).await {
                    Ok(()) => {}
                    // Damage can look as if it had been sealed for somebody else.
                    Err(err) if NoIdentity::is_cause_of(&err) => {
                        drain(stored::open_stored(&*self.store, artifact, meter.stored.clone()).await?)
                            .await?;
                        return Err(err);
                    }
                    Err(err) => return Err(err),
                }
                return Ok(inventory.take().flatten());
            }
        }
        Ok(None)
    }

    /// Opens what a manifest tells its recipients alone, for whoever is going to read plain bytes; what comes of it is never
    /// written.
    pub(super) async fn unseal(&self, manifest: &mut Manifest) -> Result<()> {
        match self.codec(manifest)?.encryptor {
            Some(encryptor) => manifest.unseal(&*encryptor).await.map_err(|err| sealed_for(err, manifest)),
            None => Ok(()),
        }
    }

    /// What decodes the artifacts of a backup.
    pub(super) fn codec(&self, manifest: &Manifest) -> Result<Codec> {
        let encryptor = match (&manifest.encryption, &self.encryptor) {
            (None, _) => None,
            (Some(used), Some(own)) if own.name() == used.scheme => Some(std::sync::Arc::clone(own)),
            (Some(used), _) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the backup is encrypted, and nothing here can open it",
                )
                .with_context("scheme", &used.scheme)
                .with_context("recipients", used.recipients.join(", "))
                .with_suggestion("give the pipeline the encryptor with the key that opens it"));
            }
        };
        Ok(Codec { compressor: self.compressor_named(&manifest.compression)?, encryptor })
    }
}

/// The differences of two inventories, one a line, as many as a person reads.
pub(super) fn listed(differences: &[String]) -> String {
    let mut lines: Vec<&str> = differences.iter().take(NAMED_DIFFERENCES).map(String::as_str).collect();
    let more = format!("and {} more", differences.len().saturating_sub(NAMED_DIFFERENCES));
    if differences.len() > NAMED_DIFFERENCES {
        lines.push(&more);
    }
    lines.join("\n")
}

/// Whether an error says that the bytes are not as recorded; every other one says that we could not look.
pub(super) fn is_finding(err: &Error) -> bool {
    matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Incomplete)
}

/// What an error found, one sentence each.
pub(super) fn findings_of(err: &Error) -> Vec<String> {
    match err.context().find(|(key, _)| *key == DIFFERENCES) {
        Some((_, lines)) => std::iter::once(err.message()).chain(lines.lines()).map(str::to_owned).collect(),
        None => vec![described(err)],
    }
}

/// An error with its causes in one sentence.
pub(super) fn described(err: &Error) -> String {
    let mut text = err.to_string();
    let mut source = std::error::Error::source(err);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(super) async fn drain(mut body: ByteStream) -> Result<()> {
    while let Some(chunk) = body.next().await {
        chunk?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_that_are_not_named_are_counted() {
        for (count, last) in [(1, "table 0"), (20, "table 19"), (21, "and 1 more"), (30, "and 10 more")] {
            let differences: Vec<_> = (0..count).map(|table| format!("table {table}")).collect();
            let lines = listed(&differences);
            assert_eq!(lines.lines().last(), Some(last));
            assert_eq!(lines.lines().count(), count.min(21));
        }
    }
}
