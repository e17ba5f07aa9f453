//! Questions to a server, asked by its SQL client.

use std::time::Duration;

use backup_core::{ByteStream, Error, ErrorKind, Result, process::Host};
use bytes::Bytes;

use crate::{
    command::{self, SQL_ARGS},
    config::{MysqlConfig, Tls},
    error::classify,
    version::{Client, Clients, Installed, Version, choose},
};

mod rows;

pub(crate) use rows::{Rows, number};

/// The longest that a question may take, unless it counts rows.
pub(crate) const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The most bytes that an answer may have: some 300,000 tables.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// What every session begins with, so that nothing the server sets bends the answers.
const PREAMBLE: &str =
    "SET SESSION sql_mode = '', SESSION sql_quote_show_create = 1, SESSION group_concat_max_len = 1048576;\n";

/// A server, and a client to ask it with.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) config: MysqlConfig,
    pub(crate) host: Host,
    pub(crate) sql: Client,
    /// The installed programs.
    pub(crate) clients: Clients,
    pub(crate) version: Version,
    /// The version as the server says it.
    pub(crate) printed: String,
}

/// What is known of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) size_bytes: u64,
    /// The character set and the collation that new tables get.
    pub(crate) charset: String,
    pub(crate) collation: String,
    pub(crate) tables: u64,
    pub(crate) views: u64,
    pub(crate) triggers: u64,
    /// Everything that a dump could collide with.
    pub(crate) objects: u64,
    /// How many columns are computed by the server.
    pub(crate) generated_columns: u64,
    /// The account, as the server names it, and the roles that are active, `NONE` without.
    pub(crate) user: String,
    pub(crate) role: String,
    /// What `SHOW GRANTS` says.
    pub(crate) grants: Vec<String>,
    /// Whether a restore into it was cut off.
    pub(crate) unfinished: bool,
    /// Tables whose engine has no transactions, with the engine.
    pub(crate) without_transactions: Vec<(String, String)>,
}

/// A database, by its name.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// Whether the server may have made small letters of what it was told.
    pub(crate) lowered: bool,
}

impl Facts {
    /// The encoding as a manifest says it.
    pub(crate) fn encoding(&self) -> String {
        format!("{} {}", self.charset, self.collation)
    }
}

impl Server {
    /// Finds a client that can log in, and asks for the server's version; the session is in no database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn connect(config: &MysqlConfig, installed: &Installed) -> Result<Self> {
        Ok(Self::greet(config, installed, None, "").await?.0)
    }

    /// Connects and asks for the [facts](Self::facts) by one question: over SSH each costs a round trip.
    ///
    /// # Errors
    ///
    /// Those of both.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn connect_for_facts(
        config: &MysqlConfig,
        installed: &Installed,
    ) -> Result<(Self, Facts)> {
        let (server, rows) = Self::greet(config, installed, Some(config.database()), FACTS).await?;
        let facts = Facts::read(&rows)?;
        Ok((server, facts))
    }

    /// Connects and asks for the databases of the server with a name of those that restores and rehearsals make, by one
    /// question; those that the user may see.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn connect_for_names(
        config: &MysqlConfig,
        installed: &Installed,
    ) -> Result<(Self, Vec<Named>)> {
        let (server, rows) = Self::greet(config, installed, None, NAMES_BESIDE).await?;
        let named = |row: &[String]| match row {
            [kind, name, folding] if kind == "beside" => {
                Some(Named { name: name.clone(), lowered: folding != "0" })
            }
            _ => None,
        };
        let named = rows.iter().filter_map(named).collect();
        Ok((server, named))
    }

    async fn greet(
        config: &MysqlConfig,
        installed: &Installed,
        database: Option<&str>,
        more: &str,
    ) -> Result<(Self, Rows)> {
        config.validate()?;
        let clients = installed.clients().await?;
        let mut refused = None;
        for sql in clients.sql.clone() {
            let mut server = Self {
                clients: clients.clone(),
                config: config.clone(),
                host: installed.host.clone(),
                version: sql.version,
                sql,
                printed: String::new(),
            };
            match server.run(database, &format!("{GREETING}{more}"), QUESTION_LIMIT).await {
                Ok(rows) => {
                    server.check_encryption(&rows)?;
                    rows.cell(0, 0)?.clone_into(&mut server.printed);
                    server.version = Version::of_server(&server.printed).ok_or_else(|| {
                        Error::new(ErrorKind::Unsupported, "the server's version cannot be read")
                            .with_context("version", &server.printed)
                    })?;
                    server.prefer_own_flavour();
                    return Ok((server, rows));
                }
                // Another flavour's client may know the server's way of authentication.
                Err(err) if err.kind() == ErrorKind::ToolVersion => refused = Some(err),
                Err(err) => return Err(err),
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::ToolNotFound, "no client program can be used")))
    }

    /// Restores and answers are safest with the server's own client.
    fn prefer_own_flavour(&mut self) {
        if let Some(best) = choose(self.clients.sql.clone(), self.version).into_iter().next()
            && best.version.flavour == self.version.flavour
        {
            self.sql = best;
        }
    }

    /// The program that fits the server best.
    pub(crate) fn dumping_client(&self) -> Result<Client> {
        let best = choose(self.clients.dump.clone(), self.version).into_iter().next();
        best.ok_or_else(|| Error::new(ErrorKind::ToolNotFound, "no client program can be used"))
    }

    /// The same server, another database.
    pub(crate) fn at(&self, database: &str) -> Self {
        Self { config: self.config.with_database(database), ..self.clone() }
    }

    fn check_encryption(&self, rows: &Rows) -> Result<()> {
        let encrypted = rows.iter().any(|row| {
            matches!(row, [name, cipher] if name.eq_ignore_ascii_case("ssl_cipher") && !cipher.is_empty())
        });
        if encrypted || matches!(self.config.tls, Tls::Disabled | Tls::Preferred) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ConnectionFailed, "the connection is not encrypted, and has to be")
            .with_context("server", self.config.location())
            .with_suggestion(
                "turn TLS on at the server, or allow an unencrypted connection by ssl-mode=PREFERRED",
            ))
    }

    /// Runs `sql` in the database; stops at the first error.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe for questions: a dropped call ends the client.
    pub(crate) async fn ask(&self, sql: &str, limit: Duration) -> Result<Rows> {
        self.run(Some(self.config.database()), sql, limit).await
    }

    /// Runs `sql` in another database than the configuration's, or in none.
    ///
    /// # Cancel safety
    ///
    /// As [`ask`](Self::ask).
    pub(crate) async fn run(&self, database: Option<&str>, sql: &str, limit: Duration) -> Result<Rows> {
        let args = SQL_ARGS.iter().map(|arg| (*arg).to_owned());
        let place = database.map(|name| format!("--database={name}"));
        let tool = command::client("mysql", &self.sql, &self.host, &self.config, args.chain(place))
            .await?
            .total_timeout(limit);
        let script = Bytes::from(format!("{PREAMBLE}{sql}\n"));
        let output = tool.feed(ByteStream::from(script), ANSWER_LIMIT).await.map_err(|err| {
            let err = classify(err).with_context("server", self.config.location());
            match database {
                Some(name) => err.with_context("database", name),
                None => err,
            }
        })?;
        Rows::parse(&output.stdout)
    }

    /// Asks for size and content of the database.
    ///
    /// # Errors
    ///
    /// [`DatabaseNotFound`](ErrorKind::DatabaseNotFound) among others.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn facts(&self) -> Result<Facts> {
        Facts::read(&self.ask(FACTS, QUESTION_LIMIT).await?)
    }
}

