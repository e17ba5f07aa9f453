//! [`Inventory`]: which tables a dump holds, with their rows and bytes, read as the dump passes.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::{Result, digest::Outcome, digest::Tap};

pub mod scan;

/// The tables of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inventory {
    /// One entry per table, sorted by name; a table without rows is listed too.
    pub tables: Vec<TableInventory>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// One table of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableInventory {
    /// The name as the server writes it unquoted: `schema.table` for PostgreSQL, `table` elsewhere.
    pub name: String,
    /// How many rows the dump holds.
    pub rows: u64,
    /// How many bytes of the plain dump its rows take.
    pub bytes: u64,
}

impl TableInventory {
    /// A table with its rows and bytes.
    pub fn new(name: impl Into<String>, rows: u64, bytes: u64) -> Self {
        Self { name: name.into(), rows, bytes }
    }
}

impl Inventory {
    /// An inventory of `tables`, sorted by name.
    #[must_use]
    pub fn new(mut tables: Vec<TableInventory>) -> Self {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Self { tables, extra: serde_json::Map::new() }
    }

    /// The rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableInventory> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Says, one line a table, where the rows of `self` (what was expected) and `found` differ; bytes do not count.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for table in &self.tables {
            match found.table(&table.name) {
                None => lines.push(format!("table {} is missing ({} rows expected)", table.name, table.rows)),
                Some(other) if other.rows != table.rows => {
                    lines.push(format!(
                        "table {} has {} rows, {} expected",
                        table.name, other.rows, table.rows
                    ));
                }
                Some(_) => {}
            }
        }
        for table in found.tables.iter().filter(|table| self.table(&table.name).is_none()) {
            lines.push(format!("table {} was not expected ({} rows)", table.name, table.rows));
        }
        lines
    }
}

/// A [`Tap`] on the plain bytes of a dump that knows its format.
///
/// # Contract
///
/// `finish` is an error of kind [`Incomplete`](crate::ErrorKind::Incomplete) where the format has an end
/// mark and the mark is missing. The inventory is set then and not before.
pub struct Inspector {
    /// Looks at the bytes.
    pub tap: Box<dyn Tap>,
    /// The inventory, or `None` inside where the format does not show one.
    pub inventory: Outcome<Option<Inventory>>,
}

impl Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}

impl Inspector {
    /// The inspector for a format, as [`DumperInfo`](crate::dump::DumperInfo) and the manifest name it.
    ///
    /// Known are `plain` of `postgresql` (every statement is scanned), `custom` of `postgresql` and
    /// `database` of `sqlite` (start, and length where the format states it). Any other format passes
    /// unseen.
    #[must_use]
    pub fn for_format(engine: &str, format: &str) -> Self {
        scan::inspector(engine, format)
    }

    /// An inspector that sees nothing.
    #[must_use]
    pub fn blind() -> Self {
        let inventory = Outcome::pending();
        Self { tap: Box::new(Blind(inventory.clone())), inventory }
    }
}

struct Blind(Outcome<Option<Inventory>>);

impl Tap for Blind {
    fn update(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.set(None);
        Ok(())
    }
}
