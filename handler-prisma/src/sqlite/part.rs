//! Chosen tables, or definitions alone, out of a restored file into another.

use std::{collections::BTreeSet, path::Path};

use backup_core::{
    Error, ErrorKind, Inventory, OnExisting, Result, Selected, TableInventory, restore::unknown_table,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{error, inventory};

/// Tables that hold rows, other than those in which virtual tables keep theirs.
const TABLES: &str = r"SELECT s.name FROM main.sqlite_schema s JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name
    WHERE s.type = 'table' AND l.type = 'table' AND s.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY 1";

/// A name as SQL writes it.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn texts_of(connection: &Connection, sql: &str, name: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([name], |row| row.get(0))?.collect()
}

/// Says what `tables` of the restored file mean, and which of them the target has.
pub(super) fn select(
    restored: &Connection,
    tables: &[String],
    target: Option<&Connection>,
    path: &Path,
) -> Result<Selected> {
    let fold = |err| error::fold(err, path);
    if tables.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no table was chosen"));
    }
    let known = texts(restored, TABLES).map_err(fold)?;
    if let Some(missing) = tables.iter().find(|table| !known.contains(table)) {
        return Err(unknown_table(missing, known.iter().map(String::as_str)));
    }
    let chosen: BTreeSet<&String> = tables.iter().collect();
    let is_chosen = |name: &str| chosen.iter().any(|table| table.eq_ignore_ascii_case(name));
    let mut selected = Selected::new(chosen.iter().map(|table| (*table).clone()).collect());
    for table in &known {
        if is_chosen(table) {
            let parts = "SELECT type || ' ' || name FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE \
                         AND sql IS NOT NULL ORDER BY type = 'table' DESC, rowid";
            selected.objects.extend(texts_of(restored, parts, table).map_err(fold)?);
        }
        let keys = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1) ORDER BY 1";
        for to in texts_of(restored, keys, table).map_err(fold)? {
            selected.notes.push(match (is_chosen(table), is_chosen(&to)) {
                (true, false) => format!(
                    "{table} refers to {to}, which is not chosen: without that table in the target its rows refer to \
                     nothing"
                ),
                (false, true) => format!("{table} refers to {to}, and is not chosen"),
                _ => continue,
            });
        }
    }
    let Some(target) = target else { return Ok(selected) };
    let named = "SELECT type, name FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY 2";
    let mut statement = target.prepare(named).map_err(fold)?;
    let found = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    for object in found.map_err(fold)? {
        let (kind, name) = object.map_err(fold)?;
        match is_chosen(&name).then_some(kind.as_str()) {
            Some("table") => selected.existing.push(name),
            Some(_) => selected.obstacles.push(format!("{kind} {name} has the name of a chosen table")),
            None => {}
        }
    }
    Ok(selected)
}

/// Attaches the restored file, for [`copy_tables`] and [`copy_definitions`].
pub(super) fn attach(connection: &Connection, restored: &Path) -> Result<()> {
    let name = restored.to_str().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the path of the temporary copy is no UTF-8")
            .with_context("path", restored.display())
            .with_suggestion("restore into a folder with another name")
    })?;
    let attached = connection.execute("ATTACH ?1 AS restored", params![name]);
    // What a row breaks now, it broke before: a restore keeps it.
    let attached = attached.and_then(|_| {
        connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    });
    attached.map_err(|err| error::fold(err, restored))
}

/// Copies chosen tables from the attached file, in the transaction that is open; returns them with their rows.
pub(super) fn copy_tables(
    connection: &Connection,
    tables: &[String],
    on_existing: OnExisting,
    path: &Path,
) -> Result<Inventory> {
    let fold = |err| error::fold(err, path);
    let there = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    let mut existing = Vec::new();
    for table in tables {
        existing.extend(texts_of(connection, there, table).map_err(fold)?);
    }
    if !existing.is_empty() && on_existing == OnExisting::Refuse {
        return Err(Error::new(ErrorKind::TargetNotEmpty, "the database has some of the chosen tables")
            .with_context("path", path.display())
            .with_context("tables", existing.join(", ")));
    }
    for table in existing {
        connection.execute_batch(&format!("DROP TABLE main.{}", quote(&table))).map_err(fold)?;
    }
    let mut copied = Vec::new();
    for table in tables {
        copy_table(connection, table).map_err(fold)?;
        if let Some(rows) = inventory::rows(connection, table).map_err(fold)? {
            copied.push(TableInventory::new(table, rows, 0));
        }
    }
    Ok(Inventory::new(copied))
}

