//! What must hold of the file of a catalog, whatever it holds.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use std::{collections::BTreeMap, path::Path};

use chrono::DateTime;
use serde_json::{Value, value::RawValue};

use super::document::{Document, read_entry};
use crate::{Annotation, ErrorKind, Result, catalog::Note};

/// Files of catalogs.
pub fn catalog(input: &[u8]) {
    let mut document = match read(input) {
        Ok(document) => document,
        Err(err) => {
            return assert!(matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{err}");
        }
    };
    let written = document.to_json().unwrap().into_bytes();
    let again = read(&written).unwrap();
    assert_eq!(again.to_json().unwrap().as_bytes(), written, "it does not come to rest");
    assert_eq!(unknown(&written), unknown(input), "unknown fields are lost");
    let entries = read(input).unwrap().into_entries();
    let kept = again.into_entries();
    assert!(kept.iter().map(|raw| raw.get()).eq(entries.iter().map(|raw| raw.get())), "entries were changed");
    for raw in entries {
        let Ok(entry) = read_entry(&raw) else { continue };
        let backup = entry.manifest.backup_ref();
        // Of several of one name the first counts.
        let Ok(first) = document.entry(&backup) else { continue };
        let note = Note::Held { reason: "why".to_owned() };
        let annotation = Annotation::new(DateTime::UNIX_EPOCH, note);
        let mut changed = read(document.to_json().unwrap().as_bytes()).unwrap();
        changed.annotate(&backup, annotation.to_json().unwrap()).unwrap();
        let found = read(changed.to_json().unwrap().as_bytes()).unwrap().entry(&backup).unwrap();
        assert_eq!(found.manifest, first.manifest, "a record changes the manifest");
        let records = found.annotations.len();
        assert!(records == first.annotations.len() + 1 && found.annotations.contains(&annotation));
        assert!(document.remove(&backup) && document.position(&backup).is_none());
    }
}

fn read(json: &[u8]) -> Result<Document> {
    Document::from_json(json, Path::new("backups.json"))
}

/// Fields of the file that this version does not know. Of an entry nothing is said: it may hold what nobody can read.
fn unknown(json: &[u8]) -> BTreeMap<String, Value> {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(json).unwrap();
    let unknown = fields.into_iter().filter(|(name, _)| name != "schema_version" && name != "backups");
    unknown.map(|(name, raw)| (name, serde_json::from_str(raw.get()).unwrap())).collect()
}
