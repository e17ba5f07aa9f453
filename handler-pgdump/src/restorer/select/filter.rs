//! [`SelectFilter`]: lets those statements and rows of a plain dump pass that were selected.

use std::collections::BTreeSet;

use backup_core::{ByteStream, Result, Selected, inventory::qualified_name};
use futures::StreamExt;

use super::{
    cutter::{Cutter, Judge, Keep},
    statement::{Kind, Part, Statement, read},
    words::{Name, shown},
};

/// What is let through.
#[derive(Debug, Clone)]
pub(in super::super) enum Wanted {
    /// What defines everything.
    Definitions,
    /// Some tables, and what they need.
    Objects(Objects),
}

/// Some tables, and what they need.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Objects {
    /// The tables whose rows are wanted, named as the inventory names them.
    tables: BTreeSet<String>,
    keys: BTreeSet<String>,
    /// What the target has already, by its keys; it stays as it is.
    present: BTreeSet<String>,
    /// The tables of the target, to which foreign keys may refer.
    tables_there: BTreeSet<Name>,
}

impl Objects {
    pub(in super::super) fn of(selected: &Selected) -> Self {
        Self {
            tables: selected.tables.iter().cloned().collect(),
            keys: selected.objects.iter().map(|object| key_of(object)).collect(),
            ..Self::default()
        }
    }

    /// Leaves out what the target has already.
    pub(in super::super) fn beside(
        mut self,
        present: BTreeSet<String>,
        tables_there: BTreeSet<Name>,
    ) -> Self {
        (self.present, self.tables_there) = (present, tables_there);
        self
    }

    /// What is wanted, but is in the target already.
    pub(in super::super) fn left_as_they_are(&self) -> Vec<&str> {
        self.keys.intersection(&self.present).map(String::as_str).collect()
    }

    fn wants(&self, part: &Part) -> bool {
        let there =
            |name: &Option<Name>| name.as_ref().is_some_and(|name| self.present.contains(&shown(name)));
        if self.present.contains(&part.key) || there(&part.of) {
            return false;
        }
        let refers = matches!(part.kind, Kind::ForeignKey | Kind::Partition);
        let of_wanted = part.of.as_ref().is_some_and(|of| self.keys.contains(&shown(of)));
        self.keys.contains(&part.key)
            || (refers && of_wanted && part.to.as_ref().is_some_and(|to| self.tables_there.contains(to)))
    }
}

/// The word for an object: its kind, unless that is a part of its key.
pub(super) fn word_of(kind: Kind, key: &str) -> String {
    if kind.in_schema() { format!("{} {key}", kind.word()) } else { key.to_owned() }
}

/// The key of an object, from its word.
fn key_of(word: &str) -> String {
    const IN_SCHEMA: &[Kind] = &[
        Kind::Table,
        Kind::View,
        Kind::Sequence,
        Kind::Index,
        Kind::Type,
        Kind::Function,
        Kind::Helper,
        Kind::Unknown,
    ];
    let split = word.split_once(' ').filter(|(kind, _)| IN_SCHEMA.iter().any(|known| known.word() == *kind));
    // Extended statistics are in a schema, their comments too.
    let split = split.or_else(|| word.split_once(' ').filter(|(kind, _)| *kind == Kind::Statistics.word()));
    split.map_or(word, |(_, key)| key).to_owned()
}

impl Judge for Wanted {
    fn judge(&mut self, statement: &str) -> Result<Keep> {
        let keep = match (&*self, read(statement)) {
            (_, Statement::Setting) | (Self::Definitions, Statement::Part(_) | Statement::Other) => true,
            (Self::Definitions, Statement::Rows(_) | Statement::Position(_) | Statement::Data)
            | (Self::Objects(_), Statement::Data | Statement::Other) => false,
            (Self::Objects(objects), Statement::Part(part) | Statement::Position(part)) => {
                objects.wants(&part)
            }
            (Self::Objects(objects), Statement::Rows((schema, table))) => {
                objects.tables.contains(&qualified_name([schema.as_str(), table.as_str()]))
            }
        };
        Ok(if keep { Keep::Yes } else { Keep::No })
    }
}

/// The body without what is not wanted.
pub(in super::super) fn filtered(body: ByteStream, wanted: Wanted) -> ByteStream {
    let state = Some((body, Cutter::new(wanted)));
    ByteStream::new(futures::stream::unfold(state, |state| async move {
        let (mut body, mut cutter) = state?;
        loop {
            return match body.next().await {
                Some(Ok(chunk)) => match cutter.update(&chunk) {
                    Ok(passed) if passed.is_empty() => continue,
                    Ok(passed) => Some((Ok(passed), Some((body, cutter)))),
                    Err(err) => Some((Err(err), None)),
                },
                Some(Err(err)) => Some((Err(err), None)),
                None => Some((cutter.finish().map(|(_, held)| held), None)),
            };
        }
    }))
}
