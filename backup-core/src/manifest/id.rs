use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Key, Result};

/// The longest label, in characters.
const MAX_LABEL: usize = 60;

/// The name of a backup within its environment and database: `backup-YYYYMMDD-HHMMSS[-label][-n]`, in UTC.
///
/// Names sort by time, but nothing relies on that: order is by the manifest's time. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(Arc<str>);

impl BackupId {
    /// The id of the `attempt`-th backup (from 1) in the second of `at`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a label outside `[A-Za-z0-9][A-Za-z0-9_-]*` or longer than 60.
    pub fn generate(at: DateTime<Utc>, label: Option<&str>, attempt: u32) -> Result<Self> {
        let mut parts = vec!["backup".to_owned(), at.format("%Y%m%d-%H%M%S").to_string()];
        if let Some(label) = label {
            check_label(label)?;
            parts.push(label.to_owned());
        }
        if attempt > 1 {
            parts.push(attempt.to_string());
        }
        // Years beyond 9999 are written with a sign.
        Self::parse(parts.join("-"))
    }

    /// Takes over an id that was read somewhere: one segment of a [`Key`], without dots.
    pub fn parse(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > 120 || !id.bytes().all(allowed) {
            return Err(Error::new(ErrorKind::InvalidInput, "not the id of a backup")
                .with_context("id", id.escape_debug())
                .with_suggestion("ids look like backup-20261120-020000; list the backups to see them"));
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn check_label(label: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let starts_well = label.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !starts_well || label.len() > MAX_LABEL || !label.bytes().all(allowed) {
        return Err(Error::new(ErrorKind::InvalidInput, "not a label")
            .with_context("label", label.escape_debug())
            .with_suggestion("use letters, digits, - and _, at most 60, starting with a letter or digit"));
    }
    Ok(())
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BackupId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self> {
        Self::parse(id)
    }
}

impl TryFrom<String> for BackupId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self> {
        Self::parse(id)
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.as_str().to_owned()
    }
}

/// The full name of a backup: environment, database and id, written `production/shop/backup-20261120-020000`.
///
/// # Examples
///
/// ```
/// use backup_core::{BackupId, BackupRef};
///
/// let backup = BackupRef::new("production", "my shop", BackupId::parse("backup-20261120-020000")?);
/// assert_eq!(backup.to_string(), "production/my%20shop/backup-20261120-020000");
/// assert_eq!(backup.to_string().parse::<BackupRef>()?, backup);
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupRef {
    /// The environment.
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// The id within both.
    pub id: BackupId,
}

impl BackupRef {
    /// Names a backup.
    pub fn new(environment: impl Into<String>, database: impl Into<String>, id: BackupId) -> Self {
        Self { environment: environment.into(), database: database.into(), id }
    }
}

impl fmt::Display for BackupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", Key::escape(&self.environment), Key::escape(&self.database), self.id)
    }
}

/// Reads what `Display` wrote: three segments, with everything unusual percent-encoded in the first two.
impl FromStr for BackupRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidInput, "not the full name of a backup")
                .with_context("backup", text.escape_debug())
                .with_suggestion(
                    "full names look like production/shop/backup-20261120-020000, with %XX for what is not a \
                     letter, a digit, a dot, - or _",
                )
        };
        let mut segments = text.split('/');
        let (Some(environment), Some(database), Some(id), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(invalid());
        };
        let environment = unescape(environment).ok_or_else(invalid)?;
        let database = unescape(database).ok_or_else(invalid)?;
        Ok(Self { environment, database, id: BackupId::parse(id)? })
    }
}

/// Undoes [`Key::escape`]; `None` for an empty text, a `%` without two digits, and what is not UTF-8.
fn unescape(segment: &str) -> Option<String> {
    let (first, encoded) = match segment.split_once('%') {
        _ if segment.is_empty() => return None,
        None => return Some(segment.to_owned()),
        Some(parts) => parts,
    };
    let mut bytes = first.as_bytes().to_vec();
    for part in encoded.split('%') {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
