use std::time::Duration;

use async_trait::async_trait;

use super::http::{Http, JSON};
use crate::{Alert, Error, ErrorKind, Notifier, Result, Secret};

/// Posts each alert as JSON, as [`Alert`] serializes, to a URL of one's own.
///
/// Tried three times, each for 10 seconds. No redirect is followed.
#[derive(Debug, Clone)]
pub struct Webhook(Http);

impl Webhook {
    /// Posts to this URL.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what is no URL of HTTP.
    pub fn new(url: impl Into<Secret>) -> Result<Self> {
        Ok(Self(Http::new("webhook", url.into())?))
    }

    /// Says how long one attempt may take; 10 seconds unless said.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for Webhook {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        self.0.post("", JSON, to_json(alert)?).await.map(drop)
    }
}

pub(super) fn to_json(message: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(message)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the alert").with_source(err))
}
