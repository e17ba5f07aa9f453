//! [`Restorer`] and [`Scratch`]: where the bytes of a backup go back to.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ByteStream, Dumper, Result, SourceInfo, inventory::Inventory};

mod beside;
mod clone_name;
mod unknown;

pub use beside::Beside;
pub use clone_name::clone_name;
#[cfg(feature = "config")]
pub(crate) use unknown::near;
pub use unknown::unknown_table;

/// Restores dumps into one database.
///
/// # Contract
///
/// - Stops at the first error, and reports it with the line or object that the tool names.
/// - Refuses a target that is not empty, unless told to replace it
///   ([`TargetNotEmpty`](crate::ErrorKind::TargetNotEmpty)), before the first byte is read.
/// - A body that ends in an error is never committed as far as the engine can undo it: a plain dump runs in
///   one transaction, a replaced database is built beside the old one.
/// - A restore that fails, or whose tool, server or process is killed, leaves the target as it was, or a new one in its
///   place that is whole; what is left of it besides says by a name (`…_restoring_…`, `…_replaced_…`) or a mark that it is
///   no whole database. The implementer's documentation says which, and the next `probe` names it
///   ([`TargetInfo::left_behind`]).
/// - Says how many rows each table got, and what the tool warned of.
/// - `probe` changes nothing.
/// - No secret is in argv, an error or `Debug`.
#[cfg_attr(feature = "testkit", mockall::automock)]
#[async_trait]
pub trait Restorer: Send + Sync + Debug + 'static {
    /// Whether dumps of `engine` in `format` can be restored here; the words are those of
    /// [`DumperInfo`](crate::DumperInfo).
    fn supports(&self, engine: &str, format: &str) -> bool;

    /// Asks for versions and for what the target holds, changing nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn probe(&self) -> Result<TargetInfo>;

    /// Restores `body`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: a dropped call ends the tool; a target that existed before keeps what it held where
    /// the engine can undo (see the implementer's documentation).
    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome>;

    /// Reads what a dump defines, and says what a selection of it means: what comes along, and what it leaves behind.
    ///
    /// `definitions` is the dump, with or without its rows. Nothing is changed; the target is asked which of the
    /// tables it has, and what stands in the way of replacing them.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a table that the dump does not hold, which names
    /// [near matches](unknown_table);
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where nothing can be selected in the format.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected>;

    /// A dumper of the target, for the safety backup that is taken before the target is replaced.
    fn target_dumper(&self) -> Result<Arc<dyn Dumper>>;

    /// Makes a throw-away database for a rehearsal, as like as can be to the one that the dump came from.
    ///
    /// What `like` does not say is taken from the target. Where it is made (a server of its own, the target's server,
    /// a file) is the implementer's to say, and [`Scratch::place`] tells.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe where the scratch is; a dropped call may leave an empty database that says so in its name.
    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Restorer + ?Sized> Restorer for Arc<T> {
    fn supports(&self, engine: &str, format: &str) -> bool {
        (**self).supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        (**self).probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        (**self).restore(body, options).await
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        (**self).select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        (**self).target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        (**self).scratch(like).await
    }
}

/// A throw-away database.
///
/// # Contract
///
/// It is gone after `close`, and after a drop too, also by a panic; `close` says when that failed.
#[async_trait]
pub trait Scratch: Send + Sync + Debug {
    /// Restores into the throw-away database.
    fn restorer(&self) -> &dyn Restorer;

    /// Where it is.
    fn place(&self) -> ScratchPlace;

    /// A dumper of the throw-away database, to see in its own words what was restored.
    fn dumper(&self, contents: Contents) -> Result<Arc<dyn Dumper>>;

    /// Asks the throw-away database a question with one answer: the first column of the first row, as text; `None`
    /// for NULL and for no row.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn scalar(&self, sql: &str) -> Result<Option<String>>;

    /// What the throw-away database holds now, counted by the server.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn inventory(&self) -> Result<Inventory>;

    /// What the throw-away database holds now, with a [checksum](crate::TableInventory::source_checksum) of the rows
    /// of every table, computed by the server as that of the source was; `None` where the engine has no such thing.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn source_checksums(&self) -> Result<Option<Inventory>>;

    /// Removes the database.
    ///
    /// # Cancel safety
    ///
    /// A dropped call removes it as a drop does.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// What is known of the database that a dump came from, so that a throw-away one can be like it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScratchLike {
    /// The version of its server, in the words of [`SourceInfo::server_version`](crate::SourceInfo::server_version).
    pub server_version: Option<String>,
    /// Its encoding, in the words of [`SourceInfo::encoding`](crate::SourceInfo::encoding).
    pub encoding: Option<String>,
    /// Its name, for the name of the throw-away one.
    pub database: Option<String>,
}

impl ScratchLike {
    /// Nothing is known of it.
    #[must_use]
    pub fn anything() -> Self {
        Self::default()
    }

    /// What the source of a dump said of itself.
    #[must_use]
    pub fn source(source: &SourceInfo) -> Self {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            server_version: known(&source.server_version),
            encoding: source.encoding.clone(),
            database: known(&source.database),
        }
    }
}

