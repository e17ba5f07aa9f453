//! [`Tables`]: the tables seen so far in a dump, and what else it makes.

use std::collections::{BTreeMap, HashMap};

use super::{Error, ErrorKind, checksum::Form};
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
    objects: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Entry {
    table: TableInventory,
    kind: Kind,
    checksum: Sum,
    /// The sum of the digests of all statements that define it.
    definition: Option<u128>,
}

/// What has the name of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rows were seen, and nothing that made it.
    Rows,
    /// A table, as a kind of objects.
    Made(&'static str),
    /// Written as a table, but none.
    Other(&'static str),
}

/// The checksums of a table's rows so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sum {
    None,
    Of(Form, u128),
    /// Rows in several forms, which do not add up.
    Mixed,
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
        self.entries.push(Entry {
            table: TableInventory::new(name.clone(), 0, 0),
            kind: Kind::Rows,
            checksum: Sum::None,
            definition: None,
        });
        self.ids.insert(name, id);
        Ok(id)
    }

    /// The table of that name, if it is known.
    pub(super) fn known(&self, name: &str) -> Option<TableId> {
        self.ids.get(name).copied()
    }

    /// Adds what was read of a table's rows.
    pub(super) fn add(&mut self, id: TableId, rows: u64, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.table.rows += rows;
            entry.table.bytes += bytes;
        }
    }

    /// Adds the checksum of what was read of a table's rows.
    pub(super) fn add_checksum(&mut self, id: TableId, form: Form, checksum: u128) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.checksum = match entry.checksum {
                Sum::None => Sum::Of(form, checksum),
                Sum::Of(known, sum) if known == form => Sum::Of(form, sum.wrapping_add(checksum)),
                Sum::Of(..) | Sum::Mixed => Sum::Mixed,
            };
        }
    }

    /// The dump makes the table, of a kind such as `table`.
    pub(super) fn make(&mut self, id: TableId, kind: &'static str) {
        if let Some(entry) = self.entries.get_mut(id.0)
            && entry.kind == Kind::Rows
        {
            entry.kind = Kind::Made(kind);
        }
    }

    /// Takes a table for the view, or something else of that kind, which it became.
    pub(super) fn make_other(&mut self, id: TableId, kind: &'static str) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.kind = Kind::Other(kind);
        }
    }

    /// Adds a statement that is part of a table's definition; their order means nothing.
    pub(super) fn define(&mut self, id: TableId, digest: u128) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.definition = Some(entry.definition.unwrap_or_default().wrapping_add(digest));
        }
    }

    /// Counts an object that is no table.
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.objects.entry(kind).or_default() += 1;
    }

    pub(super) fn name(&self, id: TableId) -> &str {
        self.entries.get(id.0).map_or("", |entry| entry.table.name.as_str())
    }

    pub(super) fn into_inventory(mut self) -> Inventory {
        let mut tables = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match entry.kind {
                Kind::Rows => {}
                Kind::Made(kind) | Kind::Other(kind) => self.count(kind),
            }
            if !matches!(entry.kind, Kind::Other(_)) {
                tables.push(entry.into_table());
            }
        }
        let mut inventory = Inventory::new(tables);
        inventory.objects = self.objects.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        inventory
    }
}

impl Entry {
    fn into_table(self) -> TableInventory {
        let mut table = self.table;
        if let Sum::Of(form, sum) = self.checksum {
            table.checksum = Some(format!("{}:{sum:032x}", form.name()));
        }
        table.definition = self.definition.map(|sum| format!("{sum:032x}"));
        table
    }
}
