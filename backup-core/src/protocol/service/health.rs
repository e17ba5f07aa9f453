use chrono::{DateTime, Utc};

use super::{Answer, Asked};
use crate::{
    Result,
    health::{self, CheckStatus},
};

impl Asked<'_> {
    pub(super) async fn health(&self, now: DateTime<Utc>) -> Result<Answer> {
        let mut facts = self.environment.pipeline.health_facts().await?;
        // Others that share the store are others' business.
        facts.entries.retain(|entry| entry.manifest.environment == self.name);
        let mut policy = self.environment.health.clone();
        policy.series.retain(|series| series.environment == self.name);
        policy.retention = policy.retention.or_else(|| self.environment.policy().cloned());
        let report = health::check(&facts, &policy, now);
        let troubles = report.checks.iter().filter(|check| check.status >= CheckStatus::Unknown);
        let warnings = troubles.map(|check| format!("{}: {}", check.name, check.message)).collect();
        Ok(Answer::done(report.summary(), report).with_warnings(warnings))
    }
}
