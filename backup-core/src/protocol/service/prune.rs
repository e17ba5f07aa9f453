use super::{
    super::{Confirm, PruneBackups, PrunePlanned, Pruned, confirm::Needed},
    Answer, Asked,
};
use crate::{
    Error, ErrorKind, Result,
    pipeline::{Confirmation, PruneInterrupted},
};

impl Asked<'_> {
    pub(super) async fn prune(&self, request: &PruneBackups) -> Result<Answer> {
        let Some(policy) = self.environment.policy() else {
            return Err(Error::new(ErrorKind::InvalidInput, "the environment has no retention policy")
                .with_context("environment", self.name)
                .with_suggestion("configure one where the service runs; nothing is deleted without"));
        };
        let pipeline = &self.environment.pipeline;
        let plan = pipeline.plan_prune(policy, &self.filter(request.database.as_ref())).await?;
        let planned = PrunePlanned::from(&plan);
        if request.plan.as_ref().is_some_and(|agreed| *agreed != planned.plan) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the plan is no longer the one that was agreed to",
            )
            .with_context("field", "plan")
            .with_suggestion("send \"dry_run\": true again, and look at the new plan"));
        }
        let all = planned.deletions + planned.kept;
        let change = format!("{} of {all} backups would be deleted", planned.deletions);
        if request.dry_run {
            let message = format!("{change}; nothing was");
            return Ok(match plan.check_share() {
                Ok(()) => Answer::done(message, planned),
                Err(err) => Answer::failed(err, planned),
            });
        }
        Confirm::check(request.confirm.as_ref(), Needed::Word(self.name), &change)
            .map_err(|err| err.with_suggestion("\"dry_run\": true names them"))?;
        match pipeline.prune(&plan, Confirmation::Confirmed).await {
            Ok(report) => {
                let message = format!("{} of {all} backups are deleted", report.deleted.len());
                Ok(Answer::done(message, Pruned::from(&report)).with_warnings(report.warnings))
            }
            Err(err) => match PruneInterrupted::report(&err) {
                Some(report) => {
                    let (outcome, warnings) = (Pruned::from(report), report.warnings.clone());
                    Ok(Answer::failed(err, outcome).with_warnings(warnings))
                }
                None => Err(err),
            },
        }
    }
}
