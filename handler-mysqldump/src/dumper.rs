//! [`MysqlDump`]: dumps one database with `mysqldump` or `mariadb-dump`.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Companion, Dump, Dumper, DumperInfo, Error, ErrorKind, Result, SourceInfo, dump::Encoding,
    process::Host,
};
use bytes::Bytes;
use futures::StreamExt;

use crate::{
    command::{self, DumpSettings},
    config::{MysqlConfig, invalid},
    error::classify,
    format::{self, Consistency, Content, Grants, Position, Stored},
    server::{Facts, Server},
    version::{Client, Flavour, Installed, misfit},
};

mod grants;
mod joined;
mod recent;
mod rights;

use recent::Recent;

/// How long the program may be silent, unless said otherwise: it may have to wait for a lock.
const IDLE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Dumps one database with `mysqldump` or `mariadb-dump`.
///
/// Everything is dumped unless something is chosen or left out: definitions, rows, views, triggers, routines and
/// events, in one transaction. The programs of the server's own flavour are used where they are installed, of its own
/// version or the next newer one; else what there is, with a warning in the manifest.
///
/// A dump holds no database's name, so that it can be restored into any.
///
/// # Examples
///
/// ```
/// use handler_mysqldump::MysqlDump;
///
/// let dump = MysqlDump::from_url("mysql://backup@db.example/shop?ssl-mode=VERIFY_IDENTITY")?
///     .ignore_table_data("sessions")
///     .rows_where("audit_log", "created_at > NOW() - INTERVAL 90 DAY");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MysqlDump {
    config: MysqlConfig,
    settings: DumpSettings,
    grants: Option<Grants>,
    installed: Installed,
    idle_timeout: Duration,
    total_timeout: Option<Duration>,
    recent: Recent,
}

