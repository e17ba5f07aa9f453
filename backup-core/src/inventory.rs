//! [`Inventory`]: which tables a dump holds, with their rows and bytes, read as the dump passes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use serde::{Deserialize, Serialize};

use crate::{Result, digest::Outcome, digest::Tap, manifest::SourcePosition};

pub mod scan;
mod source;

use self::scan::places::Places;

/// The tables of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inventory {
    /// One entry per table, sorted by name; a table without rows is listed too.
    pub tables: Vec<TableInventory>,
    /// How many objects of each kind the dump makes: `table`, `view`, `index`, `trigger`, …; empty where the format
    /// does not show them.
    ///
    /// `constraint` stands for primary keys, checks and, of PostgreSQL, unique and exclusion constraints; a unique
    /// key of MySQL is an `index`. Kinds of several words have dashes: `foreign-key`, `materialized-view`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, u64>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// One table of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableInventory {
    /// The name without quotes: `schema.table` for PostgreSQL, `table` elsewhere; see [`qualified_name`].
    pub name: String,
    /// How many rows the dump holds.
    pub rows: u64,
    /// How many bytes of the plain dump its rows take.
    pub bytes: u64,
    /// A checksum of its rows that does not depend on their order, `<form>:<hex>`; only those of one form compare.
    ///
    /// It is the sum of the 128-bit XXH3 hashes of the rows as the dump shows them: `copy` of lines of `COPY`,
    /// `values` of what stands between the parentheses of `INSERT`, however rows are grouped into statements; `sqlite` of
    /// the values of a database file with their types. So it finds rows that were lost, damaged or mixed up, but is no
    /// proof against somebody who forges a dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The same, but computed by the server of the rows as the dump was to see them, and not taken from the dump:
    /// `sql:<hex>` of PostgreSQL. `None` where that was not asked for, and of a table whose rows are not dumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_checksum: Option<String>,
    /// A digest of what defines it, with its indexes, constraints and triggers, in hex.
    ///
    /// It does not depend on the order of the statements, on white space, comments, owners and privileges, the name
    /// of the database, nor on the counter of `AUTO_INCREMENT`; that tool and server are of one version it does need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl TableInventory {
    /// A table with its rows and bytes.
    pub fn new(name: impl Into<String>, rows: u64, bytes: u64) -> Self {
        Self { name: name.into(), rows, bytes, ..Self::default() }
    }
}

impl Inventory {
    /// An inventory of `tables`, sorted by name.
    #[must_use]
    pub fn new(mut tables: Vec<TableInventory>) -> Self {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Self { tables, ..Self::default() }
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

    /// Says, one line each, where `self` (what was expected) and `found` differ: in tables and their rows, in the
    /// checksums of rows that were read in one form, and in the numbers of objects where both sides have any.
    ///
    /// Bytes do not count, nor do [definitions](Self::definition_differences).
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
                Some(other) if table.has_other_rows(other) => {
                    lines.push(format!("table {} has other rows than expected", table.name));
                }
                Some(_) => {}
            }
        }
        for table in found.tables.iter().filter(|table| self.table(&table.name).is_none()) {
            lines.push(format!("table {} was not expected ({} rows)", table.name, table.rows));
        }
        lines.extend(self.object_differences(found));
        lines
    }

    /// Says, one line a table, which tables are defined otherwise in `found`: in their columns, indexes, constraints
    /// or triggers. Only tables whose definition both sides know are compared.
    ///
    /// A server of another version, or another dump tool, may show the same definition in other words.
    #[must_use]
    pub fn definition_differences(&self, found: &Self) -> Vec<String> {
        let differs = |table: &&TableInventory| {
            let other = found.table(&table.name).and_then(|other| other.definition.as_ref());
            table.definition.as_ref().zip(other).is_some_and(|(expected, other)| expected != other)
        };
        let tables = self.tables.iter().filter(differs);
        tables.map(|table| format!("table {} is defined in another way", table.name)).collect()
    }

    /// Leaves out what is computed from rows and definitions: names and numbers stay.
    pub(crate) fn remove_fingerprints(&mut self) {
        for table in &mut self.tables {
            (table.checksum, table.source_checksum, table.definition) = (None, None, None);
        }
    }

    fn object_differences(&self, found: &Self) -> Vec<String> {
        if self.objects.is_empty() || found.objects.is_empty() {
            return Vec::new();
        }
        let kinds: BTreeSet<_> = self.objects.keys().chain(found.objects.keys()).collect();
        let count =
            |inventory: &Self, kind: &String| inventory.objects.get(kind).copied().unwrap_or_default();
        kinds
            .into_iter()
            .map(|kind| (kind, count(self, kind), count(found, kind)))
            .filter(|(_, expected, found)| expected != found)
            .map(|(kind, expected, found)| {
                format!("{expected} {} expected, {found} found", counted(kind, expected))
            })
            .collect()
    }
}

impl TableInventory {
    /// Whether two checksums of the same form differ.
    fn has_other_rows(&self, other: &Self) -> bool {
        let sums = self.checksum.as_deref().zip(other.checksum.as_deref());
        let sums = sums.and_then(|(one, other)| one.split_once(':').zip(other.split_once(':')));
        sums.is_some_and(|((form, one), (other_form, other))| form == other_form && one != other)
    }
}

/// The name of a kind of objects behind their number.
fn counted(kind: &str, number: u64) -> String {
    let kind = kind.replace('-', " ");
    match kind.as_bytes() {
        _ if number == 1 => kind,
        [.., b's'] => kind,
        [.., b'x'] => kind + "es",
        [before @ .., b'y'] if !before.ends_with(b"e") => kind.trim_end_matches('y').to_owned() + "ies",
        _ => kind + "s",
    }
}

