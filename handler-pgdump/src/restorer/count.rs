//! Counts the rows of the restored tables.

use std::time::Duration;

use backup_core::{Error, ErrorKind, Inventory, Result, TableInventory};

use super::select::split;
use crate::server::{Server, quote_literal, table_name};

/// The longest that counting all tables may take.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One question per table; `psql` puts each to the server (`\gexec`).
///
/// The tables are those that `pg_dump` creates or writes rows of. A partitioned table has no rows of its own,
/// the rows of a foreign table are elsewhere, and a table of an extension counts only where the extension asks
/// for its rows to be dumped, and only those.
const COUNT: &str = r"
SELECT CASE WHEN c.relkind = 'f' THEN format('SELECT json_build_array(%L::text, %L::text, 0)', 
    x.schema_bytes, x.table_bytes)
  ELSE format('SELECT json_build_array(%L::text, %L::text, count(*)) FROM ONLY %I.%I %s',
    x.schema_bytes, x.table_bytes, n.nspname, c.relname, e.condition) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT encode(convert_to(n.nspname::text, getdatabaseencoding()), 'hex') AS schema_bytes,
  encode(convert_to(c.relname::text, getdatabaseencoding()), 'hex') AS table_bytes) x
LEFT JOIN LATERAL (SELECT extcondition[array_position(extconfig, c.oid)] AS condition
  FROM pg_extension WHERE c.oid = ANY (extconfig)) e ON true
WHERE c.relkind IN ('r', 'p', 'f')
  AND (e.condition IS NOT NULL OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
  AND (e.condition IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend d
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
        Ok(TableInventory::new(table_name(&schema, &table)?, rows, 0))
    });
    Ok(Inventory::new(tables.collect::<Result<_>>()?))
}