impl MysqlDump {
    /// Dumps the database that the URL names; see [`MysqlConfig::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput); the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(MysqlConfig::from_url(url)?))
    }

    /// Dumps the database that `config` names.
    #[must_use]
    pub fn new(config: MysqlConfig) -> Self {
        Self {
            config,
            settings: DumpSettings::default(),
            grants: None,
            installed: Installed::default(),
            idle_timeout: IDLE_LIMIT,
            total_timeout: None,
            recent: Recent::default(),
        }
    }

    /// Dumps this table alone, with its triggers; may be called again for more.
    ///
    /// Routines and events belong to no table and are left out then.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.settings.tables.push(name.into());
        self
    }

    /// Dumps another database of the server too, into the same backup and as of the same moment.
    ///
    /// Such a backup is restored under the databases' own names. Tables cannot be chosen in it.
    #[must_use]
    pub fn also(mut self, database: impl Into<String>) -> Self {
        self.settings.also.push(database.into());
        self
    }

    /// Leaves out this table or view.
    #[must_use]
    pub fn ignore_table(mut self, name: impl Into<String>) -> Self {
        self.settings.ignored.push(name.into());
        self
    }

    /// Dumps the definition, but not the rows, of this table.
    #[must_use]
    pub fn ignore_table_data(mut self, name: impl Into<String>) -> Self {
        self.settings.without_rows.push(name.into());
        self
    }

    /// Dumps of this table the rows alone that meet an SQL condition, for example the recent ones.
    ///
    /// The program has one condition for all its tables, so that such a table is dumped by a run of its own, before
    /// the others and as of another moment; the manifest says so.
    #[must_use]
    pub fn rows_where(mut self, table: impl Into<String>, condition: impl Into<String>) -> Self {
        self.settings.conditions.insert(table.into(), condition.into());
        self
    }

    /// Chooses definitions, rows, or both.
    #[must_use]
    pub fn content(mut self, content: Content) -> Self {
        self.settings.content = content;
        self
    }

    /// Says whether procedures and functions are dumped.
    #[must_use]
    pub fn routines(mut self, routines: Stored) -> Self {
        self.settings.routines = routines;
        self
    }

    /// Says whether triggers are dumped.
    #[must_use]
    pub fn triggers(mut self, triggers: Stored) -> Self {
        self.settings.triggers = triggers;
        self
    }

    /// Says whether events are dumped.
    #[must_use]
    pub fn events(mut self, events: Stored) -> Self {
        self.settings.events = events;
        self
    }

    /// Says how all tables come to be seen as of one moment.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.settings.consistency = consistency;
        self
    }

    /// Says whether the position in the binary log is recorded.
    #[must_use]
    pub fn position(mut self, position: Position) -> Self {
        self.settings.position = position;
        self
    }

    /// Dumps the server's users and their grants too, as the companion `grants`.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = Some(grants);
        self
    }

    /// Passes one more long option to the program that dumps, such as `--net-buffer-length=16384`.
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

    /// Ends the program when it is silent for this long; one hour unless said otherwise.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Ends the program after this long; never unless said otherwise.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Uses the client programs in this folder and no others; called again, those in that folder too.
    #[must_use]
    pub fn client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.recent = Recent::default();
        self.installed.folders.push(folder.into());
        self
    }

    /// Runs the client programs on this host; the address of the server is the one seen from there.
    #[must_use]
    pub fn over(mut self, host: Host) -> Self {
        self.recent = Recent::default();
        self.installed.host = host;
        self
    }

    pub(crate) fn installed(mut self, installed: Installed) -> Self {
        self.recent = Recent::default();
        self.installed = installed;
        self
    }

    /// What a probe found a moment ago, or finds now: a backup asks twice, and each question is a round trip.
    async fn prepare(&self) -> Result<Prepared> {
        match self.recent.take(&self.config, &self.settings) {
            Some(recent) => Ok(recent),
            None => self.examine().await,
        }
    }

    async fn examine(&self) -> Result<Prepared> {
        self.check_settings()?;
        let (server, facts) = Server::connect_for_facts(&self.config, &self.installed).await?;
        let client = server.dumping_client()?;
        self.check_flavour(&client, &server, &facts)?;
        let mut warnings = rights::check(&server, &facts, &self.settings).await?;
        warnings.extend(misfit(&client, server.version));
        warnings.extend(self.moments(&facts));
        let mut size_bytes = facts.size_bytes;
        for name in &self.settings.also {
            let server = server.at(name);
            let facts = server.facts().await?;
            self.check_flavour(&client, &server, &facts)?;
            warnings.extend(rights::check(&server, &facts, &self.settings).await?);
            warnings.extend(self.moments(&facts));
            size_bytes = size_bytes.saturating_add(facts.size_bytes);
        }

        let mut source = SourceInfo::new(self.config.database());
        source.location = command::location(&self.config, &self.installed.host);
        let name = client.path.file_stem().map(|name| name.to_string_lossy().into_owned());
        source.tool = name.unwrap_or_default();
        source.tool_version.clone_from(&client.printed);
        source.server_version.clone_from(&server.printed);
        source.size_bytes = Some(size_bytes);
        source.encoding = Some(facts.encoding());
        Ok(Prepared { source, client, server, warnings })
    }

    fn check_settings(&self) -> Result<()> {
        let settings = &self.settings;
        let named = [&settings.tables, &settings.ignored, &settings.without_rows];
        if named.into_iter().flatten().chain(settings.conditions.keys()).any(String::is_empty) {
            return Err(invalid("a table is named by an empty text"));
        }
        let twice = |table: &&String| settings.ignored.contains(*table);
        if let Some(table) = settings.tables.iter().chain(settings.conditions.keys()).find(twice) {
            return Err(invalid("a table is both chosen and left out").with_context("table", table));
        }
        if settings.conditions.values().any(|condition| condition.trim().is_empty()) {
            return Err(invalid("a condition on rows is empty"));
        }
        if !settings.also.is_empty() {
            let chosen = [&settings.tables, &settings.ignored, &settings.without_rows];
            if !settings.conditions.is_empty() || chosen.into_iter().any(|tables| !tables.is_empty()) {
                return Err(invalid("tables are chosen in a dump of several databases")
                    .with_suggestion("back up each database for itself"));
            }
            let mut names: Vec<&str> = settings.also.iter().map(String::as_str).collect();
            names.push(self.config.database());
            names.sort_unstable();
            if names.windows(2).any(|pair| pair.first() == pair.last()) || names.contains(&"") {
                return Err(invalid("a database is named twice, or by an empty text"));
            }
        }
        let rest = settings.tables.iter().filter(|table| !settings.conditions.contains_key(*table));
        if !settings.tables.is_empty() && rest.count() == 0 {
            return Err(invalid("every chosen table has a condition on its rows")
                .with_suggestion("choose at least one table without a condition"));
        }
        Ok(())
    }

    /// What MariaDB's program cannot do on a server of MySQL.
    fn check_flavour(&self, client: &Client, server: &Server, facts: &Facts) -> Result<()> {
        if client.version.flavour != Flavour::MariaDb || server.version.flavour != Flavour::MySql {
            return Ok(());
        }
        let position = self.settings.position == Position::Record;
        let message = if facts.generated_columns > 0 && self.settings.has_rows() {
            // It does not see which they are, and writes values that no server takes back.
            "the installed program cannot dump the generated columns of this server"
        } else if position && server.version.is_at_least(Flavour::MySql, 8, 4, 0) {
            // It asks by a statement that MySQL has not known since then.
            "the installed program cannot ask this server for its position in the binary log"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::ToolVersion, message)
            .with_context("tool", client.version)
            .with_context("server", server.version)
            .with_suggestion(Flavour::MySql.install_hint()))
    }

    /// What is not seen as of the one moment of the dump.
    fn moments(&self, facts: &Facts) -> Vec<String> {
        let settings = &self.settings;
        let mut warnings = Vec::new();
        if facts.unfinished {
            warnings.push(
                "the database is what a restore left that was cut off: it is not whole; restore into it again"
                    .to_owned(),
            );
        }
        let dumped = |table: &str| {
            let is = |names: &[String]| names.iter().any(|name| name == table);
            !is(&settings.ignored)
                && !is(&settings.without_rows)
                && (settings.tables.is_empty() || is(&settings.tables))
        };
        let plain: Vec<String> = facts
            .without_transactions
            .iter()
            .filter(|(table, _)| dumped(table))
            .map(|(table, engine)| format!("{table} ({engine})"))
            .collect();
        if settings.consistency == Consistency::SingleTransaction && settings.has_rows() && !plain.is_empty()
        {
            warnings.push(format!(
                "tables without transactions are seen as of the moment at which each was read, not as of the dump's: \
                 {}; lock the tables (Consistency::LockTables), or change their engine to InnoDB",
                shown(&plain)
            ));
        }
        if settings.has_rows() && !settings.conditions.is_empty() {
            let tables: Vec<String> = settings.conditions.keys().cloned().collect();
            warnings.push(format!(
                "the rows of these tables were chosen by a condition, as of another moment than the rest: {}",
                shown(&tables)
            ));
        }
        warnings
    }

    async fn run(&self, prepared: &Prepared) -> Result<(ByteStream, Option<Encoding>)> {
        let settings = self.settings.clone().fitted(prepared.client.version);
        let database = self.config.database();
        let mut tools = Vec::new();
        for run in settings.runs() {
            let args = settings.args(&run, database, prepared.client.version);
            let host = &self.installed.host;
            let tool = command::client("mysqldump", &prepared.client, host, &self.config, args).await?;
            let tool = tool.idle_timeout(self.idle_timeout);
            tools.push(match self.total_timeout {
                Some(limit) => tool.total_timeout(limit),
                None => tool,
            });
        }
        joined::stream(tools)
    }
}

