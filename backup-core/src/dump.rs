//! [`Dumper`]: where the bytes of a backup come from.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    ByteStream, Result, Stages, Transform, compress,
    digest::{ByteCount, Outcome, Tap},
    inventory::Inventory,
    manifest::Migrations,
};

/// Makes a dump of one database.
///
/// # Contract
///
/// Executed by the [conformance kit](crate::testkit::dumper).
///
/// - The body of a dump ends cleanly only after the tool's exit status was success *and* the format's own
///   end mark was seen. A tool that fails at any byte, or exits with success without the mark, is an error
///   as the body's last item.
/// - A body that is compressed already says so in [`Dump::encoding`]: it ends cleanly only after the success of
///   tool *and* compressor, and the end mark is what [the check](Encoding::with_check) of the decoded bytes
///   demands. [`Dump::into_plain`] gives a body for which the first clause holds as it stands.
/// - Dropping the body, or the future of `dump`, kills the tool and its children.
/// - The tool's messages are drained while the body is not read, and their tail, redacted, is in the error.
/// - Two dumps may run at once.
/// - `probe` changes nothing.
/// - No secret is in argv, an error or `Debug`.
#[cfg_attr(feature = "testkit", mockall::automock)]
#[async_trait]
pub trait Dumper: Send + Sync + Debug + 'static {
    /// What this dumper makes; known without asking the server.
    fn info(&self) -> DumperInfo;

    /// Asks tool and server for their versions, the database's name and its size, changing nothing.
    ///
    /// # Errors
    ///
    /// Everything that would stop a dump before its first byte: the tool is missing or too old
    /// ([`ToolNotFound`](crate::ErrorKind::ToolNotFound), [`ToolVersion`](crate::ErrorKind::ToolVersion)), the server is out of
    /// reach, refuses the user, or lacks the database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the tools that it started.
    async fn probe(&self) -> Result<SourceInfo>;

    /// Starts a dump.
    ///
    /// # Errors
    ///
    /// Those of [`probe`](Self::probe); later ones are the last item of the body.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the tools that it started.
    async fn dump(&self) -> Result<Dump>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Dumper + ?Sized> Dumper for Arc<T> {
    fn info(&self) -> DumperInfo {
        (**self).info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        (**self).probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        (**self).dump().await
    }
}

/// What a dumper makes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumperInfo {
    /// The database engine: `postgresql`, `mysql`, `mariadb`, `sqlite`.
    pub engine: String,
    /// The format of the bytes: `plain`, `custom`, `directory` (as a tar archive), `database`.
    pub format: String,
    /// The file extension of the format, without a dot: `sql`, `dump`, `tar`, `sqlite`.
    pub extension: String,
}

impl DumperInfo {
    /// Names engine, format and extension.
    pub fn new(engine: impl Into<String>, format: impl Into<String>, extension: impl Into<String>) -> Self {
        Self { engine: engine.into(), format: format.into(), extension: extension.into() }
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceInfo {
    /// The database's name.
    pub database: String,
    /// Where the server is, without secrets: `db.example:5432`, a socket's folder, or a file's path.
    pub location: String,
    /// The tool that dumps.
    pub tool: String,
    /// Its version, as it prints it.
    pub tool_version: String,
    /// The server's version.
    pub server_version: String,
    /// The size of the database on the server's disk, in bytes.
    pub size_bytes: Option<u64>,
    /// The encoding of its text.
    pub encoding: Option<String>,
    /// The extensions that it uses, as `name version`.
    pub extensions: Vec<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl SourceInfo {
    /// The database's name; the other fields are filled by assignment.
    pub fn new(database: impl Into<String>) -> Self {
        Self { database: database.into(), ..Self::default() }
    }
}

/// A dump under way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dump {
    /// What a probe found, just before.
    pub source: SourceInfo,
    /// The bytes; see the contract of [`Dumper`].
    pub body: ByteStream,
    /// How the body is compressed already, if it is; whoever reads it has to look.
    pub encoding: Option<Encoding>,
    /// The inventory where the tool tells it beforehand; otherwise it is read out of the body.
    pub inventory: Option<Inventory>,
    /// The inventory where it is counted at the source while the dump runs: it is there before the body ends
    /// cleanly. A count that fails is an error of the body.
    pub counted: Option<Outcome<Inventory>>,
    /// The migrations that the schema has come to, where the dumper knows of any.
    pub migrations: Option<Migrations>,
    /// Small texts that belong to the dump and are stored beside it, such as the roles of the server.
    pub companions: Vec<Companion>,
    /// What was noticed before the first byte and needs a look, such as tables without transactions; the
    /// pipeline keeps it in manifest and report.
    pub warnings: Vec<String>,
}

impl Dump {
    /// A dump of `body`.
    #[must_use]
    pub fn new(source: SourceInfo, body: ByteStream) -> Self {
        Self {
            source,
            body,
            encoding: None,
            inventory: None,
            counted: None,
            migrations: None,
            companions: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Says that the body is compressed already.
    #[must_use]
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// The same dump with a plain body: what is compressed is decompressed, and checked.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where this build lacks the format's feature. A body that cannot
    /// be decoded is [`Corrupt`](crate::ErrorKind::Corrupt) as its last item.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn into_plain(mut self) -> Result<Self> {
        let Some(encoding) = self.encoding.take() else { return Ok(self) };
        let (decoder, check) = encoding.into_parts()?;
        let stages = Stages::new().transform(decoder).boxed_tap(check);
        Ok(Self { body: stages.run(self.body), ..self })
    }
}

/// That the body of a dump is compressed already, on the host of the database for example.
#[non_exhaustive]
pub struct Encoding {
    /// The format, in the words of [`compress::by_name`].
    pub format: &'static str,
    check: Box<dyn Tap>,
}

impl Encoding {
    /// A body compressed in `format`.
    #[must_use]
    pub fn new(format: &'static str) -> Self {
        Self { format, check: Box::new(ByteCount::default()) }
    }

    /// What the decoded bytes have to pass, to their end: the format's end mark for example.
    #[must_use]
    pub fn with_check(mut self, check: impl Tap + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    /// A decoder, and the check of what comes out of it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where this build lacks the format's feature.
    pub fn into_parts(self) -> Result<(Box<dyn Transform>, Box<dyn Tap>)> {
        Ok((compress::by_name(self.format)?.decoder()?, self.check))
    }
}

impl Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoding").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A second dump that is stored with the first: the globals of a PostgreSQL server, the users and grants of
/// a MySQL one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Companion {
    /// What it is, a word: `globals`.
    pub name: String,
    /// The file extension of its format: `sql`.
    pub extension: String,
    /// The bytes, under the same contract as the dump's own.
    pub body: ByteStream,
}

impl Companion {
    /// Names a companion and its bytes.
    pub fn new(name: impl Into<String>, extension: impl Into<String>, body: ByteStream) -> Self {
        Self { name: name.into(), extension: extension.into(), body }
    }
}
