use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Result, verify::Evidence};

/// A record on a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Annotation {
    /// When it was recorded, UTC.
    pub at: DateTime<Utc>,
    /// What was recorded.
    #[serde(flatten)]
    pub note: Note,
    /// Fields that a later version added.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Annotation {
    /// Records `note` at a time, to the millisecond.
    #[must_use]
    pub fn new(at: DateTime<Utc>, note: Note) -> Self {
        Self { at: at.trunc_subsecs(3), note, extra: Map::new() }
    }

    /// The record as JSON, checked to be one that reads back as it is.
    pub(super) fn to_json(&self) -> Result<String> {
        let refuse = || {
            Error::new(ErrorKind::InvalidInput, "the record would not read back as it is")
                .with_context("note", self.note.name().escape_debug())
        };
        let json = serde_json::to_string(self).map_err(|err| refuse().with_source(err))?;
        match serde_json::from_str::<Self>(&json) {
            Ok(read) if read == *self => Ok(json),
            Ok(_) => Err(refuse()),
            Err(err) => Err(refuse().with_source(err)),
        }
    }
}

/// By hand, because two flattened fields would each take what belongs to the other.
impl<'de> Deserialize<'de> for Annotation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            at: DateTime<Utc>,
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let Fields { at, rest } = Fields::deserialize(deserializer)?;
        let note = match rest.get("note") {
            // Of an enum serde takes a number for the variant at that place, so that 1 would be `held`.
            Some(name) if !name.is_string() => Note::Other(rest.clone()),
            _ => Note::deserialize(Value::Object(rest.clone())).map_err(D::Error::custom)?,
        };
        let known = match serde_json::to_value(&note).map_err(D::Error::custom)? {
            Value::Object(known) => known,
            _ => Map::new(),
        };
        let extra = rest.into_iter().filter(|(field, _)| !known.contains_key(field)).collect();
        Ok(Self { at, note, extra })
    }
}

/// What is recorded on a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// It was verified, with this result.
    Verified(Evidence),
    /// It must not be deleted.
    Held {
        /// Why.
        reason: String,
    },
    /// It may be deleted again.
    Released {
        /// Why.
        reason: String,
    },
    /// It is being deleted; whatever is left of it is to be deleted too.
    Pruning {
        /// Why.
        reason: String,
    },
    /// Something that a later version records, or one of the above with content that only it can read.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl Note {
    /// What it is, as it is written: `held`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Verified(_) => "verified",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Pruning { .. } => "pruning",
            Self::Other(fields) => fields.get("note").and_then(Value::as_str).unwrap_or_default(),
        }
    }

    /// Whether it is a verification that did not pass, or does not say so in a way that this version reads.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Verified(evidence) => !evidence.passed(),
            Self::Other(fields) => {
                self.name() == "verified" && fields.get("result").and_then(Value::as_str) != Some("passed")
            }
            _ => false,
        }
    }

    /// Whether it keeps the backup from being deleted, or doubts it.
    pub(super) fn is_cautious(&self) -> bool {
        self.name() == "held" || self.is_failure()
    }
}
