use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{
    http::{Http, JSON},
    text::{headline, shortened},
    webhook::to_json,
};
use crate::{Alert, AlertState, Digest, Notifier, Result, Secret};

/// Where events go that are not of the service region EU.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// The longest key of an incident, in characters.
const MAX_KEY: usize = 255;

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 1024;

/// Opens and resolves incidents of `PagerDuty`, by the Events API v2.
///
/// Alerts of one [key](Alert::key) are one incident: it is triggered, triggered again when it escalates, and resolved.
/// Tried three times, each for 10 seconds.
#[derive(Clone)]
pub struct PagerDuty {
    http: Http,
    routing_key: Secret,
}

impl PagerDuty {
    /// Sends to the service that has this integration key.
    ///
    /// # Errors
    ///
    /// Where HTTPS cannot be set up, for lack of certificates.
    pub fn new(routing_key: impl Into<Secret>) -> Result<Self> {
        Ok(Self { http: Http::new("pagerduty", URL.into())?, routing_key: routing_key.into() })
    }

    /// Sends elsewhere: `https://events.eu.pagerduty.com/v2/enqueue`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what is no URL of HTTP.
    pub fn with_url(mut self, url: impl Into<Secret>) -> Result<Self> {
        self.http = Http::new("pagerduty", url.into())?;
        Ok(self)
    }

    /// Says how long one attempt may take; 10 seconds unless said.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.http = self.http.with_timeout(timeout);
        self
    }

    fn event(&self, alert: &Alert) -> Value {
        let dedup_key = if alert.key.chars().count() <= MAX_KEY {
            alert.key.clone()
        } else {
            Digest::sha256(alert.key.as_bytes()).to_string()
        };
        let routing_key = self.routing_key.expose();
        if alert.state == AlertState::Resolved {
            return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
        }
        // Details may have one name several times.
        let mut details: Map<String, Value> = Map::new();
        for (name, text) in &alert.details {
            match details.get_mut(name) {
                Some(Value::String(before)) => *before = format!("{before}\n{text}"),
                _ => drop(details.insert(name.clone(), Value::from(text.clone()))),
            }
        }
        details.insert("actions".to_owned(), Value::from(alert.actions.clone()));
        json!({
            "routing_key": routing_key,
            "event_action": "trigger",
            "dedup_key": dedup_key,
            "payload": {
                "summary": shortened(&headline(alert), MAX_SUMMARY),
                "source": shortened(&alert.key, MAX_SUMMARY),
                "severity": alert.severity.name(),
                "timestamp": alert.at.to_rfc3339(),
                "class": alert.code,
                "custom_details": details,
            },
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for PagerDuty {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        self.http.post("", JSON, to_json(&self.event(alert))?).await.map(drop)
    }
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDuty").finish_non_exhaustive()
    }
}
