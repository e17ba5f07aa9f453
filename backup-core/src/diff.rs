//! [`Diff`]: in what two backups, or a backup and a database, differ.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use crate::inventory::{Inventory, TableInventory};

/// In what two inventories differ, from the first to the second.
///
/// # Examples
///
/// ```
/// use backup_core::{Diff, Inventory, TableInventory};
///
/// let before = Inventory::new(vec![TableInventory::new("orders", 3, 60)]);
/// let after = Inventory::new(vec![TableInventory::new("orders", 4, 80), TableInventory::new("notes", 0, 0)]);
/// let diff = Diff::between(&before, &after);
/// assert_eq!(diff.to_string(), "+ notes: 0 rows\n~ orders: 3 to 4 rows\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// Tables that differ, by name.
    pub tables: Vec<TableDiff>,
    /// Kinds of objects of which there are more or fewer.
    pub objects: Vec<ObjectDiff>,
    /// Tables of which it is not known whether their rows are the same, because no checksum can be compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows_not_compared: Vec<String>,
}

/// In what a table differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableDiff {
    /// The table, named as the inventory names it.
    pub name: String,
    /// What happened to it.
    pub change: Change,
    /// How many rows it had before; `None` where it was not there.
    pub rows_before: Option<u64>,
    /// How many rows it has after; `None` where it is not there.
    pub rows_after: Option<u64>,
    /// Whether it is defined in another way.
    pub definition_differs: bool,
    /// Whether its rows are others; with the same number of rows, only a checksum tells.
    pub rows_differ: bool,
}

/// What happened to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// It is in both, and not the same.
    Changed,
}

/// A kind of objects of which there are more or fewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ObjectDiff {
    /// The kind: `index`, `view`, …
    pub kind: String,
    /// How many there were.
    pub before: u64,
    /// How many there are.
    pub after: u64,
}

impl Diff {
    /// Compares two inventories.
    #[must_use]
    pub fn between(before: &Inventory, after: &Inventory) -> Self {
        let mut diff = Self::default();
        let names: BTreeSet<&str> =
            before.tables.iter().chain(&after.tables).map(|table| table.name.as_str()).collect();
        for name in names {
            let (old, new) = (before.table(name), after.table(name));
            diff.tables.extend(TableDiff::between(name, old, new));
            if let (Some(old), Some(new)) = (old, new)
                && old.rows == new.rows
                && old.rows > 0
                && compared(old, new).is_none()
            {
                diff.rows_not_compared.push(name.to_owned());
            }
        }
        // Where one of the two does not show them, nothing is known.
        if !before.objects.is_empty() && !after.objects.is_empty() {
            let kinds: BTreeSet<&String> = before.objects.keys().chain(after.objects.keys()).collect();
            diff.objects =
                kinds.into_iter().filter_map(|kind| ObjectDiff::between(kind, before, after)).collect();
        }
        diff
    }

    /// Whether nothing is known to differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.objects.is_empty()
    }
}

impl TableDiff {
    fn between(name: &str, old: Option<&TableInventory>, new: Option<&TableInventory>) -> Option<Self> {
        let change = match (old, new) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        let both = old.zip(new);
        let definition_differs = both
            .and_then(|(old, new)| old.definition.as_ref().zip(new.definition.as_ref()))
            .is_some_and(|(old, new)| old != new);
        let rows_differ =
            both.is_some_and(|(old, new)| old.rows != new.rows || compared(old, new) == Some(false));
        let rows = |table: Option<&TableInventory>| table.map(|table| table.rows);
        (change != Change::Changed || definition_differs || rows_differ).then(|| Self {
            name: name.to_owned(),
            change,
            rows_before: rows(old),
            rows_after: rows(new),
            definition_differs,
            rows_differ,
        })
    }
}

