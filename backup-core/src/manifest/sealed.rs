//! [`Sealed`]: what a manifest tells of the rows of an encrypted backup, for its recipients alone.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{FrameIndex, Manifest};
use crate::{ByteStream, Digest, Encryptor, Error, ErrorKind, Inventory, Result, Stages};

/// Everything that is computed from the plain bytes.
///
/// A digest or a checksum that stood in clear would confirm any guess of what it is of, and the difference of a table's sums
/// in two backups is the hash of the row that came in between.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    /// The digest of the artifact that this was sealed for: the part of another manifest does not fit.
    artifact: Digest,
    plain: Option<Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    companions: BTreeMap<String, Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inventory: Option<Inventory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frames: Option<FrameIndex>,
}

impl Manifest {
    /// Moves what is computed from plain bytes into [`Encryption::sealed`](super::Encryption::sealed), of a backup that is
    /// encrypted.
    pub(crate) async fn seal(&mut self, encryptor: &dyn Encryptor) -> Result<()> {
        let Some(encryption) = &mut self.encryption else { return Ok(()) };
        let companions = self.companions.iter_mut();
        let sealed = Sealed {
            artifact: self.artifact.digest,
            plain: self.plain.digest.take(),
            companions: companions
                .filter_map(|(name, companion)| Some((name.clone(), companion.plain.digest.take()?)))
                .collect(),
            inventory: self.inventory.clone(),
            frames: self.frames.take(),
        };
        if let Some(inventory) = &mut self.inventory {
            inventory.remove_fingerprints();
        }
        let json = serde_json::to_vec(&sealed).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "cannot write the sealed part of the manifest").with_source(err)
        })?;
        let stages = Stages::new().transform(encryptor.seal()?);
        let sealed = stages.run(ByteStream::from(Bytes::from(json))).collect_bytes(usize::MAX).await?;
        encryption.sealed = Some(BASE64.encode(sealed));
        Ok(())
    }

    /// Puts back what [`seal`](Self::seal) moved; one that has no sealed part stays as it is.
    ///
    /// What comes of it is never written.
    pub(crate) async fn unseal(&mut self, encryptor: &dyn Encryptor) -> Result<()> {
        let Some(sealed) = self.encryption.as_ref().and_then(|used| used.sealed.as_ref()) else {
            return Ok(());
        };
        let damaged = || Error::new(ErrorKind::Corrupt, "the sealed part of the manifest is damaged");
        let sealed = BASE64.decode(sealed).map_err(|err| damaged().with_source(err))?;
        let stages = Stages::new().transform(encryptor.open()?);
        let json = stages.run(ByteStream::from(Bytes::from(sealed))).collect_bytes(usize::MAX).await?;
        let sealed: Sealed = serde_json::from_slice(&json).map_err(|err| damaged().with_source(err))?;
        let same_tables = match (&sealed.inventory, &self.inventory) {
            (Some(sealed), Some(shown)) => sealed.differences(shown).is_empty(),
            (sealed, shown) => sealed.is_none() && shown.is_none(),
        };
        if sealed.artifact != self.artifact.digest || !same_tables {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the sealed part of the manifest says otherwise than the manifest",
            )
            .with_suggestion("take the manifest from a copy of the store, or restore another backup"));
        }
        self.plain.digest = sealed.plain;
        for (name, companion) in &mut self.companions {
            companion.plain.digest = sealed.companions.get(name).copied();
        }
        (self.inventory, self.frames) = (sealed.inventory, sealed.frames);
        if let Some(encryption) = &mut self.encryption {
            encryption.sealed = None;
        }
        Ok(())
    }
}
