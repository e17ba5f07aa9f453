//! [`PrivateRestore`]: a server that is started for one rehearsal.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, Error, ErrorKind, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch,
    ScratchLike, Selected, TargetInfo,
    process::{Host, PrivateServer, ServerRecipe},
};

use super::Rehearse;
use crate::{
    ClientSafety, PgConfig, PgRestore, Version,
    server::{QUESTION_LIMIT, Server, quote_identifier, quote_literal},
    version::{Client, Installed, Program},
};

const SUPERUSER: &str = "backup_rehearsal_superuser";

/// Who restores.
const USER: &str = "backup_rehearsal";

/// The group of the roles that the dump names.
const OWNERS: &str = "backup_rehearsal_owners";

/// The databases that every server has.
const OTHERS: &[&str] = &["postgres", "template0", "template1"];

/// What follows the encoding when a database is made, the best first: letters have cases in UTF-8.
const LOCALES: &[&str] = &[" LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'", " LC_COLLATE 'C' LC_CTYPE 'C'"];

/// Since this version a role can be given the right to read everything.
const READ_ALL: u32 = 14;

/// Takes away what `prepare.sql` added to a database.
const TIDY: &str = "DROP EVENT TRIGGER IF EXISTS backup_rehearsal;
DROP FUNCTION IF EXISTS pg_catalog.backup_rehearsal();
DROP OWNED BY backup_rehearsal_owners;";

/// The longest that making a database may take.
const CREATE_LIMIT: Duration = Duration::from_secs(120);

/// Restores into a private server, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct PrivateRestore {
    inner: PgRestore,
    /// As the superuser.
    admin: Server,
    process: Arc<PrivateServer>,
}

/// Starts a server like the one that `like` tells of, and returns its version too.
pub(super) async fn start(restore: &PgRestore, like: &ScratchLike) -> Result<(PrivateRestore, String)> {
    let programs = programs(&restore.servers, like).await?;
    let mut recipe = ServerRecipe::new("pg", include_str!("server.sh")).arg(&programs.folder).arg(SUPERUSER);
    if let Some(folder) = &restore.staging {
        recipe = recipe.within(folder);
    }
    let process = Arc::new(recipe.start(&["postgres"]).await?);
    let socket = process.directory().to_string_lossy().into_owned();
    let config = PgConfig::new("postgres").host(socket).port(5432).password(process.password().clone());
    // The clients of another host are of no use here.
    let installed = if restore.host.is_local() { restore.installed.clone() } else { Installed::Anywhere };
    let admin = Server::new(&config.clone().user(SUPERUSER), &installed, &Host::local()).await?;
    let name = match like.database.as_deref().unwrap_or(restore.config.database()) {
        name if OTHERS.contains(&name) || name.is_empty() => "rehearsal",
        name => name,
    };
    let version = admin.ask("SHOW server_version;", QUESTION_LIMIT).await?.trim().to_owned();
    let trusted = restore.safety == ClientSafety::TrustDump;
    prepare(&admin, process.password().expose(), programs.version, trusted).await?;
    create(&admin, name, like.encoding.as_deref()).await?;
    let mut inner = restore.clone();
    inner.config = config.with_database(name).user(USER);
    (inner.installed, inner.host, inner.rehearse) = (installed, Host::local(), Rehearse::Database);
    Ok((PrivateRestore { inner, admin, process }, version))
}

/// The programs of the wanted major version, else of the next newer one; the newest where none is wanted.
async fn programs(servers: &Installed, like: &ScratchLike) -> Result<Client> {
    let wanted = like.server_version.as_deref().and_then(Version::parse);
    let found = match servers.find(Program::Postgres, &Host::local()).await {
        Ok(found) => with_initdb(found).await?,
        Err(err) if err.kind() == ErrorKind::ToolNotFound => Vec::new(),
        Err(err) => return Err(err),
    };
    let installed = crate::version::list(&found);
    let fitting = found.into_iter();
    let chosen = match wanted {
        Some(wanted) => fitting
            .filter(|server| server.version.major >= wanted.major)
            .min_by_key(|server| (server.version.major, std::cmp::Reverse(server.version.minor))),
        None => fitting.max_by_key(|server| server.version),
    };
    chosen.ok_or_else(|| not_installed(servers, wanted, &installed))
}

async fn with_initdb(found: Vec<Client>) -> Result<Vec<Client>> {
    let has =
        |server: &Client| server.folder.join(format!("initdb{}", std::env::consts::EXE_SUFFIX)).is_file();
    tokio::task::spawn_blocking(move || found.into_iter().filter(has).collect())
        .await
        .map_err(crate::error::panicked)
}

