//! What the rules say now.

use backup_core::{Key, manifest::Layout};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::StorageClass;

/// Smaller objects cost more in a cooler class: it charges for at least so many bytes.
const LEAST_BYTES: u64 = 128 * 1024;

/// After how many days a backup moves where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rules {
    /// Days, and the class from then on, the fewest days first.
    pub steps: Vec<(u32, StorageClass)>,
}

impl Rules {
    /// No rules: everything stays.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves backups of this age, in days, to a class that costs less and is read at once.
    #[must_use]
    pub fn cool_after(self, days: u32, class: StorageClass) -> Self {
        self.step(days, class)
    }

    /// Moves backups of this age, in days, to a class from which they have to be restored before they can be read: a
    /// verification of such a backup fails until then, and a restore waits for hours.
    #[must_use]
    pub fn archive_after(self, days: u32, class: StorageClass) -> Self {
        self.step(days, class)
    }

    fn step(mut self, days: u32, class: StorageClass) -> Self {
        self.steps.push((days, class));
        self.steps.sort();
        self
    }

    /// The rule for something of this age.
    fn at(&self, days: i64) -> Option<&(u32, StorageClass)> {
        self.steps.iter().rev().find(|(from, _)| i64::from(*from) <= days)
    }
}

/// An object that may move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// Its key.
    pub key: Key,
    /// Its size.
    pub bytes: u64,
    /// When its backup was made, UTC; not when the object was stored, which every move changes.
    pub created_at: DateTime<Utc>,
    /// Its class.
    pub class: StorageClass,
}

impl Candidate {
    /// Describes an object.
    #[must_use]
    pub fn new(key: Key, bytes: u64, created_at: DateTime<Utc>, class: StorageClass) -> Self {
        Self { key, bytes, created_at, class }
    }
}

/// What becomes of all candidates, with reasons; carried out by [`S3Store::transition`](crate::S3Store::transition).
///
/// `Display` is a table for whoever has to agree; `{plan:#}` leaves out what stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The time it was made for, UTC.
    pub made_at: DateTime<Utc>,
    /// The rules it was made by.
    pub rules: Rules,
    /// All candidates, by key.
    pub objects: Vec<Planned>,
}

/// One object of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Planned {
    /// The object.
    #[serde(flatten)]
    pub object: Candidate,
    /// What becomes of it.
    #[serde(flatten)]
    pub decision: Decision,
}

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// It stays.
    Keep {
        /// Why.
        reason: KeepReason,
    },
    /// It moves.
    Move {
        /// Where to.
        to: StorageClass,
        /// The rule: from how many days on.
        after_days: u32,
    },
}

/// Why an object stays in its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeepReason {
    /// It is a manifest or another record, which is read at every turn.
    Record,
    /// No rule is for its age.
    TooYoung,
    /// It is where the rule wants it.
    InPlace,
    /// It is in a colder class; nothing is ever warmed.
    Colder,
    /// It would cost more there than here.
    TooSmall,
    /// The service moves it by itself.
    MovedByService,
    /// Nobody knows how its class compares.
    UnknownClass,
}

impl Plan {
    /// What moves.
    pub fn moves(&self) -> impl Iterator<Item = (&Candidate, &StorageClass)> {
        self.objects.iter().filter_map(|planned| match &planned.decision {
            Decision::Move { to, .. } => Some((&planned.object, to)),
            Decision::Keep { .. } => None,
        })
    }

    /// How many bytes move.
    #[must_use]
    pub fn moved_bytes(&self) -> u64 {
        self.moves().map(|(object, _)| object.bytes).sum()
    }
}

/// Says what moves now: the rule with the most days that the age reaches.
///
/// Records never move, nothing becomes warmer, and what is dated in the future stays.
#[must_use]
pub fn plan(candidates: impl IntoIterator<Item = Candidate>, rules: &Rules, now: DateTime<Utc>) -> Plan {
    let mut objects: Vec<_> = candidates
        .into_iter()
        .map(|object| Planned { decision: decide(&object, rules, now), object })
        .collect();
    objects.sort_by(|a, b| a.object.key.cmp(&b.object.key));
    Plan { made_at: now, rules: rules.clone(), objects }
}

fn decide(object: &Candidate, rules: &Rules, now: DateTime<Utc>) -> Decision {
    let keep = |reason| Decision::Keep { reason };
    if is_record(&object.key) {
        return keep(KeepReason::Record);
    }
    if object.class == StorageClass::IntelligentTiering {
        return keep(KeepReason::MovedByService);
    }
    let age = now.signed_duration_since(object.created_at).num_days();
    let Some((days, to)) = rules.at(age) else { return keep(KeepReason::TooYoung) };
    if object.class == *to {
        return keep(KeepReason::InPlace);
    }
    match (rank(&object.class), rank(to)) {
        (Some(from), Some(to)) if from >= to => keep(KeepReason::Colder),
        (None, _) | (_, None) => keep(KeepReason::UnknownClass),
        _ if object.bytes < LEAST_BYTES => keep(KeepReason::TooSmall),
        _ => Decision::Move { to: to.clone(), after_days: *days },
    }
}

/// How cold a class is; `None` where nobody knows.
fn rank(class: &StorageClass) -> Option<u8> {
    Some(match class {
        StorageClass::Standard => 0,
        StorageClass::StandardIa => 1,
        StorageClass::OneZoneIa | StorageClass::IntelligentTiering => 2,
        StorageClass::GlacierInstantRetrieval => 3,
        StorageClass::Glacier => 4,
        StorageClass::DeepArchive => 5,
        StorageClass::Other(_) => return None,
    })
}

/// Whether an object is a manifest, a claim, a note or a catalog.
pub(crate) fn is_record(key: &Key) -> bool {
    key.name().rsplit('.').next() == Some("json")
        || key.segments().rev().skip(1).any(|folder| folder.ends_with(Layout::NOTES))
}
