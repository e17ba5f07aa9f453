//! [`Section`]: the part of a dump between the comment that announces a table's rows and `UNLOCK TABLES`.

use super::super::{
    capped::Capped,
    places::Places,
    tables::{TableId, Tables},
};

/// Where the scanner is, as far as the rows of a table are concerned.
#[derive(Debug, Default)]
pub(super) struct Section {
    state: State,
    table: Option<TableId>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Elsewhere,
    /// The comment was read, but not its last line.
    Announced,
    Rows,
    /// In the statement that ends it.
    Unlock,
}

impl Section {
    /// A comment between statements, of which the line feed is before `behind`.
    pub(super) fn comment(&mut self, comment: &Capped, behind: u64, places: &Places) {
        let text = comment.start();
        self.state = match self.state {
            State::Elsewhere if text.starts_with(b" Dumping data for table ") => State::Announced,
            State::Announced if text.is_empty() => {
                places.begin(behind);
                State::Rows
            }
            State::Announced => State::Elsewhere,
            state => state,
        };
    }

    /// A statement begins with that word, at `at`.
    pub(super) fn statement(&mut self, word: &Capped, at: u64, places: &Places) {
        /// What tools write around rows.
        const AROUND: [&str; 6] = ["lock", "alter", "set", "insert", "replace", "commit"];
        match self.state {
            State::Elsewhere => {}
            State::Announced => self.state = State::Elsewhere,
            State::Rows | State::Unlock if word.is("unlock") => self.state = State::Unlock,
            State::Rows | State::Unlock if AROUND.into_iter().any(|known| word.is(known)) => {}
            State::Rows | State::Unlock => self.leave(at, places),
        }
    }

    /// Something else begins at `at`: what was read since the comment is not rows alone.
    pub(super) fn leave(&mut self, at: u64, places: &Places) {
        if matches!(self.state, State::Rows | State::Unlock) {
            places.end(at, || None);
        }
        *self = Self::default();
    }

    /// An `INSERT` ended at `end`.
    pub(super) fn insert(&mut self, table: TableId, end: u64, places: &Places) {
        if self.state != State::Rows {
            return;
        }
        if *self.table.get_or_insert(table) != table {
            self.leave(end, places);
        }
    }

    /// A statement ended at `end`.
    pub(super) fn end(&mut self, end: u64, tables: &Tables, places: &Places) {
        if self.state == State::Unlock {
            let Self { table, .. } = std::mem::take(self);
            places.end(end, || table.map(|table| tables.name(table).to_owned()));
        }
    }
}
