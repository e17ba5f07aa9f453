use super::{
    super::{Confirm, RestoreBackup, RestorePlanned, Restored, confirm::Needed},
    Answer, Asked, Service,
    environment::Target,
    not_there,
};
use crate::{
    Error, ErrorKind, Manifest, Result, Selection,
    pipeline::{RestorePlan, RestoreRequest},
};

impl Service {
    pub(super) async fn restore(&self, asked: &Asked<'_>, request: RestoreBackup) -> Result<Answer> {
        let owner = request.target_environment.as_deref().unwrap_or(asked.name);
        let Some(environment) = self.environments.get(owner) else {
            return Err(self.unknown("target_environment"));
        };
        let Some(target) = environment.targets.get(&request.target) else {
            return Err(not_there("no such target", "target", environment.targets.keys())
                .with_context("environment", owner));
        };
        let wanted = wanted(&request)?;
        let manifest = asked.find(&request.backup).await?.manifest;
        let (backup, pipeline) = (manifest.backup_ref(), &asked.environment.pipeline);
        if request.dry_run {
            return Ok(planned(&pipeline.plan_restore(&backup, &*target.restorer, &wanted).await?));
        }
        let needed = match environment.needed(owner) {
            Needed::Word(_) if asked.environment.is_protected() && is_source(target, &manifest).await? => {
                Needed::Name(asked.name)
            }
            needed => needed,
        };
        let change = format!("the restore would change the target {}", request.target);
        Confirm::check(request.confirm.as_ref(), needed, &change)
            .map_err(|err| err.with_suggestion("\"dry_run\": true says what would be done"))?;
        let Ok(_alone) = target.busy.try_lock() else {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "something else is being restored into the target",
            )
            .with_context("target", &request.target));
        };
        let report = pipeline.restore(&backup, &*target.restorer, wanted.confirmed()).await?;
        let message = format!("{backup} is restored into {}", request.target);
        Ok(Answer::done(message, Restored::from(&report)).with_warnings(report.warnings))
    }
}

fn planned(plan: &RestorePlan) -> Answer {
    let outcome = RestorePlanned::from(plan);
    let Some(first) = plan.blockers.first() else {
        return Answer::done("nothing was changed, and nothing would stop the restore", outcome);
    };
    // The first one decides, and the plan names all.
    let err = Error::new(first.kind(), first.message());
    let err = first.context().fold(err, |err, (key, value)| err.with_context(key, value));
    Answer::failed(first.suggestions().into_iter().fold(err, Error::with_suggestion), outcome)
}

fn wanted(request: &RestoreBackup) -> Result<RestoreRequest> {
    let mut wanted = RestoreRequest::new();
    wanted.selection = match (request.definitions_only, request.tables.is_empty()) {
        (false, true) => Selection::All,
        (false, false) => Selection::Tables(request.tables.clone()),
        (true, true) => Selection::Definitions,
        (true, false) => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "chosen tables cannot be restored without their rows",
            )
            .with_context("field", "definitions_only")
            .with_suggestion("send tables or definitions_only"));
        }
    };
    wanted.on_existing = request.on_existing;
    wanted.safety_backup = request.safety_backup;
    wanted.source_as_target = request.source_as_target;
    Ok(wanted)
}

/// Whether the target is the very database that the backup came from.
async fn is_source(target: &Target, manifest: &Manifest) -> Result<bool> {
    let target = target.restorer.probe().await?;
    Ok(target.database == manifest.source.database && target.location == manifest.source.location)
}
