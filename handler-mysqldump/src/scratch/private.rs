//! [`PrivateRestore`]: a server that is started for one rehearsal.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, Error, ErrorKind, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch,
    ScratchLike, Selected, TargetInfo,
    process::{Host, Places, PrivateServer, ServerRecipe},
};
use futures::StreamExt;

use super::{
    Rehearse,
    needs::{Need, Needs},
};
use crate::{
    MysqlConfig, MysqlRestore,
    restorer::create,
    server::{Server, quote_identifier, quote_literal},
    version::{Flavour, Installed, Version},
};

/// Who restores.
const USER: &str = "'backup_rehearsal'@'localhost'";

/// The databases that every server has, and that are never the dump's.
const SYSTEM: &[&str] = &["mysql", "sys", "information_schema", "performance_schema"];

/// Where packages keep their servers that are not in `PATH`.
const FOLDERS: &[&str] = &[
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/libexec",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
    "/opt/mysql/*/bin",
    "/opt/homebrew/opt/mysql*/bin",
    "/opt/homebrew/opt/mariadb*/bin",
    "/usr/local/opt/mysql*/bin",
    "/usr/local/opt/mariadb*/bin",
];

/// The names of the server; MariaDB's may have the old one.
const NAMES: &[&str] = &["mariadbd", "mysqld"];

/// How the warning begins that a restore by a user without a view of the accounts has.
const UNKNOWN_DEFINERS: &str = "whether the definers of ";

/// The longest that a change to the accounts may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// Restores into a private server, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct PrivateRestore {
    inner: MysqlRestore,
    /// As the administrator.
    admin: Server,
    process: Arc<PrivateServer>,
}

/// Starts a server like the one that `like` tells of, and returns its version too.
pub(super) async fn start(restore: &MysqlRestore, like: &ScratchLike) -> Result<(PrivateRestore, String)> {
    let (program, version) = program(&restore.servers, like).await?;
    let flavour = match version.flavour {
        Flavour::MariaDb => "mariadb",
        Flavour::MySql => "mysql",
    };
    let admin = format!("backup_{}", random()?);
    let mut recipe =
        ServerRecipe::new("my", include_str!("server.sh")).arg(flavour).arg(program).arg(admin.as_str());
    if let Some(folder) = &restore.staging {
        recipe = recipe.within(folder);
    }
    let process = Arc::new(recipe.start(&["mysql"]).await?);
    let name = match like.database.as_deref().unwrap_or(restore.config.database()) {
        name if SYSTEM.contains(&name) || name.is_empty() => "rehearsal",
        name => name,
    };
    let config = MysqlConfig::new(name)
        .socket(process.directory().join("s"))
        .password(process.password().clone())
        .tls(crate::Tls::Disabled);
    // The clients of another host are of no use here.
    let local = restore.installed.host.is_local();
    let installed = if local { restore.installed.clone() } else { Installed::default() };
    let admin = Server::connect(&config.clone().user(admin), &installed).await?;
    let mut inner = restore.clone();
    inner.config = config.user("backup_rehearsal");
    (inner.installed, inner.rehearse) = (installed, Rehearse::Database);
    // Servers with a log of some kind say so behind their version.
    let of_source =
        like.server_version.as_deref().filter(|said| said.trim_end_matches("-log") == admin.printed);
    let printed = of_source.unwrap_or(&admin.printed).to_owned();
    let private = PrivateRestore { inner, admin, process };
    private.prepare(name).await?;
    create(&private.admin, name, like.encoding.as_deref(), None, &mut Vec::new()).await?;
    Ok((private, printed))
}

