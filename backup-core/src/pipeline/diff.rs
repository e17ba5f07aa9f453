//! [`Pipeline::diff`]: compares backups with each other and with a live database.

use std::sync::Arc;

use super::{Pipeline, meter::Meter, rehearse::inventory_of, verify::drain};
use crate::{
    BackupRef, Diff, Dumper, Entry, Error, ErrorKind, Inventory, Operation, Result, inventory::Inspector,
    verify::stored,
};

/// What is compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DiffSide {
    /// A backup.
    Backup(BackupRef),
    /// What a database holds now: it is dumped and looked at, and nothing is stored.
    Database(Arc<dyn Dumper>),
}

impl From<&BackupRef> for DiffSide {
    fn from(backup: &BackupRef) -> Self {
        Self::Backup(backup.clone())
    }
}

impl DiffSide {
    /// What the database of this dumper holds now.
    pub fn database(dumper: impl Dumper) -> Self {
        Self::Database(Arc::new(dumper))
    }
}

impl Pipeline {
    /// Says in what `after` differs from `before`: tables, definitions, rows.
    ///
    /// A backup whose manifest does not tell everything is read for it; of an encrypted one that takes the identity. Both should be dumps of one tool and one
    /// version of server: another one may write the same in other words.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) where a backup is damaged, [`Unsupported`](ErrorKind::Unsupported) where its
    /// format does not show what it holds.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn diff(&self, before: &DiffSide, after: &DiffSide) -> Result<Diff> {
        let compare =
            async { Ok::<_, Error>(Diff::between(&self.side(before).await?, &self.side(after).await?)) };
        compare.await.map_err(|err| err.with_operation("diff"))
    }

    async fn side(&self, side: &DiffSide) -> Result<Inventory> {
        match side {
            DiffSide::Backup(backup) => {
                let mut entry = self.entry(backup).await?;
                self.unseal(&mut entry.manifest).await?;
                self.backup_inventory(&entry).await
            }
            DiffSide::Database(dumper) => {
                let source = self.within("probe", dumper.probe()).await?;
                inventory_of(dumper, &Meter::default()).await?.ok_or_else(|| {
                    hidden("the dump's format does not show what it holds")
                        .with_context("database", source.database)
                })
            }
        }
    }

    /// Everything that can be known of what a backup holds.
    async fn backup_inventory(&self, entry: &Entry) -> Result<Inventory> {
        let manifest = &entry.manifest;
        if let Some(inventory) = manifest.inventory.as_ref().filter(|inventory| is_thorough(inventory)) {
            return Ok(inventory.clone());
        }
        let inspector = Inspector::with_checksums(&manifest.engine, &manifest.format);
        let meter = Meter { estimate: Some(manifest.plain.size), ..Meter::default() };
        let read = async {
            let codec = self.codec(manifest)?;
            let (artifact, plain) = (&manifest.artifact, &manifest.plain);
            let (stored, decoded) = (meter.stored.clone(), meter.plain.clone());
            let (body, held) =
                stored::open_plain(&*self.store, artifact, plain, &codec, inspector, stored, decoded).await?;
            drain(body).await?;
            Ok(held.take().flatten())
        };
        let backup = manifest.backup_ref();
        let held = self.watch(Operation::Verify, &backup, &meter, Box::pin(read)).await?;
        let rehearsed = || entry.rehearsed().and_then(|(_, rehearsed)| rehearsed.inventory.clone());
        held.or_else(rehearsed).or_else(|| manifest.inventory.clone()).ok_or_else(|| {
            hidden("the backup's format does not show what it holds")
                .with_context("backup", &backup)
                .with_context("format", &manifest.format)
        })
    }
}

/// Whether it tells definitions and checksums too.
fn is_thorough(inventory: &Inventory) -> bool {
    let tells = |table: &crate::TableInventory| {
        table.definition.is_some() && (table.checksum.is_some() || table.rows == 0)
    };
    !inventory.objects.is_empty() && inventory.tables.iter().all(tells)
}

fn hidden(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
        .with_suggestion("dump in the plain format, or verify the backup at the level restored first")
}
