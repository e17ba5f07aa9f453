//! What an agent or a CI job talks to: a request per line on standard input, an answer per line on standard output.
//!
//! ```sh
//! agent --database postgresql://me@localhost/shop --store ./backups --environment staging
//! ```
//!
//! Backups can be restored into the targets `copy` (a new database beside the source, `…_restored`, where the source can be
//! asked at the start), `source` (the database itself) and, where `BACKUP_TARGET_URL` names one, `target`. Without arguments it shows a conversation about a
//! small SQLite shop in a temporary folder: requests on standard error, answers on standard output.
//!
//! It ends at the end of its input. Ctrl-C, SIGTERM and SIGHUP let the running request finish and get its answer; one more
//! Ctrl-C does not hurry it. Exit codes: 0 every line has its answer (whatever it says), 2 lines could not be read or
//! answers not be written, 3 a wrong command line.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{io::Write, path::PathBuf, process::ExitCode};

use backup_core::{
    Dumper, Error, ErrorKind, Pipeline, Rehearsal, Result, Retention,
    protocol::{Environment, Outcome, Request, Service, Status},
};
use clap::Parser;
use examples::{
    database,
    folder::folder,
    output::{self, Style, print},
    progress::Bar,
    shop,
    signal::terminated,
};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;
use tokio::io::BufReader;

/// Answer requests about the backups of a database, one JSON object a line.
#[derive(Debug, Parser)]
#[command(name = "agent", version)]
struct Cli {
    /// The database: postgresql://user@host/name, mysql://user@host/name or sqlite:path. A password belongs into the
    /// environment.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// The folder with its backups.
    #[arg(long, value_parser = folder())]
    store: Option<PathBuf>,
    /// The environment that requests name; in one called production, a restore needs its name typed.
    #[arg(long, default_value = "production")]
    environment: String,
    /// A database to restore into, called `target` by requests.
    #[arg(long, env = "BACKUP_TARGET_URL", hide_env_values = true)]
    target: Option<String>,
}

fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => return Style::Text.error("agent", &err.into()),
    };
    let result = runtime.block_on(run(cli));
    // A read of standard input goes on until a line comes, which may be never.
    runtime.shutdown_background();
    result.map_or_else(|err| Style::Text.error("agent", &err), |()| ExitCode::SUCCESS)
}

async fn run(cli: Cli) -> Result<()> {
    let Some((url, store)) = database::named(cli.database.as_deref(), cli.store.as_deref())? else {
        return tour().await;
    };
    let dumper = database::dumper(url, None, database::host(None)?)?;
    let rehearsal = Rehearsal::new(database::rehearsing(&dumper.info().engine, None)?);
    let database = dumper.probe().await;
    let pipeline = Pipeline::new(dumper, LocalStore::open(store).await?)
        .with_rehearsal(rehearsal)
        .with_observer(Bar::default());
    let mut environment = Environment::new(pipeline)
        .with_target("source", database::restorer(url, database::host(None)?)?)
        .with_retention(Retention::recommended())?;
    match database {
        Ok(found) => {
            let copy = database::beside(url, &format!("{}_restored", found.database))?;
            environment = environment.with_target("copy", copy);
        }
        // Whoever restores a database that is lost must not need it.
        Err(err) => tracing::warn!("the database cannot be asked, and there is no target `copy`: {err}"),
    }
    if let Some(target) = &cli.target {
        environment = environment.with_target("target", database::restorer(target, database::host(None)?)?);
    }
    let service = Service::new().with_environment(cli.environment, environment);
    let served =
        service.serve_lines(BufReader::new(tokio::io::stdin()), tokio::io::stdout(), terminated()).await;
    service.settle().await;
    served
}

/// A conversation; `BACKUP` stands for the backup that was made last.
const TOUR: [&str; 9] = [
    r#"{"operation":"create-backup","environment":"production","kind":"pre-migration","label":"v2"}"#,
    r#"{"operation":"list-backups","environment":"production","limit":10}"#,
    r#"{"operation":"verify-backup","environment":"production","backup":"BACKUP","level":"restored"}"#,
    r#"{"operation":"restore-backup","environment":"production","backup":"BACKUP","target":"copy","dry_run":true}"#,
    r#"{"operation":"restore-backup","environment":"production","backup":"BACKUP","target":"copy"}"#,
    r#"{"operation":"restore-backup","environment":"production","backup":"BACKUP","target":"copy","confirm":"production"}"#,
    r#"{"operation":"prune-backups","environment":"production","dry_run":true}"#,
    r#"{"operation":"check-health","environment":"production"}"#,
    r#"{"operation":"delete-backup","environment":"production","backup":"BACKUP","force":true}"#,
];

async fn tour() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("agent-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let copy = SqliteRestore::new(folder.path().join("copy.sqlite"));
    let pipeline =
        Pipeline::new(SqliteDump::new(&source), LocalStore::open(folder.path().join("backups")).await?)
            .with_rehearsal(Rehearsal::new(SqliteRestore::new(&source)));
    let environment =
        Environment::new(pipeline).with_target("copy", copy).with_retention(Retention::recommended())?;
    let service = Service::new().with_environment("production", environment);
    let mut backup = String::new();
    let mut refused = 0;
    for line in TOUR {
        let line = line.replace("BACKUP", &backup);
        writeln!(std::io::stderr(), "> {line}")?;
        let response = match Request::from_json(line.as_bytes()) {
            Ok(request) => service.handle(request).await,
            Err(_) => {
                serde_json::from_str(&service.handle_json(&line).await).map_err(std::io::Error::from)?
            }
        };
        print(&response.to_json())?;
        match (response.status, response.result) {
            (Status::Error, _) => {
                return Err(Error::new(ErrorKind::Unexpected, "an answer that the tour does not expect"));
            }
            (Status::Refused, _) => refused += 1,
            (_, Some(Outcome::Created(created))) => backup = created.backup,
            _ => {}
        }
    }
    if refused == 2 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unexpected, "two requests were to be refused").with_context("refused", refused))
}
