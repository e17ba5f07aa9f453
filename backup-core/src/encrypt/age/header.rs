//! The start of a file of `age`: whom it was sealed for, each with the key of the file.

use std::sync::Mutex;

use ::age::{DecryptError, Decryptor};
use age_core::{
    format::{FileKey, Stanza},
    primitives::hkdf,
    secrecy::ExposeSecret,
};

use super::{NoIdentity, chunks::Chunks, damaged, identity::Identity};
use crate::{Error, ErrorKind, Result};

/// The longest start that is read, in bytes: some hundred large keys of SSH.
pub(super) const MAX_HEAD: usize = 128 * 1024;
/// How many random bytes stand behind the recipients.
const NONCE_BYTES: usize = 16;

/// A start that is whole.
pub(super) struct Header {
    /// With the nonce.
    bytes: usize,
}

impl Header {
    /// Looks for the end of the start; `None` where more of the file is needed.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) for something else than a start.
    pub(super) fn read(head: &[u8]) -> Result<Option<Self>> {
        let mut rest = head;
        match Decryptor::new_buffered(&mut rest) {
            Ok(_) => Ok(Some(Self { bytes: head.len() - rest.len() })),
            Err(DecryptError::Io(_)) if head.len() < MAX_HEAD => Ok(None),
            Err(err) => Err(damaged("not the start of an encrypted object").with_source(err)),
        }
    }

    /// How many bytes it has; the content is behind them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Opens the content that begins behind it.
    pub(super) fn open(&self, head: &[u8], identities: &[Identity]) -> Result<Chunks> {
        let head = head.get(..self.bytes).unwrap_or_default();
        let nonce = head.len().checked_sub(NONCE_BYTES).and_then(|at| head.get(at..)).unwrap_or_default();
        let taken = Mutex::new(None);
        let keepers: Vec<_> = identities.iter().map(|identity| Keeper { identity, taken: &taken }).collect();
        let sealed = Decryptor::new_buffered(head).map_err(not_opened)?;
        // What it returns reads from the start to the end alone; what it is good for here is that it checked the start.
        sealed.decrypt(keepers.iter().map(|keeper| keeper as _)).map_err(not_opened)?;
        let key = taken.into_inner().ok().flatten();
        let key: FileKey =
            key.ok_or_else(|| Error::new(ErrorKind::Unexpected, "a header opened without a key"))?;
        Ok(Chunks::new(&hkdf(nonce, b"payload", key.expose_secret()), self.bytes as u64))
    }
}

/// An identity that keeps the key of the file which it found.
struct Keeper<'a> {
    identity: &'a Identity,
    taken: &'a Mutex<Option<FileKey>>,
}

impl ::age::Identity for Keeper<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<std::result::Result<FileKey, DecryptError>> {
        self.keep(self.identity.key().unwrap_stanza(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<std::result::Result<FileKey, DecryptError>> {
        self.keep(self.identity.key().unwrap_stanzas(stanzas))
    }
}

impl Keeper<'_> {
    fn keep(
        &self,
        found: Option<std::result::Result<FileKey, DecryptError>>,
    ) -> Option<std::result::Result<FileKey, DecryptError>> {
        if let Some(Ok(key)) = &found
            && let Ok(mut taken) = self.taken.lock()
        {
            *taken = Some(FileKey::new(Box::new(*key.expose_secret())));
        }
        found
    }
}

fn not_opened(err: DecryptError) -> Error {
    match err {
        // Keys that do not fit are no matching ones.
        DecryptError::DecryptionFailed => {
            NoIdentity::wrong_passphrase("the passphrase is not the one that it was encrypted with")
        }
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => {
            NoIdentity::error("no identity here opens what is encrypted")
        }
        DecryptError::ExcessiveWork { .. } => {
            Error::new(ErrorKind::Unsupported, "the passphrase takes too much work").with_source(err)
        }
        err => damaged("the start of the encrypted object is damaged").with_source(err),
    }
}
