//! `S3Store` against servers of its own: one in this process, one of Python that knows locks and classes, and a proxy
//! that breaks connections on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[path = "s3/bodies.rs"]
mod bodies;
#[path = "s3/classes.rs"]
mod classes;
#[path = "s3/denied.rs"]
mod denied;
#[path = "s3/drops.rs"]
mod drops;
#[path = "s3/faults.rs"]
mod faults;
#[path = "fixture/servers.rs"]
mod fixture;
#[path = "s3/kit.rs"]
mod kit;
#[path = "s3/locks.rs"]
mod locks;
#[path = "s3/pipeline.rs"]
mod pipeline;
#[path = "s3/settings.rs"]
mod settings;
