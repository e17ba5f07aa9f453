//! Against a real server, started for the tests and gone afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    // The modules of a test are no library.
    unreachable_pub
)]

#[path = "live/choices.rs"]
mod choices;
#[path = "live/chosen.rs"]
mod chosen;
#[path = "live/faults.rs"]
mod faults;
#[path = "live/killed.rs"]
mod killed;
#[path = "live/left_behind.rs"]
mod left_behind;
#[path = "live/lock.rs"]
mod lock;
#[path = "live/log.rs"]
mod log;
#[path = "live/proof.rs"]
mod proof;
#[path = "live/rehearsal.rs"]
mod rehearsal;
#[path = "live/rights.rs"]
mod rights;
#[path = "live/round_trip.rs"]
mod round_trip;
#[path = "live/server.rs"]
mod server;
#[path = "live/several.rs"]
mod several;
#[path = "live/ssh.rs"]
mod ssh;
#[path = "live/targets.rs"]
mod targets;
#[path = "live/thorough.rs"]
mod thorough;
