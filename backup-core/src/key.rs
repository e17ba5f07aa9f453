//! [`Key`] and [`Prefix`]: validated names of objects in a store.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// The longest key, in bytes; object stores allow 1024.
const MAX_BYTES: usize = 900;
/// The longest segment, in bytes; file systems allow 255, of which a store needs some for temporary names.
const MAX_SEGMENT_BYTES: usize = 200;

/// The name of an object in a store: segments of `[A-Za-z0-9._%+@=-]` joined by `/`.
///
/// No segment is empty, starts with a dot or ends in one, so that a key can be a relative path on every
/// operating system, can never leave the store's folder, and can never meet a store's own hidden files.
///
/// # Examples
///
/// ```
/// use backup_core::Key;
///
/// assert!(Key::parse("production/shop/backup-20261120-020000.sql.zst").is_ok());
/// assert!(Key::parse("../../etc/passwd").is_err());
/// assert_eq!(Key::escape("my shop/é"), "my%20shop%2F%C3%A9");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Checks `key` and takes it over.
    pub fn parse(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        check(&key).map_err(|why| {
            Error::new(ErrorKind::InvalidInput, format!("not a key of a store: {why}"))
                .with_context("key", key.escape_debug())
        })?;
        Ok(Self(key))
    }

    /// Makes one segment out of any text: characters outside `[A-Za-z0-9._-]` and dots at either end are
    /// percent-encoded, so that different texts give different segments.
    #[must_use]
    pub fn escape(text: &str) -> String {
        let last = text.len().saturating_sub(1);
        let mut out = String::with_capacity(text.len());
        for (index, byte) in text.bytes().enumerate() {
            let edge = index == 0 || index == last;
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && !edge) {
                out.push(char::from(byte));
            } else {
                out.push(char::from(b'%'));
                out.push_str(&hex::encode_upper([byte]));
            }
        }
        out
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The segments, from the first to the last.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

fn check(key: &str) -> Result<(), &'static str> {
    if key.len() > MAX_BYTES {
        return Err("longer than 900 bytes");
    }
    for segment in key.split('/') {
        if segment.is_empty() {
            return Err("an empty segment");
        }
        if segment.len() > MAX_SEGMENT_BYTES {
            return Err("a segment longer than 200 bytes");
        }
        if segment.starts_with('.') || segment.ends_with('.') {
            return Err("a segment that starts or ends with a dot");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+@=-".contains(&byte);
        if !segment.bytes().all(allowed) {
            return Err("a character outside [A-Za-z0-9._%+@=-]");
        }
    }
    Ok(())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(key: String) -> Result<Self> {
        Self::parse(key)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// Whole leading segments of keys; the empty prefix is every key's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of every key.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Checks `prefix` as a [`Key`]; the empty text is the root.
    pub fn parse(prefix: impl Into<String>) -> Result<Self> {
        let prefix = prefix.into();
        if prefix.is_empty() {
            return Ok(Self::root());
        }
        Key::parse(prefix).map(|key| Self(key.0))
    }

    /// Whether `key` lies below this prefix, by segments: `a/b` is a prefix of `a/b/c`, not of `a/bc`, nor
    /// of `a/b` itself.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.0.is_empty() || key.0.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The prefix as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn traversal_and_hidden_names_are_refused() {
        for bad in [
            "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.b", "a/b.", "a\\b", "a b", "a\0", "é",
            "a:b",
        ] {
            assert_eq!(Key::parse(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        }
        assert!(Key::parse("a".repeat(201)).is_err());
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        let prefix = Prefix::parse("a/b").unwrap();
        assert!(prefix.contains(&Key::parse("a/b/c").unwrap()));
        assert!(!prefix.contains(&Key::parse("a/bc").unwrap()));
        assert!(!prefix.contains(&Key::parse("a/b").unwrap()));
        assert!(Prefix::root().contains(&Key::parse("a").unwrap()));
    }

    proptest! {
        #[test]
        fn escaped_text_is_a_segment_and_tells_texts_apart(a in "\\PC{1,20}", b in "\\PC{1,20}") {
            let key = Key::parse(Key::escape(&a));
            prop_assert!(key.is_ok_and(|key| key.segments().count() == 1));
            prop_assert_eq!(a == b, Key::escape(&a) == Key::escape(&b));
        }
    }
}
