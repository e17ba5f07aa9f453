//! [`PgDump`]: dumps one database with `pg_dump`.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Companion, Dump, Dumper, DumperInfo, Encoding, EndMark, Error, ErrorKind, Result, SourceInfo,
    digest::Outcome,
    process::{Host, Tool},
};
use futures::{StreamExt, TryStreamExt};

use crate::{
    ArchiveCompression, Content, Format, Globals, LargeObjects, Ownership, PgConfig, Privileges, Rows,
    command::{self, DumpSettings},
    error::classify,
    server::Server,
    source::{self, Look, Scope},
    version::{Client, Installed, Program, client_for_dump},
};

mod counted;
mod directory;
mod head;
mod staging;

pub(crate) use staging::Staging;

/// How long `pg_dump` may be silent, unless said otherwise: it may have to wait for a lock.
const IDLE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The last comment of a plain dump.
const DUMP_END: &[u8] = b"-- PostgreSQL database dump complete";

/// The first bytes of an archive.
const MAGIC: &[u8] = b"PGDMP";

/// The last comment of `pg_dumpall`.
const GLOBALS_END: &[u8] = b"-- PostgreSQL database cluster dump complete";

/// How many bytes may follow the start of the last comment: its own rest, and `\unrestrict` with its key.
const END_WINDOW: usize = 512;

/// Dumps one database with `pg_dump`.
///
/// Everything is dumped unless something is chosen or left out. The client programs of the server's own
/// major version are used where they are installed, else those of the next newer one.
///
/// # Examples
///
/// ```
/// use handler_pgdump::{Format, PgDump};
///
/// let dump = PgDump::from_url("postgresql://backup@db.example/shop?sslmode=verify-full")?
///     .format(Format::Custom)
///     .exclude_table_data("public.sessions");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PgDump {
    config: PgConfig,
    settings: DumpSettings,
    globals: Option<Globals>,
    installed: Installed,
    host: Host,
    idle_timeout: Duration,
    total_timeout: Option<Duration>,
    staging: Option<PathBuf>,
    source_checksums: SourceChecksums,
}

/// Whether the rows are summed up at the source too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceChecksums {
    Omitted,
    Taken,
}

