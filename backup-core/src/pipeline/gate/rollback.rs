//! [`Rollback`]: the way back from a migration.

use crate::{
    BackupRef, Pipeline, Restorer, Result,
    pipeline::{Confirmation, RestorePlan, RestoreReport, RestoreRequest},
};

/// A way back to what a database held before a migration; it does nothing until it is carried out by word.
///
/// The database is replaced whole: what the migration made is gone afterwards, also tables that the backup has not. What
/// it held is backed up first, as `pre-rollback`, so that nothing is lost that was written meanwhile. The tool's own table
/// of migrations comes back with the rest: what was undone is pending again.
#[derive(Debug, Clone)]
pub struct Rollback {
    pipeline: Pipeline,
    backup: BackupRef,
}

impl Rollback {
    /// A way back to a backup of this pipeline.
    #[must_use]
    pub fn new(pipeline: &Pipeline, backup: BackupRef) -> Self {
        Self { pipeline: pipeline.clone(), backup }
    }

    /// The backup that it leads to.
    #[must_use]
    pub fn backup(&self) -> &BackupRef {
        &self.backup
    }

    /// Says what it would do, and everything that would stop it, changing nothing.
    ///
    /// # Errors
    ///
    /// As [`Pipeline::plan_restore`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn plan(&self, restorer: &dyn Restorer) -> Result<RestorePlan> {
        self.pipeline.plan_restore(&self.backup, restorer, &request()).await
    }

    /// Replaces the database by the backup.
    ///
    /// # Errors
    ///
    /// [`NotConfirmed`](crate::ErrorKind::NotConfirmed) unless confirmed, and as [`Pipeline::restore`].
    ///
    /// # Cancel safety
    ///
    /// As [`Pipeline::restore`].
    pub async fn carry_out(
        &self,
        restorer: &dyn Restorer,
        confirmation: Confirmation,
    ) -> Result<RestoreReport> {
        let mut request = request();
        request.confirmation = confirmation;
        self.pipeline.restore(&self.backup, restorer, request).await
    }
}

fn request() -> RestoreRequest {
    RestoreRequest::new().replacing().over_its_source()
}
