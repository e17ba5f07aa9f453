use std::{io::Read, sync::Arc};

use ::age::{DecryptError, Decryptor, armor::ArmoredReader, x25519};

use super::NoIdentity;
use crate::{Error, ErrorKind, Result, Secret};

/// The most work that a passphrase may take, as the binary logarithm: what the stock tool takes on, about 15 seconds.
const MOST_WORK: u8 = 22;
/// How long a protected file of identities may be, in bytes.
const MAX_PROTECTED: u64 = 64 * 1024;

/// Somebody's private key.
#[derive(Clone)]
pub(super) struct Identity {
    public: String,
    key: Arc<dyn ::age::Identity + Send + Sync>,
}

impl Identity {
    /// What stands for the public key of a passphrase.
    pub(super) const PASSPHRASE: &str = "scrypt";

    /// Reads all keys of a text.
    ///
    /// # Errors
    ///
    /// None of them holds anything of the text but the number of a line.
    pub(super) fn parse_all(text: &Secret, passphrase: Option<&Secret>) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        let mut lines = text.expose().lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let line = line.trim();
            let located = |err: Error| err.with_context("identity_line", number + 1);
            if line.is_empty() || line.starts_with('#') {
            } else if line.starts_with("-----BEGIN ") {
                let mut block = zeroize::Zeroizing::new(format!("{line}\n"));
                for (_, line) in lines.by_ref() {
                    block.push_str(line.trim());
                    block.push('\n');
                    if line.starts_with("-----END ") {
                        break;
                    }
                }
                found.extend(in_block(line, &block, passphrase).map_err(located)?);
            } else {
                let key: x25519::Identity = line.parse().map_err(|_| located(invalid()))?;
                found.push(Self { public: key.to_public().to_string(), key: Arc::new(key) });
            }
        }
        if found.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the text holds no identity")
                .with_suggestion("name the file that age-keygen made"));
        }
        Ok(found)
    }

    pub(super) fn passphrase(passphrase: &Secret) -> Self {
        Self { public: Self::PASSPHRASE.to_owned(), key: Arc::new(scrypt(passphrase)) }
    }

    /// The public key, as it stands in a file of them.
    pub(super) fn public(&self) -> &str {
        &self.public
    }

    pub(super) fn key(&self) -> &dyn ::age::Identity {
        &*self.key
    }
}

fn scrypt(passphrase: &Secret) -> ::age::scrypt::Identity {
    let mut key = ::age::scrypt::Identity::new(passphrase.expose().to_owned().into());
    key.set_max_work_factor(MOST_WORK);
    key
}

/// The keys of a text between lines with dashes.
fn in_block(begin: &str, block: &str, passphrase: Option<&Secret>) -> Result<Vec<Identity>> {
    if begin != "-----BEGIN AGE ENCRYPTED FILE-----" {
        return ssh(block, passphrase).map(|identity| vec![identity]);
    }
    let passphrase = passphrase.ok_or_else(is_protected)?;
    let wrong = |err: DecryptError| match err {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            NoIdentity::wrong_passphrase("the passphrase is not that of the identities")
        }
        err => {
            Error::new(ErrorKind::InvalidInput, "the protected identities cannot be opened").with_source(err)
        }
    };
    let sealed = Decryptor::new(ArmoredReader::new(block.as_bytes())).map_err(wrong)?;
    let key = scrypt(passphrase);
    let opened = sealed.decrypt(std::iter::once(&key as _)).map_err(wrong)?;
    let mut text = zeroize::Zeroizing::new(String::new());
    opened.take(MAX_PROTECTED).read_to_string(&mut text).map_err(|err| wrong(err.into()))?;
    Identity::parse_all(&Secret::new(text.as_str()), None)
}

#[cfg(feature = "age-ssh")]
fn ssh(block: &str, passphrase: Option<&Secret>) -> Result<Identity> {
    use ::age::ssh::Identity as Ssh;

    let key = Ssh::from_buffer(block.as_bytes(), None).map_err(|_| invalid())?;
    let key = match (key, passphrase) {
        (Ssh::Encrypted(_), None) => return Err(is_protected()),
        (Ssh::Encrypted(key), Some(passphrase)) => Ssh::from(
            key.decrypt(passphrase.expose().to_owned().into())
                .map_err(|_| NoIdentity::wrong_passphrase("the passphrase is not that of the SSH key"))?,
        ),
        (Ssh::Unsupported(_), _) => {
            return Err(Error::new(ErrorKind::Unsupported, "this kind of SSH key cannot open anything")
                .with_suggestion("use a key of ssh-ed25519 or ssh-rsa, in the format of OpenSSH"));
        }
        (key, _) => key,
    };
    let public = ::age::ssh::Recipient::try_from(key.clone()).map_err(|_| invalid())?.to_string();
    Ok(Identity { public, key: Arc::new(key) })
}

#[cfg(not(feature = "age-ssh"))]
fn ssh(_: &str, _: Option<&Secret>) -> Result<Identity> {
    Err(Error::new(ErrorKind::Unsupported, "this build cannot open with SSH keys")
        .with_suggestion("enable the feature `age-ssh` of backup-core, or use an identity of age-keygen"))
}

fn is_protected() -> Error {
    Error::new(ErrorKind::InvalidInput, "the identity is protected by a passphrase, and none was given")
        .with_suggestion("give the passphrase too, or name an identity without one")
}

fn invalid() -> Error {
    Error::new(ErrorKind::InvalidInput, "something is no identity of age")
        .with_suggestion("name a file of age-keygen, or a private key of SSH")
}