impl PgDump {
    /// Dumps the database that the URL names; see [`PgConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(PgConfig::from_url(url)?))
    }

    /// Dumps the database that `config` names.
    #[must_use]
    pub fn new(config: PgConfig) -> Self {
        Self {
            config,
            settings: DumpSettings::default(),
            globals: None,
            installed: Installed::default(),
            host: Host::local(),
            idle_timeout: IDLE_LIMIT,
            total_timeout: None,
            staging: None,
            source_checksums: SourceChecksums::Omitted,
        }
    }

    /// Chooses the format; plain SQL unless said otherwise.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Says who compresses an archive; the pipeline unless said otherwise.
    #[must_use]
    pub fn archive_compression(mut self, compression: ArchiveCompression) -> Self {
        self.settings.compression = compression;
        self
    }

    /// Dumps the schemas that match `pattern` alone; may be called again for more.
    #[must_use]
    pub fn schema(mut self, pattern: impl Into<String>) -> Self {
        self.settings.schemas.push(pattern.into());
        self
    }

    /// Leaves out the schemas that match `pattern`.
    #[must_use]
    pub fn exclude_schema(mut self, pattern: impl Into<String>) -> Self {
        self.settings.exclude_schemas.push(pattern.into());
        self
    }

    /// Dumps the tables that match `pattern` alone; may be called again for more.
    #[must_use]
    pub fn table(mut self, pattern: impl Into<String>) -> Self {
        self.settings.tables.push(pattern.into());
        self
    }

    /// Leaves out the tables that match `pattern`.
    #[must_use]
    pub fn exclude_table(mut self, pattern: impl Into<String>) -> Self {
        self.settings.exclude_tables.push(pattern.into());
        self
    }

    /// Dumps the definitions, but not the rows, of the tables that match `pattern`.
    #[must_use]
    pub fn exclude_table_data(mut self, pattern: impl Into<String>) -> Self {
        self.settings.exclude_table_data.push(pattern.into());
        self
    }

    /// Chooses definitions, rows, or both.
    #[must_use]
    pub fn content(mut self, content: Content) -> Self {
        self.settings.content = content;
        self
    }

    /// Says whether owners are dumped.
    #[must_use]
    pub fn ownership(mut self, ownership: Ownership) -> Self {
        self.settings.ownership = ownership;
        self
    }

    /// Says whether grants are dumped.
    #[must_use]
    pub fn privileges(mut self, privileges: Privileges) -> Self {
        self.settings.privileges = privileges;
        self
    }

    /// Says whether large objects are dumped.
    #[must_use]
    pub fn large_objects(mut self, large_objects: LargeObjects) -> Self {
        self.settings.large_objects = large_objects;
        self
    }

    /// Chooses how rows are written.
    #[must_use]
    pub fn rows(mut self, rows: Rows) -> Self {
        self.settings.rows = rows;
        self
    }

    /// Dumps the server's roles and tablespaces too, as the companion `globals`.
    #[must_use]
    pub fn globals(mut self, globals: Globals) -> Self {
        self.globals = Some(globals);
        self
    }

    /// Passes one more long option to `pg_dump`, such as `--lock-wait-timeout=30s`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where the option would change something that this crate
    /// relies on, such as where the dump goes.
    pub fn extra_arg(mut self, arg: impl Into<String>) -> Result<Self> {
        let arg = arg.into();
        command::check_extra(&arg)?;
        self.settings.extra.push(arg);
        Ok(self)
    }

    /// Has the server count and sum up the rows of every dumped table, in the dump's own view, while the dump runs.
    ///
    /// One more session exports its snapshot, `pg_dump` takes it over (`--snapshot`), and the session computes what
    /// the manifest then records as rows and [`source_checksum`](backup_core::TableInventory::source_checksum). So
    /// every format has an inventory; a plain dump that lacks a row that the server saw is no backup
    /// ([`Incomplete`](ErrorKind::Incomplete)); and a rehearsal at the level `equal` compares the sums with those of
    /// the restored database, which proves custom and directory dumps too.
    ///
    /// The body ends cleanly only after the sums are there. A session that fails is an error of the body, a dump that
    /// fails or is dropped ends the session.
    ///
    /// # What it asks of the server
    ///
    /// One more connection, and each row read and hashed once more by one process of the server: about as much of its
    /// processor time as the dump itself takes, so that a dump into nowhere took twice as long in our measurements, on
    /// two cores, with narrow rows and with wide ones. The snapshot is held until dump and sums are done, so that vacuum
    /// keeps dead rows for as long as the slower of the two takes. The user needs no right that the dump does not need. A table that is truncated, rewritten or
    /// dropped between the snapshot and the moment when `pg_dump` locks it fails the dump.
    ///
    /// # What is not seen
    ///
    /// Large objects, sequences, and the rows of materialized views and foreign tables, which have no sum. Values
    /// are compared as text, in one setting of dates, times, intervals, numbers, bytes and money; the text of types
    /// that extensions bring, and of floating-point numbers of servers before version 12, may depend on the version.
    /// The checksum finds rows that were lost, damaged or mixed up, but is no proof against somebody who forges a
    /// dump, and compares only between databases of one encoding, on servers of one byte order.
    ///
    /// Servers before version 11, and [raw options](Self::extra_arg) that may change which rows are dumped, are
    /// refused ([`Unsupported`](ErrorKind::Unsupported)).
    #[must_use]
    pub fn source_checksums(mut self) -> Self {
        self.source_checksums = SourceChecksums::Taken;
        self
    }

    /// Ends `pg_dump` when it is silent for this long; one hour unless said otherwise.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Ends `pg_dump` after this long; never unless said otherwise.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Uses the client programs in this folder and no others.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.installed = Installed::In(folder.into());
        self
    }

    /// Runs the client programs on `host`, where the connection then starts: a socket's folder and the files of
    /// TLS are those of that host. See "Over SSH" on this crate's front page.
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Says where the temporary copy of the directory format is made; the system's temporary folder unless
    /// said otherwise.
    #[must_use]
    pub fn staging(mut self, folder: impl Into<PathBuf>) -> Self {
        self.staging = Some(folder.into());
        self
    }

    /// The stream of a tool, compressed on its way where the host is told so, and the end that it must have.
    fn stream(&self, tool: Tool) -> Result<(ByteStream, Option<Encoding>)> {
        let custom = self.settings.format == Format::Custom;
        let (stream, encoding) = if custom && self.settings.compression == ArchiveCompression::PgDump {
            (tool.stream()?, None)
        } else {
            tool.stream_compressed()?
        };
        Ok(match (encoding, custom) {
            (None, true) => (head::require(stream, MAGIC), None),
            (None, false) => (stream.require_end_mark(END_WINDOW, |end| has(end, DUMP_END)), None),
            (Some(format), true) => (stream, Some(Encoding::new(format).with_check(head::Head::new(MAGIC)))),
            (Some(format), false) => {
                let mark = EndMark::new(END_WINDOW, |end: &[u8]| has(end, DUMP_END));
                (stream, Some(Encoding::new(format).with_check(mark)))
            }
        })
    }

    pub(crate) fn installed(mut self, installed: Installed) -> Self {
        self.installed = installed;
        self
    }

    async fn prepare(&self) -> Result<(SourceInfo, Client, Server)> {
        if matches!(self.settings.format, Format::Directory { .. }) && !self.host.is_local() {
            return Err(Error::new(ErrorKind::Unsupported, "the directory format cannot be dumped over SSH")
                .with_suggestion("use the custom format, whose body needs no copy on the host"));
        }
        let server = Server::new(&self.config, &self.installed, &self.host).await?;
        let facts = server.facts().await?;
        if self.source_checksums == SourceChecksums::Taken {
            source::check(facts.server())?;
            Scope::of(&self.settings)?;
        }
        let client =
            client_for_dump(&self.installed.find(Program::PgDump, &self.host).await?, facts.server())?
                .clone();
        if self.globals.is_some() {
            self.require(&client, Program::PgDumpall).await?;
        }
        let mut source = SourceInfo::new(facts.database);
        source.location = command::location(&self.config, &self.host);
        Program::PgDump.name().clone_into(&mut source.tool);
        source.tool_version.clone_from(&client.printed);
        source.server_version = facts.version;
        source.size_bytes = facts.size_bytes;
        source.encoding = Some(facts.encoding);
        source.extensions = facts.extensions;
        Ok((source, client, server))
    }

    async fn require(&self, client: &Client, program: Program) -> Result<()> {
        let path = client.path(program);
        let exists = if self.host.is_local() {
            tokio::fs::try_exists(&path).await?
        } else {
            let folder = client.folder.to_string_lossy();
            self.host.find_program(&[program.name()], &[folder.as_ref()]).await?.contains(&path)
        };
        if exists {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ToolNotFound, "a client program of PostgreSQL is not installed")
            .with_context("tool", program.name())
            .with_context("folder", client.folder.display())
            .with_suggestion(crate::version::install_hint(client.version.major)))
    }

    async fn tool(&self, client: &Client, program: Program, args: Vec<String>) -> Result<Tool> {
        let path = client.path(program);
        // The same moment has the same text on every server, whatever its time zone.
        let tool =
            command::client(program.name(), path, &self.config, &self.host, args).await?.env("PGTZ", "UTC");
        Ok(match self.total_timeout {
            Some(limit) => tool.total_timeout(limit),
            None => tool,
        })
    }

    async fn globals_companion(&self, client: &Client, globals: Globals) -> Result<Companion> {
        let args = command::globals_args(globals).into_iter().map(str::to_owned).collect();
        let tool = self.tool(client, Program::PgDumpall, args).await?.idle_timeout(self.idle_timeout);
        // Started when it is read: the session would otherwise wait through the whole dump.
        let body = ByteStream::new(
            futures::stream::once(async move {
                Ok::<_, Error>(tool.stream()?.require_end_mark(END_WINDOW, |end| has(end, GLOBALS_END)))
            })
            .try_flatten(),
        );
        Ok(Companion::new("globals", "sql", explained(body, &self.config)))
    }
}

