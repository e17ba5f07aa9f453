//! [`Recent`]: what a probe found, for the dump that follows it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Prepared;
use crate::{command::DumpSettings, config::MysqlConfig};

/// For how long a probe's answers count: a dump that follows later asks anew.
const FRESH: Duration = Duration::from_secs(20);

/// The last answers, with the question that they belong to; taken at most once.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Option<Answer>>>);

struct Answer {
    at: Instant,
    config: MysqlConfig,
    settings: DumpSettings,
    prepared: Prepared,
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl Recent {
    /// Takes the answers, if they are fresh and to this question.
    pub(super) fn take(&self, config: &MysqlConfig, settings: &DumpSettings) -> Option<Prepared> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let fits = answer.config == *config && answer.settings == *settings && answer.at.elapsed() < FRESH;
        fits.then_some(answer.prepared)
    }

    pub(super) fn set(&self, config: &MysqlConfig, settings: &DumpSettings, prepared: Prepared) {
        let (config, settings) = (config.clone(), settings.clone());
        let answer = Answer { at: Instant::now(), config, settings, prepared };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}