/// Joins the parts of a name by dots, so that different names never look alike.
///
/// Parts are shown as they are, without quotes, unless they hold a dot or a double quote themselves: those
/// stay in double quotes, with the quotes inside doubled. Whoever compares tables of a server with an
/// [`Inventory`] names them with this function.
///
/// # Examples
///
/// ```
/// use backup_core::inventory::qualified_name;
///
/// assert_eq!(qualified_name(["public", "Order Items"]), "public.Order Items");
/// assert_eq!(qualified_name(["public", "a.b"]), "public.\"a.b\"");
/// ```
pub fn qualified_name<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let shown = parts.into_iter().map(|part| {
        if part.contains(['.', '"']) {
            Cow::Owned(format!("\"{}\"", part.replace('"', "\"\"")))
        } else {
            Cow::Borrowed(part)
        }
    });
    shown.collect::<Vec<_>>().join(".")
}

/// A [`Tap`] on the plain bytes of a dump that knows its format.
///
/// # Contract
///
/// `finish` is an error of kind [`Incomplete`](crate::ErrorKind::Incomplete) where the format has an end
/// mark and the mark is missing. Inventory, position and warnings are set at a clean end and not before.
#[non_exhaustive]
pub struct Inspector {
    /// Looks at the bytes.
    pub tap: Box<dyn Tap>,
    /// The inventory, or `None` inside where the format does not show one.
    pub inventory: Outcome<Option<Inventory>>,
    /// Where in the source's log of changes the dump stands, or `None` inside where it does not say.
    pub position: Outcome<Option<SourcePosition>>,
    /// What was noticed and needs a look.
    pub warnings: Outcome<Vec<String>>,
    /// Where the rows stand.
    pub(crate) places: Places,
}

impl Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}

impl Inspector {
    /// The inspector for a format, as [`DumperInfo`](crate::dump::DumperInfo) and the manifest name it.
    ///
    /// Known are, of `postgresql`, `plain` (every statement is scanned, the end mark required), `globals`
    /// (the same for `pg_dumpall --globals-only`, without inventory), `custom` (only its start can be
    /// checked), `directory` packed as tar and `tar` (every entry, to the end), and `database` of `sqlite`
    /// (start, and the length that it states); of `mysql` and `mariadb`, `plain` (what `mysqldump` and
    /// `mariadb-dump` write: every statement is scanned, the end mark required, the position in the binary log
    /// taken) and `databases` (the same for several). Any other format passes unseen.
    ///
    /// Names of a dump that is not in UTF-8 are shown with `\xNN` for what is not ASCII.
    #[must_use]
    pub fn for_format(engine: &str, format: &str) -> Self {
        scan::inspector(engine, format, scan::Checksums::Omitted)
    }

    /// [`for_format`](Self::for_format), with a [checksum](TableInventory::checksum) of the rows of every table, which
    /// costs a little more.
    #[must_use]
    pub fn with_checksums(engine: &str, format: &str) -> Self {
        scan::inspector(engine, format, scan::Checksums::Taken)
    }

    /// An inspector that sees nothing.
    #[must_use]
    pub fn blind() -> Self {
        Self::new(|inventory| Box::new(Blind(inventory)))
    }

    /// The inspector for a format that shows an inventory at most.
    pub(crate) fn new(tap: impl FnOnce(Outcome<Option<Inventory>>) -> Box<dyn Tap>) -> Self {
        let inventory = Outcome::pending();
        Self {
            tap: tap(inventory.clone()),
            inventory,
            position: Outcome::pending(),
            warnings: Outcome::pending(),
            places: Places::default(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(rows: u64, checksum: Option<&str>, objects: &[(&str, u64)]) -> Inventory {
        let mut table = TableInventory::new("t", rows, 9);
        table.checksum = checksum.map(str::to_owned);
        let mut inventory = Inventory::new(vec![table]);
        inventory.objects = objects.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        inventory
    }

    #[test]
    fn differences_are_said_where_both_sides_know() {
        let expected =
            inventory(2, Some("copy:1"), &[("index", 2), ("policy", 2), ("view", 1), ("foreign-key", 2)]);
        assert_eq!(expected.differences(&expected), [""; 0]);
        assert_eq!(expected.differences(&inventory(2, None, &[])), [""; 0]);
        assert_eq!(inventory(2, None, &[]).differences(&expected), [""; 0]);
        assert_eq!(expected.differences(&inventory(2, Some("values:2"), &[])), [""; 0]);
        assert_eq!(
            expected.differences(&inventory(
                2,
                Some("copy:2"),
                &[("index", 1), ("foreign-key", 2), ("trigger", 1)]
            )),
            [
                "table t has other rows than expected",
                "2 indexes expected, 1 found",
                "2 policies expected, 0 found",
                "0 triggers expected, 1 found",
                "1 view expected, 0 found",
            ]
        );
        assert_eq!(
            expected.differences(&inventory(1, Some("copy:2"), &[])),
            ["table t has 1 rows, 2 expected"]
        );
    }

    #[test]
    fn definitions_are_compared_where_both_sides_know_them() {
        let defined = |definition: Option<&str>| {
            let mut inventory = inventory(1, None, &[]);
            inventory.tables[0].definition = definition.map(str::to_owned);
            inventory
        };
        let (one, two, none) = (defined(Some("1")), defined(Some("2")), defined(None));
        assert_eq!(one.definition_differences(&two), ["table t is defined in another way"]);
        assert_eq!(one.differences(&two), [""; 0]);
        for (expected, found) in [(&one, &one), (&one, &none), (&none, &one), (&one, &Inventory::default())] {
            assert_eq!(expected.definition_differences(found), [""; 0]);
        }
    }
}
