//! [`CopyData`]: counts the rows between `COPY … FROM stdin;` and the line `\.`.

use memchr::{memchr_iter, memmem};

use super::super::{Error, checksum::Checksum, corrupt, tables::TableId};

/// The data of one `COPY` statement.
///
/// The data escapes a backslash as two, so no data line can be the end line.
#[derive(Debug)]
pub(super) struct CopyData {
    pub(super) table: TableId,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Where they begin in the dump, once that is known.
    pub(super) begin: Option<u64>,
    /// Of the rows, where it is wanted.
    pub(super) checksum: Option<Checksum>,
    line: Line,
}

/// How much of the current line was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The rest of the statement's own line, behind the semicolon.
    Statement,
    Start,
    Backslash,
    Dot,
    CarriageReturn,
    Middle,
}

/// What [`CopyData::read`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Data,
    End,
}

impl CopyData {
    pub(super) fn new(table: TableId, checksum: Option<Checksum>) -> Self {
        Self { table, rows: 0, bytes: 0, begin: None, checksum, line: Line::Statement }
    }

    /// Takes data off `rest`, of which the end is at `end_offset` of the dump, up to and with the end line.
    pub(super) fn read(
        &mut self,
        rest: &mut &[u8],
        end: &memmem::Finder<'_>,
        end_offset: u64,
    ) -> Result<Seen, Error> {
        while let Some((&byte, tail)) = rest.split_first() {
            if self.line == Line::Middle {
                self.lines(rest, end);
                continue;
            }
            *rest = tail;
            if self.line == Line::Statement {
                self.line = match byte {
                    b'\n' => {
                        self.begin = Some(end_offset - tail.len() as u64);
                        Line::Start
                    }
                    b' ' | b'\t' | b'\r' => Line::Statement,
                    _ => return Err(corrupt("a statement follows COPY on its line")),
                };
                continue;
            }
            self.bytes += 1;
            if let Some(checksum) = &mut self.checksum {
                match (self.line, byte) {
                    // It may end the data, and is no part of a row then.
                    (Line::Dot | Line::CarriageReturn, b'\n') => {}
                    (_, b'\n') => checksum.row(b""),
                    _ => checksum.part(&[byte]),
                }
            }
            self.line = match (self.line, byte) {
                (Line::Start, b'\\') => Line::Backslash,
                (Line::Backslash, b'.') => Line::Dot,
                (Line::Dot, b'\r') => Line::CarriageReturn,
                (Line::Dot | Line::CarriageReturn, b'\n') => {
                    let end = if self.line == Line::Dot { r"\.".len() } else { "\\.\r".len() };
                    self.bytes -= end as u64 + 1;
                    return Ok(Seen::End);
                }
                (_, b'\n') => {
                    self.rows += 1;
                    Line::Start
                }
                _ => Line::Middle,
            };
        }
        Ok(Seen::Data)
    }

    /// Takes whole stretches of lines: only a line that starts with the end mark is of interest.
    fn lines(&mut self, rest: &mut &[u8], end: &memmem::Finder<'_>) {
        let found = end.find(rest);
        // Behind the line feed the line is read byte by byte, which finds out whether the line ends there.
        let taken = found.map_or(rest.len(), |at| at + 1);
        let (data, tail) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
        self.rows += match &mut self.checksum {
            None => memchr_iter(b'\n', data).count() as u64,
            Some(checksum) => sum_lines(data, checksum),
        };
        self.bytes += data.len() as u64;
        self.line = match data {
            [.., b'\n'] => Line::Start,
            [.., b'\n', b'\\'] => Line::Backslash,
            _ => Line::Middle,
        };
        *rest = tail;
    }
}

/// Adds each line of `data` to the checksum, and what follows the last one; says how many lines end in it.
fn sum_lines(data: &[u8], checksum: &mut Checksum) -> u64 {
    let (mut lines, mut start) = (0, 0);
    for end in memchr_iter(b'\n', data) {
        checksum.row(data.get(start..end).unwrap_or_default());
        start = end + 1;
        lines += 1;
    }
    checksum.part(data.get(start..).unwrap_or_default());
    lines
}
