//! [`Fingerprint`]: of a statement, whatever white space and comments stand between its tokens.

use xxhash_rust::xxh3::Xxh3;

/// What a token is, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Word = 1,
    Quoted,
    Literal,
    Symbol,
}

/// A hash (XXH3, 128 bits) of the tokens of a statement.
#[derive(Clone)]
pub(super) struct Fingerprint(Box<Xxh3>);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(Box::new(Xxh3::new()))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl Fingerprint {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.0.reset();
    }

    /// Adds a part of a literal, of which [`add`](Self::add) marks the end.
    pub(super) fn add_part(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// Adds a token.
    pub(super) fn add(&mut self, part: Part, text: &[u8]) {
        self.0.update(text);
        self.0.update(&[0, part as u8]);
    }

    /// The hash of all that was added.
    pub(super) fn digest(&self) -> u128 {
        self.0.digest128()
    }
}
