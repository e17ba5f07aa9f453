use futures::StreamExt;

use super::{Catalog, Entry, Filter};
use crate::{BackupId, BackupRef, Error, ErrorKind, Result};

/// Looks up the backup that somebody named on a command line: `environment/database/id`, or just `id`.
///
/// A damaged entry does not stand in the way of finding another one.
///
/// # Errors
///
/// - [`NotFound`](ErrorKind::NotFound) where there is no such backup.
/// - [`InvalidInput`](ErrorKind::InvalidInput) for a text that is no name of a backup, and for an id that several
///   environments or databases have; the suggestions list them.
/// - [`Corrupt`](ErrorKind::Corrupt) where the entry is there and cannot be read.
///
/// # Cancel safety
///
/// Cancel-safe.
pub async fn find(catalog: &(impl Catalog + ?Sized), text: &str) -> Result<Entry> {
    if text.contains('/') {
        return catalog.get(&text.parse::<BackupRef>()?).await;
    }
    let id = BackupId::parse(text)?;
    let mut found: Vec<Entry> = Vec::new();
    let mut damaged = None;
    let mut entries = catalog.list(&Filter::all());
    while let Some(entry) = entries.next().await {
        match entry {
            Ok(entry) if entry.manifest.id == id => found.push(entry),
            Ok(_) => {}
            Err(err) if !matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                return Err(err);
            }
            Err(err) if names(&err, &id) => damaged = Some(err),
            Err(err) => tracing::warn!(%err, "passing over a damaged entry of the catalog"),
        }
    }
    match (found.pop(), damaged) {
        (Some(entry), None) if found.is_empty() => Ok(entry),
        (None, Some(err)) => Err(err),
        (None, None) => Err(Error::new(ErrorKind::NotFound, "no such backup").with_context("id", id)),
        (Some(last), damaged) => {
            found.push(last);
            let mut err =
                Error::new(ErrorKind::InvalidInput, "several backups have this id").with_context("id", id);
            let mut names: Vec<_> =
                found.iter().map(|entry| entry.manifest.backup_ref().to_string()).collect();
            names.sort_unstable();
            for name in names {
                err = err.with_suggestion(format!("name it in full: {name}"));
            }
            Err(match damaged {
                Some(damaged) => err.with_source(damaged),
                None => err,
            })
        }
    }
}

/// Whether the error is about a backup of this id, as far as its context tells.
fn names(err: &Error, id: &BackupId) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    err.context().any(|(_, value)| {
        value
            .split(|character: char| !u8::try_from(character).is_ok_and(is_name))
            .any(|word| word == id.as_str())
    })
}
