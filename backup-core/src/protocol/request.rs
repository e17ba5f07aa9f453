use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Confirm, Request};
use crate::{
    Kind, Level, OnExisting,
    pipeline::{SafetyBackup, SourceAsTarget, SpaceCheck},
};

/// Declares the parameters of an operation: its own fields, and those that every operation has.
macro_rules! operation {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[doc = $needed_doc:literal])+ $needed:ident: String,)*
            ;
            $($(#[$field_meta:meta])+ $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            /// What the answer repeats, so that it finds its question; at most 200 bytes.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub id: Option<String>,
            /// The environment, as the service knows it: `production`.
            pub environment: String,
            $($(#[doc = $needed_doc])+ pub $needed: String,)*
            $(#[serde(default, skip_serializing_if = "is_default")] $(#[$field_meta])+ pub $field: $type,)*
        }

        impl $name {
            /// Asks for no more than what is needed; the other fields are filled by assignment.
            #[must_use]
            pub fn new(environment: impl Into<String>, $($needed: impl Into<String>,)*) -> Self {
                Self { environment: environment.into(), $($needed: $needed.into(),)* ..Self::default() }
            }
        }

        impl From<$name> for Request {
            fn from(request: $name) -> Self {
                Self::$name(request)
            }
        }
    };
}

operation! {
    /// How to make a backup.
    CreateBackup {
        ;
        /// Why, as far as retention treats it differently; `manual` unless said.
        kind: Kind,
        /// A word that becomes part of the id: letters, digits, `-` and `_`, at most 60.
        label: Option<String>,
        /// A sentence for people.
        reason: Option<String>,
        /// Free key-value pairs.
        tags: BTreeMap<String, String>,
        /// When retention may forget it, whatever the policy says: RFC 3339.
        expires_at: Option<DateTime<Utc>>,
        /// The commit of the application.
        git_commit: Option<String>,
        /// What a store without enough space for it means; it refuses unless said.
        space_check: SpaceCheck,
        /// Needed for a large database of a protected environment.
        confirm: Option<Confirm>,
    }
}

operation! {
    /// Which backups to list.
    ListBackups {
        ;
        /// Those of this database alone.
        database: Option<String>,
        /// Those of this kind alone.
        kind: Option<Kind>,
        /// How many of the newest, from 1 to 1000; 100 unless said.
        limit: Option<u32>,
    }
}

operation! {
    /// How to check a backup.
    VerifyBackup {
        /// The backup: its id, or `environment/database/id`.
        backup: String,
        ;
        /// How deep; `decoded` unless said.
        level: Option<Level>,
    }
}

operation! {
    /// How to restore a backup.
    RestoreBackup {
        /// The backup: its id, or `environment/database/id`.
        backup: String,
        /// The name of a database that the service knows to restore into; never a URL.
        target: String,
        ;
        /// The environment that the target is of; that of the backup unless said.
        target_environment: Option<String>,
        /// Say what would be done and what would stop it, and change nothing.
        dry_run: bool,
        /// These tables alone, with what they need; named as the backup's inventory names them.
        tables: Vec<String>,
        /// What defines everything, and no rows.
        definitions_only: bool,
        /// What may happen to a target that is not empty; it is refused unless said.
        on_existing: OnExisting,
        /// Whether a target that is replaced is backed up first; it is unless said.
        safety_backup: SafetyBackup,
        /// Whether the target may be the very database that the backup came from; it may not unless said.
        source_as_target: SourceAsTarget,
        /// Needed to change anything: `true`, or the name of a protected environment.
        confirm: Option<Confirm>,
    }
}

operation! {
    /// Which backup to delete.
    DeleteBackup {
        /// The backup: its id, or `environment/database/id`.
        backup: String,
        ;
        /// Needed to delete it.
        confirm: Option<Confirm>,
    }
}

operation! {
    /// How to delete what the environment's policy no longer keeps.
    PruneBackups {
        ;
        /// Backups of this database alone.
        database: Option<String>,
        /// Say what would be deleted, and delete nothing.
        dry_run: bool,
        /// The `plan` of a dry run: with it, just what that named is deleted, or nothing.
        plan: Option<String>,
        /// Needed to delete anything.
        confirm: Option<Confirm>,
    }
}

operation! {
    /// How the backups are.
    CheckHealth { ; }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
