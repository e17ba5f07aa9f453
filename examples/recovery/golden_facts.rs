//! What is known of the golden backups: where they are, what opens them, and what they hold.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use backup_core::{BackupRef, Entry, Filter, Kind, Pipeline, Secret, encrypt::Age};
use storage_local::LocalStore;
use tempfile::TempDir;

/// Opens those that were sealed with a passphrase; known to everybody, as the identity beside the store is.
pub(crate) const PASSPHRASE: &str = "a passphrase of tests, known to everybody";

/// The folder of the release whose format is frozen in it.
pub(crate) fn release() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../backup-core/tests/golden/release-0.1")
}

/// A release's backups, copied to where a test may write.
pub(crate) struct Golden {
    folder: TempDir,
}

impl Golden {
    pub(crate) fn copied() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&release(), folder.path());
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a later version makes of the store alone.
    pub(crate) async fn pipeline(&self) -> Pipeline {
        Pipeline::for_store(LocalStore::open_existing(self.path("store")).await.unwrap())
    }

    /// The same, with what opens the backup of a fact.
    pub(crate) async fn opening(&self, fact: &Fact) -> Pipeline {
        let pipeline = self.pipeline().await;
        match self.key(fact) {
            Some(key) => pipeline.with_encryptor(key),
            None => pipeline,
        }
    }

    /// What opens the backup of a fact, if anything has to.
    pub(crate) fn key(&self, fact: &Fact) -> Option<Age> {
        match fact.sealed {
            Sealed::Not => None,
            Sealed::ForKey => Some(Age::for_identities(&self.identity()).unwrap()),
            Sealed::ByPassphrase => Some(Age::for_passphrase(&PASSPHRASE.into()).unwrap()),
        }
    }

    fn identity(&self) -> Secret {
        std::fs::read_to_string(self.path("identity.txt")).unwrap().into()
    }
}

/// Copies what is in a folder into another one.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp").arg("-R").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

pub(crate) async fn entries(pipeline: &Pipeline) -> Vec<Entry> {
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert!(listing.damaged.is_empty() && listing.unreachable.is_empty(), "{listing:?}");
    listing.entries
}

/// How an artifact is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealed {
    Not,
    ForKey,
    ByPassphrase,
}

/// What a backup is, and holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) engine: &'static str,
    /// Format and compression.
    pub(crate) form: Form,
    pub(crate) sealed: Sealed,
    /// Whether its manifest tells its recipients alone what is computed from plain bytes; those of before tell everybody.
    pub(crate) hides: bool,
    pub(crate) kind: Kind,
    /// How deep it was proven.
    pub(crate) proven: &'static str,
    /// The tables with their rows, where anything showed them.
    pub(crate) tables: Tables,
}

const SHOP: &[(&str, u64)] = &[("public.customers", 3), ("public.orders", 4)];
const MY: &[(&str, u64)] = &[("customers", 3), ("orders", 4)];
const SEVERAL: &[(&str, u64)] = &[("my shop.customers", 3), ("my shop.orders", 4), ("my stock.articles", 2)];
const ARCHIVE: &[(&str, u64)] = &[("public.first", 3000), ("public.second", 3000), ("public.third", 3)];
const PRISMA: &[(&str, u64)] = &[("Post", 0), ("User", 0), ("_prisma_migrations", 3)];
const NOT_SHOWN: &[(&str, u64)] = &[];

const PLAIN_ZSTD: (&str, &str) = ("plain", "zstd");
const PLAIN_GZIP: (&str, &str) = ("plain", "gzip");
const FILE_ZSTD: (&str, &str) = ("database", "zstd");

