//! [`Encryptor`]: makes the bytes unreadable without the key.

use std::{error::Error as StdError, fmt, fmt::Debug, ops::Range, sync::Arc};

use crate::{Error, ErrorKind, Result, transform::Transform};

#[cfg(feature = "age")]
mod age;
#[cfg(feature = "age")]
pub use age::Age;

/// Seals compressed bytes and opens them again.
///
/// # Contract
///
/// Executed by the [conformance kit](crate::testkit::encryptor): what was sealed opens to the same bytes, however they were
/// cut. Truncated, reordered, extended or flipped input is [`Corrupt`](ErrorKind::Corrupt) on opening, before the affected
/// bytes are released; where the damage hides whom it was sealed for, opening fails as [without the key](NoIdentity). Sealing
/// needs no secret where the scheme has public keys.
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
    ///
    /// # Errors
    ///
    /// [`NoIdentity`] at once where there is no key at all, and from the transform where none fits.
    fn open(&self) -> Result<Box<dyn Transform>>;

    /// Whether what is sealed now can be opened here.
    ///
    /// # Errors
    ///
    /// [`NoIdentity`] where it cannot.
    fn check_opens(&self) -> Result<()>;

    /// What opens some of the sealed bytes without those before them; `None` where the scheme cannot.
    fn parts(&self) -> Option<&dyn OpenParts>;
}

/// Opens objects of which not all is read.
pub trait OpenParts: Send + Sync {
    /// Opens an object of `size` bytes that begins with `head`; `None` where that is too little of it.
    ///
    /// May take seconds of processor time.
    ///
    /// # Errors
    ///
    /// As a transform that opens.
    fn open_head(&self, head: &[u8], size: u64) -> Result<Option<Arc<dyn Parts>>>;
}

/// A sealed object of which parts can be opened.
///
/// # Contract
///
/// What is put was authenticated before, as the bytes of this object at this place. That the object ends where it should is
/// noticed where its end is read.
pub trait Parts: Send + Sync {
    /// How many bytes are sealed in it.
    fn content_bytes(&self) -> u64;

    /// Where in the object those bytes of the content are.
    fn place(&self, content: Range<u64>) -> Range<u64>;

    /// A transform that takes the bytes of [`place`](Self::place) and puts those of the content.
    fn open(&self, content: Range<u64>) -> Result<Box<dyn Transform>>;
}

/// Why something cannot be opened: the key is not here. The source of errors of kind
/// [`PermissionDenied`](ErrorKind::PermissionDenied).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoIdentity;

impl NoIdentity {
    /// The error for a key that is missing, or does not fit.
    pub fn error(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::PermissionDenied, message)
            .with_suggestion("give the encryptor the identity of one of the recipients")
            .with_source(Self)
    }

    #[cfg(feature = "age")]
    pub(crate) fn wrong_passphrase(message: &'static str) -> Error {
        Error::new(ErrorKind::PermissionDenied, message)
            .with_suggestion("give the right passphrase, without blanks or a line break around it")
            .with_source(Self)
    }

    /// Whether an error says that the key is not here.
    #[must_use]
    pub fn is_cause_of(err: &Error) -> bool {
        err.source().is_some_and(<dyn StdError>::is::<Self>)
    }
}

impl fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no identity here opens it")
    }
}

impl StdError for NoIdentity {}

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

    fn check_opens(&self) -> Result<()> {
        (**self).check_opens()
    }

    fn parts(&self) -> Option<&dyn OpenParts> {
        (**self).parts()
    }
}
