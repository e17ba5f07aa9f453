//! What is known of a backup before any rule.

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{Decision, Doubt, Planned, Retention};
use crate::{BackupId, BackupRef, Entry, Kind, Level, Manifest, Note, catalog::Standing};

/// Everything that a decision needs of an entry.
///
/// It is taken in one go, and small: entries are large and spread over memory, and to visit each of a hundred thousand
/// once more takes longer than to judge it.
pub(super) struct Facts<'a> {
    pub(super) id: BackupId,
    pub(super) created_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) kind: Kind,
    bytes: u64,
    pub(super) proven: Option<Level>,
    pub(super) doubt: Option<Doubt>,
    pub(super) is_held: bool,
    /// Until when its store keeps it, where that is not over.
    pub(super) locked_until: Option<DateTime<Utc>>,
    pub(super) is_future: bool,
    /// Its inventory has no rows.
    pub(super) is_empty: bool,
    /// The manifest, where a tag or label of it may be exempt.
    pub(super) exempt: Option<&'a Manifest>,
    /// A digest of its id, by which twins are found.
    pub(super) id_digest: u64,
}

impl<'a> Facts<'a> {
    pub(super) fn of(entry: &'a Entry, policy: &Retention, now: DateTime<Utc>, state: &mut State) -> Self {
        state.add_entry(entry);
        let manifest = &entry.manifest;
        let proven = entry.proven().map(|evidence| evidence.level);
        let is_future = manifest.created_at > now;
        let doubt = if entry.is_being_deleted() {
            Some(Doubt::BeingDeleted)
        } else if is_future {
            Some(Doubt::Future)
        } else if proven.is_some() {
            None
        } else if let Standing::Failed { level } = entry.standing() {
            Some(Doubt::Failed { level: level.to_owned() })
        } else {
            Some(Doubt::Unproven)
        };
        let tables = manifest.inventory.as_ref().map(|inventory| &inventory.tables);
        Self {
            id: manifest.id.clone(),
            created_at: manifest.created_at,
            finished_at: manifest.finished_at,
            expires_at: manifest.expires_at,
            kind: manifest.kind,
            bytes: manifest.stored_bytes(),
            proven,
            doubt,
            is_held: entry.is_held(),
            locked_until: manifest.lock.filter(|lock| lock.is_active(now)).map(|lock| lock.until),
            is_future,
            is_empty: tables.is_some_and(|tables| tables.iter().all(|table| table.rows == 0)),
            exempt: policy.exempted_by(manifest).map(|_| manifest),
            id_digest: xxh3_64(manifest.id.as_str().as_bytes()),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.doubt.is_none()
    }

    pub(super) fn planned(self, (environment, database): (&str, &str), decision: Decision) -> Planned {
        Planned {
            backup: BackupRef::new(environment, database, self.id),
            created_at: self.created_at,
            kind: self.kind,
            bytes: self.bytes,
            proven: self.proven,
            doubt: self.doubt,
            decision,
        }
    }

    /// By time; the rest only decides between backups of one millisecond, so that each order of the input gives one plan.
    pub(super) fn newest_first(a: &Self, b: &Self) -> std::cmp::Ordering {
        let key = |facts: &Self| (facts.created_at, facts.finished_at);
        key(b).cmp(&key(a)).then_with(|| b.id.cmp(&a.id))
    }
}

/// How many entries are fetched at once.
pub(super) const FETCHED: usize = 64;

/// Has the memory of some entries on its way before they are looked at.
///
/// Each part of an entry lies somewhere else, and a processor waits for many of them in the time of one, if it is asked
/// before it needs the first.
pub(super) fn fetch(entries: &[Entry]) {
    let first = |text: &str| usize::from(text.as_bytes().first().copied().unwrap_or_default());
    let mut sum = 0_usize;
    for Entry { manifest, annotations } in entries {
        sum += first(manifest.id.as_str()) + first(&manifest.environment) + first(&manifest.database);
        let tables = manifest.inventory.as_ref().and_then(|inventory| inventory.tables.first());
        sum += tables.map_or(0, |table| usize::from(table.rows == 0));
        sum += annotations.first().map_or(0, |annotation| annotation.at.timestamp_subsec_millis() as usize);
    }
    std::hint::black_box(sum);
}

/// Digests what a plan depends on, in whatever order it comes.
#[derive(Default)]
pub(super) struct State {
    sum: u128,
    part: Vec<u8>,
}

impl State {
    pub(super) fn fingerprint(&self) -> String {
        format!("xxh3:{:032x}", self.sum)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
    }

    fn add_entry(&mut self, entry: &Entry) {
        let manifest = &entry.manifest;
        self.part.clear();
        for text in [&manifest.environment, &manifest.database, manifest.id.as_str()] {
            self.text(text);
        }
        self.number(manifest.created_at.timestamp_millis());
        self.number(manifest.expires_at.map_or(i64::MIN, |at| at.timestamp_millis()));
        self.part.extend(manifest.artifact.size.to_le_bytes());
        for annotation in &entry.annotations {
            self.number(annotation.at.timestamp_millis());
            self.text(annotation.note.name());
            if let Note::Verified(evidence) = &annotation.note {
                self.text(evidence.level.name());
                self.part.push(u8::from(evidence.passed()));
            }
        }
        if let Some(lock) = manifest.lock {
            // Not as a note begins, and nothing where there is none: plans of before have the same fingerprint.
            self.part.push(0xfe);
            self.number(lock.until.timestamp_millis());
        }
        self.sum = self.sum.wrapping_add(xxh3_128(&self.part));
    }

    fn text(&mut self, text: &str) {
        self.part.extend(text.as_bytes());
        // A byte that no text of UTF-8 holds.
        self.part.push(0xff);
    }

    fn number(&mut self, number: i64) {
        self.part.extend(number.to_le_bytes());
    }
}
