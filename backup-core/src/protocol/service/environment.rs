use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Mutex;

use super::super::confirm::Needed;
use crate::{Pipeline, Restorer, Result, Retention, health::HealthPolicy};

/// From which size on a database of a protected environment is large, unless said.
const LARGE: u64 = 10 * 1024 * 1024 * 1024;

/// What a [`Service`](super::Service) does for one environment, and with what.
#[derive(Debug, Clone)]
pub struct Environment {
    pub(super) pipeline: Pipeline,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) retention: Option<Arc<Retention>>,
    pub(super) health: HealthPolicy,
    protection: Option<Protection>,
    confirmation_above: Option<u64>,
}

/// A database that backups can be restored into.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) restorer: Arc<dyn Restorer>,
    /// Held while something is restored into it.
    pub(super) busy: Arc<Mutex<()>>,
}

/// What it takes to confirm a change of an environment's databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// `true`.
    None,
    /// The environment's name, typed, for a restore into one of its databases; and `true` for the backup of a large
    /// one.
    ByName,
}

impl Environment {
    /// Backs up and restores by this pipeline; nothing can be restored until there is a
    /// [target](Self::with_target), and nothing is pruned on request without a [policy](Self::with_retention).
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        Self {
            pipeline,
            targets: BTreeMap::new(),
            retention: None,
            health: HealthPolicy::new(),
            protection: None,
            confirmation_above: None,
        }
    }

    /// Lets backups be restored into a database of this environment, under this name.
    #[must_use]
    pub fn with_target(mut self, name: impl Into<String>, restorer: impl Restorer) -> Self {
        let target = Target { restorer: Arc::new(restorer), busy: Arc::default() };
        self.targets.insert(name.into(), target);
        self
    }

    /// Prunes by this policy on request; unless said by that of the pipeline, if it has one.
    ///
    /// # Errors
    ///
    /// As [`Retention::check`].
    pub fn with_retention(mut self, policy: Retention) -> Result<Self> {
        policy.check()?;
        self.retention = Some(Arc::new(policy));
        Ok(self)
    }

    /// Says what the backups should be like; of a policy's series those of this environment count. What a report says of
    /// the store itself, its space and what lies in it beside backups, concerns all who share it.
    #[must_use]
    pub fn with_health(mut self, policy: HealthPolicy) -> Self {
        self.health = policy;
        self
    }

    /// Says what it takes to confirm a change; [`ByName`](Protection::ByName) for environments called `production` or
    /// `prod`, unless said.
    #[must_use]
    pub fn with_protection(mut self, protection: Protection) -> Self {
        self.protection = Some(protection);
        self
    }

    /// Asks for a confirmation before a database is backed up whose size is more than so many bytes, or not known; of
    /// protected environments 10 GiB unless said, of others none.
    #[must_use]
    pub fn with_confirmation_above(mut self, bytes: u64) -> Self {
        self.confirmation_above = Some(bytes);
        self
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.pipeline = self.pipeline.with_environment(name);
        let by_name = matches!(name.to_ascii_lowercase().as_str(), "production" | "prod");
        self.protection.get_or_insert(if by_name { Protection::ByName } else { Protection::None });
        self
    }

    pub(super) fn is_protected(&self) -> bool {
        self.protection == Some(Protection::ByName)
    }

    /// From which size of the database on a backup of it is confirmed.
    pub(super) fn large(&self) -> Option<u64> {
        self.confirmation_above.or_else(|| self.is_protected().then_some(LARGE))
    }

    /// What confirms a restore into one of its databases.
    pub(super) fn needed<'a>(&self, name: &'a str) -> Needed<'a> {
        if self.is_protected() { Needed::Name(name) } else { Needed::Word(name) }
    }

    /// The policy by which it is pruned on request.
    pub(super) fn policy(&self) -> Option<&Retention> {
        self.retention.as_deref().or_else(|| self.pipeline.retention())
    }
}
