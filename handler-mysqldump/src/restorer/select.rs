//! What a dump defines of chosen tables, and what that leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::{
    ByteStream, Error, ErrorKind, Result, Selected, inventory::qualified_name, restore::unknown_table,
};
use futures::StreamExt;

use super::filter::{PartOf, Sections, name_of, quoted};
use crate::server::{QUESTION_LIMIT, Server, quote_identifier};

/// How much of a line is looked at, in bytes; longer lines hold rows.
const HEAD_BYTES: usize = 16 * 1024;

/// The most tables and keys that are kept in memory, in bytes of their names.
const NAMES_BYTES: usize = 256 * 1024 * 1024;

/// What the tables of a dump are.
#[derive(Debug, Default)]
struct Scan {
    head: Vec<u8>,
    in_program: bool,
    /// The table whose part is passing.
    table: Option<String>,
    tables: BTreeSet<String>,
    /// Triggers by their tables.
    triggers: BTreeMap<String, Vec<String>>,
    /// Foreign keys by their tables: names, and the tables that they refer to.
    keys: BTreeMap<String, Vec<(String, String)>>,
    /// Tables with a column that takes its values from a sequence.
    sequences: BTreeSet<String>,
    bytes: usize,
}

impl Scan {
    fn update(&mut self, chunk: &[u8]) -> Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let (part, tail) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = tail;
            let room = HEAD_BYTES.saturating_sub(self.head.len());
            self.head.extend(part.iter().take(room));
            if end.is_some() {
                self.line();
                self.head.clear();
            }
        }
        if self.bytes > NAMES_BYTES {
            return Err(Error::new(ErrorKind::Unsupported, "the dump defines too much to select from it")
                .with_context("limit_bytes", NAMES_BYTES));
        }
        Ok(())
    }

    fn line(&mut self) {
        let line = self.head.as_slice();
        if self.in_program {
            if line.starts_with(b"DELIMITER ;\n") {
                self.in_program = false;
            } else if let (Some(table), Some(at)) = (&self.table, memchr::memmem::find(line, b" TRIGGER `"))
                && line.starts_with(b"/*!50003 CREATE")
            {
                let name = text(&name_of(line.get(at + 10..).unwrap_or_default()));
                self.triggers.entry(table.clone()).or_default().push(name);
            }
        } else if line.starts_with(b"DELIMITER ") {
            self.in_program = true;
        } else if let Some(part) = Sections::part_of(line) {
            self.table = match part {
                PartOf::Table(name) => Some(text(&name)),
                PartOf::Other => None,
            };
            if let Some(table) = &self.table {
                self.bytes += table.len();
                self.tables.insert(table.clone());
            }
        } else if let Some(table) = &self.table {
            if line.starts_with(b"  CONSTRAINT `") {
                if let Some((key, to)) = foreign_key(line) {
                    self.bytes += key.len() + to.len();
                    self.keys.entry(table.clone()).or_default().push((key, to));
                }
            } else if line.starts_with(b"  `") && memchr::memmem::find(line, b"DEFAULT nextval(").is_some() {
                self.sequences.insert(table.clone());
            }
        }
    }
}

/// The name of a foreign key and of the table that it refers to, if that is one of the same database.
fn foreign_key(line: &[u8]) -> Option<(String, String)> {
    let rest = line.strip_prefix(b"  CONSTRAINT ")?;
    let length = quoted(rest)?;
    let name = text(&name_of(rest.get(1..length)?));
    let rest = rest.get(length..)?.strip_prefix(b" FOREIGN KEY (")?;
    let mut at = 0;
    // Past the columns, whose names may hold anything.
    while rest.get(at) == Some(&b'`') {
        at += quoted(rest.get(at..)?)?;
        at += rest.get(at..)?.iter().take_while(|byte| matches!(byte, b',' | b' ')).count();
    }
    let to = rest.get(at..)?.strip_prefix(b") REFERENCES ")?;
    let length = quoted(to)?;
    (to.get(length) != Some(&b'.')).then(|| (name, text(&name_of(to.get(1..length).unwrap_or_default()))))
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// The name that the inventory gives a table.
pub(super) fn shown(table: &str) -> String {
    qualified_name([table])
}

/// The names of tables as the server knows them, of those that the inventory gives them.
pub(super) fn bare(tables: &[String]) -> Vec<String> {
    let bare = |table: &String| match table.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => table.clone(),
    };
    tables.iter().map(bare).collect()
}

