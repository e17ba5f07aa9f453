//! [`Check`]: whether a database is sound, as far as SQLite can tell.

use std::{collections::BTreeMap, path::Path};

use backup_core::{Error, ErrorKind, Result};
use rusqlite::Connection;

use super::error;

/// How many findings an error names.
const FINDINGS_SHOWN: usize = 5;

/// How thoroughly a copy of a database is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// `PRAGMA quick_check`: every page, cell and record is read. Costs about half of what the copy itself
    /// does (220 MiB/s where the copy ran at 120).
    Quick,
    /// `PRAGMA integrity_check`: also that every index agrees with its table. Large tables with an index in
    /// random order are slow (15 MiB/s where the quick check ran at 220). And `PRAGMA foreign_key_check`: rows that refer
    /// to a row that is not there are a warning, since SQLite makes them in sound files unless it is told not to.
    Full,
}

/// Checks the database; `Ok` holds what is odd without being damage.
///
/// Damage is what SQLite finds wrong with pages, records and indexes. A row that breaks a constraint is not:
/// such rows exist in sound files (`NOT NULL` and `CHECK` can be switched off), and a backup has to keep them.
pub(super) fn run(connection: &Connection, check: Check, path: &Path) -> Result<Vec<String>> {
    let pragma = match check {
        Check::Quick => "PRAGMA quick_check(1000000)",
        Check::Full => "PRAGMA integrity_check(1000000)",
    };
    let mut damage = Vec::new();
    let mut oddities = Vec::new();
    let found = findings(connection, pragma, &mut damage, &mut oddities).and_then(|()| match check {
        Check::Full if damage.is_empty() => references(connection, &mut oddities),
        _ => Ok(()),
    });
    match found {
        Ok(()) => {}
        Err(err) if error::is_not_runnable(&err) => {
            tracing::warn!(path = %path.display(), %err, "the database could not be checked");
            oddities.push(format!("could not be checked: {err}"));
        }
        Err(err) => return Err(error::fold(err, path)),
    }
    if damage.is_empty() {
        return Ok(oddities);
    }
    Err(Error::new(ErrorKind::Corrupt, "the database is damaged")
        .with_context("path", path.display())
        .with_context("findings", damage.join("; "))
        .with_suggestion(
            "look at `PRAGMA integrity_check`; restore the newest good backup or use `sqlite3 .recover`",
        ))
}

fn findings(
    connection: &Connection,
    pragma: &str,
    damage: &mut Vec<String>,
    oddities: &mut Vec<String>,
) -> rusqlite::Result<()> {
    // Checks may call functions of the application that this build does not have.
    connection.execute_batch("PRAGMA ignore_check_constraints = ON")?;
    // An index is checked in its own order, that is all over its table.
    connection.execute_batch("PRAGMA cache_size = -65536")?;
    let mut statement = connection.prepare(pragma)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line == "ok" {
            continue;
        }
        let list = if is_oddity(&line) { &mut *oddities } else { &mut *damage };
        if list.len() < FINDINGS_SHOWN {
            list.push(line);
        }
    }
    Ok(())
}

/// Rows whose foreign key leads nowhere, counted by table.
fn references(connection: &Connection, oddities: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut broken: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *broken.entry((row.get("table")?, row.get("parent")?)).or_default() += 1;
    }
    let lines = broken.into_iter().map(|((table, parent), rows)| {
        format!("{rows} rows of {table} refer to rows of {parent} that are not there")
    });
    oddities.extend(lines);
    Ok(())
}

/// A value that its column's declaration does not allow; SQLite says `NULL value in t.c`, `TEXT value in t.c`,
/// `NUMERIC value in t.c` or, of a strict table, `non-INTEGER value in t.c`.
fn is_oddity(finding: &str) -> bool {
    finding.split_once(" value in ").is_some_and(|(what, _)| {
        matches!(what, "NULL" | "TEXT" | "NUMERIC")
            || what.strip_prefix("non-").is_some_and(|ty| ty.bytes().all(|byte| byte.is_ascii_uppercase()))
    })
}
