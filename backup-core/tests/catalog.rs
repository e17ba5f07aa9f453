//! The catalogs of this crate keep the contract of [`backup_core::Catalog`].
#![allow(clippy::unwrap_used, clippy::unused_async)] // a fixture is `async` for those that need it

mod store {
    use backup_core::{MemoryStore, StoreCatalog};

    async fn catalog() -> (StoreCatalog, ()) {
        (StoreCatalog::new(MemoryStore::new()), ())
    }
    backup_core::catalog_conformance!(catalog);
}

mod json {
    use backup_core::JsonCatalog;
    use tempfile::TempDir;

    async fn catalog() -> (JsonCatalog, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (JsonCatalog::open(dir.path().join("backups.json")).await.unwrap(), dir)
    }
    backup_core::catalog_conformance!(catalog);
}
