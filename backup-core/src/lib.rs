#![doc = include_str!("../README.md")]

pub mod audit;
pub mod catalog;
pub mod clock;
pub mod compress;
#[cfg(feature = "config")]
pub mod config;
pub mod copy;
pub mod diff;
pub mod digest;
pub mod docs;
pub mod dump;
pub mod encrypt;
mod error;
pub mod event;
pub mod health;
pub mod inventory;
mod key;
pub mod lease;
pub mod manifest;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod notify;
pub mod pipeline;
pub mod process;
pub mod protocol;
pub mod restore;
pub mod retention;
#[cfg(feature = "schedule")]
pub mod schedule;
#[cfg(feature = "schedule")]
pub mod scheduler;
mod secret;
pub mod store;
mod stream;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod transform;
pub mod verify;

pub use audit::AuditTrail;
pub use catalog::{Annotation, BackupLog, Catalog, Entry, Filter, JsonCatalog, Note, StoreCatalog};
pub use clock::{Clock, SystemClock};
pub use compress::Compressor;
#[cfg(feature = "config")]
pub use config::Config;
pub use diff::Diff;
pub use digest::Digest;
pub use dump::{Companion, Dump, Dumper, DumperInfo, Encoding, SourceInfo};
pub use encrypt::Encryptor;
pub use error::{BoxError, Error, ErrorKind, Result, Retryable};
pub use event::{Event, Observer, Operation, Progress};
pub use inventory::{Inventory, TableInventory};
pub use key::{Key, Prefix};
pub use lease::{Lease, LeaseHeld, LeaseLost};
pub use manifest::{BackupId, BackupRef, Kind, Manifest, SourcePosition};
pub use notify::{Alert, AlertState, Notifier, Severity};
pub use pipeline::Pipeline;
pub use restore::{
    Contents, OnExisting, RestoreOptions, RestoreOutcome, Restorer, Scratch, ScratchLike, ScratchPlace,
    Selected, Selection, TargetInfo, clone_name,
};
pub use retention::Retention;
#[cfg(feature = "schedule")]
pub use schedule::Schedule;
#[cfg(feature = "schedule")]
pub use scheduler::Scheduler;
pub use secret::Secret;
pub use store::{
    GetOptions, GetResult, LockMode, MemoryStore, ObjectLock, ObjectMeta, PutMode, PutOptions, Store,
    StoreExt,
};
pub use stream::{ByteSender, ByteStream, EndMark, ReaderGone};
pub use transform::{Stages, Transform};
pub use verify::{Assertion, Evidence, Level, Rehearsal, Rehearsed, Verdict};