/// Some names of many.
fn shown(names: &[String]) -> String {
    /// More are a long line, and no more help.
    const MOST: usize = 20;
    let more = names.len().saturating_sub(MOST);
    let listed = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

/// What is known before the first byte.
#[derive(Debug, Clone)]
struct Prepared {
    source: SourceInfo,
    client: Client,
    server: Server,
    warnings: Vec<String>,
}

#[async_trait]
impl Dumper for MysqlDump {
    fn info(&self) -> DumperInfo {
        format::info(if self.settings.also.is_empty() { format::PLAIN } else { format::DATABASES })
    }

    async fn probe(&self) -> Result<SourceInfo> {
        let prepared = self.examine().await.map_err(|err| err.with_operation("probe"))?;
        let source = prepared.source.clone();
        self.recent.set(&self.config, &self.settings, prepared);
        Ok(source)
    }

    async fn dump(&self) -> Result<Dump> {
        let start = async {
            let mut prepared = self.prepare().await?;
            let grants = match self.grants {
                Some(Grants::All) => Some(grants::all(&prepared.server, &mut prepared.warnings).await?),
                None => None,
            };
            let started = self.run(&prepared).await?;
            Ok::<_, Error>((prepared, grants, started))
        };
        let (prepared, grants, (body, encoding)) = start.await.map_err(|err| err.with_operation("dump"))?;
        let mut dump = Dump::new(prepared.source, explained(body, &self.config));
        dump.encoding = encoding;
        dump.warnings = prepared.warnings;
        if let Some(grants) = grants {
            let body = ByteStream::from(Bytes::from(grants));
            dump.companions.push(Companion::new("grants", "sql", body));
        }
        Ok(dump)
    }
}

/// Says what the tool's messages mean and of which database, in the error that ends the stream.
fn explained(body: ByteStream, config: &MysqlConfig) -> ByteStream {
    let (server, database) = (config.location(), config.database().to_owned());
    ByteStream::new(body.map(move |item| {
        item.map_err(|err| {
            let err = classify(err).with_operation("dump");
            err.with_context("server", &server).with_context("database", &database)
        })
    }))
}
