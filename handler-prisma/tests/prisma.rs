//! Projects of Prisma: what is found of them, their migrations, the guard, and the way back.
#![cfg(all(feature = "sqlite", feature = "postgresql", feature = "mysql"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The projects are small, and nothing else runs meanwhile.

#[path = "prisma/setup.rs"]
mod setup;

#[path = "prisma/fuzz.rs"]
mod fuzz;

#[path = "prisma/project.rs"]
mod project;

#[path = "prisma/live.rs"]
mod live;

#[path = "prisma/history.rs"]
mod history;

#[path = "prisma/kits.rs"]
mod kits;

#[path = "prisma/guard.rs"]
mod guard;

#[path = "prisma/dropped.rs"]
mod dropped;
