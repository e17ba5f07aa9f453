//! [`Capped`]: text of a token, collected over chunks, of bounded length.

use super::{Error, corrupt};

/// How many bytes of a token are kept. Names have at most 64 letters in a stock server.
const LIMIT: usize = 1024;

/// Text of which at most so many bytes are kept: [`LIMIT`], unless said.
#[derive(Debug)]
pub(super) struct Capped {
    bytes: Vec<u8>,
    limit: usize,
    overflow: bool,
}

impl Default for Capped {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Capped {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, overflow: false }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.overflow = false;
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        let room = self.limit - self.bytes.len().min(self.limit);
        match more.get(..room) {
            Some(head) if head.len() < more.len() => {
                self.bytes.extend_from_slice(head);
                self.overflow = true;
            }
            _ => self.bytes.extend_from_slice(more),
        }
    }

    /// Pushes what another one holds; what it had no room for counts as well.
    pub(super) fn append(&mut self, other: &Self) {
        self.push(&other.bytes);
        self.overflow |= other.overflow;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The whole text, or `None` where it was longer than is kept.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (!self.overflow).then_some(&self.bytes)
    }

    /// The start of the text, for messages.
    pub(super) fn start(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole text as a part of a table's name; what is not UTF-8 is escaped.
    pub(super) fn to_name(&self) -> Result<String, Error> {
        let whole = self.whole().ok_or_else(|| long_name(self))?;
        Ok(std::str::from_utf8(whole).map_or_else(|_| whole.escape_ascii().to_string(), str::to_owned))
    }

    /// Whether the whole text is `word`, in letters of either case.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.overflow && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }
}

/// The error for a table's name of which `text` is a part.
pub(super) fn long_name(text: &Capped) -> Error {
    corrupt("the name of a table is longer than any server allows")
        .with_context("start", String::from_utf8_lossy(text.start()).escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_over_the_limit_is_never_taken_for_whole() {
        let mut text = Capped::default();
        text.push(&[b'x'; LIMIT]);
        assert_eq!(text.whole().map(<[u8]>::len), Some(LIMIT));
        text.push(b"");
        assert!(text.whole().is_some());
        text.push(b"y");
        assert_eq!((text.whole(), text.start().len()), (None, LIMIT));
        text.clear();
        assert!(text.is_empty() && text.is(""));
    }
}
