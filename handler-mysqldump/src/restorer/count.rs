//! Counts the rows of the restored tables.

use std::{fmt::Write as _, time::Duration};

use backup_core::{Inventory, Result, TableInventory, inventory::qualified_name};

use crate::server::{QUESTION_LIMIT, Server, number, quote_identifier};

/// The longest that counting all tables may take.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The tables that a dump creates: no views, no sequences, not the mark of a restore.
const TABLES: &str = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                      AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') \
                      AND TABLE_NAME <> '_backup_restore_unfinished' ORDER BY 1;\n";

/// The exact number of rows of every table.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn rows(server: &Server) -> Result<Inventory> {
    let tables = tables(server).await?.into_iter();
    let named = tables.map(|(name, rows)| TableInventory::new(qualified_name([name.as_str()]), rows, 0));
    Ok(Inventory::new(named.collect()))
}

/// Every table, by its bare name.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn names(server: &Server) -> Result<Vec<String>> {
    let names = server.ask(TABLES, QUESTION_LIMIT).await?;
    Ok(names.iter().filter_map(|row| row.first().cloned()).collect())
}

/// Every table, by its bare name, with its rows.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn tables(server: &Server) -> Result<Vec<(String, u64)>> {
    let names = names(server).await?;
    let mut questions = String::new();
    for name in &names {
        // Writing into a string cannot fail.
        let _written = writeln!(questions, "SELECT COUNT(*) FROM {};", quote_identifier(name));
    }
    let counts = server.ask(&questions, LIMIT).await?;
    let counted = names.into_iter().enumerate();
    counted.map(|(index, name)| Ok((name, number(counts.cell(index, 0)?)?))).collect()
}
