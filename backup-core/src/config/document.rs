//! [`Document`]: the text of a configuration file, its lines, and everything that is wrong with it.

use std::{cell::RefCell, ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    place::{OPERATION, Place, below},
    table::Table,
};
use crate::{ErrorKind, Result};

/// How many problems are told at once.
const TOLD: usize = 20;

/// A configuration file while it is read.
pub(super) struct Document<'d> {
    text: &'d str,
    file: Arc<str>,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

/// Something that is wrong.
struct Problem {
    place: Place,
    kind: ErrorKind,
    message: String,
    allowed: String,
}

impl<'d> Document<'d> {
    pub(super) fn new(text: &'d str, file: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file: file.into(), lines, problems: RefCell::default() }
    }

    /// The whole file as a table.
    ///
    /// # Errors
    ///
    /// Where the text is no TOML.
    pub(super) fn root(&self) -> Result<Table<'_, 'd>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        let root = root.into_inner();
        if !errors.is_empty() {
            let mut keys = Vec::new();
            nodes("", &root, &mut keys);
            for err in errors {
                // What the parser says is fixed text: nothing of the file is in it.
                let (message, allowed) = match err.message().split_once(", expected ") {
                    Some((message, expected)) => (message, format!("here may stand: {expected}")),
                    None => (err.message(), "see https://toml.io for how the file is written".to_owned()),
                };
                let at = err.span().unwrap_or_default().start;
                let last =
                    keys.iter().filter(|node| node.key_at.start <= at).max_by_key(|node| node.key_at.start);
                let key = last.map(|node| node.key.clone()).unwrap_or_default();
                self.add(self.place(key, at), ErrorKind::InvalidInput, message, &allowed);
            }
            self.finish()?;
        }
        Ok(Table::new(self, self.place(String::new(), 0), root))
    }

    /// The place of a byte.
    pub(super) fn place(&self, key: String, at: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        let rest = self.text.get(start..).unwrap_or_default();
        let column = rest.char_indices().take_while(|(offset, _)| start + offset < at).count() + 1;
        Place { file: Arc::clone(&self.file), key, line, column }
    }

    /// Notes a problem.
    pub(super) fn add(&self, place: Place, kind: ErrorKind, message: &str, allowed: &str) {
        let problem = Problem { place, kind, message: message.to_owned(), allowed: allowed.to_owned() };
        self.problems.borrow_mut().push(problem);
    }

    /// Fails where anything is wrong: with the first problem in the file, and the others after it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) or [`Unsupported`](ErrorKind::Unsupported), as the first problem is.
    pub(super) fn finish(&self) -> Result<()> {
        let mut problems = self.problems.take();
        problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
        let Some((first, others)) = problems.split_first() else { return Ok(()) };
        let err = first.place.refuse(first.kind, &first.message, &first.allowed);
        if others.is_empty() {
            return Err(err.with_operation(OPERATION));
        }
        let mut lines: Vec<String> = others
            .iter()
            .take(TOLD)
            .map(|other| format!("{}: {} ({})", other.place, other.message, other.allowed))
            .collect();
        if others.len() > TOLD {
            lines.push(format!("and {} more", others.len() - TOLD));
        }
        Err(err.with_context("also", lines.join("\n")))
    }
}

/// A key or an element of an array, with its value.
pub(super) struct Node {
    pub(super) key: String,
    pub(super) key_at: Range<usize>,
    pub(super) value_at: Range<usize>,
}

/// Everything below a table.
pub(super) fn nodes(parent: &str, table: &DeTable<'_>, found: &mut Vec<Node>) {
    for (name, value) in table {
        let key = below(parent, name.get_ref());
        found.push(Node { key: key.clone(), key_at: name.span(), value_at: value.span() });
        nodes_of(&key, value, found);
    }
}

/// Everything below a value.
pub(super) fn nodes_of(key: &str, value: &Spanned<DeValue<'_>>, found: &mut Vec<Node>) {
    match value.get_ref() {
        DeValue::Table(table) => nodes(key, table, found),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let key = format!("{key}[{index}]");
                found.push(Node { key: key.clone(), key_at: element.span(), value_at: element.span() });
                nodes_of(&key, element, found);
            }
        }
        _ => {}
    }
}
