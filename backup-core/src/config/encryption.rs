use super::{Place, SecretRef, Value};
use crate::ErrorKind;
#[cfg(feature = "age")]
use crate::{Result, encrypt::Age};

/// What names nobody is answered with.
const ALLOWED: &str = "write recipients = [\"age1…\"], or passphrase = { file = \"/path\" }";

/// Whom backups are encrypted for, in the format of age.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EncryptionSettings {
    /// Public keys: `age1…`, and with the feature `age-ssh` those of SSH.
    pub recipients: Vec<String>,
    /// Where the private keys are that open backups, on hosts that do so.
    pub identities: Vec<SecretRef>,
    /// Where the passphrase is, which stands in place of keys.
    pub passphrase: Option<SecretRef>,
    /// Where it stands in the file.
    pub place: Place,
}

impl EncryptionSettings {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let recipients = table.take("recipients").map(recipients);
        let identities = table.take("identities").map(|value| {
            let elements = value.array()?.into_iter();
            Some(elements.map(SecretRef::read).collect::<Vec<_>>())
        });
        let passphrase = table.take("passphrase").map(SecretRef::read);
        let place = table.place().clone();
        match (&recipients, &passphrase) {
            (None, None) => table.problem(ErrorKind::InvalidInput, "nobody is named to encrypt for", ALLOWED),
            (Some(_), Some(_)) => {
                let message = "a passphrase and recipients exclude each other";
                table.problem(ErrorKind::InvalidInput, message, "write either recipients or a passphrase");
            }
            (None, Some(_)) if identities.is_some() => {
                let message = "a passphrase needs no identities";
                table.problem(ErrorKind::InvalidInput, message, "leave identities out");
            }
            _ if cfg!(not(feature = "age")) => table.problem(
                ErrorKind::Unsupported,
                "this build cannot encrypt",
                "enable the feature `age` of backup-core",
            ),
            _ => {}
        }
        table.finish();
        Some(Self {
            recipients: recipients.unwrap_or_else(|| Some(Vec::new()))?,
            identities: identities.map_or(Some(Vec::new()), |found| found?.into_iter().collect())?,
            passphrase: passphrase.map_or(Some(None), |passphrase| passphrase.map(Some))?,
            place,
        })
    }

    /// Whether the keys are named that open what is encrypted.
    pub(super) fn opens(&self) -> bool {
        self.passphrase.is_some() || !self.identities.is_empty()
    }

    /// Makes the encryptor, reading identities or passphrase now from where they are.
    ///
    /// # Errors
    ///
    /// Those of secrets, and of what is no identity, with their place in the file.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    #[cfg(feature = "age")]
    pub async fn age(&self) -> Result<Age> {
        let located = |err| self.place.locate(err);
        if let Some(passphrase) = &self.passphrase {
            return Age::for_passphrase(&passphrase.resolve().await?).map_err(located);
        }
        let mut age = Age::for_recipients(&self.recipients).map_err(located)?;
        for identities in &self.identities {
            age = age.with_identities(&identities.resolve().await?).map_err(located)?;
        }
        Ok(age)
    }
}

fn recipients(value: Value<'_, '_>) -> Option<Vec<String>> {
    let (document, place) = (value.document, value.place.clone());
    let elements = value.array()?;
    if elements.is_empty() {
        document.add(place, ErrorKind::InvalidInput, "nobody is named to encrypt for", ALLOWED);
        return None;
    }
    let read: Vec<_> = elements.into_iter().map(recipient).collect();
    read.into_iter().collect()
}

#[cfg(feature = "age")]
fn recipient(value: Value<'_, '_>) -> Option<String> {
    value.parsed(|text| Age::for_recipients([text]).map(|_| text.to_owned()))
}

#[cfg(not(feature = "age"))]
fn recipient(value: Value<'_, '_>) -> Option<String> {
    value.text()
}
