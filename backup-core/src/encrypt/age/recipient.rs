use ::age::{EncryptError, secrecy::SecretString, x25519};

use super::identity::Identity;
use crate::{Error, ErrorKind, Result, Secret};

/// How much work a passphrase takes, as the binary logarithm: what the stock tool asks for, about a second.
const WORK: u8 = 18;

/// Somebody who can open what is sealed.
pub(super) struct Recipient {
    /// The public key, or the fingerprint as ssh writes it.
    name: String,
    /// As it stands in a file of public keys, without a comment.
    public: String,
    key: Key,
}

enum Key {
    X25519(x25519::Recipient),
    #[cfg(feature = "age-ssh")]
    Ssh(Box<::age::ssh::Recipient>),
    Passphrase(SecretString),
}

impl Recipient {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("AGE-SECRET-KEY-")) {
            return Err(Error::new(ErrorKind::InvalidInput, "a private key was given to encrypt for")
                .with_suggestion(
                    "name its public key, which `age-keygen -y` shows; take the private key out of command lines and settings",
                ));
        }
        if text.starts_with("age1") {
            let key: x25519::Recipient = text.parse().map_err(|_| invalid())?;
            return Ok(Self { name: key.to_string(), public: key.to_string(), key: Key::X25519(key) });
        }
        if text.starts_with("ssh-") { ssh(text) } else { Err(invalid()) }
    }

    pub(super) fn passphrase(passphrase: &Secret) -> Self {
        let public = Identity::PASSPHRASE.to_owned();
        let key = Key::Passphrase(passphrase.expose().to_owned().into());
        Self { name: public.clone(), public, key }
    }

    /// How manifests name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether that is its identity.
    pub(super) fn is_of(&self, identity: &Identity) -> bool {
        self.public == identity.public()
    }

    /// What seals for all of these.
    pub(super) fn encryptor(recipients: &[Self]) -> Result<::age::Encryptor> {
        let keys: Vec<Box<dyn ::age::Recipient>> = recipients.iter().map(Self::key).collect();
        ::age::Encryptor::with_recipients(keys.iter().map(|key| &**key)).map_err(|err: EncryptError| {
            Error::new(ErrorKind::InvalidInput, "the recipients cannot be encrypted for").with_source(err)
        })
    }

    fn key(&self) -> Box<dyn ::age::Recipient> {
        match &self.key {
            Key::X25519(key) => Box::new(key.clone()),
            #[cfg(feature = "age-ssh")]
            Key::Ssh(key) => key.clone(),
            Key::Passphrase(passphrase) => {
                let mut key = ::age::scrypt::Recipient::new(passphrase.clone());
                key.set_work_factor(WORK);
                Box::new(key)
            }
        }
    }
}

#[cfg(feature = "age-ssh")]
fn ssh(text: &str) -> Result<Recipient> {
    use ::age::ssh::ParseRecipientKeyError;
    use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
    use sha2::Digest;

    let refused = |message: &'static str| {
        Error::new(ErrorKind::Unsupported, message)
            .with_suggestion("use a key of ssh-ed25519, or of ssh-rsa with 2048 to 4096 bits")
    };
    let key: ::age::ssh::Recipient = text.parse().map_err(|err| match err {
        ParseRecipientKeyError::RsaModulusTooLarge => refused("the SSH key is too large to encrypt for"),
        ParseRecipientKeyError::RsaModulusTooSmall => refused("the SSH key is too small to encrypt for"),
        ParseRecipientKeyError::Unsupported(_) => {
            refused("nothing can be encrypted for this kind of SSH key")
        }
        _ => invalid(),
    })?;
    let (::age::ssh::Recipient::SshRsa(wire, _) | ::age::ssh::Recipient::SshEd25519(wire, _)) = &key;
    let name = format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(sha2::Sha256::digest(wire)));
    Ok(Recipient { name, public: key.to_string(), key: Key::Ssh(Box::new(key)) })
}

#[cfg(not(feature = "age-ssh"))]
fn ssh(_: &str) -> Result<Recipient> {
    Err(Error::new(ErrorKind::Unsupported, "this build cannot encrypt for SSH keys")
        .with_suggestion("enable the feature `age-ssh` of backup-core, or use a public key of age-keygen"))
}

/// Without the text, which could be a secret in a wrong place.
fn invalid() -> Error {
    Error::new(ErrorKind::InvalidInput, "not a public key that can be encrypted for")
        .with_suggestion("write a public key: age1…, ssh-ed25519 … or ssh-rsa …")
}