/// Where a throw-away database is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScratchPlace {
    /// Whether it has a server of its own, or is a database on a server that others use too.
    pub own_server: bool,
    /// The version of the server.
    pub server_version: String,
}

impl ScratchPlace {
    /// A database on a server of this version that others use too.
    pub fn database(server_version: impl Into<String>) -> Self {
        Self { own_server: false, server_version: server_version.into() }
    }

    /// A server of its own, of this version.
    pub fn server(server_version: impl Into<String>) -> Self {
        Self { own_server: true, server_version: server_version.into() }
    }
}

/// What a dump of a throw-away database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// What defines tables, views, indexes, …, and no rows.
    Definitions,
    /// Everything.
    All,
}

/// What a probe of a restore's target found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TargetInfo {
    /// The database's name, or the file's path.
    pub database: String,
    /// Where the server is, without secrets, in the form of [`SourceInfo::location`](crate::SourceInfo::location).
    pub location: String,
    /// The tool that restores.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// The server's version.
    pub server_version: String,
    /// Whether the database exists.
    pub exists: bool,
    /// How many tables it holds.
    pub tables: u64,
    /// How many objects it holds that a restore could collide with, or would destroy: its tables, and views,
    /// functions, types, sequences, …
    #[serde(default)]
    pub objects: u64,
    /// Whether the user may make the database, as a restore does where it does not exist or is replaced; `None`
    /// where that takes no right of its own, or nobody knows.
    #[serde(default)]
    pub may_create: Option<bool>,
    /// Databases beside it that a restore or a rehearsal made, by their names: left behind by one that was killed, or in
    /// use by one that still runs. The database itself is among them where what it holds is not whole. Nothing here drops
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

impl TargetInfo {
    /// The database's name; the other fields are filled by assignment.
    pub fn new(database: impl Into<String>) -> Self {
        Self { database: database.into(), ..Self::default() }
    }

    /// Whether it holds nothing that a restore could collide with, or would destroy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects == 0 && self.tables == 0
    }
}

/// What may happen to a target that is not empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnExisting {
    /// It is refused; nothing is changed.
    #[default]
    Refuse,
    /// It is replaced; it stays as it was until the restored one is whole, where the engine can do so.
    Replace,
}

/// What of a dump is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// Everything.
    #[default]
    All,
    /// These tables, named as the [inventory](crate::Inventory) names them, with their indexes, constraints, triggers
    /// and sequences.
    ///
    /// Into a database that is not empty too: what else it holds stays as it is. Of the chosen tables those that it has
    /// are [replaced](OnExisting::Replace), or nothing is restored.
    Tables(Vec<String>),
    /// What defines everything, and no rows.
    Definitions,
}

/// What a selection of a dump means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Selected {
    /// The tables whose rows are restored, named as the inventory names them.
    pub tables: Vec<String>,
    /// What is restored, in the restorer's own words, one object each.
    pub objects: Vec<String>,
    /// What is left behind, or needs a look: foreign keys to tables that were not chosen, tables that refer to the
    /// chosen ones; one sentence each.
    pub notes: Vec<String>,
    /// The chosen tables that the target has already; they are replaced or nothing is restored.
    #[serde(default)]
    pub existing: Vec<String>,
    /// What of the target stands in the way of replacing them, because it would be lost with them; one each.
    #[serde(default)]
    pub obstacles: Vec<String>,
}

impl Selected {
    /// A selection of these tables; the other fields are filled by assignment.
    #[must_use]
    pub fn new(tables: Vec<String>) -> Self {
        Self { tables, ..Self::default() }
    }
}

/// How to restore.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The format of the body, as the manifest says it.
    pub format: String,
    /// The version of the server that the dump came from, where known.
    pub source_version: Option<String>,
    /// The encoding of the database that the dump came from, in the words of
    /// [`SourceInfo::encoding`](crate::SourceInfo::encoding), where known: a database that the restore makes gets
    /// the same.
    pub source_encoding: Option<String>,
    /// What may happen to a target that is not empty.
    pub on_existing: OnExisting,
    /// What of the dump is restored.
    pub selection: Selection,
    /// What [`Restorer::select`] made of the selection; `None` for everything.
    pub selected: Option<Selected>,
}

impl RestoreOptions {
    /// Options for a body in `format`.
    pub fn new(format: impl Into<String>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Says what may happen to a target that is not empty.
    #[must_use]
    pub fn with_on_existing(mut self, on_existing: OnExisting) -> Self {
        self.on_existing = on_existing;
        self
    }

    /// Says what of the dump is restored; tables need what [`Restorer::select`] makes of them too.
    #[must_use]
    pub fn with_selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Hands on what [`Restorer::select`] made of the selection.
    #[must_use]
    pub fn with_selected(mut self, selected: Selected) -> Self {
        self.selected = Some(selected);
        self
    }
}

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RestoreOutcome {
    /// The tables and their rows in the restored database, as the tool or the server counted them.
    pub inventory: Inventory,
    /// What the tool warned of.
    pub warnings: Vec<String>,
}

impl RestoreOutcome {
    /// A restore of `inventory`, without warnings.
    #[must_use]
    pub fn new(inventory: Inventory) -> Self {
        Self { inventory, warnings: Vec::new() }
    }
}
