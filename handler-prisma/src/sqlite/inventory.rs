//! What a database holds: its tables with their rows, what defines them, and how many objects of each kind.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use backup_core::{Inventory, Result, TableInventory};
use rusqlite::Connection;

use super::{blocking::Cancel, error};

mod checksum;
mod definition;

/// Whether every row is read, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Counted,
    Summed,
}

/// Tables that hold rows of their own, under the names as stored.
///
/// A virtual table holds none: what it stores is in its shadow tables, which are listed like any other. So
/// the inventory depends on the file alone, not on the modules that this build happens to have.
const TABLES: &str = r"SELECT name FROM main.sqlite_schema
    WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\'";

/// How many objects there are of each kind, without those that SQLite makes for itself.
const KINDS: &str =
    r"SELECT type, count(*) FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' GROUP BY type";

/// The tables of the database with their rows, definitions, and the bytes of their pages, and the numbers of objects.
///
/// A table that this build cannot read, because its key uses a collation of the application, is left out.
pub(super) fn take(connection: &Connection, path: &Path, rows: Rows, cancel: &Cancel) -> Result<Inventory> {
    let mut inventory = counted(connection).map_err(|err| error::fold(err, path))?;
    if rows == Rows::Summed {
        for table in &mut inventory.tables {
            cancel.check()?;
            table.checksum = checksum::of(connection, &table.name).map_err(|err| error::fold(err, path))?;
        }
    }
    Ok(inventory)
}

/// How many tables, indexes, views and triggers the database holds.
pub(super) fn objects(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get(0))
}

/// How many tables the database holds.
pub(super) fn tables(connection: &Connection, path: &Path) -> Result<u64> {
    connection
        .query_row(&format!("SELECT count(*) FROM ({TABLES})"), [], |row| row.get(0))
        .map_err(|err| error::fold(err, path))
}

fn counted(connection: &Connection) -> rusqlite::Result<Inventory> {
    let sizes = sizes(connection)?;
    let mut definitions = definition::digests(connection)?;
    let mut statement = connection.prepare(TABLES)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut tables = Vec::new();
    for name in names {
        let name = name?;
        if let Some(rows) = rows(connection, &name)? {
            let bytes = sizes.get(&name).copied().unwrap_or(0);
            let definition = definitions.remove(&name);
            let mut table = TableInventory::new(name, rows, bytes);
            table.definition = definition;
            tables.push(table);
        }
    }
    let mut inventory = Inventory::new(tables);
    let mut statement = connection.prepare(KINDS)?;
    let kinds = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    inventory.objects = kinds.collect::<rusqlite::Result<BTreeMap<String, u64>>>()?;
    Ok(inventory)
}

/// The rows of a table; `None` where this build cannot read it.
pub(super) fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Option<u64>> {
    let quoted = table.replace('"', "\"\"");
    let count = |hint: &str| {
        connection.query_row(&format!("SELECT count(*) FROM main.\"{quoted}\" {hint}"), [], |row| row.get(0))
    };
    // SQLite counts the smallest index, which may use a collation of the application.
    match count("").or_else(|err| if error::is_not_runnable(&err) { count("NOT INDEXED") } else { Err(err) })
    {
        Ok(rows) => Ok(Some(rows)),
        Err(err) if error::is_not_runnable(&err) => {
            tracing::warn!(table, %err, "the rows of a table cannot be counted");
            Ok(None)
        }
        Err(err) => Err(err),
    }
}

/// The bytes of the pages of every table and index; empty where SQLite was built without `dbstat`.
fn sizes(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    match connection.prepare("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE") {
        Ok(mut statement) => statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect(),
        Err(err) if error::is_not_runnable(&err) => Ok(HashMap::new()),
        Err(err) => Err(err),
    }
}
