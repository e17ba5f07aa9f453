//! Pages on the code and on the files in a store.

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/format.md")]
pub mod format {}

/// What to do when something has happened: pages to follow at three in the morning, each of which a test follows too.
pub mod runbooks {
    #[doc = include_str!("../docs/runbooks/database-corrupted.md")]
    pub mod database_corrupted {}

    #[doc = include_str!("../docs/runbooks/host-lost.md")]
    pub mod host_lost {}

    #[doc = include_str!("../docs/runbooks/data-deleted.md")]
    pub mod data_deleted {}

    #[doc = include_str!("../docs/runbooks/ransomware.md")]
    pub mod ransomware {}

    #[doc = include_str!("../docs/runbooks/key-lost.md")]
    pub mod key_lost {}

    #[doc = include_str!("../docs/runbooks/catalog-lost.md")]
    pub mod catalog_lost {}
}
