//! [`Rows`]: what a client prints with `--batch`.

use backup_core::{Error, ErrorKind, Result};

/// The rows of all statements, one after the other; what is NULL is asked for as a text.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<Vec<String>>);

impl Rows {
    /// Reads lines of columns with tabs between them, in which tab, line break and backslash are escaped.
    pub(crate) fn parse(printed: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(printed).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "the client answered no UTF-8").with_source(err)
        })?;
        // Not `lines`: a value may end in a carriage return.
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n').filter(|_| !text.is_empty());
        Ok(Self(lines.map(|line| line.split('\t').map(unescaped).collect()).collect()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// One value.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Result<&str> {
        self.0.get(row).and_then(|row| row.get(column)).map(String::as_str).ok_or_else(unreadable)
    }
}

/// A count that the server printed.
pub(crate) fn number(text: &str) -> Result<u64> {
    // A sum is a decimal in some versions.
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.parse().map_err(|_| unreadable())
}

pub(crate) fn unreadable() -> Error {
    Error::new(ErrorKind::Unexpected, "the client's answer cannot be read")
}

fn unescaped(column: &str) -> String {
    let mut text = String::with_capacity(column.len());
    let mut chars = column.chars();
    while let Some(ch) = chars.next() {
        match (ch, ch == '\\') {
            (_, true) => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            (ch, false) => text.push(ch),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        let rows = Rows::parse(b"a\\tb\tc\\\\n\\n\n\t\n").unwrap();
        assert_eq!((rows.cell(0, 0).unwrap(), rows.cell(0, 1).unwrap()), ("a\tb", "c\\n\n"));
        assert_eq!(rows.cell(1, 1).unwrap(), "");
        assert_eq!(rows.cell(2, 0).unwrap_err().kind(), ErrorKind::Unexpected);
        assert_eq!(number("12.00").unwrap(), 12);
    }
}
