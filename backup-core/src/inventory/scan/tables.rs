//! [`Tables`]: the tables seen so far in a dump.

use std::collections::HashMap;

use super::{Error, ErrorKind};
use crate::inventory::{Inventory, TableInventory};

/// More tables than any server is run with; a dump with more is hostile or no dump.
const LIMIT: usize = 1 << 20;

/// Says which table of [`Tables`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableId(usize);

/// The tables seen so far, with their rows and bytes.
#[derive(Debug, Default)]
pub(super) struct Tables {
    ids: HashMap<String, TableId>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    table: TableInventory,
    /// The dump turned it into a view later.
    is_view: bool,
}

impl Tables {
    /// The table of that name, new or known.
    pub(super) fn id(&mut self, name: String) -> Result<TableId, Error> {
        if let Some(id) = self.ids.get(&name) {
            return Ok(*id);
        }
        if self.entries.len() >= LIMIT {
            return Err(Error::new(ErrorKind::Unsupported, "the dump holds more tables than can be listed")
                .with_operation("inspect")
                .with_context("limit", LIMIT)
                .with_suggestion("dump in the custom format, of which no inventory is taken"));
        }
        let id = TableId(self.entries.len());
        self.entries.push(Entry { table: TableInventory::new(name.clone(), 0, 0), is_view: false });
        self.ids.insert(name, id);
        Ok(id)
    }

    /// Adds what was read of a table's rows.
    pub(super) fn add(&mut self, id: TableId, rows: u64, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.table.rows += rows;
            entry.table.bytes += bytes;
        }
    }

    /// Takes a table for the view that it became.
    pub(super) fn make_view(&mut self, id: TableId) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.is_view = true;
        }
    }

    pub(super) fn name(&self, id: TableId) -> &str {
        self.entries.get(id.0).map_or("", |entry| entry.table.name.as_str())
    }

    pub(super) fn into_inventory(self) -> Inventory {
        Inventory::new(
            self.entries.into_iter().filter(|entry| !entry.is_view).map(|entry| entry.table).collect(),
        )
    }
}