/// The server of the wanted flavour and version, else of the next newer one; any where none is wanted.
async fn program(folders: &[PathBuf], like: &ScratchLike) -> Result<(PathBuf, Version)> {
    let named: Vec<&str> = folders.iter().filter_map(|folder| folder.to_str()).collect();
    let places = if folders.is_empty() { Places::FoldersAndPath(FOLDERS) } else { Places::Folders(&named) };
    let said = match Host::local().installed(NAMES, places).await {
        Ok(said) => said,
        Err(err) if matches!(err.kind(), ErrorKind::ToolNotFound | ErrorKind::ToolFailed) => Vec::new(),
        Err(err) => return Err(err),
    };
    let found = said.into_iter().filter_map(|(path, printed)| Some((path, Version::of_client(&printed)?)));
    let found: Vec<(PathBuf, Version)> = found.collect();
    let wanted = like.server_version.as_deref().and_then(Version::of_server);
    let number = |version: Version| (version.major, version.minor);
    let fits = |version: Version| {
        wanted.is_none_or(|wanted| version.flavour == wanted.flavour && number(version) >= number(wanted))
    };
    let fitting = found.iter().filter(|(_, version)| fits(*version));
    // The first of several that are alike, as they stand in the list of folders.
    let chosen = fitting.min_by_key(|(_, version)| number(*version)).cloned();
    chosen.ok_or_else(|| not_installed(folders, wanted, &found))
}

fn not_installed(folders: &[PathBuf], wanted: Option<Version>, found: &[(PathBuf, Version)]) -> Error {
    let mut err = Error::new(
        ErrorKind::ToolNotFound,
        "no MySQL or MariaDB server that fits the rehearsal is installed here",
    );
    for folder in folders {
        err = err.with_context("folder", folder.display());
    }
    if !found.is_empty() {
        let found: Vec<_> = found.iter().map(|(_, version)| version.to_string()).collect();
        err = err.with_context("installed", found.join(", "));
    }
    if let Some(wanted) = wanted {
        err = err.with_context(
            "wanted",
            format!("{} {}.{} or newer", wanted.flavour.name(), wanted.major, wanted.minor),
        );
    }
    let package = |flavour: Flavour| match flavour {
        Flavour::MySql => {
            "install the package mysql-server (Ubuntu), mysql-community-server (MySQL's own repositories) or mysql \
             (Homebrew); it need not run"
        }
        Flavour::MariaDb => {
            "install the package mariadb-server (Debian, Ubuntu, Red Hat) or mariadb (Homebrew); it need not run"
        }
    };
    match wanted {
        Some(wanted) => err.with_suggestion(package(wanted.flavour)),
        None => err.with_suggestion(package(Flavour::MariaDb)).with_suggestion(package(Flavour::MySql)),
    }
    .with_suggestion("or rehearse in a database of the target's server (Rehearse::Database)")
}

/// A word that nothing in a dump can know.
fn random() -> Result<String> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
    })?;
    Ok(hex::encode(random))
}

impl PrivateRestore {
    pub(super) fn inner(&self) -> &MysqlRestore {
        &self.inner
    }

    /// Ends the server, and says when that failed.
    ///
    /// # Cancel safety
    ///
    /// A dropped call ends it as a drop does.
    pub(super) async fn close(self) -> Result<()> {
        match Arc::try_unwrap(self.process) {
            Ok(process) => process.close().await,
            // Whoever holds it ends it.
            Err(_) => Ok(()),
        }
    }

    /// Makes the restoring user, with every right in the dump's databases and few others.
    async fn prepare(&self, database: &str) -> Result<()> {
        let version = self.admin.version;
        // To make views and programs of other users, and to dump them again.
        let rights = match version.flavour {
            Flavour::MariaDb => "SET USER",
            Flavour::MySql if version.is_at_least(Flavour::MySql, 8, 2, 0) => {
                "SET_ANY_DEFINER, SESSION_VARIABLES_ADMIN, SHOW_ROUTINE"
            }
            Flavour::MySql => "SET_USER_ID, SESSION_VARIABLES_ADMIN, SHOW_ROUTINE",
        };
        let password = quote_literal(self.process.password().expose());
        let mut sql =
            format!("CREATE USER {USER} IDENTIFIED BY {password};\nGRANT {rights} ON *.* TO {USER};\n");
        if version.flavour == Flavour::MariaDb {
            sql.push_str(&format!("GRANT SELECT ON mysql.proc TO {USER};\n"));
        }
        sql.push_str(&grant(database, USER));
        // Where the restore is built when it replaces what an earlier one left.
        for purpose in ["restoring", "replaced"] {
            let pattern = format!("{}\\_{purpose}\\_%", escaped(database));
            sql.push_str(&grant_pattern(&pattern, USER));
        }
        self.admin.run(None, &sql, CHANGE_LIMIT).await.map(drop)
    }

