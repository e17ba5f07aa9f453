//! [`Request`] and [`Response`]: what agents and CI jobs send as JSON, and [`Service`], which answers it.
//!
//! A request is one JSON object. It names the `operation` and the `environment`; the other fields belong to the
//! operation. An unknown operation, an unknown field, a field that is there twice, and a value of the wrong type are
//! refused, with the field named and the value not shown. No request holds a URL or a password: databases are
//! configured where the service runs, and requests name them.
//!
//! ```json
//! {"operation":"create-backup","environment":"production","kind":"pre-migration","id":"42"}
//! {"operation":"restore-backup","environment":"production","backup":"backup-20261120-020000","target":"shop",
//!  "target_environment":"staging","dry_run":true}
//! ```
//!
//! Its answer has the `status` `ok`, `warning`, `refused` (nothing was done) or `error`:
//!
//! ```json
//! {"status":"refused","id":"43","operation":"prune-backups","environment":"production",
//!  "error":"prune-backups: 1 of 4 backups would be deleted, and was not confirmed","code":"not_confirmed",
//!  "retry_recommended":false,"recovery":{"suggestions":["make sure that it is meant, then send \"confirm\": true",
//!  "\"dry_run\": true names them"]}}
//! ```
//!
//! # Confirmation
//!
//! - `restore-backup`, `delete-backup` and `prune-backups` change something only with `"confirm": true`; the first and
//!   the last say with `"dry_run": true` what they would do.
//! - A restore into a [protected](Protection::ByName) environment needs its name, typed: `"confirm": "production"`. So
//!   does one over the very database of a protected environment that the backup came from, under whatever name.
//! - `create-backup` of a large database of a protected environment needs `"confirm": true`, because it may weigh on
//!   the server for hours: see [`Environment::with_confirmation_above`].

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Result;

mod confirm;
mod lines;
mod outcome;
mod read;
mod request;
mod response;
#[cfg(feature = "schema")]
mod schema;
mod service;

pub use confirm::Confirm;
pub use outcome::{
    BackupList, BackupSummary, Created, Deleted, Outcome, PlannedDeletion, PrunePlanned, Pruned,
    RestorePlanned, Restored, Retained, SparedBackup, Verified,
};
pub use request::{
    CheckHealth, CreateBackup, DeleteBackup, ListBackups, PruneBackups, RestoreBackup, VerifyBackup,
};
pub use response::{Failure, Problem, Recovery, Response, Status};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use service::{Environment, Protection, Service};

/// The longest request that is read, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// What is asked for.
///
/// # Examples
///
/// ```
/// use backup_core::protocol::Request;
///
/// let request = Request::from_json(br#"{"operation":"check-health","environment":"staging"}"#)?;
/// assert_eq!((request.operation(), request.environment()), ("check-health", "staging"));
///
/// let err = Request::from_json(br#"{"operation":"check-health","environment":"staging","deep":true}"#).unwrap_err();
/// assert_eq!(err.to_string(), "no such field, field: deep");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "operation", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// Makes a backup.
    CreateBackup(CreateBackup),
    /// Lists backups, the newest first.
    ListBackups(ListBackups),
    /// Checks a backup, and records what that found.
    VerifyBackup(VerifyBackup),
    /// Restores a backup into a database that the service knows.
    RestoreBackup(RestoreBackup),
    /// Deletes a backup.
    DeleteBackup(DeleteBackup),
    /// Deletes what the environment's policy no longer keeps.
    PruneBackups(PruneBackups),
    /// Says how the backups are.
    CheckHealth(CheckHealth),
}

impl Request {
    /// The operations, as they are written.
    pub const OPERATIONS: [&str; 7] = [
        "create-backup",
        "list-backups",
        "verify-backup",
        "restore-backup",
        "delete-backup",
        "prune-backups",
        "check-health",
    ];

    /// Reads a request of at most [`MAX_REQUEST_BYTES`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), which names the field where there is one, and never shows a
    /// value.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        read::request(json).map_err(|rejected| rejected.error)
    }

    /// The operation as it is written: `create-backup`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::CreateBackup(_) => "create-backup",
            Self::ListBackups(_) => "list-backups",
            Self::VerifyBackup(_) => "verify-backup",
            Self::RestoreBackup(_) => "restore-backup",
            Self::DeleteBackup(_) => "delete-backup",
            Self::PruneBackups(_) => "prune-backups",
            Self::CheckHealth(_) => "check-health",
        }
    }

    /// What the answer repeats, so that it finds its question.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.envelope().0
    }

    /// The environment that is asked about.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.envelope().1
    }

    fn envelope(&self) -> (Option<&str>, &str) {
        let (id, environment) = match self {
            Self::CreateBackup(it) => (&it.id, &it.environment),
            Self::ListBackups(it) => (&it.id, &it.environment),
            Self::VerifyBackup(it) => (&it.id, &it.environment),
            Self::RestoreBackup(it) => (&it.id, &it.environment),
            Self::DeleteBackup(it) => (&it.id, &it.environment),
            Self::PruneBackups(it) => (&it.id, &it.environment),
            Self::CheckHealth(it) => (&it.id, &it.environment),
        };
        (id.as_deref(), environment)
    }
}

/// As [`Request::from_json`]: what serde derives for a tagged enum would neither name the field nor keep values out of
/// its errors.
impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = read::Document::deserialize(deserializer)?;
        read::typed(document).map_err(|rejected| de::Error::custom(rejected.error))
    }
}