fn not_installed(servers: &Installed, wanted: Option<Version>, installed: &str) -> Error {
    let mut err =
        Error::new(ErrorKind::ToolNotFound, "no PostgreSQL server for a rehearsal is installed here");
    err = err.with_context("tool", "postgres");
    if let Installed::In(folder) = servers {
        err = err.with_context("folder", folder.display());
    }
    if !installed.is_empty() {
        err = err.with_context("installed", installed);
    }
    let package = match wanted {
        Some(wanted) => {
            err = err.with_context("wanted", format!("{} or newer", wanted.major));
            format!(
                "install the package postgresql-{0} (Debian, Ubuntu), postgresql{0}-server (Red Hat) or postgresql@{0} \
                 (Homebrew); no cluster is needed",
                wanted.major
            )
        }
        None => "install the package postgresql (Debian, Ubuntu, Homebrew) or postgresql-server (Red Hat)"
            .to_owned(),
    };
    err.with_suggestion(package)
        .with_suggestion("or rehearse in a database of the target's server (Rehearse::Database)")
}

/// Makes the restoring role, and what every database of the server needs.
async fn prepare(admin: &Server, password: &str, version: Version, trusted: bool) -> Result<()> {
    let (rights, of_owners) =
        if trusted { ("SUPERUSER", "SUPERUSER") } else { ("CREATEDB BYPASSRLS", "BYPASSRLS") };
    let password = quote_literal(password);
    let mut sql = format!("CREATE ROLE {USER} LOGIN {rights} PASSWORD {password};\nCREATE ROLE {OWNERS};\n");
    let mut read_all = "";
    if version.major >= READ_ALL {
        sql.push_str(&format!("GRANT pg_read_all_data TO {USER};\n"));
        read_all = "EXECUTE format('GRANT pg_read_all_data TO %I', word);";
    }
    sql.push_str("UPDATE pg_catalog.pg_database SET datallowconn = true WHERE datname = 'template0';\n\\connect template0\n");
    if version.major < 15 {
        sql.push_str(&format!("ALTER SCHEMA public OWNER TO {USER};\n"));
    }
    let words = [("{user}", USER), ("{owners}", OWNERS), ("{rights}", of_owners), ("{read_all}", read_all)];
    let prepare = include_str!("prepare.sql").to_owned();
    sql.push_str(&words.iter().fold(prepare, |text, (word, meaning)| text.replace(word, meaning)));
    sql.push_str("\\connect postgres\nUPDATE pg_catalog.pg_database SET datallowconn = false WHERE datname = 'template0';\n");
    admin.ask(&sql, QUESTION_LIMIT).await.map(drop)
}

/// Makes the database, in the encoding of the source.
async fn create(admin: &Server, name: &str, encoding: Option<&str>) -> Result<()> {
    let encoding = encoding.unwrap_or("UTF8");
    let mut last = None;
    for locale in LOCALES.iter().skip(usize::from(encoding != "UTF8")) {
        let sql = format!(
            "CREATE DATABASE {0} TEMPLATE template0 OWNER {USER} ENCODING {1}{locale};\nGRANT CREATE ON DATABASE {0} TO {OWNERS};",
            quote_identifier(name),
            quote_literal(encoding)
        );
        match admin.ask(&sql, CREATE_LIMIT).await {
            Ok(_) => return Ok(()),
            Err(err) => last = Some(err),
        }
    }
    let err = Error::new(ErrorKind::ToolFailed, "the private server cannot make the database")
        .with_context("encoding", encoding);
    Err(match last {
        Some(source) => err.with_source(source),
        None => err,
    })
}

impl PrivateRestore {
    pub(super) fn inner(&self) -> &PgRestore {
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

    /// Says what the server said, and what to do about a missing right.
    async fn explained(&self, err: Error) -> Error {
        match err.kind() {
            ErrorKind::PermissionDenied if self.inner.safety == ClientSafety::Required => err
                .with_suggestion(
                    "the dump is rehearsed by a role that is no superuser; where the dump is trusted, say so \
                 (ClientSafety::TrustDump)",
                ),
            ErrorKind::Unavailable | ErrorKind::ConnectionFailed => {
                let log = self.process.log().await;
                err.with_context("server_log", log.trim())
            }
            _ => err,
        }
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
        let restored = async {
            let outcome = self.inner.restore(body, options).await?;
            self.admin.at(self.inner.config.database()).ask(TIDY, QUESTION_LIMIT).await?;
            Ok(outcome)
        };
        match restored.await {
            Ok(outcome) => Ok(outcome),
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
