//! [`Parts`]: what the application makes of settings, and pipelines from it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{Config, Database, Environment, Options, StoreSettings};
#[cfg(any(feature = "webhook", feature = "mail"))]
use crate::notify::Alerter;
use crate::{
    Dumper, Error, ErrorKind, Pipeline, Rehearsal, Restorer, Result, Store, compress,
    scheduler::Job,
    store::{CopyTo, FanOut},
};

/// Makes handlers and stores of settings, for the application, which alone knows which it has.
///
/// # Contract
///
/// - Each key of [`Database`] and [`StoreSettings`] is honoured or refused, never ignored.
/// - Options that are known are taken out of `options`, whose place in the settings is empty; what is left is refused
///   afterwards, with its place.
#[async_trait]
pub trait Parts: Send + Sync {
    /// Makes what dumps this database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is left of a dropped call.
    async fn dumper(&self, source: &Database, options: &mut Options) -> Result<Arc<dyn Dumper>>;

    /// Makes what restores into this database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is left of a dropped call.
    async fn restorer(&self, target: &Database, options: &mut Options) -> Result<Arc<dyn Restorer>>;

    /// Makes what rehearses backups of an engine on a private server.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is left of a dropped call.
    async fn rehearser(&self, engine: &str) -> Result<Arc<dyn Restorer>>;

    /// Opens a store.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may leave an empty store.
    async fn store(&self, store: &StoreSettings, options: &mut Options) -> Result<Arc<dyn Store>>;
}

impl Config {
    /// The pipelines of all environments, by name.
    ///
    /// # Errors
    ///
    /// As [`Environment::pipeline`], of the first that fails.
    ///
    /// # Cancel safety
    ///
    /// As [`Environment::pipeline`].
    pub async fn pipelines(&self, parts: &dyn Parts) -> Result<BTreeMap<String, Pipeline>> {
        let mut pipelines = BTreeMap::new();
        for (name, environment) in &self.environments {
            pipelines.insert(name.clone(), environment.pipeline(parts).await?);
        }
        Ok(pipelines)
    }
}

impl Environment {
    /// The pipeline, with source, stores, compression, encryption, level, retention and rehearsal as the settings say.
    ///
    /// Schedules, health, notifiers and targets are no part of a pipeline: see [`jobs`](Self::jobs),
    /// [`Pipeline::health`], [`alerter`](Self::alerter) and [`restorer`](Self::restorer).
    ///
    /// # Errors
    ///
    /// Those of [`Parts`] and of secrets, with their place in the file.
    ///
    /// # Cancel safety
    ///
    /// As [`Parts`].
    pub async fn pipeline(&self, parts: &dyn Parts) -> Result<Pipeline> {
        let mut options = self.source.options.clone();
        let dumper = parts.dumper(&self.source, &mut options).await;
        let dumper = options.close(dumper, &self.source.place)?;
        let mut stores = Vec::with_capacity(self.stores.len());
        for settings in &self.stores {
            let mut options = settings.options.clone();
            let store = parts.store(settings, &mut options).await;
            let copy = CopyTo::new(options.close(store, &settings.place)?);
            stores.push(settings.stall_timeout.into_iter().fold(copy, CopyTo::with_stall_timeout));
        }
        let mut pipeline = if let [only] = stores.as_slice() {
            Pipeline::new(dumper, Arc::clone(only.store()))
        } else {
            let fan_out = FanOut::new(self.copies, stores).map_err(|err| self.place.locate(err))?;
            Pipeline::new(dumper, fan_out.clone()).with_copies(&fan_out)
        };
        pipeline = pipeline.with_environment(&self.name);
        if let Some(compression) = &self.compression {
            pipeline = pipeline.with_compressor(compress::parse(compression)?);
        }
        #[cfg(feature = "age")]
        if let Some(encryption) = &self.encryption {
            pipeline = pipeline.with_encryptor(encryption.age().await?);
        }
        if let Some(level) = self.level {
            pipeline = pipeline.with_level(level);
        }
        if let Some(policy) = &self.retention {
            pipeline = pipeline.with_retention(policy.clone())?;
        }
        if let Some(settings) = &self.rehearsal {
            let restorer = if let Some(server) = &settings.server {
                server.restorer(parts).await?
            } else {
                let made = parts.rehearser(&self.source.engine).await;
                made.map_err(|err| settings.place.locate(err))?
            };
            let rehearsal = Rehearsal::new(restorer);
            let rehearsal = settings.assertions.iter().cloned().fold(rehearsal, Rehearsal::with_assertion);
            pipeline = pipeline.with_rehearsal(rehearsal);
        }
        Ok(pipeline)
    }

    /// The jobs of the schedules, which `pipeline` carries out; for a [`Scheduler`](crate::Scheduler).
    #[must_use]
    pub fn jobs(&self, pipeline: &Pipeline) -> Vec<Job> {
        self.schedules.iter().map(|(name, job)| job.job(name, pipeline)).collect()
    }

    /// What restores into a target.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a name that is not among [`targets`](Self::targets); those of [`Parts`].
    ///
    /// # Cancel safety
    ///
    /// As [`Parts`].
    pub async fn restorer(&self, target: &str, parts: &dyn Parts) -> Result<Arc<dyn Restorer>> {
        let target = self.targets.get(target).ok_or_else(|| {
            let known = self.targets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let err = Error::new(ErrorKind::NotFound, "the environment has no such target");
            let err = err.with_context("target", target.escape_debug());
            self.place.locate(err.with_suggestion(format!("known targets: {known}")))
        })?;
        target.restorer(parts).await
    }

    /// Tells those who are named as notifiers; `None` where nobody is.
    ///
    /// # Errors
    ///
    /// Those of secrets, and of notifiers that cannot be made of theirs, with their place in the file.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    #[cfg(any(feature = "webhook", feature = "mail"))]
    pub async fn alerter(&self) -> Result<Option<Alerter>> {
        let mut alerter = None;
        for settings in &self.notifiers {
            if let Some(notifier) = settings.notifier().await? {
                let so_far = alerter.unwrap_or_else(|| Alerter::new(self.alerts.clone()));
                alerter = Some(so_far.with_notifier(notifier, settings.minimum_severity));
            }
        }
        Ok(alerter)
    }

    /// The checks of healthchecks.io that hear of each backup, by an [observer](crate::notify::Healthchecks::observer).
    ///
    /// # Errors
    ///
    /// As [`alerter`](Self::alerter).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    #[cfg(feature = "webhook")]
    pub async fn healthchecks(&self) -> Result<Vec<crate::notify::Healthchecks>> {
        let mut checks = Vec::new();
        for settings in &self.notifiers {
            checks.extend(settings.healthchecks().await?);
        }
        Ok(checks)
    }
}

impl Database {
    /// What restores into it, once all options are taken.
    async fn restorer(&self, parts: &dyn Parts) -> Result<Arc<dyn Restorer>> {
        let mut options = self.options.clone();
        let restorer = parts.restorer(self, &mut options).await;
        options.close(restorer, &self.place)
    }
}