impl ObjectDiff {
    fn between(kind: &str, before: &Inventory, after: &Inventory) -> Option<Self> {
        let count = |inventory: &Inventory| inventory.objects.get(kind).copied().unwrap_or(0);
        let (before, after) = (count(before), count(after));
        (before != after).then(|| Self { kind: kind.to_owned(), before, after })
    }
}

/// Whether the rows are the same, as far as checksums of one form tell.
fn compared(old: &TableInventory, new: &TableInventory) -> Option<bool> {
    let (old, new) = (old.checksum.as_deref()?, new.checksum.as_deref()?);
    let form = |checksum: &str| checksum.split_once(':').map(|(form, _)| form.to_owned());
    (form(old) == form(new)).then(|| old == new)
}

/// One line each: `+` for what is new, `-` for what is gone, `~` for what is not the same.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            let name = table.name.escape_debug();
            match (table.change, table.rows_before, table.rows_after) {
                (Change::Added, _, rows) => writeln!(f, "+ {name}: {} rows", rows.unwrap_or(0))?,
                (Change::Removed, rows, _) => writeln!(f, "- {name}: {} rows", rows.unwrap_or(0))?,
                (Change::Changed, before, after) => {
                    let mut parts = Vec::new();
                    if table.definition_differs {
                        parts.push("defined in another way".to_owned());
                    }
                    if before != after {
                        parts.push(format!("{} to {} rows", before.unwrap_or(0), after.unwrap_or(0)));
                    } else if table.rows_differ {
                        parts.push(format!("other rows, {} as before", after.unwrap_or(0)));
                    }
                    writeln!(f, "~ {name}: {}", parts.join(", "))?;
                }
            }
        }
        for object in &self.objects {
            writeln!(f, "~ objects of kind {}: {} to {}", object.kind, object.before, object.after)?;
        }
        if !self.rows_not_compared.is_empty() {
            writeln!(f, "? rows only counted, not compared: {}", self.rows_not_compared.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: u64, checksum: &str, definition: &str) -> TableInventory {
        let mut table = TableInventory::new(name, rows, 0);
        table.checksum = (!checksum.is_empty()).then(|| checksum.to_owned());
        table.definition = (!definition.is_empty()).then(|| definition.to_owned());
        table
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        let mut before = Inventory::new(vec![
            table("same", 5, "copy:1", "d"),
            table("edited", 5, "copy:1", "d"),
            table("altered", 5, "copy:1", "d"),
            table("unknown", 5, "", "d"),
            table("other form", 5, "copy:1", "d"),
            table("gone", 2, "copy:1", "d"),
        ]);
        let mut after = Inventory::new(vec![
            table("same", 5, "copy:1", "d"),
            table("edited", 5, "copy:2", "d"),
            table("altered", 6, "copy:3", "e"),
            table("unknown", 5, "copy:1", "d"),
            table("other form", 5, "values:2", "d"),
            table("new", 1, "copy:1", "d"),
        ]);
        before.objects = [("index".to_owned(), 4), ("view".to_owned(), 1)].into();
        after.objects = [("index".to_owned(), 3), ("view".to_owned(), 1)].into();
        let expected = "~ altered: defined in another way, 5 to 6 rows\n~ edited: other rows, 5 as before\n- gone: 2 rows\n\
                        + new: 1 rows\n~ objects of kind index: 4 to 3\n\
                        ? rows only counted, not compared: other form, unknown\n";
        assert_eq!(Diff::between(&before, &after).to_string(), expected);
        assert!(Diff::between(&before, &before).is_empty());
    }

    #[test]
    fn what_one_side_does_not_show_is_no_difference() {
        let mut shown = Inventory::new(vec![table("t", 1, "copy:1", "d")]);
        shown.objects = [("index".to_owned(), 4)].into();
        let bare = Inventory::new(vec![table("t", 1, "", "")]);
        let diff = Diff::between(&shown, &bare);
        assert!(diff.is_empty());
        assert_eq!(diff.rows_not_compared, ["t"]);
    }
}
