//! Checksums that a server computed of a table's rows, beside those that are read out of a dump.

use super::{Inventory, TableInventory};

impl Inventory {
    /// Whether a server summed up the rows of a table.
    #[must_use]
    pub fn has_source_checksums(&self) -> bool {
        self.tables.iter().any(|table| table.source_checksum.is_some())
    }

    /// Says, one line a table, where the rows that `found` has now are others than those of `self`, both as servers
    /// summed them up.
    ///
    /// Tables without a [source checksum](TableInventory::source_checksum) in `self`, and those whose checksums have
    /// another form, are not compared.
    #[must_use]
    pub fn source_differences(&self, found: &Self) -> Vec<String> {
        let tables = self.tables.iter().filter(|table| table.source_checksum.is_some());
        let lines = tables.filter_map(|table| match found.table(&table.name) {
            None => Some(format!("table {} is missing ({} rows expected)", table.name, table.rows)),
            Some(other) if other.rows != table.rows => {
                Some(format!("table {} has {} rows, {} expected", table.name, other.rows, table.rows))
            }
            Some(other) if table.is_of_one_form(other) && other.source_checksum != table.source_checksum => {
                Some(format!("table {} does not hold the rows that its source had", table.name))
            }
            Some(_) => None,
        });
        lines.collect()
    }

    /// Takes the source checksums over from an inventory of the same tables.
    pub(crate) fn with_source_checksums_of(mut self, counted: &Self) -> Self {
        for table in &mut self.tables {
            if let Some(counted) = counted.table(&table.name) {
                table.source_checksum.clone_from(&counted.source_checksum);
            }
        }
        self
    }
}

impl TableInventory {
    /// Whether the source checksums of both can be compared.
    pub(crate) fn is_of_one_form(&self, other: &Self) -> bool {
        let form = |table: &Self| -> Option<String> {
            Some(table.source_checksum.as_ref()?.split_once(':')?.0.to_owned())
        };
        form(self).is_some_and(|own| form(other) == Some(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(tables: &[(&str, u64, Option<&str>)]) -> Inventory {
        let tables = tables.iter().map(|(name, rows, sum)| {
            let mut table = TableInventory::new(*name, *rows, 0);
            table.source_checksum = sum.map(str::to_owned);
            table
        });
        Inventory::new(tables.collect())
    }

    #[test]
    fn rows_are_compared_where_both_servers_summed_them_up_in_one_form() {
        let source = inventory(&[
            ("a", 1, Some("sql:1")),
            ("b", 2, Some("sql:2")),
            ("c", 3, None),
            ("d", 4, Some("sql:4")),
        ]);
        assert_eq!(source.source_differences(&source), [""; 0]);
        let found = inventory(&[("a", 1, Some("sql:9")), ("b", 3, Some("sql:2")), ("d", 4, Some("other:9"))]);
        assert_eq!(
            source.source_differences(&found),
            ["table a does not hold the rows that its source had", "table b has 3 rows, 2 expected"]
        );
        assert_eq!(
            source.source_differences(&Inventory::default())[0],
            "table a is missing (1 rows expected)"
        );
        assert!(source.has_source_checksums() && !inventory(&[("a", 1, None)]).has_source_checksums());
    }
}
