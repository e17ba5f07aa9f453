#![doc = include_str!("../README.md")]

mod dir;
mod error;
mod list;
mod path;
mod read;
mod step;
mod store;
mod sweep;
mod write;
mod writeback;

pub use store::LocalStore;
