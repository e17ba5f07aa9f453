//! [`StoreCatalog`]: the manifests beside the artifacts are the catalog.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    FutureExt, StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};

use super::{Annotation, Catalog, Entry, Filter, encode, not_found};
use crate::{
    BackupRef, Digest, Error, ErrorKind, Key, Manifest, Prefix, PutOptions, Result, Store, StoreExt,
    manifest::{Layout, MAX_MANIFEST_BYTES},
    store::{CopiesFailed, StoredCopy},
};

/// How many manifests are read at once while listing.
const MANIFEST_READS: usize = 32;
/// How many notes of one backup are read at once.
const NOTE_READS: usize = 8;
/// The largest note, in bytes.
pub(crate) const MAX_NOTE_BYTES: usize = 16 * 1024 * 1024;
/// After how many errors a listing is given up.
const MAX_LISTING_ERRORS: usize = 100;

/// Keeps the manifests in a [`Store`], beside the artifacts, where [`Layout`] puts them.
///
/// There is no second place that could disagree: the store alone is the truth, and what is copied to another
/// store whole can be read there. A manifest that was moved to another environment, database or name, or that
/// leads to another backup's artifact, is [`Corrupt`](ErrorKind::Corrupt).
///
/// Listing keeps the keys of all manifests and notes in memory, some hundred bytes a backup.
///
/// # Examples
///
/// ```
/// # use backup_core::{Catalog, Filter, MemoryStore, catalog::StoreCatalog};
/// # use futures::TryStreamExt;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let catalog = StoreCatalog::new(MemoryStore::new());
/// let entries: Vec<_> = catalog.list(&Filter::all().with_environment("production")).try_collect().await?;
/// assert!(entries.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StoreCatalog {
    store: Arc<dyn Store>,
}

impl StoreCatalog {
    /// The catalog of what is in `store`.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self { store: Arc::new(store) }
    }
}

#[async_trait]
impl Catalog for StoreCatalog {
    async fn insert(&self, manifest: &Manifest) -> Result<Vec<StoredCopy>> {
        let json = encode(manifest)?;
        let layout = Layout::of(&manifest.backup_ref());
        // Notes that a removal left behind would speak of this backup, which nobody held or verified.
        if let Some(left) = reachable(&*self.store, &layout.notes()?).await?.into_iter().next() {
            return Err(exists(manifest).with_context("note", left).with_suggestion(
                "notes of a removed backup are left: remove it again, or choose another name",
            ));
        }
        // A store that does not hold the whole backup must not look as if it did.
        let incomplete = manifest.copies.iter().filter(|copy| copy.error.is_some());
        let mut options = PutOptions::default()
            .with_digest(Digest::sha256(&json))
            .with_size_hint(json.len() as u64)
            .with_excluded(incomplete.map(|copy| copy.location.clone()).collect());
        options.lock = manifest.lock;
        match self.store.put(&layout.manifest()?, Bytes::from(json).into(), options).await {
            Ok(stored) => Ok(stored.copies),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => Err(exists(manifest).with_source(err)),
            Err(err) => Err(err),
        }
    }

    async fn get(&self, backup: &BackupRef) -> Result<Entry> {
        let key = Layout::of(backup).manifest()?;
        read_entry(&*self.store, &key, None, &Filter::all()).await?.ok_or_else(|| not_found(backup))
    }

    async fn annotate(&self, backup: &BackupRef, annotation: &Annotation) -> Result<()> {
        let json = annotation.to_json()?;
        if json.len() > MAX_NOTE_BYTES {
            return Err(Error::new(ErrorKind::InvalidInput, "the record is too large")
                .with_context("limit_bytes", MAX_NOTE_BYTES));
        }
        let layout = Layout::of(backup);
        let manifest = layout.manifest()?;
        if !self.store.exists(&manifest).await? {
            return Err(not_found(backup));
        }
        let note = note_key(&layout.notes()?, annotation)?;
        self.store.put_bytes(&note, json).await?;
        // A removal may have come between: the note would outlive the backup.
        if !self.store.exists(&manifest).await? {
            self.store.delete(&note).await?;
            return Err(not_found(backup));
        }
        Ok(())
    }

