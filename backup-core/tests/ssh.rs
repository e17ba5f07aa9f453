//! Tools on another host, by a real SSH server: both sides are this machine.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    // The modules of a test are no library.
    unreachable_pub
)]

#[path = "ssh/basics.rs"]
mod basics;
#[path = "ssh/faults.rs"]
mod faults;
#[path = "ssh/setup.rs"]
mod setup;
