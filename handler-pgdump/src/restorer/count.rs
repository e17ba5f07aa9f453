//! Counts the rows of the restored tables.

use std::time::Duration;

use backup_core::{Error, ErrorKind, Inventory, Result, TableInventory, inventory::qualified_name};

use super::select::split;
use crate::server::{Server, quote_literal};

/// The longest that counting all tables may take.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One question per table; `psql` puts each to the server (`\gexec`).
///
/// The tables are those that `pg_dump` creates or writes rows of. A partitioned table has no rows of its own,
/// the rows of a foreign table are elsewhere, and a table of an extension counts only where the extension asks
/// for its rows to be dumped, and only those.
const COUNT: &str = r"
SELECT CASE WHEN c.relkind = 'f' THEN format('SELECT json_build_array(%L::text, %L::text, 0)', n.nspname, c.relname)
  ELSE format('SELECT json_build_array(%L::text, %L::text, count(*)) FROM ONLY %I.%I %s',
    n.nspname, c.relname, n.nspname, c.relname, x.condition) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT extcondition[array_position(extconfig, c.oid)] AS condition
  FROM pg_extension WHERE c.oid = ANY (extconfig)) x ON true
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (x.condition IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
";

/// The exact number of rows of every table.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn rows(server: &Server) -> Result<Inventory> {
    count(server, "").await
}

/// The exact number of rows of these tables, or of every table.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn of(server: &Server, tables: Option<&[String]>) -> Result<Inventory> {
    let Some(tables) = tables else { return rows(server).await };
    let names = tables.iter().map(|table| {
        let (schema, name) = split(table)?;
        Ok(format!("({}, {})", quote_literal(&schema), quote_literal(&name)))
    });
    let names = names.collect::<Result<Vec<_>>>()?.join(", ");
    count(server, &format!("AND (n.nspname, c.relname) IN ({names})")).await
}

async fn count(server: &Server, condition: &str) -> Result<Inventory> {
    let answer = server.ask(&format!("{COUNT}{condition}\n\\gexec\n"), LIMIT).await?;
    let tables = answer.lines().filter(|line| !line.is_empty()).map(|line| {
        let (schema, table, rows): (String, String, u64) = serde_json::from_str(line).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "psql's answer cannot be read").with_source(err)
        })?;
        let name = qualified_name([schema.as_str(), table.as_str()]);
        Ok(TableInventory::new(name, rows, 0))
    });
    Ok(Inventory::new(tables.collect::<Result<_>>()?))
}