    async fn remove(&self, backup: &BackupRef) -> Result<()> {
        let layout = Layout::of(backup);
        // The manifest first: without it there is no backup, whatever notes a crash leaves for the next call.
        self.store.delete(&layout.manifest()?).await?;
        let notes: Vec<_> = self.store.list(&layout.notes()?).try_collect().await?;
        stream::iter(notes)
            .map(|note| {
                let store = Arc::clone(&self.store);
                async move { store.delete(&note.key).await }
            })
            .buffer_unordered(NOTE_READS)
            .try_collect()
            .await
    }

    fn list(&self, filter: &Filter) -> BoxStream<'static, Result<Entry>> {
        let (store, filter) = (Arc::clone(&self.store), filter.clone());
        async move {
            match Listing::of(&*store, &filter).await {
                Ok(listing) => listing.into_entries(store, filter),
                Err(err) => stream::iter([Err(err)]).boxed(),
            }
        }
        .flatten_stream()
        .boxed()
    }
}

/// The keys of manifests and notes below a prefix.
struct Listing {
    manifests: Vec<Key>,
    /// By what the keys of manifest and notes of one backup begin with.
    notes: HashMap<String, Vec<Key>>,
    /// Why the listing may be incomplete.
    errors: Vec<Error>,
}

impl Listing {
    async fn of(store: &dyn Store, filter: &Filter) -> Result<Self> {
        let prefix = match (&filter.environment, &filter.database) {
            (Some(environment), database) => Layout::folder(environment, database.as_deref())?,
            (None, _) => Prefix::root(),
        };
        let database = filter.database.as_deref().map(Key::escape);
        let mut listing = Self { manifests: Vec::new(), notes: HashMap::new(), errors: Vec::new() };
        let mut objects = store.list(&prefix);
        while let Some(object) = objects.next().await {
            match object {
                Ok(object) => listing.add(object.key, database.as_deref()),
                Err(err) => listing.errors.push(err),
            }
            if listing.errors.len() >= MAX_LISTING_ERRORS {
                break;
            }
        }
        Ok(listing)
    }

    /// Keeps what is a manifest or a note by its key; claims, artifacts and strangers are none of both.
    fn add(&mut self, key: Key, database: Option<&str>) {
        if database.is_some_and(|database| key.segments().nth(1) != Some(database)) {
            return;
        }
        match key.segments().count() {
            3 if key.name().ends_with(Layout::MANIFEST) => self.manifests.push(key),
            4 => {
                if let Some(backup) = key
                    .as_str()
                    .strip_suffix(key.name())
                    .and_then(|folder| folder.strip_suffix('/'))
                    .and_then(|folder| folder.strip_suffix(Layout::NOTES))
                {
                    self.notes.entry(backup.to_owned()).or_default().push(key);
                }
            }
            _ => {}
        }
    }

    fn into_entries(mut self, store: Arc<dyn Store>, filter: Filter) -> BoxStream<'static, Result<Entry>> {
        // Where the listing may lack notes, a hold may be among them: each backup's are listed anew then.
        // What lies in a store that is away nobody can list; the error tells that, and whoever deletes heeds it.
        let complete = self.errors.iter().all(CopiesFailed::is_partial);
        let entries = stream::iter(self.manifests)
            .map(move |key| {
                let listed =
                    key.as_str().strip_suffix(Layout::MANIFEST).and_then(|key| self.notes.remove(key));
                let notes = complete.then(|| listed.unwrap_or_default());
                let (store, filter) = (Arc::clone(&store), filter.clone());
                async move { read_entry(&*store, &key, notes, &filter).await }
            })
            .buffer_unordered(MANIFEST_READS)
            .filter_map(|entry| async move { entry.transpose() });
        stream::iter(self.errors.into_iter().map(Err)).chain(entries).boxed()
    }
}

