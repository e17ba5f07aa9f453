#![doc = include_str!("../README.md")]

mod bucket;
mod connect;
mod delete;
mod error;
mod list;
mod lock;
mod options;
mod part;
mod presign;
mod put;
mod read;
mod retry;
mod store;
mod sweep;
pub mod transition;

pub use options::{
    Addressing, Checksums, Creates, Deletes, Encryption, LegalHold, S3Credentials, S3Options, StorageClass,
};
pub use presign::PresignedUrl;
pub use retry::Retries;
pub use store::S3Store;
