//! Lets a restored database take the place of the one that is there.

use std::time::Duration;

use backup_core::{ByteStream, Error, Inventory, Result, restore::Beside};
use bytes::Bytes;

use super::{MysqlRestore, beside::name_beside, filter::Wanted, run::Run, target};
use crate::{
    scratch::TemporaryDatabase,
    server::{Facts, Server, quote_identifier},
};

pub(super) mod chosen;
mod programs;

use programs::Programs;

/// The longest that one step of the exchange may take.
const STEP_LIMIT: Duration = Duration::from_secs(300);

/// Clients that use the tables are waited for this long.
const LOCK_WAIT: &str = "SET SESSION lock_wait_timeout = 60;\n";

/// Builds the restore beside the target, then exchanges the two.
pub(super) async fn replace(
    run: &Run<'_>,
    facts: Option<&Facts>,
    wanted: &Wanted,
    body: ByteStream,
    warnings: &mut Vec<String>,
) -> Result<Inventory> {
    let encoding = facts.map(Facts::encoding);
    let beside = target::create_beside(run.server, Beside::Restoring, encoding.as_deref()).await?;
    let inventory = match target::fill_made(run, beside.name(), wanted, body, warnings).await {
        Ok(inventory) => inventory,
        Err(err) => return Err(target::drop_after(beside, err).await),
    };
    let exchange = match Exchange::prepare(run, beside.name()).await {
        Ok(exchange) => exchange,
        Err(err) => return Err(target::drop_after(beside, err).await),
    };
    match exchange.carry_out().await {
        Ok(()) => {}
        Err(Failed::Undone(err)) => return Err(target::drop_after(beside, err).await),
        Err(Failed::Stuck(err)) => {
            // Both databases hold what may be needed now.
            beside.keep();
            return Err(err);
        }
    }
    let replaced = TemporaryDatabase::new(run.server.clone(), exchange.replaced.clone());
    for (database, what) in [(replaced, "the replaced tables"), (beside, "the empty database of the restore")]
    {
        let name = database.name().to_owned();
        if let Err(err) = database.close().await {
            warnings.push(format!("{what} were not dropped: {name}: {err}"));
        }
    }
    Ok(inventory)
}

/// Why an exchange failed.
enum Failed {
    /// The target is as it was.
    Undone(Error),
    /// It is not, and could not be put back; the error says where everything is.
    Stuck(Error),
}

/// The exchange of all tables of two databases.
struct Exchange<'a> {
    server: &'a Server,
    /// Makes stored programs by the restore's own way.
    loader: MysqlRestore,
    name: &'a str,
    beside: &'a str,
    /// Where the old tables go.
    replaced: String,
    /// What the mark of the target says while tables change places.
    mark: String,
    old: Programs,
    new: Programs,
}

impl<'a> Exchange<'a> {
    /// Reads everything that will be needed, changing nothing.
    async fn prepare(run: &Run<'a>, beside: &'a str) -> Result<Self> {
        let server = run.server;
        let name = server.config.database();
        Ok(Self {
            server,
            loader: run.settings.clone(),
            name,
            beside,
            replaced: name_beside(name, Beside::Replaced)?,
            mark: target::token()?,
            old: Programs::read(server).await?,
            new: Programs::read(&server.at(beside)).await?,
        })
    }

    async fn carry_out(&self) -> Result<(), Failed> {
        let create = format!("CREATE DATABASE {};\n", quote_identifier(&self.replaced));
        self.server.run(None, &create, STEP_LIMIT).await.map_err(Failed::Undone)?;
        let done = async {
            self.run(&self.marking()).await?;
            // Tables with triggers cannot change their database.
            self.run(&self.new.drop_triggers(self.beside)).await?;
            self.run(&self.old.drop_triggers(self.name)).await?;
            self.run(&self.rename(true)).await?;
            self.run(&self.old.drop_others(self.name)).await?;
            self.load(&self.new).await?;
            self.run(&target::unmark(self.name)).await
        };
        match done.await {
            Ok(()) => Ok(()),
            Err(err) => Err(self.undo(err).await),
        }
    }

    /// Puts the old tables and programs back.
    async fn undo(&self, err: Error) -> Failed {
        let undone = async {
            let moved = self.server.at(&self.replaced).facts().await?;
            let left = Programs::read(&self.server.at(self.name)).await?;
            self.run(&left.drop_triggers(self.name)).await?;
            self.run(&left.drop_others(self.name)).await?;
            // The answer to the renaming may have been lost: where the tables are now says whether it took.
            let holds_new = left.tables.iter().any(|table| table != target::UNFINISHED);
            if moved.tables > 0 || (self.old.tables.is_empty() && holds_new) {
                self.run(&self.rename(false)).await?;
            }
            self.load(&self.old).await?;
            if target::is_marked(self.server, self.name, &self.mark).await? {
                self.run(&target::unmark(self.name)).await?;
            }
            self.run(&format!("DROP DATABASE {};\n", quote_identifier(&self.replaced))).await
        };
        match undone.await {
            Ok(()) => Failed::Undone(err.with_suggestion("the target is as it was before")),
            Err(second) => Failed::Stuck(
                err.with_context("could_not_be_undone", second.message())
                    .with_context("old_tables_in", format!("{} or {}", self.name, self.replaced))
                    .with_context("restored_tables_in", format!("{} or {}", self.beside, self.name))
                    .with_suggestion(
                        "move the old tables back by RENAME TABLE, and restore their views, triggers and routines \
                         from the safety backup",
                    ),
            ),
        }
    }

    /// Whether an earlier restore left its mark: it is one of the old tables then, and goes with them.
    fn was_marked(&self) -> bool {
        self.old.tables.iter().any(|table| table == target::UNFINISHED)
    }

    /// Marks the target; or, where the old mark will go away with the old tables, the tables that come.
    fn marking(&self) -> String {
        let marked = if self.was_marked() { self.beside } else { self.name };
        target::marker(Some(marked), &self.mark)
    }

    /// All tables at once: nobody ever sees a part of them.
    fn rename(&self, forth: bool) -> String {
        let pair = |table: &String, from: &str, to: &str| {
            let table = quote_identifier(table);
            format!("{}.{table} TO {}.{table}", quote_identifier(from), quote_identifier(to))
        };
        let old = self.old.tables.iter();
        let mark = self.was_marked().then(|| target::UNFINISHED.to_owned());
        let new = self.new.tables.iter().chain(&mark);
        let pairs: Vec<String> = if forth {
            let away = old.map(|table| pair(table, self.name, &self.replaced));
            away.chain(new.map(|table| pair(table, self.beside, self.name))).collect()
        } else {
            let away = new.map(|table| pair(table, self.name, self.beside));
            away.chain(old.map(|table| pair(table, &self.replaced, self.name))).collect()
        };
        if pairs.is_empty() { String::new() } else { format!("RENAME TABLE {};\n", pairs.join(", ")) }
    }

    async fn run(&self, sql: &str) -> Result<()> {
        if sql.is_empty() {
            return Ok(());
        }
        self.server.run(None, &format!("{LOCK_WAIT}{sql}"), STEP_LIMIT).await.map(drop)
    }

    async fn load(&self, programs: &Programs) -> Result<()> {
        let run = Run { settings: &self.loader, server: self.server };
        for definitions in [&programs.definitions, &programs.views] {
            if !definitions.is_empty() {
                let body = ByteStream::from(Bytes::clone(definitions));
                run.restore(self.name, &Wanted::All, body).await?;
            }
        }
        Ok(())
    }
}
