//! What has to come back whatever happens: the backups of every release, and a database by each runbook.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

#[path = "recovery/golden.rs"]
mod golden;

#[path = "recovery/golden_facts.rs"]
mod golden_facts;

#[path = "recovery/golden_live.rs"]
mod golden_live;

#[path = "recovery/golden_sealed.rs"]
mod golden_sealed;

#[path = "recovery/golden_write.rs"]
mod golden_write;

#[path = "recovery/golden_write_sealed.rs"]
mod golden_write_sealed;

#[path = "recovery/runbooks.rs"]
mod runbooks;

#[path = "recovery/runbooks_servers.rs"]
mod runbooks_servers;

#[path = "recovery/runbooks_sqlite.rs"]
mod runbooks_sqlite;
