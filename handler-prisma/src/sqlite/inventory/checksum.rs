//! A checksum of the rows of a table, in any order.

use rusqlite::{Connection, types::ValueRef};
use xxhash_rust::xxh3::Xxh3;

use super::super::error;

/// The checksum of the rows, `sqlite:<hex>`; `None` where this build cannot read them.
///
/// It is the sum of the hashes (XXH3, 128 bits) of the rows, each of its values with their types, in the order of the
/// columns. What is computed (generated columns) is no part of it, and neither is the row's number where it is no
/// column, so that `VACUUM` changes nothing.
pub(super) fn of(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    match sum(connection, table) {
        Ok(sum) => Ok(Some(format!("sqlite:{sum:032x}"))),
        Err(err) if error::is_not_runnable(&err) => {
            tracing::warn!(table, %err, "the rows of a table cannot be read for a checksum");
            Ok(None)
        }
        Err(err) => Err(err),
    }
}

fn sum(connection: &Connection, table: &str) -> rusqlite::Result<u128> {
    let columns = columns(connection, table)?;
    let quoted: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    // Each name as a column of the table, never as a string or of something else.
    let list: Vec<String> = quoted.iter().map(|name| format!("t.{name}")).collect();
    let mut statement = connection.prepare(&format!(
        "SELECT {} FROM main.{} AS t NOT INDEXED",
        list.join(", "),
        quote(table)
    ))?;
    let mut rows = statement.query([])?;
    let mut hasher = Xxh3::new();
    let mut sum = 0_u128;
    while let Some(row) = rows.next()? {
        hasher.reset();
        for at in 0..columns.len() {
            add(&mut hasher, row.get_ref(at)?);
        }
        sum = sum.wrapping_add(hasher.digest128());
    }
    Ok(sum)
}

/// The columns that are stored and not computed.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0 ORDER BY cid")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

/// A type and what tells its values apart: an integer is no real, a text no blob, and an end is an end.
fn add(hasher: &mut Xxh3, value: ValueRef<'_>) {
    let mut add = |tag: u8, bytes: &[u8]| {
        hasher.update(&[tag]);
        if tag > 2 {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
        }
        hasher.update(bytes);
    };
    match value {
        ValueRef::Null => add(0, &[]),
        ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
        ValueRef::Real(number) => add(2, &number.to_bits().to_le_bytes()),
        ValueRef::Text(text) => add(3, text),
        ValueRef::Blob(bytes) => add(4, bytes),
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
