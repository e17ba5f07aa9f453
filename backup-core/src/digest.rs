//! [`Digest`]: a hash that we compute; [`Hasher`] and the [`Tap`]s that compute it as bytes pass.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::{Error, ErrorKind, Result};

/// A hash of known algorithm, written `sha256:<hex>` or `blake3:<hex>`.
///
/// `sha256sum` and `b3sum` compute the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 32],
}

/// How a [`Digest`] is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256: the digest of stored bytes.
    Sha256,
    /// BLAKE3: the digest of plain bytes where the feature `blake3` is on.
    Blake3,
}

impl Algorithm {
    /// The cheapest algorithm that this build has, for the plain bytes of a dump.
    #[must_use]
    pub fn for_plain() -> Self {
        if cfg!(feature = "blake3") { Self::Blake3 } else { Self::Sha256 }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Result<Self> {
        let mut hasher = Hasher::new(algorithm)?;
        hasher.update(bytes);
        Ok(hasher.finish())
    }

    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: sha2::Sha256::digest(bytes).into() }
    }

    /// How it was computed.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash in lower-case hexadecimal digits, as `sha256sum` prints it.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.bytes)
    }
}

/// A number that a text stands for, always the same one and evenly spread: deals and delays that need no dice.
pub(crate) fn number_of(text: &str) -> u64 {
    let digest = sha2::Sha256::digest(text);
    let (first, _) = digest.as_slice().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*first)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidInput, "not a digest").with_context("digest", text.escape_debug())
        };
        let (algorithm, digits) = text.split_once(':').ok_or_else(invalid)?;
        let algorithm = match algorithm {
            "sha256" => Algorithm::Sha256,
            "blake3" => Algorithm::Blake3,
            _ => return Err(invalid()),
        };
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| invalid())?;
        Ok(Self { algorithm, bytes })
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Computes a [`Digest`] step by step.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    #[cfg(feature = "blake3")]
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// Starts a hash.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where this build lacks the algorithm.
    pub fn new(algorithm: Algorithm) -> Result<Self> {
        match algorithm {
            Algorithm::Sha256 => Ok(Self(State::Sha256(sha2::Sha256::new()))),
            #[cfg(feature = "blake3")]
            Algorithm::Blake3 => Ok(Self(State::Blake3(Box::default()))),
            #[cfg(not(feature = "blake3"))]
            Algorithm::Blake3 => {
                Err(Error::new(ErrorKind::Unsupported, "this build cannot compute the digest")
                    .with_context("algorithm", "blake3")
                    .with_suggestion("enable the feature `blake3` of backup-core"))
            }
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(bytes),
            #[cfg(feature = "blake3")]
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hasher) => Digest { algorithm: Algorithm::Sha256, bytes: hasher.finalize().into() },
            #[cfg(feature = "blake3")]
            State::Blake3(hasher) => Digest { algorithm: Algorithm::Blake3, bytes: hasher.finalize().into() },
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// Looks at bytes as they pass through a stage, without changing them.
///
/// Runs on the stage's blocking thread, so it may use the processor, but must not wait.
pub trait Tap: Send {
    /// The next bytes; how they are cut means nothing.
    fn update(&mut self, bytes: &[u8]) -> Result<()>;

    /// The stream ended cleanly; an error here fails it all the same.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Counts bytes; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct ByteCount(Arc<AtomicU64>);

impl ByteCount {
    /// The bytes that passed so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tap for ByteCount {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// What a tap leaves behind once its stream ended cleanly; clones share it.
#[derive(Debug)]
pub struct Outcome<T>(Arc<Mutex<Option<T>>>);

impl<T> Outcome<T> {
    /// An outcome that is not there yet.
    #[must_use]
    pub fn pending() -> Self {
        Self(Arc::default())
    }

    /// Sets the outcome.
    pub fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Takes the outcome: `None` unless the stream ended cleanly.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Outcome<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A [`Tap`] that computes a [`Digest`].
#[derive(Debug)]
pub struct DigestTap {
    hasher: Hasher,
    outcome: Outcome<Digest>,
}

impl DigestTap {
    /// A tap, and where its digest will be.
    pub fn new(algorithm: Algorithm) -> Result<(Self, Outcome<Digest>)> {
        let outcome = Outcome::pending();
        Ok((Self { hasher: Hasher::new(algorithm)?, outcome: outcome.clone() }, outcome))
    }
}

impl Tap for DigestTap {
    fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.outcome.set(self.hasher.finish());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_stock_tools() {
        let sha = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::sha256(b"abc").to_string(), sha);
        assert_eq!(sha.parse::<Digest>().unwrap(), Digest::sha256(b"abc"));
        #[cfg(feature = "blake3")]
        assert_eq!(
            Digest::of(Algorithm::Blake3, b"abc").unwrap().hex(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn a_wrong_digest_text_is_refused() {
        for bad in ["", "sha256:", "md5:00", "sha256:zz", "sha256:ba7816bf"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
