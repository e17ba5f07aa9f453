//! [`Compressor`]: makes the bytes fewer; every output opens with the stock tool.

use std::{fmt::Debug, sync::Arc};

use crate::{Error, ErrorKind, Result, transform::Transform};

pub(crate) mod framed;
mod identity;
pub use identity::Identity;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "gzip")]
pub use gzip::Gzip;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod pieces;
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

/// The compressor that a manifest names, at its default level.
///
/// # Errors
///
/// [`Unsupported`](ErrorKind::Unsupported) when this build lacks the format's feature, or knows no such format.
///
/// # Examples
///
/// ```
/// assert_eq!(backup_core::compress::by_name("none")?.extension(), "");
/// assert!(backup_core::compress::by_name("lzw").is_err());
/// # Ok::<(), backup_core::Error>(())
/// ```
pub fn by_name(name: &str) -> Result<Arc<dyn Compressor>> {
    match name {
        "none" => Ok(Arc::new(Identity)),
        "zstd" => zstd_at(None),
        "gzip" => gzip_at(None),
        _ => Err(Error::new(ErrorKind::Unsupported, "unknown compression")
            .with_context("name", name)
            .with_suggestion("known compressions are `zstd`, `gzip` and `none`")),
    }
}

/// The compressor of a setting: a name as in [`by_name`], with a level if wanted.
///
/// # Errors
///
/// As [`by_name`]; [`InvalidInput`](ErrorKind::InvalidInput) for a level that is no number, out of range, or given to
/// `none`.
///
/// # Examples
///
/// ```
/// use backup_core::compress;
///
/// assert_eq!(compress::parse("none")?.name(), "none");
/// assert!(compress::parse("none:3").is_err());
/// # #[cfg(feature = "zstd")]
/// assert_eq!(compress::parse("zstd:1")?.name(), "zstd");
/// # Ok::<(), backup_core::Error>(())
/// ```
pub fn parse(setting: &str) -> Result<Arc<dyn Compressor>> {
    let Some((name, level)) = setting.split_once(':') else { return by_name(setting) };
    let level = level.parse().map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "the compression level is not a number")
            .with_context("compression", setting)
            .with_suggestion("write the name, a colon and the level, like `zstd:3`")
    })?;
    match name {
        "none" => Err(Error::new(ErrorKind::InvalidInput, "compression `none` has no levels")
            .with_context("compression", setting)
            .with_suggestion("write `none` alone")),
        "zstd" => zstd_at(Some(level)),
        "gzip" => gzip_at(Some(level)),
        _ => by_name(name),
    }
}

#[cfg(feature = "zstd")]
fn zstd_at(level: Option<i32>) -> Result<Arc<dyn Compressor>> {
    Ok(Arc::new(level.map_or_else(|| Ok(Zstd::default()), Zstd::level)?))
}

#[cfg(not(feature = "zstd"))]
fn zstd_at(_: Option<i32>) -> Result<Arc<dyn Compressor>> {
    Err(missing_feature("zstd"))
}

#[cfg(feature = "gzip")]
fn gzip_at(level: Option<i32>) -> Result<Arc<dyn Compressor>> {
    Ok(Arc::new(level.map_or_else(|| Ok(Gzip::default()), Gzip::level)?))
}

#[cfg(not(feature = "gzip"))]
fn gzip_at(_: Option<i32>) -> Result<Arc<dyn Compressor>> {
    Err(missing_feature("gzip"))
}

#[cfg(not(all(feature = "zstd", feature = "gzip")))]
fn missing_feature(name: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "this build lacks the compression")
        .with_context("name", name)
        .with_suggestion(format!("enable the feature `{name}` of backup-core"))
}

/// How many threads an encoder may use where nobody said: those of the machine, but few enough for its memory.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn default_threads(most: usize) -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(most)
}

/// Refuses a number outside of `range`.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn checked<T: PartialOrd + std::fmt::Display>(
    what: &'static str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("the {what} is out of range"))
        .with_context("value", value)
        .with_suggestion(format!("choose one from {} to {}", range.start(), range.end())))
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

#[cfg(test)]
mod tests;
