use std::collections::{BTreeMap, HashSet};

use futures::StreamExt;
use serde::Serialize;

use super::Pipeline;
use crate::{BackupRef, Key, Prefix, Result, StoreExt, manifest::Layout};

/// How many keys are named.
const NAMED: usize = 20;

/// Objects that bear the name of a backup which does not exist, and of which no claim says that they may be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Orphans {
    /// How many objects.
    pub objects: u64,
    /// How many bytes they hold.
    pub bytes: u64,
    /// The keys of the first of them.
    pub keys: Vec<Key>,
}

impl Pipeline {
    /// Finds objects without a manifest, which nothing lists, restores or sweeps.
    ///
    /// They are left when somebody removes a manifest by other means than [`delete`](Self::delete), or when a copy of
    /// a store is not whole. Nothing ever removes them by itself: with its manifest brought back such a backup is
    /// there again.
    ///
    /// # Errors
    ///
    /// Those of store and catalog.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn orphans(&self) -> Result<Orphans> {
        let mut named: HashSet<String> = HashSet::new();
        let mut others: BTreeMap<String, Vec<(Key, u64)>> = BTreeMap::new();
        let mut objects = self.store.list(&Prefix::root());
        while let Some(object) = objects.next().await {
            let object = object?;
            let Some(stem) = self.stem_of(&object.key) else { continue };
            let ending = object.key.as_str().get(stem.len()..).unwrap_or_default();
            if ending == Layout::MANIFEST || ending == Layout::CLAIM {
                others.remove(stem);
                named.insert(stem.to_owned());
            } else if ending != Layout::SWEPT && !named.contains(stem) {
                others.entry(stem.to_owned()).or_default().push((object.key, object.size));
            }
        }
        let mut orphans = Orphans::default();
        for (stem, left) in others {
            if self.is_explained(&stem).await? {
                continue;
            }
            for (key, size) in left {
                // Gone meanwhile: a deletion came between.
                if !self.store.exists(&key).await? {
                    continue;
                }
                orphans.objects += 1;
                orphans.bytes += size;
                if orphans.keys.len() < NAMED {
                    orphans.keys.push(key);
                }
            }
        }
        Ok(orphans)
    }

    /// Whether a manifest or a claim is there after all: a listing is no single moment.
    async fn is_explained(&self, stem: &str) -> Result<bool> {
        let claim = Key::parse(format!("{stem}{}", Layout::CLAIM))?;
        Ok(self.store.exists(&claim).await? || self.is_catalogued(stem).await?)
    }

    /// `environment/database/id` of what can be an object of a backup; `None` for what is none of ours.
    fn stem_of<'a>(&self, key: &'a Key) -> Option<&'a str> {
        let text = key.as_str();
        let name = key.segments().nth(2)?;
        let is_name = |id: &str| {
            id.starts_with("backup-") || self.names.as_ref().is_some_and(|template| template.matches(id))
        };
        let id = name.split_once('.').map(|(id, _)| id).filter(|id| is_name(id))?;
        let start = key.segments().take(2).map(|segment| segment.len() + 1).sum::<usize>();
        let stem = text.get(..start + id.len())?;
        // A note lies one deeper; anything else that does is not ours.
        let is_note = key.segments().count() == 4 && name.ends_with(Layout::NOTES);
        (stem.parse::<BackupRef>().is_ok() && (key.segments().count() == 3 || is_note)).then_some(stem)
    }
}
