//! [`Compressor`]: makes the bytes fewer; every output opens with the stock tool.

use std::{fmt::Debug, sync::Arc};

use crate::{Result, transform::Transform};

mod identity;
pub use identity::Identity;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "gzip")]
pub use gzip::Gzip;
#[cfg(feature = "zstd")]
mod zstd;
#[cfg(feature = "zstd")]
pub use self::zstd::Zstd;

/// Makes encoders and decoders of one compression format.
///
/// # Contract
///
/// Executed by the [conformance kit](crate::testkit::compressor): decoding what was encoded gives the same bytes, whatever
/// their number and however they were cut; truncated input, trailing garbage and flipped bits are
/// [`Corrupt`](crate::ErrorKind::Corrupt); memory is bounded whatever the size; the stock tool opens the output.
pub trait Compressor: Send + Sync + Debug + 'static {
    /// The format's name in manifests: `zstd`, `gzip`, `none`.
    fn name(&self) -> &'static str;

    /// The file extension, without a dot; empty where nothing is changed.
    fn extension(&self) -> &'static str;

    /// A transform that compresses.
    fn encoder(&self) -> Result<Box<dyn Transform>>;

    /// A transform that decompresses.
    fn decoder(&self) -> Result<Box<dyn Transform>>;
}

impl<T: Compressor + ?Sized> Compressor for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn extension(&self) -> &'static str {
        (**self).extension()
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        (**self).encoder()
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        (**self).decoder()
    }
}