    /// Says what the server said.
    async fn explained(&self, err: Error) -> Error {
        if !matches!(err.kind(), ErrorKind::Unavailable | ErrorKind::ConnectionFailed) {
            return err;
        }
        let log = self.process.log().await;
        err.with_context("server_log", log.trim())
    }
}

#[async_trait]
impl Restorer for PrivateRestore {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.inner.supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.inner.probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let provider = Provider {
            admin: self.admin.clone(),
            databases: vec![self.inner.config.database().to_owned()],
            accounts: Vec::new(),
        };
        match self.inner.restore(provider.before(body), options).await {
            Ok(mut outcome) => {
                // The restoring user may not look for them, and they were made.
                outcome.warnings.retain(|warning| !warning.starts_with(UNKNOWN_DEFINERS));
                Ok(outcome)
            }
            Err(err) => Err(self.explained(err).await),
        }
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.inner.select(definitions, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        self.inner.target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        self.inner.scratch(like).await
    }
}

/// Makes what a dump is about to name: accounts without a login, and rights in its databases.
struct Provider {
    admin: Server,
    databases: Vec<String>,
    accounts: Vec<String>,
}

impl Provider {
    /// The body; what a chunk names is there before it passes.
    fn before(self, body: ByteStream) -> ByteStream {
        let state = Some((body, Needs::default(), self));
        ByteStream::new(futures::stream::unfold(state, |state| async move {
            let (mut body, mut needs, mut provider) = state?;
            let chunk = match body.next().await? {
                Ok(chunk) => chunk,
                Err(err) => return Some((Err(err), None)),
            };
            let found = needs.update(&chunk);
            if !found.is_empty()
                && let Err(err) = provider.provide(found).await
            {
                return Some((Err(err), None));
            }
            Some((Ok(chunk), Some((body, needs, provider))))
        }))
    }

    async fn provide(&mut self, needs: Vec<Need>) -> Result<()> {
        let mut sql = String::new();
        for need in needs {
            match need {
                Need::Account(user, host) => {
                    let account = Self::make(&user, host.as_deref(), &mut sql)?;
                    self.databases.iter().for_each(|database| sql.push_str(&grant(database, &account)));
                    self.accounts.push(account);
                }
                Need::Database(name) if SYSTEM.contains(&name.to_ascii_lowercase().as_str()) => {}
                Need::Database(name) => {
                    sql.push_str(&grant(&name, USER));
                    self.accounts.iter().for_each(|account| sql.push_str(&grant(&name, account)));
                    self.databases.push(name);
                }
            }
        }
        self.admin.run(None, &sql, CHANGE_LIMIT).await.map(drop)
    }

    fn make(user: &str, host: Option<&str>, sql: &mut String) -> Result<String> {
        let Some(host) = host else {
            let role = quote_literal(user);
            sql.push_str(&format!("CREATE ROLE IF NOT EXISTS {role};\n"));
            return Ok(role);
        };
        let account = format!("{}@{}", quote_literal(user), quote_literal(host));
        let password = quote_literal(&random()?);
        sql.push_str(&format!(
            "CREATE USER IF NOT EXISTS {account} IDENTIFIED BY {password} ACCOUNT LOCK;\n"
        ));
        Ok(account)
    }
}

/// Every right in a database.
fn grant(database: &str, account: &str) -> String {
    grant_pattern(&escaped(database), account)
}

fn grant_pattern(pattern: &str, account: &str) -> String {
    format!("GRANT ALL PRIVILEGES ON {}.* TO {account};\n", quote_identifier(pattern))
}

/// A name in which nothing stands for other letters.
fn escaped(name: &str) -> String {
    name.replace('_', "\\_").replace('%', "\\%")
}
