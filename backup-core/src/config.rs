//! [`Config`]: environments from a configuration file in TOML.
//!
//! # Examples
//!
//! ```
//! use backup_core::Config;
//!
//! # #[cfg(all(feature = "zstd", feature = "webhook", feature = "mail", feature = "age"))] {
//! let config = Config::from_toml(r#"
//! [defaults]                         # for all environments; what they say themselves comes first, as a whole
//! compression = "zstd:3"             # zstd, gzip, with a level if wanted, or none
//! level = "decoded"                  # how deep a backup is checked before it exists
//! stores = [{ kind = "local", path = "/var/backups" }]
//!
//! [environments.staging.source]
//! url = "mysql://backup@db.staging.example/shop"
//! password = { file = "/run/secrets/staging" }
//!
//! [environments.production]
//! copies = "primary"                 # of several stores; or "all", or how many must hold each backup
//! retention = { keep_daily = 7, keep_weekly = 4, keep_monthly = 12, kinds = { pre-migration = "forever" } }
//! rehearsal = { assertions = [{ name = "customers", sql = "SELECT count(*) FROM customers", between = [1, 1e6] }] }
//!
//! [[environments.production.stores]] # the primary store
//! kind = "local"
//! path = "/var/backups"
//!
//! [[environments.production.stores]]
//! kind = "local"
//! path = "/mnt/elsewhere"
//! stall_seconds = 120                # how long it may hold the others up
//!
//! [environments.production.encryption] # as a whole, by age; the keys of hosts that only back up are public ones
//! recipients = ["age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"]
//! identities = [{ file = "/run/secrets/backup-identity" }] # where backups are opened: restored, or verified beyond digest
//!
//! [environments.production.source]   # or a URL, always without password
//! engine = "postgresql"
//! host = "db.shop.example"
//! user = "backup"
//! database = "shop"
//! password = { env = "SHOP_PASSWORD" }
//! options = { format = "custom" }    # what the handler knows
//!
//! [environments.production.schedules]
//! nightly = { at = "daily at 02:00", time_zone = "Europe/Berlin", jitter_minutes = 10 }
//! proof = { at = "weekly on sunday at 03:00", kind = "weekly", verify = "restored" }
//!
//! [environments.production.health]
//! warning_age_minutes = 1560
//! target = { rpo_seconds = 86400, rto_seconds = 3600 }
//!
//! [[environments.production.notifiers]]
//! kind = "slack"                     # or webhook, pagerduty (with routing_key), healthchecks
//! url = { command = ["pass", "show", "backups/slack"] }
//!
//! [[environments.production.notifiers]]
//! kind = "mail"
//! minimum_severity = "critical"
//! host = "mail.shop.example"
//! tls = "starttls"
//! user = "backups"
//! password = { file = "/run/secrets/mail", others_may_read = true }
//! from = "Backups <backups@shop.example>"
//! to = ["admin@shop.example"]
//!
//! [environments.production.targets.rehearsal]
//! url = "postgresql://restore@db.rehearsal.example/shop"
//! password = { env = "REHEARSAL_PASSWORD" }
//! "#, "backups.toml")?;
//! assert_eq!(config.environments.len(), 2);
//! assert_eq!(config.environment("staging")?.source.engine, "mysql");
//! # }
//! # Ok::<(), backup_core::Error>(())
//! ```
//!
//! # Secrets
//!
//! A password, and a URL that lets whoever knows it post alerts, never stands in the file. Its place is named instead: see
//! [`SecretRef`]. One that stands there is refused, and not repeated; neither is any other value, as it may be one in a
//! wrong place.
//!
//! # Errors
//!
//! Each names the file, the key, line and column, and suggests what may stand there; other problems of the same file are
//! in the context `also`. Unknown keys, and those that are not supported yet, are errors.

use std::{collections::BTreeMap, path::Path};

use tokio::io::AsyncReadExt;

mod database;
mod document;
mod encryption;
mod environment;
mod job;
mod leaf;
mod notifier;
mod options;
mod parts;
mod place;
mod rehearsal;
mod secret;
mod store;
mod table;
mod url;

pub use database::Database;
pub use encryption::EncryptionSettings;
pub use environment::Environment;
pub use job::JobSettings;
pub use notifier::{MailEncryption, MailSettings, NotifierSettings, NotifierWay};
pub use options::Options;
pub use parts::Parts;
pub use place::Place;
pub use rehearsal::RehearsalSettings;
pub use secret::{FileReaders, SecretRef};
pub use store::StoreSettings;

use self::{document::Document, environment::Settings, place::OPERATION, table::Value};
use crate::{Error, ErrorKind, Result};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// What a configuration file says.
///
/// Plain settings: nothing is opened, started or asked for, and no secret is read, until
/// [`pipelines`](Self::pipelines) or the methods of [`Environment`] are called. See the [module](self) for the file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The environments, by name.
    pub environments: BTreeMap<String, Environment>,
}

impl Config {
    /// Reads a text, which errors name `file_name`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput), and [`Unsupported`](ErrorKind::Unsupported) for what is not supported
    /// yet, or lacks a feature of this build; see the [module](self#errors).
    pub fn from_toml(text: &str, file_name: &str) -> Result<Self> {
        let document = Document::new(text, file_name);
        let mut root = document.root()?;
        let defaults = root.take("defaults").and_then(Value::table).map(|mut table| {
            let defaults = Settings::read(&mut table);
            table.finish();
            defaults
        });
        let defaults = defaults.unwrap_or_default();
        let allowed = "write [environments.production] and what it holds";
        let named = root.required("environments", allowed).and_then(Value::table);
        let mut environments = BTreeMap::new();
        if let Some(mut table) = named {
            for (name, value) in table.named() {
                if let Some(environment) = Environment::read(name.clone(), value, &defaults) {
                    environments.insert(name, environment);
                }
            }
        }
        root.finish();
        document.finish()?;
        if environments.is_empty() {
            let place = document.place("environments".to_owned(), 0);
            return Err(place.refuse(ErrorKind::InvalidInput, "no environment is named", allowed));
        }
        Ok(Self { environments })
    }

    /// Reads a file of at most 256 KiB.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), and [`NotFound`](ErrorKind::NotFound) or
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) for a file that cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |err: Error| err.with_operation(OPERATION).with_context("file", path.display());
        let suggestion = "check the path, and that this process may read the file";
        let file = tokio::fs::File::open(path).await;
        let file = file.map_err(|err| fail(err.into()).with_suggestion(suggestion))?;
        let mut text = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut text).await.map_err(|err| fail(err.into()))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(fail(Error::new(
                ErrorKind::InvalidInput,
                "the file is too large for a configuration",
            ))
            .with_context("limit_bytes", MAX_BYTES));
        }
        let text = String::from_utf8(text)
            // The error would hold the text.
            .map_err(|_| fail(Error::new(ErrorKind::InvalidInput, "the file is no UTF-8 text")))?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// The environment of that name.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound), which suggests those that there are.
    pub fn environment(&self, name: &str) -> Result<&Environment> {
        self.environments.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            Error::new(ErrorKind::NotFound, "the configuration has no such environment")
                .with_operation(OPERATION)
                .with_context("environment", name.escape_debug())
                .with_suggestion(format!("known environments: {}", known.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests;
