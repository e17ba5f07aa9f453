//! See what changed: a backup against the live database, or against another backup.
//!
//! Without arguments it makes a small SQLite shop in a temporary folder, backs it up, changes it, and shows the difference. With
//! `--store DIR --from BACKUP` and `--to BACKUP` or `--database URL` it compares your own; nothing is changed or stored.
//!
//! Exit codes: 0 nothing differs, 1 something does or could not be compared, 2 failed, 3 refused.

// The comments on the options are what `--help` prints.
#![allow(clippy::doc_markdown)]

use std::{path::PathBuf, process::ExitCode};

use backup_core::{
    Diff, Error, ErrorKind, Pipeline, Result, catalog,
    pipeline::{BackupRequest, DiffSide},
    process::Host,
};
use clap::Parser;
use examples::{
    database,
    folder::folder,
    output::{self, Style, print},
    shop,
};
use handler_prisma::sqlite::SqliteDump;
use storage_local::LocalStore;

const EXIT_CODES: &str =
    "Exit codes: 0 nothing differs; 1 something does, or could not be compared; 2 failed; 3 refused.";

/// Compare a backup with another one, or with a live database.
#[derive(Debug, Parser)]
#[command(name = "diff", after_help = EXIT_CODES)]
struct Cli {
    /// The folder with the backups.
    #[arg(long, requires = "from", value_parser = folder())]
    store: Option<PathBuf>,
    /// The backup that counts as before.
    #[arg(long, requires = "store")]
    from: Option<String>,
    /// The backup that counts as after.
    #[arg(long, requires = "store")]
    to: Option<String>,
    /// The live database that counts as after: postgresql://user@host/name, mysql://user@host/name or sqlite:path.
    #[arg(long, env = "BACKUP_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return Style::usage(&usage),
    };
    let style = if cli.json { Style::Json } else { Style::Text };
    let result = match (&cli.store, &cli.from) {
        (Some(store), Some(from)) => {
            own_backups(store.clone(), from, &cli).await.map(|diff| (diff, Asked::Question))
        }
        // What the environment says of a database alone asks for nothing.
        _ => match database::named(cli.database.as_deref(), None) {
            Ok(_) => tour().await.map(|diff| (diff, Asked::Tour)),
            Err(err) => Err(err),
        },
    };
    let told = result.and_then(|(diff, asked)| {
        let (end, same) = match (diff.is_empty(), diff.rows_not_compared.is_empty()) {
            (true, true) => ("nothing differs", true),
            (true, false) => ("nothing is known to differ", false),
            _ => ("", false),
        };
        let code = if same || asked == Asked::Tour { output::DONE } else { output::WARNINGS };
        style.result(code, "diff", None, format!("{diff}{end}").trim_end(), &diff)
    });
    told.map_or_else(|err| style.error("diff", &err), ExitCode::from)
}

/// Why something is compared.
#[derive(PartialEq, Eq)]
enum Asked {
    /// To show how.
    Tour,
    /// To know whether something differs.
    Question,
}

/// The tour with a database made for it.
async fn tour() -> Result<Diff> {
    let folder = tempfile::Builder::new().prefix("diff-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let pipeline = Pipeline::new(
        SqliteDump::new(&source).with_checksums(),
        LocalStore::open(folder.path().join("backups")).await?,
    );
    let before = pipeline.backup(BackupRequest::new()).await?.backup;
    shop::change(
        &source,
        "update customers set email = 'new@shop.example' where id = 7; delete from orders where id <= 10;
         create table coupons (code text); drop index orders_by_customer;",
    )
    .await?;
    print(&format!("from {before} to the live database:"))?;
    pipeline.diff(&(&before).into(), &DiffSide::database(SqliteDump::new(&source).with_checksums())).await
}

async fn own_backups(store: PathBuf, from: &str, cli: &Cli) -> Result<Diff> {
    let pipeline = Pipeline::for_store(LocalStore::open_existing(store).await?);
    let catalog = pipeline.catalog();
    let named =
        async |name: &str| Ok::<_, Error>(catalog::find(&**catalog, name).await?.manifest.backup_ref());
    let before = DiffSide::Backup(named(from).await?);
    let after = match (&cli.to, &cli.database) {
        (Some(to), _) => DiffSide::Backup(named(to).await?),
        (None, Some(url)) => DiffSide::Database(database::dumper(url, None, Host::local())?),
        (None, None) => {
            return Err(Error::new(ErrorKind::InvalidInput, "nothing is named to compare with")
                .with_suggestion("give --to another backup, or --database a URL"));
        }
    };
    pipeline.diff(&before, &after).await
}
