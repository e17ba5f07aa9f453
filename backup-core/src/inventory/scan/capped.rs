//! [`Capped`]: text of a token, collected over chunks, of bounded length.

/// How many bytes of a token are kept. Names have at most 63 bytes in a stock server.
const LIMIT: usize = 1024;

/// Text of which at most [`LIMIT`] bytes are kept.
#[derive(Debug, Default)]
pub(super) struct Capped {
    bytes: Vec<u8>,
    overflow: bool,
}

impl Capped {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.overflow = false;
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        let room = LIMIT - self.bytes.len().min(LIMIT);
        match more.get(..room) {
            Some(head) if head.len() < more.len() => {
                self.bytes.extend_from_slice(head);
                self.overflow = true;
            }
            _ => self.bytes.extend_from_slice(more),
        }
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

    /// Whether the whole text is `word`, in letters of either case.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.overflow && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }
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