impl Facts {
    /// Reads the answers to [`FACTS`], between which others may be.
    fn read(rows: &Rows) -> Result<Self> {
        let mut facts = Self::default();
        for row in rows.iter() {
            match row {
                [kind, a, b] if kind == "schema" => {
                    (facts.charset, facts.collation) = (a.clone(), b.clone());
                }
                [kind, name, engine] if kind == "plain" => {
                    facts.without_transactions.push((name.clone(), engine.clone()));
                }
                [kind, count, size] if kind == "tables" => {
                    (facts.tables, facts.size_bytes) = (number(count)?, number(size)?);
                }
                [kind, views, triggers] if kind == "views" => {
                    (facts.views, facts.triggers) = (number(views)?, number(triggers)?);
                }
                [kind, user, role] if kind == "user" => {
                    (facts.user, facts.role) = (user.clone(), role.clone());
                }
                [kind, others, generated] if kind == "others" => {
                    (facts.objects, facts.generated_columns) = (number(others)?, number(generated)?);
                }
                [kind, marks, _] if kind == "unfinished" => facts.unfinished = number(marks)? > 0,
                [grant] => facts.grants.push(grant.clone()),
                // Of the greeting.
                [_, _] => {}
                _ => return Err(rows::unreadable()),
            }
        }
        facts.objects += facts.tables + facts.views;
        Ok(facts)
    }
}

/// The server's version, and whether the connection is encrypted.
const GREETING: &str = "SELECT VERSION(), (SELECT 1);\nSHOW SESSION STATUS LIKE 'Ssl_cipher';\n";

/// The databases with a name of those that restores and rehearsals make, whichever they are beside of.
const NAMES_BESIDE: &str =
    "SELECT 'beside', SCHEMA_NAME, @@lower_case_table_names FROM information_schema.SCHEMATA
  WHERE SCHEMA_NAME REGEXP '_(restoring|replaced|rehearsal)_[0-9a-f]{8}$';\n";

/// What a database holds, and who asks; what a server's version does not know stands in a comment for the others.
///
/// Statistics of MySQL 8 are of yesterday unless it is told otherwise. Roles came with MySQL 8.0 and MariaDB 10.0.5.
const FACTS: &str = r"
SET SESSION sql_mode = '' /*!80000 , SESSION information_schema_stats_expiry = 0 */;
SELECT 'user', CURRENT_USER(), COALESCE(NULL /*!80000 , CURRENT_ROLE() */ /*M!100005 , CURRENT_ROLE() */, 'NONE');
SHOW GRANTS;
SELECT 'schema', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA
  WHERE SCHEMA_NAME = DATABASE();
SELECT 'tables', COUNT(*), COALESCE(SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)), 0)
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE NOT LIKE '%VIEW';
SELECT 'views', COUNT(*), (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE())
  FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE();
SELECT 'others', (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())
  + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()),
  (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND COALESCE(GENERATION_EXPRESSION, '') <> '');
SELECT 'unfinished', COUNT(*), 0 FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '_backup_restore_unfinished';
SELECT 'plain', t.TABLE_NAME, t.ENGINE FROM information_schema.TABLES t
  JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
  WHERE t.TABLE_SCHEMA = DATABASE() AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES' AND t.TABLE_TYPE <> 'SEQUENCE'
  ORDER BY t.TABLE_NAME;
";

/// A name as SQL writes it.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as SQL writes it.
pub(crate) fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
