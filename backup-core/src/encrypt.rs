//! [`Encryptor`]: makes the bytes unreadable without the key.

use std::{fmt::Debug, sync::Arc};

use crate::{Result, transform::Transform};

/// Seals compressed bytes and opens them again.
///
/// # Contract
///
/// Truncated, reordered, extended or flipped input is [`Corrupt`](crate::ErrorKind::Corrupt) on opening, before the affected
/// bytes are released. Sealing needs no secret where the scheme has public keys.
pub trait Encryptor: Send + Sync + Debug + 'static {
    /// The scheme's name in manifests: `age`.
    fn name(&self) -> &'static str;

    /// The file extension, without a dot.
    fn extension(&self) -> &'static str;

    /// Who can open what is sealed: fingerprints or public keys, never secrets.
    fn recipients(&self) -> Vec<String>;

    /// A transform that seals.
    fn seal(&self) -> Result<Box<dyn Transform>>;

    /// A transform that opens.
    fn open(&self) -> Result<Box<dyn Transform>>;
}

impl<T: Encryptor + ?Sized> Encryptor for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn extension(&self) -> &'static str {
        (**self).extension()
    }

    fn recipients(&self) -> Vec<String> {
        (**self).recipients()
    }

    fn seal(&self) -> Result<Box<dyn Transform>> {
        (**self).seal()
    }

    fn open(&self) -> Result<Box<dyn Transform>> {
        (**self).open()
    }
}
