//! To make, list, verify and delete backups.

use super::{
    super::{
        BackupList, Confirm, CreateBackup, Created, DeleteBackup, Deleted, ListBackups, Verified,
        VerifyBackup, confirm::Needed,
    },
    Answer, Asked,
};
use crate::{
    Error, ErrorKind, Level, Result,
    pipeline::{BackupRequest, Confirmation},
};

/// How many backups are listed unless the request says how many.
const LISTED: u32 = 100;
/// How many it may ask for.
const MAX_LISTED: u32 = 1000;

impl Asked<'_> {
    pub(super) async fn create(&self, request: CreateBackup) -> Result<Answer> {
        self.check_size(request.confirm.as_ref()).await?;
        let mut wanted = BackupRequest::new().with_kind(request.kind).with_space_check(request.space_check);
        wanted.label = request.label;
        wanted.reason = request.reason;
        wanted.tags = request.tags;
        wanted.expires_at = request.expires_at;
        wanted.git_commit = request.git_commit;
        let report = self.environment.pipeline.backup(wanted).await?;
        let message = format!("{} exists, proven to the level {}", report.backup, report.evidence.level);
        Ok(Answer::done(message, Created::from(&report)).with_warnings(report.warnings))
    }

    /// Refuses the backup of a large database that nobody confirmed.
    async fn check_size(&self, confirm: Option<&Confirm>) -> Result<()> {
        let Some(limit) = self.environment.large() else { return Ok(()) };
        let needed = Needed::Word(self.name);
        if Confirm::check(confirm, needed, "").is_ok() {
            return Ok(());
        }
        let size = self.environment.pipeline.probe().await?.size_bytes;
        if size.is_some_and(|size| size <= limit) {
            return Ok(());
        }
        let change = match size {
            Some(size) => format!("the database is large, with about {size} bytes"),
            None => "the database may be large: its size could not be told".to_owned(),
        };
        Confirm::check(confirm, needed, &change).map_err(|err| {
            let err = err.with_context("confirmation_above_bytes", limit);
            size.into_iter().fold(err, |err, size| err.with_context("estimated_bytes", size))
        })
    }

    pub(super) async fn list(&self, request: &ListBackups) -> Result<Answer> {
        let limit = request.limit.unwrap_or(LISTED);
        if !(1..=MAX_LISTED).contains(&limit) {
            return Err(Error::new(ErrorKind::InvalidInput, "no number of backups to list")
                .with_context("field", "limit")
                .with_suggestion(format!("choose one from 1 to {MAX_LISTED}")));
        }
        let mut filter = self.filter(request.database.as_ref());
        filter.kind = request.kind;
        let listing = self.environment.pipeline.list(&filter).await?;
        let list = BackupList::new(&listing, limit as usize);
        let failed = list.backups.iter().filter(|backup| backup.standing == "failed");
        let mut warnings: Vec<String> =
            failed.map(|backup| format!("the last check of {} failed", backup.backup)).collect();
        warnings.extend(list.damaged.iter().map(|problem| problem.error.clone()));
        let message = match (list.backups.len() as u64, list.total) {
            (_, 0) => "there is no such backup".to_owned(),
            (shown, total) if shown < total => format!("the newest {shown} of {total} backups"),
            (_, 1) => "1 backup".to_owned(),
            (_, total) => format!("{total} backups"),
        };
        Ok(Answer::done(message, list).with_warnings(warnings))
    }

    pub(super) async fn verify(&self, request: &VerifyBackup) -> Result<Answer> {
        let backup = self.find(&request.backup).await?.manifest.backup_ref();
        let level = request.level.unwrap_or(Level::Decoded);
        let report = self.environment.pipeline.verify(&backup, level).await?;
        let (outcome, warnings) = (Verified::from(&report), report.warnings.clone());
        match report.ensure_passed() {
            Ok(_) => {
                let message = format!("{backup} is proven to the level {level}");
                Ok(Answer::done(message, outcome).with_warnings(warnings))
            }
            Err(err) => Ok(Answer::failed(err, outcome).with_warnings(warnings)),
        }
    }

    pub(super) async fn delete(&self, request: &DeleteBackup) -> Result<Answer> {
        let manifest = self.find(&request.backup).await?.manifest;
        let backup = manifest.backup_ref();
        Confirm::check(request.confirm.as_ref(), Needed::Word(self.name), "the backup would be deleted")
            .map_err(|err| err.with_context("backup", &backup))?;
        self.environment.pipeline.delete(&backup, Confirmation::Confirmed).await?;
        let message = format!("{backup} is deleted");
        Ok(Answer::done(message, Deleted::new(backup.to_string(), manifest.stored_bytes())))
    }
}
