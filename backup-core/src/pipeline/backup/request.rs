use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Kind, Result, manifest::Layout};

/// The longest text that a manifest takes, in bytes.
const MAX_TEXT: usize = 4096;

/// What to back up as: all optional.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackupRequest {
    /// Why, as far as retention treats it differently.
    pub kind: Kind,
    /// A word that becomes part of the id: letters, digits, `-` and `_`, at most 60.
    pub label: Option<String>,
    /// A sentence for people.
    pub reason: Option<String>,
    /// Free key-value pairs.
    pub tags: BTreeMap<String, String>,
    /// When retention may forget it, whatever the policy says.
    pub expires_at: Option<DateTime<Utc>>,
    /// The commit of the application.
    pub git_commit: Option<String>,
    /// What a store without enough space means.
    pub space_check: SpaceCheck,
}

/// What happens when the store's free space is less than the estimate: the database's size + 20 %, and 30 %
/// of that when compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SpaceCheck {
    /// The backup is refused before it starts ([`StorageFull`](ErrorKind::StorageFull)).
    #[default]
    Refuse,
    /// It is a warning.
    Warn,
}

impl BackupRequest {
    /// A manual backup without label.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says why, as far as retention treats it differently.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a word to the id.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a sentence for people.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a key-value pair.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Says when retention may forget it.
    #[must_use]
    pub fn with_expires_at(mut self, at: DateTime<Utc>) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Says the commit of the application.
    #[must_use]
    pub fn with_git_commit(mut self, commit: impl Into<String>) -> Self {
        self.git_commit = Some(commit.into());
        self
    }

    /// Says what a store without enough space means.
    #[must_use]
    pub fn with_space_check(mut self, check: SpaceCheck) -> Self {
        self.space_check = check;
        self
    }

    /// Refuses what cannot be stored, before anything is done.
    pub(super) fn validate(&self, environment: &str) -> Result<()> {
        let too_long = |what: &'static str, text: &str| {
            if text.len() <= MAX_TEXT {
                return Ok(());
            }
            Err(Error::new(ErrorKind::InvalidInput, "a text of the request is too long")
                .with_context("field", what)
                .with_context("limit_bytes", MAX_TEXT))
        };
        if environment.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the environment has no name")
                .with_suggestion("name it after the series of backups: production, staging, …"));
        }
        if let Err(err) = Layout::folder(environment, None) {
            return Err(Error::new(ErrorKind::InvalidInput, "the environment's name is too long")
                .with_context("environment", shortened(environment))
                .with_context("bytes", environment.len())
                .with_suggestion("choose a name of at most 60 letters: production, staging, …")
                .with_source(err));
        }
        too_long("reason", self.reason.as_deref().unwrap_or_default())?;
        self.tags
            .iter()
            .try_for_each(|(key, value)| too_long("tag", key).and_then(|()| too_long("tag", value)))
    }
}

/// The start of a name that is too long to be shown.
fn shortened(name: &str) -> String {
    name.chars().take(40).chain("…".chars()).collect::<String>().escape_debug().to_string()
}