/// All of them, the newest first.
pub(crate) const FACTS: &[Fact] = &[
    pg("production/shop/backup-20261031-020000", ("plain", "none"), SHOP)
        .sealed(Sealed::ByPassphrase)
        .hides()
        .proven("digest"),
    sqlite("production/notes/backup-20261030-040000", ("database", "none"), MY)
        .sealed(Sealed::ForKey)
        .hides()
        .proven("equal"),
    pg("production/shop/backup-20261030-020000", ("directory", "zstd"), NOT_SHOWN)
        .sealed(Sealed::ForKey)
        .hides()
        .proven("restored"),
    sqlite("production/notes/backup-20261029-040000", ("database", "gzip"), MY)
        .sealed(Sealed::ForKey)
        .hides(),
    my("production/my%20shop/backup-20261029-023000", ("databases", "zstd"), SEVERAL)
        .sealed(Sealed::ForKey)
        .hides(),
    pg("production/shop/backup-20261029-020000", ("custom", "none"), SHOP)
        .sealed(Sealed::ForKey)
        .hides()
        .proven("equal"),
    sqlite("production/notes/backup-20261028-040000", ("database", "gzip"), MY).proven("digest"),
    pg("production/archive/backup-20261028-033000", PLAIN_ZSTD, ARCHIVE).sealed(Sealed::ForKey).hides(),
    sqlite("production/dev/backup-20261028-030000", FILE_ZSTD, PRISMA).kind(Kind::PreMigration),
    my("production/my%20shop/backup-20261028-023000", ("plain", "none"), MY)
        .sealed(Sealed::ForKey)
        .hides()
        .proven("equal"),
    pg("production/shop/backup-20261028-020000", PLAIN_ZSTD, SHOP)
        .sealed(Sealed::ForKey)
        .hides()
        .kind(Kind::Daily),
    sqlite("production/notes/backup-20261027-040000", FILE_ZSTD, MY).sealed(Sealed::ForKey),
    sqlite("production/notes/backup-20261026-040000", ("database", "none"), MY).proven("equal"),
    pg("production/archive/backup-20261026-030000", PLAIN_GZIP, ARCHIVE).sealed(Sealed::ForKey),
    my("staging/ledger/backup-20261025-033000", ("plain", "none"), MY),
    pg("production/archive/backup-20261025-030000", PLAIN_ZSTD, ARCHIVE),
    pg("staging/shop/backup-20261025-030000", ("custom", "none"), NOT_SHOWN).kind(Kind::Daily),
    pg("production/shop/backup-20261025-020000", PLAIN_GZIP, SHOP),
    my("staging/ledger/backup-20261024-033000", PLAIN_ZSTD, MY).kind(Kind::Daily),
    pg("staging/shop/backup-20261024-030000", PLAIN_ZSTD, SHOP).kind(Kind::Daily),
    pg("production/shop/backup-20261024-020000", ("plain", "none"), SHOP)
        .sealed(Sealed::ByPassphrase)
        .proven("digest"),
    pg("production/shop/backup-20261023-020000", PLAIN_GZIP, SHOP).sealed(Sealed::ForKey).kind(Kind::Monthly),
    my("production/my%20shop/backup-20261022-023000", PLAIN_ZSTD, MY).sealed(Sealed::ForKey),
    pg("production/shop/backup-20261022-020000", ("directory", "zstd"), NOT_SHOWN).kind(Kind::Weekly),
    my("production/my%20shop/backup-20261021-023000", ("databases", "gzip"), SEVERAL),
    pg("production/shop/backup-20261021-020000", ("custom", "none"), SHOP).kind(Kind::Daily).proven("equal"),
    my("production/my%20shop/backup-20261020-023000", PLAIN_ZSTD, MY).kind(Kind::Daily).proven("equal"),
    pg("production/shop/backup-20261020-020000-nightly", PLAIN_ZSTD, SHOP).kind(Kind::Daily).proven("equal"),
];

type Form = (&'static str, &'static str);
type Tables = &'static [(&'static str, u64)];

const fn pg(name: &'static str, form: Form, tables: Tables) -> Fact {
    fact(name, "postgresql", form, tables)
}

const fn my(name: &'static str, form: Form, tables: Tables) -> Fact {
    fact(name, "mysql", form, tables)
}

const fn sqlite(name: &'static str, form: Form, tables: Tables) -> Fact {
    fact(name, "sqlite", form, tables)
}

const fn fact(name: &'static str, engine: &'static str, form: Form, tables: Tables) -> Fact {
    Fact {
        name,
        engine,
        form,
        sealed: Sealed::Not,
        hides: false,
        kind: Kind::Manual,
        proven: "decoded",
        tables,
    }
}

impl Fact {
    const fn sealed(self, sealed: Sealed) -> Self {
        Self { sealed, ..self }
    }

    const fn hides(self) -> Self {
        Self { hides: true, ..self }
    }

    const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn proven(self, proven: &'static str) -> Self {
        Self { proven, ..self }
    }

    pub(crate) fn backup(&self) -> BackupRef {
        self.name.parse().unwrap()
    }
}