/// Rows before indexes and triggers: it is faster, and no trigger runs.
fn copy_table(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let statement = "SELECT sql FROM restored.sqlite_schema WHERE type = 'table' AND name = ?1";
    let create: String = connection.query_row(statement, [table], |row| row.get(0))?;
    connection.execute_batch(&create)?;
    let columns = "SELECT name FROM pragma_table_xinfo(?1, 'restored') WHERE hidden IN (0, 1) ORDER BY cid";
    let all = "SELECT lower(name) FROM pragma_table_xinfo(?1, 'restored')";
    let mut columns = texts_of(connection, columns, table)?;
    let all = texts_of(connection, all, table)?;
    let rowless: bool = connection.query_row(
        "SELECT wr FROM pragma_table_list WHERE schema = 'restored' AND name = ?1",
        [table],
        |row| row.get(0),
    )?;
    if !rowless {
        // An application may have kept the number of a row.
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| all.iter().all(|other| other != name));
        columns.extend(free.map(str::to_owned));
    }
    let list = columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let name = quote(table);
    connection
        .execute_batch(&format!("INSERT INTO main.{name} ({list}) SELECT {list} FROM restored.{name}"))?;
    let next: Option<i64> = if has_sequences(connection)? {
        let next = "SELECT seq FROM restored.sqlite_sequence WHERE name = ?1";
        connection.query_row(next, [table], |row| row.get(0)).optional()?
    } else {
        None
    };
    if let Some(next) = next {
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1", [table])?;
        connection
            .execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, next])?;
    }
    let parts = "SELECT sql FROM restored.sqlite_schema WHERE type IN ('index', 'trigger') AND tbl_name = ?1 COLLATE NOCASE \
                 AND sql IS NOT NULL ORDER BY type, rowid";
    for part in texts_of(connection, parts, table)? {
        connection.execute_batch(&part)?;
    }
    Ok(())
}

fn has_sequences(connection: &Connection) -> rusqlite::Result<bool> {
    let found = "SELECT count(*) FROM restored.sqlite_schema WHERE name = 'sqlite_sequence'";
    connection.query_row(found, [], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// Makes everything that the attached file defines, in the transaction that is open.
pub(super) fn copy_definitions(connection: &Connection, path: &Path) -> Result<()> {
    // What a virtual table keeps its rows in is made with it.
    let all = "SELECT s.sql FROM restored.sqlite_schema s
        LEFT JOIN pragma_table_list l ON l.schema = 'restored' AND l.name = s.name
        WHERE s.sql IS NOT NULL AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND coalesce(l.type, '') <> 'shadow'
        ORDER BY CASE s.type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, s.rowid";
    let copy = || {
        for sql in texts(connection, all)? {
            connection.execute_batch(&sql)?;
        }
        for mark in ["user_version", "application_id"] {
            let value: i64 =
                connection.query_row(&format!("PRAGMA restored.{mark}"), [], |row| row.get(0))?;
            connection.execute_batch(&format!("PRAGMA main.{mark} = {value}"))?;
        }
        Ok(())
    };
    copy().map_err(|err| error::fold(err, path))
}

/// Rows of the chosen tables that refer to nothing, and rows that refer to nothing in them, as warnings.
pub(super) fn dangling(connection: &Connection, tables: &[String], path: &Path) -> Result<Vec<String>> {
    let is_chosen = |name: &str| tables.iter().any(|table| table.eq_ignore_ascii_case(name));
    let count = || {
        let mut counted = std::collections::BTreeMap::<(String, String), u64>::new();
        let mut statement = connection.prepare("PRAGMA main.foreign_key_check")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))?;
        for row in rows {
            let (table, parent) = row?;
            if is_chosen(&table) || is_chosen(&parent) {
                *counted.entry((table, parent)).or_default() += 1;
            }
        }
        Ok(counted)
    };
    let counted = match count() {
        Ok(counted) => counted,
        // A key of a form that SQLite itself refuses to check.
        Err(err) if error::is_not_runnable(&err) => return Ok(Vec::new()),
        Err(err) => return Err(error::fold(err, path)),
    };
    let warn =
        |((table, parent), rows)| format!("{rows} rows of {table} refer to rows that {parent} does not hold");
    Ok(counted.into_iter().map(warn).collect())
}
