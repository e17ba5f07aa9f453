//! What `prisma migrate deploy` would do now, by its own rule.

use backup_core::{Error, ErrorKind};
use serde::Serialize;

use super::{History, MigrationsTable};

/// What the next `prisma migrate deploy` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "deploy", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NextDeploy {
    /// Nothing: no migration is pending.
    Nothing,
    /// It applies these, in this order.
    Applies {
        /// Their names.
        migrations: Vec<String>,
    },
    /// It stops.
    Stops(Obstacle),
}

/// Why a deploy stops before it has applied anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "obstacle", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Obstacle {
    /// `migration_lock.toml` is of another provider (P3019).
    OtherProvider {
        /// The one in the lock file.
        locked: String,
        /// The one of the datasource.
        datasource: String,
    },
    /// The database holds tables, and nobody knows by which migrations it got them (P3005).
    NoBaseline,
    /// Migrations have failed, or are running (P3009).
    Failed {
        /// Their names.
        migrations: Vec<String>,
    },
    /// The folders of pending migrations have no script (P3015).
    WithoutScript {
        /// Their names.
        migrations: Vec<String>,
    },
}

impl History {
    /// What the next `prisma migrate deploy` does.
    ///
    /// It is that command's own rule, and not the one of `prisma migrate status`, which calls a database up to date whose
    /// only row of a migration is rolled back, although a deploy applies it.
    #[must_use]
    pub fn next_deploy(&self) -> NextDeploy {
        if let Some(locked) = self.lock_provider.as_ref().filter(|locked| !is_same(locked, &self.provider)) {
            let (locked, datasource) = (locked.clone(), self.provider.clone());
            return NextDeploy::Stops(Obstacle::OtherProvider { locked, datasource });
        }
        if self.table == MigrationsTable::MissingBesideOthers {
            return NextDeploy::Stops(Obstacle::NoBaseline);
        }
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let failed = owned(self.failed());
        if !failed.is_empty() {
            return NextDeploy::Stops(Obstacle::Failed { migrations: failed });
        }
        let pending = self.pending();
        let bare = self.local.iter().filter(|local| !local.has_script());
        let bare: Vec<&str> =
            bare.map(|local| local.name.as_str()).filter(|name| pending.contains(name)).collect();
        if !bare.is_empty() {
            return NextDeploy::Stops(Obstacle::WithoutScript { migrations: owned(bare) });
        }
        if pending.is_empty() {
            return NextDeploy::Nothing;
        }
        NextDeploy::Applies { migrations: owned(pending) }
    }
}

/// Whether a lock file's provider is that of a datasource.
fn is_same(locked: &str, provider: &str) -> bool {
    locked == provider || (locked == "postgresql" && provider == "postgres")
}

impl Obstacle {
    /// The code that Prisma prints.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherProvider { .. } => "P3019",
            Self::NoBaseline => "P3005",
            Self::Failed { .. } => "P3009",
            Self::WithoutScript { .. } => "P3015",
        }
    }

    /// A refusal, with the way out.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let refused = |message: &str| {
            Error::new(ErrorKind::InvalidInput, message).with_context("prisma_code", self.code())
        };
        match self {
            Self::OtherProvider { locked, datasource } => {
                refused("the migrations are of another provider than the datasource")
                    .with_context("migration_lock", locked.escape_debug())
                    .with_context("datasource", datasource)
                    .with_suggestion(
                        "start a new history for this provider: move the folder of migrations away, then run prisma migrate dev",
                    )
            }
            Self::NoBaseline => refused("the database holds tables, and no history of migrations").with_suggestion(
                "baseline it: run prisma migrate resolve --applied NAME for each migration that it has already",
            ),
            Self::Failed { migrations } => {
                refused("a migration has failed, or is running, and stops every deploy")
                    .with_context("migrations", migrations.join(", "))
                    .with_suggestion(
                        "roll back to the backup that was made before it, where there is one: its migrations are pending again then",
                    )
                    .with_suggestion(
                        "or mend the database by hand, then say what became of it: prisma migrate resolve --rolled-back NAME, \
                         or --applied NAME",
                    )
            }
            Self::WithoutScript { migrations } => refused("the folder of a pending migration has no migration.sql")
                .with_context("migrations", migrations.join(", "))
                .with_suggestion("bring the file back, or remove the empty folder"),
        }
    }
}
