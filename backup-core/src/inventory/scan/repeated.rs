//! [`Repeated`]: the start of the last `INSERT` up to its first row; those of one table repeat it byte by byte.

use super::tables::TableId;

/// Column lists are longer than most statements; beyond this the gain is small.
const LIMIT: usize = 16 * 1024;

/// What was read of the last `INSERT` up to the parenthesis that opens its first row.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    start: Vec<u8>,
    table: Option<TableId>,
}

impl Repeated {
    /// Keeps the start of an `INSERT`, where one chunk holds it whole: from `begin` on to the end of `before`,
    /// of which the first byte is at `offset` of the dump.
    pub(super) fn remember(&mut self, table: TableId, before: &[u8], offset: u64, begin: u64) {
        let start = begin.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
        let start = start.and_then(|at| before.get(at..)).filter(|start| start.len() <= LIMIT);
        if let Some(start) = start {
            self.start.clear();
            self.start.extend_from_slice(start);
            self.table = Some(table);
        }
    }

    /// What follows the start of an `INSERT` that is the same as before, and its table.
    pub(super) fn strip<'a>(&self, rest: &'a [u8]) -> Option<(TableId, &'a [u8])> {
        Some((self.table?, rest.strip_prefix(self.start.as_slice())?))
    }

    /// The same text means something else from here on.
    pub(super) fn forget(&mut self) {
        self.table = None;
    }
}
