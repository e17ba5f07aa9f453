//! Whether a store and a database are as a backup needs them.

use std::fmt;

use backup_core::{
    Result, SourceInfo, Store,
    store::{ProbeOptions, ProbeReport, probe},
};
use serde_json::{Value, json};

use crate::{database, output};

/// What was found.
#[derive(Debug)]
pub struct Examined {
    store: ProbeReport,
    database: Option<Result<SourceInfo>>,
}

impl Examined {
    /// Probes a store, with so many objects to list, and the database at a URL.
    ///
    /// # Errors
    ///
    /// Those of the probe itself; what is wrong with store or database is part of what was found.
    ///
    /// # Cancel safety
    ///
    /// As [`probe`].
    pub async fn of(store: &impl Store, url: Option<&str>, objects: u32) -> Result<Self> {
        let store = probe(store, &ProbeOptions::default().with_listed_objects(objects)).await?;
        let database = match url {
            None => None,
            Some(url) => Some(asked(url).await),
        };
        Ok(Self { store, database })
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.store.passed() && !matches!(self.database, Some(Err(_)))
    }

    /// Everything for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let database = match &self.database {
            None => Value::Null,
            Some(Ok(source)) => json!(source),
            Some(Err(err)) => json!({ "error": output::described(err) }),
        };
        json!({ "store": self.store, "database": database, "version": env!("CARGO_PKG_VERSION") })
    }
}

async fn asked(url: &str) -> Result<SourceInfo> {
    database::dumper(url, None, database::host(None)?)?.probe().await
}

/// The store, then the database.
impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store)?;
        match &self.database {
            None => Ok(()),
            Some(Ok(source)) => {
                let SourceInfo { database, location, tool, tool_version, server_version, .. } = source;
                write!(
                    f,
                    "\n{database} at {location} can be backed up: {tool} {tool_version}, server {server_version}"
                )
            }
            Some(Err(err)) => {
                write!(f, "\nthe database cannot be backed up: {err}")?;
                err.suggestions().iter().try_for_each(|advice| write!(f, "\n  try: {advice}"))
            }
        }
    }
}