/// Reads a backup; `None` where it is not there, or not one that the filter selects.
async fn read_entry(
    store: &dyn Store,
    key: &Key,
    notes: Option<Vec<Key>>,
    filter: &Filter,
) -> Result<Option<Entry>> {
    let json = match store.get_bytes(key, MAX_MANIFEST_BYTES).await {
        Ok(json) => json,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err.with_context("key", key)),
    };
    let manifest = Manifest::from_json(&json).map_err(|err| unreadable(err, key))?;
    check_place(&manifest, key)?;
    if !filter.selects(&manifest) {
        return Ok(None);
    }
    let place = Layout::of(&manifest.backup_ref()).notes()?;
    let notes = match notes {
        Some(notes) => notes,
        None => reachable(store, &place).await?,
    };
    let annotations = match read_notes(store, notes).await {
        // Notes vanish when their backup was removed meanwhile, or when one was taken back that not all of several
        // stores took.
        Err(err) if err.kind() == ErrorKind::NotFound => {
            if !store.exists(key).await? {
                return Ok(None);
            }
            read_notes(store, reachable(store, &place).await?).await?
        }
        read => read?,
    };
    Ok(Some(Entry::new(manifest, annotations)))
}

async fn read_notes(store: &dyn Store, mut notes: Vec<Key>) -> Result<Vec<Annotation>> {
    notes.sort_unstable();
    stream::iter(notes).map(|note| read_note(store, note)).buffered(NOTE_READS).try_collect().await
}

/// The keys below a prefix in those of several stores that can be listed: enough for reading, and never for deleting.
async fn reachable(store: &dyn Store, prefix: &Prefix) -> Result<Vec<Key>> {
    let found = store.list(prefix).map_ok(|object| object.key);
    found.filter(|key| future::ready(!key.as_ref().is_err_and(CopiesFailed::is_partial))).try_collect().await
}

/// Says what to do about a manifest that cannot be read.
fn unreadable(err: Error, key: &Key) -> Error {
    let err = err.with_context("key", key);
    if err.kind() != ErrorKind::Corrupt {
        return err;
    }
    let stem = key.as_str().strip_suffix(Layout::MANIFEST).unwrap_or(key.as_str());
    err.with_suggestion(format!("look at the object {key}, and bring it back from a copy of the store"))
        .with_suggestion(format!(
            "to give this backup up, remove the objects of the store that begin with {stem}. (with the dot) by hand"
        ))
}

async fn read_note(store: &dyn Store, key: Key) -> Result<Annotation> {
    let json = store.get_bytes(&key, MAX_NOTE_BYTES).await.map_err(|err| err.with_context("key", &key))?;
    serde_json::from_slice(&json).map_err(|err| {
        Error::new(ErrorKind::Corrupt, "a note on a backup is damaged")
            .with_context("key", &key)
            .with_suggestion("copy the note from another store, or delete it when nothing holds the backup")
            .with_source(err)
    })
}

/// A manifest speaks for the backup whose key it bears, and for no other.
fn check_place(manifest: &Manifest, key: &Key) -> Result<()> {
    let corrupt = |message: &str| Error::new(ErrorKind::Corrupt, message).with_context("key", key);
    let names = manifest.backup_ref();
    match Layout::of(&names).manifest() {
        Ok(place) if place == *key => {}
        _ => {
            return Err(corrupt("the manifest is of another backup than its key says")
                .with_context("backup", names)
                .with_suggestion("put it back to where it was, with its artifact and notes"));
        }
    }
    manifest
        .check_layout()
        .map_err(|err| corrupt("the manifest leads to another backup's artifact").with_source(err))
}

/// A key that no other note has.
fn note_key(notes: &Prefix, annotation: &Annotation) -> Result<Key> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "no random numbers").with_source(err))?;
    let at = annotation.at.format("%Y%m%dT%H%M%S%.3fZ");
    Key::parse(format!("{notes}/{at}-{}.json", hex::encode(random)))
}

fn exists(manifest: &Manifest) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the backup exists already")
        .with_context("backup", manifest.backup_ref())
}

#[cfg(test)]
mod tests;