#[async_trait]
impl Dumper for PgDump {
    fn info(&self) -> DumperInfo {
        self.settings.format.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        let (source, ..) = self.prepare().await.map_err(|err| err.with_operation("probe"))?;
        Ok(source)
    }

    async fn dump(&self) -> Result<Dump> {
        let (source, client, server) = self.prepare().await.map_err(|err| err.with_operation("dump"))?;
        if self.source_checksums == SourceChecksums::Omitted {
            return self.start(source, &client, None).await;
        }
        let counting = self.begin_counting(&server, &source).await;
        let (dump, look) = counting.map_err(|err| err.with_operation("dump"))?;
        dump.start(source, &client, Some(look)).await
    }
}

impl PgDump {
    /// Starts `pg_dump`, whose view `look` has too.
    async fn start(&self, source: SourceInfo, client: &Client, look: Option<Look>) -> Result<Dump> {
        let (body, encoding) = if let Format::Directory { .. } = self.settings.format {
            let staging = Staging::create("backup-pg-dump-", self.staging.clone()).await?;
            let args = self.settings.args(Some(&staging.content()));
            let tool = self.tool(client, Program::PgDump, args).await?;
            (directory::stream(tool, staging, self.idle_timeout), None)
        } else {
            let args = self.settings.args(None);
            let tool = self.tool(client, Program::PgDump, args).await?;
            self.stream(tool.idle_timeout(self.idle_timeout))?
        };
        let (body, counted) = match look {
            None => (body, None),
            Some(look) => {
                let counted = Outcome::pending();
                (counted::joined(body, look, counted.clone()), Some(counted))
            }
        };
        let mut dump = Dump::new(source, explained(body, &self.config));
        (dump.encoding, dump.counted) = (encoding, counted);
        if let Some(globals) = self.globals {
            dump.companions.push(self.globals_companion(client, globals).await?);
        }
        Ok(dump)
    }
}

/// Says what the tool's messages mean and of which database, in the error that ends the stream.
fn explained(body: ByteStream, config: &PgConfig) -> ByteStream {
    let (server, database) = (config.location(), config.database().to_owned());
    ByteStream::new(body.map(move |item| {
        item.map_err(|err| {
            classify(err)
                .with_operation("dump")
                .with_context("server", &server)
                .with_context("database", &database)
        })
    }))
}

/// Whether `mark` stands in `end`, at the start of a line.
fn has(end: &[u8], mark: &[u8]) -> bool {
    end.split(|byte| *byte == b'\n').any(|line| line.strip_suffix(b"\r").unwrap_or(line) == mark)
}
