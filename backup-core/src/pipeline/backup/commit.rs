//! The end of a backup: read back, commit or abort.

use chrono::SubsecRound;

use super::super::{
    Pipeline,
    claim::{Claim, ClaimState},
};
use crate::{
    Error, ErrorKind, Evidence, Manifest, Operation, PutMode, Result,
    store::{CopiesFailed, StoredCopy},
};

/// What is known once the backup exists.
pub(super) struct Committed {
    pub(super) manifest_copies: Vec<StoredCopy>,
    /// Of a claim that could not be removed.
    pub(super) warning: Option<String>,
}

impl Pipeline {
    /// Checks what was stored, as deep as the pipeline demands.
    pub(super) async fn read_back(&self, manifest: &mut Manifest) -> Result<Evidence> {
        let backup = manifest.backup_ref();
        // Renews the claim's age, so that a sweep cannot take this for remains while it is read back.
        self.put_claim(&backup, self.clock.now(), ClaimState::Creating, PutMode::Overwrite).await?;
        let evidence = self.examine(Operation::Backup, manifest, self.level).await?;
        if !evidence.passed() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "what was stored does not read back as it was written",
            )
            .with_context("findings", evidence.findings.join("\n"))
            .with_suggestion("check disk and memory of store and host, then run the backup again"));
        }
        manifest.finished_at = self.clock.now().trunc_subsecs(3);
        Ok(evidence)
    }

    /// Inserts the manifest, and removes the claim.
    pub(super) async fn commit(self, mut claim: Claim, manifest: &Manifest) -> Result<Committed> {
        claim.disarm();
        let backup = manifest.backup_ref();
        let inserted = self.within("commit", async { Ok(self.catalog.insert(manifest).await) }).await;
        let given_up = inserted.is_err();
        let manifest_copies = match inserted.flatten() {
            Ok(copies) => copies,
            // The acknowledgement may have been lost: what the catalog holds decides.
            Err(err) => match self.within("commit", self.catalog.get(&backup)).await {
                // Some of several stores have it and others do not: less than was asked for is not done.
                Ok(entry) if entry.manifest == *manifest && CopiesFailed::is_cause_of(&err) => {
                    return Err(match self.within("commit", self.catalog.remove(&backup)).await {
                        Ok(()) => self.abort(claim, err).await,
                        Err(_) => unknown(err),
                    });
                }
                // What was given up may be taken back by itself, a moment after it was looked up.
                Ok(entry) if entry.manifest == *manifest && !given_up => Vec::new(),
                Err(lookup) if lookup.kind() == ErrorKind::NotFound => {
                    return Err(self.abort(claim, err).await);
                }
                Ok(_) | Err(_) => return Err(unknown(err)),
            },
        };
        // A sweep marks what it takes for remains and looks for a manifest after that: one of the two sees the other.
        let unseen = match self.within("commit", self.is_claimed(&backup)).await {
            Ok(true) => None,
            Ok(false) => {
                return Err(match self.within("commit", self.catalog.remove(&backup)).await {
                    Ok(()) => self.abort(claim, swept()).await,
                    Err(_) => unknown(swept()),
                });
            }
            Err(err) => Some(format!("no sweep can be ruled out, so verify the backup: {err}")),
        };
        let released = self.within("release", claim.release()).await;
        let warning = unseen.or_else(|| {
            released.err().map(|err| format!("the claim of the backup could not be removed: {err}"))
        });
        Ok(Committed { manifest_copies, warning })
    }

    /// Tells the mirrors of a new backup.
    pub(super) async fn mirror(&self, manifest: &Manifest, warnings: &mut Vec<String>) {
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
    pub(super) async fn abort(&self, claim: Claim, err: Error) -> Error {
        match claim.clean_up().await {
            Ok(()) => err,
            Err(left) => {
                tracing::warn!("the remains of the failed backup stay for the sweep: {left}");
                err.with_context("remains", "left for the sweep")
            }
        }
    }
}

fn swept() -> Error {
    Error::new(ErrorKind::Unexpected, "a sweep took the backup for the remains of another while it was made")
        .with_suggestion(
            "run the backup again; sweep with a grace longer than the longest backup, a suspended host included",
        )
}

fn unknown(err: Error) -> Error {
    err.with_suggestion(
        "it is unknown whether the backup was recorded; list the backups, and run a sweep later",
    )
}
