//! The protocol: what is read and what is refused, and the service that answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "protocol/confirmation.rs"]
mod confirmation;
#[path = "protocol/exchange.rs"]
mod exchange;
#[path = "protocol/faults.rs"]
mod faults;
#[path = "protocol/lines.rs"]
mod lines;
#[path = "protocol/operations.rs"]
mod operations;
#[path = "protocol/requests.rs"]
mod requests;
#[cfg(feature = "schema")]
#[path = "protocol/schema.rs"]
mod schema;
#[path = "protocol/setup.rs"]
mod setup;