/// Reads what a dump defines, and says what `tables` mean; `server` is asked which of them the target has.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn select(
    mut definitions: ByteStream,
    tables: &[String],
    server: Option<&Server>,
) -> Result<Selected> {
    if tables.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no table was chosen"));
    }
    let mut scan = Scan::default();
    while let Some(chunk) = definitions.next().await {
        scan.update(&chunk?)?;
    }
    let known: Vec<String> = scan.tables.iter().map(|table| shown(table)).collect();
    if let Some(missing) = tables.iter().find(|table| !known.contains(table)) {
        return Err(unknown_table(missing, known.iter().map(String::as_str)));
    }
    let chosen: BTreeSet<String> = bare(tables).into_iter().collect();
    let mut selected = Selected::new(chosen.iter().map(|table| shown(table)).collect());
    for table in &chosen {
        let place = quote_identifier(table);
        selected.objects.push(format!("table {place}"));
        let triggers = scan.triggers.get(table).into_iter().flatten();
        let triggers = triggers.map(|name| format!("trigger {} on {place}", quote_identifier(name)));
        selected.objects.extend(triggers);
        if scan.sequences.contains(table) {
            selected
                .notes
                .push(format!("{} takes values from a sequence, which is not restored", shown(table)));
        }
    }
    for (table, keys) in &scan.keys {
        for (key, to) in keys {
            let (from, to_name) = (shown(table), shown(to));
            let note = match (chosen.contains(table), chosen.contains(to)) {
                (true, false) => format!(
                    "foreign key {key} of {from} refers to {to_name}, which is not chosen: it is left out unless the \
                     target has that table"
                ),
                (false, true) => format!("{from} refers to {to_name} (foreign key {key}), and is not chosen"),
                _ => continue,
            };
            selected.notes.push(note);
        }
    }
    if let Some(server) = server {
        ask(server, &chosen, &mut selected).await?;
    }
    Ok(selected)
}

/// The tables of the target that have the name of a chosen one; views of that name stand in the way.
async fn ask(server: &Server, chosen: &BTreeSet<String>, selected: &mut Selected) -> Result<()> {
    let question = "SELECT TABLE_NAME, TABLE_TYPE, @@lower_case_table_names FROM information_schema.TABLES \
                    WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1;\n";
    let rows = server.ask(question, QUESTION_LIMIT).await?;
    for row in rows.iter() {
        let [name, kind, folds] = row else { continue };
        let same =
            |table: &String| table == name || (folds != "0" && table.to_lowercase() == name.to_lowercase());
        if !chosen.iter().any(same) {
            continue;
        }
        if kind.contains("TABLE") || kind == "SYSTEM VERSIONED" {
            selected.existing.push(shown(name));
        } else {
            selected.obstacles.push(format!("{} {name} has the name of a chosen table", kind.to_lowercase()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_keys_are_read_however_their_names_look() {
        for (line, expected) in [
            (
                "  CONSTRAINT `a` FOREIGN KEY (`x`) REFERENCES `orders` (`id`) ON DELETE CASCADE,\n",
                Some(("a", "orders")),
            ),
            (
                "  CONSTRAINT `a``) b` FOREIGN KEY (`x`, `) REFERENCES ``q`) REFERENCES `o``s` (`id`, `b`)\n",
                Some(("a`) b", "o`s")),
            ),
            ("  CONSTRAINT `a` FOREIGN KEY (`x`) REFERENCES `other`.`orders` (`id`)\n", None),
            ("  CONSTRAINT `a` CHECK (`x` > 0)\n", None),
        ] {
            let expected = expected.map(|(key, to)| (key.to_owned(), to.to_owned()));
            assert_eq!(foreign_key(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn names_of_the_inventory_are_read_back() {
        for name in ["orders", "a.b", "Q` t; --\" .x", "\""] {
            assert_eq!(bare(&[shown(name)]), [name]);
        }
    }
}
