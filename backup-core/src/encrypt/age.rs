//! [`Age`]: the format of `age`, with its recipients and identities.

use std::{fmt, sync::Arc};

use ::age::secrecy::ExposeSecret;

use super::{Encryptor, NoIdentity, OpenParts, Parts};
use crate::{Error, ErrorKind, Result, Secret, transform::Transform};

mod chunks;
mod header;
mod identity;
mod open;
mod recipient;
mod seal;

use self::{header::Header, identity::Identity, open::Open, recipient::Recipient, seal::Seal};

/// So many fit into the start of an object that is [read](header::MAX_HEAD), whatever their keys.
const MOST_RECIPIENTS: usize = 100;

/// Seals for the holders of keys, in the format of [age](https://age-encryption.org), which its stock tool opens.
///
/// Whoever backs up needs the public keys alone, and cannot open what it sealed; with [identities](Self::with_identities) it
/// opens too. Recipients are those of `age`:
///
/// - `age1…`, the public keys that `age-keygen` makes;
/// - with the feature `age-ssh`: `ssh-ed25519 …` and `ssh-rsa …`, as they stand in files of public keys;
/// - a [passphrase](Self::for_passphrase), alone. Each sealing and opening takes 256 MiB and about a second of processor time:
///   prefer keys.
///
/// That something is encrypted does not say who did it: anybody can seal for a public key. What lies in a store that others can
/// write to is no more than what they left there.
///
/// # New keys
///
/// New backups are sealed for the recipients of now; old ones keep theirs, since an artifact is never changed, and what was
/// proven of it is proven of its bytes. So keep old identities beside the new ones, as long as the backups that were sealed for
/// them; a file of identities may hold several. Where an identity became known to others, delete what was sealed for it: a new
/// header around the same content would not help, as whoever had the old one has its key.
///
/// # Examples
///
/// ```
/// use backup_core::encrypt::{Age, Encryptor};
///
/// let on_the_host = Age::for_recipients(["age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"])?;
/// assert!(on_the_host.seal().is_ok());
/// assert!(on_the_host.open().is_err(), "with public keys alone nothing can be opened");
///
/// let identities = "# from age-keygen\nAGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// let elsewhere = on_the_host.with_identities(&identities.into())?;
/// assert!(elsewhere.open().is_ok());
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Age {
    recipients: Arc<[Recipient]>,
    identities: Vec<Identity>,
}

impl Age {
    /// Seals for these public keys, each of which can open.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for none at all, more than 100, or something that is no public key;
    /// [`Unsupported`](ErrorKind::Unsupported) for a kind of key that this build does not know.
    pub fn for_recipients<S: AsRef<str>>(recipients: impl IntoIterator<Item = S>) -> Result<Self> {
        let recipients: Vec<_> =
            recipients.into_iter().map(|text| Recipient::parse(text.as_ref())).collect::<Result<_>>()?;
        if recipients.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "there is nobody to encrypt for")
                .with_suggestion("name at least one recipient, such as a public key of age-keygen"));
        }
        if recipients.len() > MOST_RECIPIENTS {
            return Err(Error::new(ErrorKind::InvalidInput, "there are too many recipients to encrypt for")
                .with_context("recipients", recipients.len())
                .with_context("limit", MOST_RECIPIENTS)
                .with_suggestion("let some of them share an identity"));
        }
        Ok(Self { recipients: recipients.into(), identities: Vec::new() })
    }

    /// Seals for the public keys of these identities, and opens with them; for hosts that restore.
    ///
    /// # Errors
    ///
    /// As [`with_identities`](Self::with_identities).
    pub fn for_identities(text: &Secret) -> Result<Self> {
        let identities = Identity::parse_all(text, None)?;
        let recipients = identities.iter().map(|identity| Recipient::parse(identity.public()));
        Ok(Self { recipients: recipients.collect::<Result<Vec<_>>>()?.into(), identities })
    }

    /// A new identity, as `age-keygen` makes it: the text of a file, for [`for_identities`](Self::for_identities) and for the
    /// stock tool. The [recipient](Encryptor::recipients) of an `Age` of it is its public key.
    #[must_use]
    pub fn generate_identity() -> Secret {
        let key = ::age::x25519::Identity::generate();
        Secret::new(format!("# public key: {}\n{}\n", key.to_public(), key.to_string().expose_secret()))
    }

    /// Seals with a passphrase, and opens with it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an empty one.
    pub fn for_passphrase(passphrase: &Secret) -> Result<Self> {
        if passphrase.expose().is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the passphrase is empty")
                .with_suggestion("give a passphrase, or encrypt for public keys"));
        }
        let recipient = Recipient::passphrase(passphrase);
        Ok(Self { recipients: Arc::new([recipient]), identities: vec![Identity::passphrase(passphrase)] })
    }

    /// Opens with the identities of this text too: that of a file of `age-keygen`, with comments and any number of keys, or
    /// with the feature `age-ssh` also private keys of SSH.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a text without identities, or with something else in it, and for
    /// identities that are protected by a passphrase; none holds anything of the text.
    pub fn with_identities(mut self, text: &Secret) -> Result<Self> {
        self.identities.extend(Identity::parse_all(text, None)?);
        Ok(self)
    }

    /// As [`with_identities`](Self::with_identities), of identities protected by a passphrase: a file of `age --passphrase
    /// --armor`, or with the feature `age-ssh` a private key of SSH.
    ///
    /// # Errors
    ///
    /// As [`with_identities`](Self::with_identities); [`NoIdentity`] for another passphrase.
    pub fn with_protected_identities(mut self, text: &Secret, passphrase: &Secret) -> Result<Self> {
        self.identities.extend(Identity::parse_all(text, Some(passphrase))?);
        Ok(self)
    }

    fn check_any(&self) -> Result<()> {
        if self.identities.is_empty() {
            return Err(NoIdentity::error("it is encrypted, and no identity is here to open it"));
        }
        Ok(())
    }
}

impl Encryptor for Age {
    fn name(&self) -> &'static str {
        "age"
    }

    fn extension(&self) -> &'static str {
        "age"
    }

    fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(|recipient| recipient.name().to_owned()).collect()
    }

    fn seal(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Seal::new(Arc::clone(&self.recipients))))
    }

    fn open(&self) -> Result<Box<dyn Transform>> {
        self.check_any()?;
        Ok(Box::new(Open::new(self.identities.clone())))
    }

    fn check_opens(&self) -> Result<()> {
        self.check_any()?;
        if self.identities.iter().any(|own| self.recipients.iter().any(|other| other.is_of(own))) {
            return Ok(());
        }
        Err(NoIdentity::error("none of the identities here is one of a recipient")
            .with_context("recipients", self.recipients().join(", ")))
    }

    fn parts(&self) -> Option<&dyn OpenParts> {
        Some(self)
    }
}

impl OpenParts for Age {
    fn open_head(&self, head: &[u8], size: u64) -> Result<Option<Arc<dyn Parts>>> {
        self.check_any()?;
        let Some(header) = Header::read(head)? else { return Ok(None) };
        Ok(Some(Arc::new(header.open(head, &self.identities)?.parts(size)?)))
    }
}

impl fmt::Debug for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Age")
            .field("recipients", &self.recipients())
            .field("identities", &self.identities.len())
            .finish()
    }
}

/// The error for what is no sealed object of `age`, or no longer.
fn damaged(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests;
