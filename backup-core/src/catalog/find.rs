use futures::StreamExt;

use super::{Catalog, Entry, Filter};
use crate::{BackupId, BackupRef, Error, ErrorKind, Result, store::CopiesFailed};

/// In how many letters two ids differ at most that are taken for one another.
const NEAR: usize = 3;

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
    find_selected(catalog, text, &Filter::all()).await
}

/// [`find`] among the backups that a filter selects: others are not there.
pub(crate) async fn find_selected(
    catalog: &(impl Catalog + ?Sized),
    text: &str,
    filter: &Filter,
) -> Result<Entry> {
    if text.contains('/') {
        let backup = text.parse::<BackupRef>()?;
        // Not even looked at: what is wrong with it is for its own environment.
        if filter.environment.as_ref().is_some_and(|environment| *environment != backup.environment) {
            return Err(super::not_found(&backup));
        }
        let entry = catalog.get(&backup).await?;
        return if filter.selects(&entry.manifest) { Ok(entry) } else { Err(super::not_found(&backup)) };
    }
    let id = BackupId::parse(text)?;
    let mut found: Vec<Entry> = Vec::new();
    let mut damaged = None;
    let mut unreached = None;
    let mut near: Option<(usize, BackupRef)> = None;
    // Of the same name but for the label, or of that label.
    let mut labelled: Option<Entry> = None;
    let mut entries = catalog.list(filter);
    while let Some(entry) = entries.next().await {
        match entry {
            Ok(entry) if entry.manifest.id == id => found.push(entry),
            Ok(entry) if is_labelled(&entry, &id) => {
                labelled = match labelled {
                    Some(newer) if newer.manifest.created_at >= entry.manifest.created_at => Some(newer),
                    _ => Some(entry),
                };
            }
            Ok(entry) => {
                let distance = distance(id.as_str(), entry.manifest.id.as_str());
                if distance <= NEAR && near.as_ref().is_none_or(|(least, _)| distance < *least) {
                    near = Some((distance, entry.manifest.backup_ref()));
                }
            }
            Err(err) if CopiesFailed::is_partial(&err) => unreached = Some(err),
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
        (None, None) => {
            // It may be where nobody could look.
            if let Some(err) = unreached {
                return Err(err.with_context("id", id));
            }
            let err = Error::new(ErrorKind::NotFound, "no such backup").with_context("id", id);
            let labelled = labelled.map(|entry| entry.manifest.backup_ref());
            Err(match labelled.or(near.map(|(_, near)| near)) {
                Some(near) => err.with_suggestion(format!("did you mean {near}?")),
                None => err,
            })
        }
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

/// Whether the text is an id but for its label, or the label alone.
fn is_labelled(entry: &Entry, text: &BackupId) -> bool {
    let tail = entry.manifest.id.as_str().strip_prefix(text.as_str());
    tail.is_some_and(|tail| tail.starts_with('-')) || entry.manifest.label.as_deref() == Some(text.as_str())
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

/// How many letters have to be added, left out or changed to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut left = at + 1;
        let mut next = vec![left];
        for (diagonal, (above, second)) in row.iter().zip(row.iter().skip(1).zip(other.bytes())) {
            left = (diagonal + usize::from(letter != second)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_single_letters() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "bc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
