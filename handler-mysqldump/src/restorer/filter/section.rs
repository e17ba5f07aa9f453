//! [`Sections`]: the parts of a dump, each of one table, view or kind of stored program.

use std::collections::BTreeMap;

/// What a part of a dump is about.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::restorer) enum PartOf {
    Table(Vec<u8>),
    Other,
}

/// Finds the parts of the chosen tables by the comments that the dump programs write before each part.
#[derive(Debug)]
pub(in crate::restorer) struct Sections {
    /// The chosen tables, and whether the dump held them.
    tables: BTreeMap<Vec<u8>, bool>,
    wanted: bool,
    /// The statements that a dump begins and ends with pass always.
    settings: bool,
}

/// The comments before the parts of a table, up to its name.
const OF_TABLE: &[&[u8]] = &[b"-- Table structure for table `", b"-- Dumping data for table `"];

/// The comments before all other parts.
const OTHERS: &[&[u8]] = &[
    b"-- Temporary ",
    b"-- Final view structure ",
    b"-- Dumping routines for database ",
    b"-- Dumping events for database ",
    b"-- Sequence structure for ",
    b"-- Insert values for ",
    b"-- WARNING: ",
];

impl Sections {
    pub(super) fn new(tables: &[String]) -> Self {
        let tables = tables.iter().map(|table| (table.clone().into_bytes(), false)).collect();
        Self { tables, wanted: true, settings: true }
    }

    /// Whether the line begins a part of the dump, and of which table.
    pub(in crate::restorer) fn part_of(line: &[u8]) -> Option<PartOf> {
        if let Some(name) = OF_TABLE.iter().find_map(|start| line.strip_prefix(*start)) {
            return Some(PartOf::Table(name_of(name)));
        }
        OTHERS.iter().any(|start| line.starts_with(start)).then_some(PartOf::Other)
    }

    /// A chosen table that the dump did not hold.
    pub(super) fn missing(&self) -> Option<String> {
        let missing = self.tables.iter().find(|(_, seen)| !**seen)?;
        Some(String::from_utf8_lossy(missing.0).into_owned())
    }

    /// Whether the line passes; `in_program` is that it belongs to a trigger or another stored program.
    pub(super) fn passes(&mut self, line: &[u8], in_program: bool) -> bool {
        if in_program {
            return self.wanted;
        }
        if line.starts_with(b"-- ") {
            if let Some(part) = Self::part_of(line) {
                let seen = match &part {
                    PartOf::Table(name) => self.tables.get_mut(name),
                    PartOf::Other => None,
                };
                (self.settings, self.wanted) = (false, seen.is_some());
                if let Some(seen) = seen {
                    *seen = true;
                }
            }
            return true;
        }
        // What a dump set at its start, it sets back at its end.
        let sets_back = line.starts_with(b"/*!4") && memchr::memmem::find(line, b"=@OLD_").is_some();
        self.settings || self.wanted || sets_back
    }
}

/// A name up to its closing backtick, as it is.
pub(in crate::restorer) fn name_of(text: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'`' && bytes.next_if_eq(&b'`').is_none() {
            break;
        }
        name.push(byte);
    }
    name
}
