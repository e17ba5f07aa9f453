//! A scheduler in time that is paused: what it makes, retries, tells, and leaves behind.
#![cfg(feature = "schedule")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "scheduler/setup.rs"]
mod setup;

#[path = "scheduler/failures.rs"]
mod failures;
#[path = "scheduler/time.rs"]
mod time;
