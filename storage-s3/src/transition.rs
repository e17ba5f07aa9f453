//! Moving older backups to storage classes that cost less: a pure plan with reasons, then the act.
//!
//! A rule of the bucket's lifecycle does the same by prefix and age alone, and moves manifests along, which then cannot
//! be read at once. Here only the artifacts of catalogued backups move; manifests and notes stay where reading them is
//! cheap.
//!
//! # Examples
//!
//! ```
//! use backup_core::Key;
//! use chrono::{TimeDelta, Utc};
//! use storage_s3::{StorageClass, transition::{self, Candidate, Rules}};
//!
//! let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
//! let rules = Rules::new().cool_after(30, StorageClass::StandardIa).archive_after(180, StorageClass::Glacier);
//! let key = Key::parse("production/shop/backup-20261120-020000.sql.zst")?;
//! let old = Candidate::new(key, 40_000_000_000, now - TimeDelta::days(45), StorageClass::Standard);
//! let plan = transition::plan([old], &rules, now);
//! assert_eq!(plan.moves().count(), 1);
//! assert!(plan.to_string().contains("to STANDARD_IA"));
//! # Ok::<_, backup_core::Error>(())
//! ```

mod act;
mod copy;
mod plan;
mod table;
#[cfg(test)]
mod tests;

pub use act::TransitionReport;
pub(crate) use act::{candidates, carry_out};
pub(crate) use plan::is_record;
pub use plan::{Candidate, Decision, KeepReason, Plan, Planned, Rules, plan};
