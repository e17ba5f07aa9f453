use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::{
    http::{Http, JSON},
    text::{MAX_VALUE, headline, one_line, push_line, shortened},
    webhook::to_json,
};
use crate::{Alert, AlertState, Notifier, Result, Secret, Severity};

/// The longest message, in characters: Slack cuts off what is longer than 40,000.
const MAX_TEXT: usize = 12_000;

/// Posts alerts to an incoming webhook of Slack, or of what takes the same messages: Mattermost, Rocket.Chat.
///
/// Tried three times, each for 10 seconds.
#[derive(Debug, Clone)]
pub struct Slack(Http);

impl Slack {
    /// Posts to this URL of an incoming webhook, which names the channel.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what is no URL of HTTP.
    pub fn new(url: impl Into<Secret>) -> Result<Self> {
        Ok(Self(Http::new("slack", url.into())?))
    }

    /// Says how long one attempt may take; 10 seconds unless said.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for Slack {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        self.0.post("", JSON, to_json(&json!({ "text": message(alert) }))?).await.map(drop)
    }
}

fn message(alert: &Alert) -> String {
    let sign = match (alert.state, alert.severity) {
        (AlertState::Resolved, _) => ":white_check_mark:",
        (_, Severity::Critical) => ":red_circle:",
        (_, Severity::Warning) => ":warning:",
        (_, Severity::Info) => ":information_source:",
    };
    let mut text = format!("{sign} *{}*\n", escaped(&headline(alert)));
    for (name, value) in &alert.details {
        let value = shortened(&one_line(value), MAX_VALUE);
        push_line(&mut text, format_args!("• {}: {}", escaped(&one_line(name)), escaped(&value)));
    }
    for action in &alert.actions {
        push_line(&mut text, format_args!("→ {}", escaped(&one_line(action))));
    }
    shortened(text.trim_end(), MAX_TEXT)
}

/// The three characters that would be a link or a call to everybody in a channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
