//! Chosen tables into a database that holds others: built beside it, then moved in.

use std::collections::BTreeSet;

use backup_core::{ByteStream, Error, ErrorKind, Inventory, OnExisting, Result, restore::Beside};
use bytes::Bytes;

use super::{Failed, LOCK_WAIT, STEP_LIMIT, programs::Programs};
use crate::{
    restorer::{
        MysqlRestore,
        beside::name_beside,
        count,
        filter::Wanted,
        keys::{ForeignKey, all},
        run::Run,
        select::shown,
        target,
    },
    scratch::TemporaryDatabase,
    server::{Facts, Server, quote_identifier},
};

/// The longest that making foreign keys again may take: the server looks at every row.
const KEYS_LIMIT: std::time::Duration = std::time::Duration::from_secs(6 * 60 * 60);

/// Restores chosen tables beside what the database holds.
pub(in crate::restorer) async fn restore(
    run: &Run<'_>,
    facts: &Facts,
    tables: &[String],
    on_existing: OnExisting,
    body: ByteStream,
    warnings: &mut Vec<String>,
) -> Result<Inventory> {
    let name = run.server.config.database();
    let there = count::names(run.server).await?;
    let existing: Vec<String> = tables.iter().filter(|table| there.contains(table)).cloned().collect();
    if !existing.is_empty() && on_existing == OnExisting::Refuse {
        let shown: Vec<String> = existing.iter().map(|table| shown(table)).collect();
        return Err(Error::new(ErrorKind::TargetNotEmpty, "the target has some of the chosen tables")
            .with_context("database", name)
            .with_context("tables", shown.join(", ")));
    }
    if target::is_unfinished(run.server).await {
        return Err(target::not_empty(run.server, facts).await);
    }
    let beside = target::create_beside(run.server, Beside::Restoring, Some(&facts.encoding())).await?;
    let prepared = async {
        let wanted = Wanted::Tables(tables.to_vec());
        let inventory = target::fill_made(run, beside.name(), &wanted, body, warnings).await?;
        let outward = drop_dangling(run.server, beside.name()).await?;
        let moved = outward.into_iter().map(|key| key.moved(beside.name(), name));
        // To tables that the target has, and that stay.
        let outward = moved.filter(|key| key.to_schema != name || there.contains(&key.to_table)).collect();
        Ok((inventory, Exchange::prepare(run, beside.name(), existing, outward).await?))
    };
    let (inventory, exchange) = match prepared.await {
        Ok(prepared) => prepared,
        Err(err) => return Err(target::drop_after(beside, err).await),
    };
    match exchange.carry_out().await {
        Ok(()) => {}
        Err(Failed::Undone(err)) => return Err(target::drop_after(beside, err).await),
        Err(Failed::Stuck(err)) => {
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

/// Drops the foreign keys of a database that refer to tables which it does not have, and returns them.
pub(in crate::restorer) async fn drop_dangling(server: &Server, name: &str) -> Result<Vec<ForeignKey>> {
    let there = count::names(&server.at(name)).await?;
    let keys = ForeignKey::of(server, name).await?.into_iter();
    let dangling: Vec<ForeignKey> = keys
        .filter(|key| key.schema == name && key.to_schema == name && !there.contains(&key.to_table))
        .collect();
    let sql = all(&dangling, ForeignKey::drop);
    if !sql.is_empty() {
        server.run(None, &format!("SET SESSION foreign_key_checks = 0;\n{sql}"), STEP_LIMIT).await?;
    }
    Ok(dangling)
}

/// The exchange of some tables of the target for those that were built beside it.
struct Exchange<'a> {
    server: &'a Server,
    loader: MysqlRestore,
    name: &'a str,
    beside: String,
    /// Where the old tables go.
    replaced: String,
    mark: String,
    old: Programs,
    new: Programs,
    /// Keys of tables that stay, to tables that are replaced: they would go with these.
    inward: Vec<ForeignKey>,
    /// Keys of the new tables to tables that stay.
    outward: Vec<ForeignKey>,
}

impl<'a> Exchange<'a> {
    /// Reads everything that will be needed, changing nothing.
    async fn prepare(
        run: &Run<'a>,
        beside: &str,
        existing: Vec<String>,
        outward: Vec<ForeignKey>,
    ) -> Result<Self> {
        let server = run.server;
        let name = server.config.database();
        let new = Programs::read(&server.at(beside)).await?;
        let replaced: BTreeSet<&String> = existing.iter().collect();
        let inward = ForeignKey::of(server, name).await?.into_iter().filter(|key| {
            let stays = key.schema != name || !replaced.contains(&key.table);
            stays && key.to_schema == name && replaced.contains(&key.to_table)
        });
        let inward = inward.collect();
        Ok(Self {
            server,
            loader: run.settings.clone(),
            name,
            beside: beside.to_owned(),
            replaced: name_beside(name, Beside::Replaced)?,
            mark: target::token()?,
            old: Programs::of_tables(server, existing).await?,
            new,
            inward,
            outward,
        })
    }

    async fn carry_out(&self) -> Result<(), Failed> {
        let begin = format!(
            "CREATE DATABASE {};\n{}",
            quote_identifier(&self.replaced),
            target::marker(Some(self.name), &self.mark)
        );
        if let Err(err) = self.run(&begin).await {
            return Err(self.undo(err).await);
        }
        let done = async {
            // Tables with triggers cannot change their database.
            self.run(&self.new.drop_triggers(&self.beside)).await?;
            self.run(&self.old.drop_triggers(self.name)).await?;
            self.run(&all(&self.inward, ForeignKey::drop)).await?;
            self.run(&self.rename(true)).await?;
            self.load(&self.new).await?;
            self.add_keys(self.outward.iter().chain(&self.inward), "").await?;
            self.run(&target::unmark(self.name)).await
        };
        match done.await {
            Ok(()) => Ok(()),
            Err(err) => Err(self.undo(err).await),
        }
    }

    /// Puts the old tables, triggers and keys back.
    async fn undo(&self, err: Error) -> Failed {
        let undone = async {
            self.run(&self.new.drop_triggers(self.name)).await?;
            let mine = |key: &ForeignKey, keys: &[ForeignKey]| {
                keys.iter().any(|other| {
                    (&other.schema, &other.table, &other.name) == (&key.schema, &key.table, &key.name)
                })
            };
            let there = ForeignKey::of(self.server, self.name).await?;
            let back: Vec<&ForeignKey> =
                there.iter().filter(|key| mine(key, &self.inward) || mine(key, &self.outward)).collect();
            self.run(&all(back, ForeignKey::drop)).await?;
            // The answer to the renaming may have been lost: where the tables are now says whether it took.
            if count::names(&self.server.at(&self.beside)).await?.is_empty() {
                self.run(&self.rename(false)).await?;
            }
            self.run(&self.old.drop_triggers(self.name)).await?;
            self.load(&self.old).await?;
            self.add_keys(&self.inward, "SET SESSION foreign_key_checks = 0;\n").await?;
            if target::is_marked(self.server, self.name, &self.mark).await? {
                self.run(&target::unmark(self.name)).await?;
            }
            self.run(&format!("DROP DATABASE IF EXISTS {};\n", quote_identifier(&self.replaced))).await
        };
        match undone.await {
            Ok(()) => Failed::Undone(err.with_suggestion("the target is as it was before")),
            Err(second) => Failed::Stuck(
                err.with_context("could_not_be_undone", second.message())
                    .with_context("old_tables_in", format!("{} or {}", self.name, self.replaced))
                    .with_context("restored_tables_in", format!("{} or {}", self.beside, self.name))
                    .with_suggestion(
                        "move the old tables back by RENAME TABLE, and restore their triggers and foreign keys from the \
                         safety backup",
                    ),
            ),
        }
    }

    /// All tables at once: nobody ever sees a part of them.
    fn rename(&self, forth: bool) -> String {
        let pairs = |tables: &[String], from: &str, to: &str| -> Vec<String> {
            let (from, to) = (quote_identifier(from), quote_identifier(to));
            let names = tables.iter().map(|table| quote_identifier(table));
            names.map(|table| format!("{from}.{table} TO {to}.{table}")).collect()
        };
        let (old, new) = (&self.old.tables, &self.new.tables);
        let pairs = if forth {
            [pairs(old, self.name, &self.replaced), pairs(new, &self.beside, self.name)]
        } else {
            [pairs(new, self.name, &self.beside), pairs(old, &self.replaced, self.name)]
        };
        format!("RENAME TABLE {};\n", pairs.concat().join(", "))
    }

    async fn run(&self, sql: &str) -> Result<()> {
        if sql.is_empty() {
            return Ok(());
        }
        self.server.run(None, &format!("{LOCK_WAIT}{sql}"), STEP_LIMIT).await.map(drop)
    }

    async fn add_keys(&self, keys: impl IntoIterator<Item = &ForeignKey>, settings: &str) -> Result<()> {
        let sql = all(keys, ForeignKey::add);
        if sql.is_empty() {
            return Ok(());
        }
        let added = self.server.run(None, &format!("{LOCK_WAIT}{settings}{sql}"), KEYS_LIMIT).await;
        added.map(drop).map_err(|err| {
            err.with_suggestion(
                "look for rows that refer to what the backup does not hold, or the other way round",
            )
        })
    }

    async fn load(&self, programs: &Programs) -> Result<()> {
        if programs.definitions.is_empty() {
            return Ok(());
        }
        let run = Run { settings: &self.loader, server: self.server };
        let body = ByteStream::from(Bytes::clone(&programs.definitions));
        run.restore(self.name, &Wanted::All, body).await
    }
}
