use std::{error::Error as StdError, fmt};

use crate::{Error, Retryable};

/// Which of several stores failed, and how: the source of an error of a [`FanOut`](super::FanOut).
#[derive(Debug)]
pub struct CopiesFailed {
    failures: Vec<(String, Error)>,
    partial: bool,
}

impl CopiesFailed {
    /// What an error holds of single stores; `None` where it is of another origin.
    #[must_use]
    pub fn of(err: &Error) -> Option<&Self> {
        err.source()?.downcast_ref::<Self>()
    }

    /// Whether the policy of a fan-out was missed, however deep below the error that lies.
    pub(crate) fn is_cause_of(err: &Error) -> bool {
        let mut cause = err.source();
        while let Some(source) = cause {
            if source.is::<Self>() {
                return true;
            }
            cause = source.source();
        }
        false
    }

    /// Whether an error says only that some stores could not be asked, while the others were: what they told holds, and
    /// may not be all.
    #[must_use]
    pub fn is_partial(err: &Error) -> bool {
        Self::of(err).is_some_and(|failed| failed.partial)
    }

    /// The stores that failed, with their errors, in the order of the stores.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.failures.iter().map(|(name, err)| (name.as_str(), err))
    }

    /// An error of the kind of the first failure.
    pub(super) fn error(message: &str, failures: Vec<(String, Error)>) -> Error {
        Self { failures, partial: false }.into_error(message)
    }

    /// An error that says that the answers of the other stores may not be all.
    pub(super) fn partial(message: &str, failures: Vec<(String, Error)>) -> Error {
        Self { failures, partial: true }.into_error(message)
    }

    fn into_error(self, message: &str) -> Error {
        let Some((_, first)) = self.failures.first() else {
            return Error::new(crate::ErrorKind::Unexpected, message);
        };
        let retryable = if first.is_retryable() { Retryable::Yes } else { Retryable::No };
        let err = Error::new(first.kind(), message).with_retryable(retryable);
        let err = self
            .failures
            .iter()
            .fold(err, |err, (name, failure)| err.with_context("failed", format!("{name}: {failure}")));
        first.suggestions().into_iter().fold(err, Error::with_suggestion).with_source(self)
    }
}

impl fmt::Display for CopiesFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the stores failed", self.failures.len())
    }
}

impl StdError for CopiesFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failures.first().map(|(_, err)| err as &(dyn StdError + 'static))
    }
}
