use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Annotation, Entry, Note};
use crate::verify::{Evidence, Level};

/// What all evidence on a backup says together.
///
/// It is failed while a check has failed and no newer one passed *as deep or deeper*: that the bytes are where they
/// should be says nothing about what they decode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Standing<'a> {
    /// It was never checked.
    Unproven,
    /// A check has failed, and nothing took that back.
    Failed {
        /// How deep the newest of those checks went, as it is written; it may be a level of a later version.
        level: &'a str,
    },
    /// It was checked, and everything was as recorded.
    Proven {
        /// How deep.
        level: Level,
    },
}

impl Entry {
    /// What all evidence says together.
    ///
    /// A verification whose record this version cannot read counts as a failure unless it says that it passed.
    #[must_use]
    pub fn standing(&self) -> Standing<'_> {
        match (self.failure(), self.proven()) {
            (Some(check), _) => Standing::Failed { level: check.level },
            (None, Some(evidence)) => Standing::Proven { level: evidence.level },
            (None, None) => Standing::Unproven,
        }
    }

    /// The newest evidence of the deepest level that passed since the last failure; `None` while the backup is
    /// [failed](Standing::Failed).
    #[must_use]
    pub fn proven(&self) -> Option<&Evidence> {
        if self.failure().is_some() {
            return None;
        }
        let mut best: Option<&Evidence> = None;
        for annotation in &self.annotations {
            match &annotation.note {
                Note::Verified(found) if found.passed() => {
                    best = best.filter(|best| best.level > found.level).or(Some(found));
                }
                note if note.is_failure() => best = None,
                _ => {}
            }
        }
        best
    }

    /// When it was last proven so deep; `None` while the backup is [failed](Standing::Failed).
    #[must_use]
    pub fn proven_at(&self, level: Level) -> Option<DateTime<Utc>> {
        self.proven()?;
        let proofs = self.annotations.iter().filter_map(|annotation| match &annotation.note {
            Note::Verified(found) if found.passed() && found.level >= level => Some(annotation.at),
            _ => None,
        });
        proofs.max()
    }

    /// Whether it counts as a backup that is there: no check has [failed](Standing::Failed), and nobody deletes it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failure().is_none() && !self.is_being_deleted()
    }

    /// The newest failure that no newer pass took back.
    fn failure(&self) -> Option<Check<'_>> {
        let mut passes: Vec<Check<'_>> = Vec::new();
        for check in self.annotations.iter().rev().filter_map(Check::of) {
            if check.passed {
                passes.push(check);
            } else if !passes.iter().any(|pass| pass.takes_back(check)) {
                return Some(check);
            }
        }
        None
    }
}

/// The verdict of one record.
#[derive(Clone, Copy)]
struct Check<'a> {
    level: &'a str,
    passed: bool,
}

impl<'a> Check<'a> {
    fn of(annotation: &'a Annotation) -> Option<Self> {
        let note = &annotation.note;
        let level = match note {
            Note::Verified(evidence) => evidence.level.name(),
            Note::Other(fields) if note.name() == "verified" => {
                fields.get("level").and_then(serde_json::Value::as_str).unwrap_or("unknown")
            }
            _ => return None,
        };
        Some(Self { level, passed: !note.is_failure() })
    }

    /// Whether this pass is as deep as that failure; levels of a later version are only as deep as themselves.
    fn takes_back(self, failure: Self) -> bool {
        match (self.level.parse::<Level>(), failure.level.parse::<Level>()) {
            (Ok(passed), Ok(failed)) => passed >= failed,
            _ => self.level == failure.level && self.level != "unknown",
        }
    }
}
