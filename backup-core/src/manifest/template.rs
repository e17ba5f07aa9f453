//! [`IdTemplate`]: names of backups by the user's own pattern.

use std::{collections::HashSet, fmt, str::FromStr};

use chrono::{DateTime, Utc};

use super::{BackupId, Kind, id::check_label};
use crate::{Error, ErrorKind, Result};

/// The longest part of an id that a name of environment or database becomes, in characters.
const MAX_NAME: usize = 40;
/// Higher numbers at the end of an id are no attempts.
const MAX_ATTEMPT: u32 = 9999;

/// A pattern of ids, such as `{database}-{date}-{kind}`, which makes objects like `shop-20261120-daily.sql.gz`.
///
/// Placeholders are `{environment}`, `{database}`, `{kind}`, `{label}`, `{date}` (YYYYMMDD, UTC) and `{time}` (HHMMSS,
/// UTC); `{date}` must be there. What is between them is of `[A-Za-z0-9_-]`, and no template begins with `-`, `_` or `{label}`. A second
/// backup of one name gets `-2`, and so on. Where there is no label, what joins it to its left is left out too.
///
/// In names, bytes that an id cannot hold are written `_XX`, and what is longer than 40 characters is cut. That loses
/// nothing: the folder of the objects has the full names, and an id is only unique within it.
///
/// # Examples
///
/// ```
/// use backup_core::manifest::IdTemplate;
///
/// let template: IdTemplate = "{database}-{date}-{kind}".parse()?;
/// assert!("{database}-{kind}".parse::<IdTemplate>().is_err(), "each backup would have the same name");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Environment,
    Database,
    Kind,
    Label,
    Date,
    Time,
}

impl Field {
    const ALL: [(&str, Self); 6] = [
        ("environment", Self::Environment),
        ("database", Self::Database),
        ("kind", Self::Kind),
        ("label", Self::Label),
        ("date", Self::Date),
        ("time", Self::Time),
    ];
}

/// What a backup is named after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) environment: &'a str,
    pub(crate) database: &'a str,
    pub(crate) kind: Kind,
    pub(crate) label: Option<&'a str>,
    pub(crate) at: DateTime<Utc>,
}

impl IdTemplate {
    /// The id of the `attempt`-th backup (from 1) of one name.
    pub(crate) fn id(&self, named: &Named<'_>, attempt: u32) -> Result<BackupId> {
        let mut id = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => id.push_str(text),
                Piece::Field(Field::Environment) => id.push_str(&shown(named.environment)),
                Piece::Field(Field::Database) => id.push_str(&shown(named.database)),
                Piece::Field(Field::Kind) => id.push_str(named.kind.name()),
                Piece::Field(Field::Date) => id.push_str(&named.at.format("%Y%m%d").to_string()),
                Piece::Field(Field::Time) => id.push_str(&named.at.format("%H%M%S").to_string()),
                Piece::Field(Field::Label) => match named.label {
                    Some(label) => {
                        check_label(label)?;
                        id.push_str(label);
                    }
                    None => id.truncate(id.trim_end_matches(['-', '_']).len()),
                },
            }
        }
        if attempt > 1 {
            id.push_str(&format!("-{attempt}"));
        }
        BackupId::parse(id.trim_start_matches(['-', '_'])).map_err(|err| {
            err.with_context("template", &self.text)
                .with_suggestion("choose a shorter template or label: ids have 120 characters at most")
        })
    }

    /// Which attempt at `first`, the id of the first one, `id` is.
    pub(crate) fn attempt_of(first: &BackupId, id: &str) -> Option<u32> {
        let rest = id.strip_prefix(first.as_str())?;
        if rest.is_empty() {
            return Some(1);
        }
        let number = rest.strip_prefix('-').filter(|digits| !digits.starts_with('0'))?;
        number.parse().ok().filter(|attempt| *attempt <= MAX_ATTEMPT)
    }

    /// Whether the template can have made this id.
    pub(crate) fn matches(&self, id: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let first = id.rsplit_once('-').filter(|(_, attempt)| is_number(attempt)).map(|(first, _)| first);
        begins(&self.pieces, id) || first.is_some_and(|first| begins(&self.pieces, first))
    }
}

/// As [`matches`], for the start of an id, where `-` and `_` are cut off: of a name of nothing else nothing is left.
fn begins(pieces: &[Piece], text: &str) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return false };
    match piece {
        Piece::Literal(literal) => match literal.trim_start_matches(['-', '_']) {
            "" => begins(rest, text),
            left => matches(&[&[Piece::Literal(left.to_owned())], rest].concat(), text),
        },
        Piece::Field(Field::Environment | Field::Database | Field::Label) => {
            matches(pieces, text) || begins(rest, text)
        }
        Piece::Field(_) => matches(pieces, text),
    }
}

fn matches(pieces: &[Piece], text: &str) -> bool {
    reaches_end(pieces, text, &mut HashSet::new())
}

/// What is left of the pieces and of the text tells where it is; `dead` are those places that lead to no end, so that each
/// is left but once, however many ways lead there.
fn reaches_end(pieces: &[Piece], text: &str, dead: &mut HashSet<(usize, usize)>) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return text.is_empty() };
    let place = (pieces.len(), text.len());
    if dead.contains(&place) {
        return false;
    }
    let mut digits = |count: usize| {
        text.split_at_checked(count).is_some_and(|(digits, left)| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && reaches_end(rest, left, dead)
        })
    };
    let reached = match piece {
        Piece::Literal(literal) => {
            let is_before_label = rest.first() == Some(&Piece::Field(Field::Label));
            text.strip_prefix(literal.as_str()).is_some_and(|left| reaches_end(rest, left, dead))
                || is_before_label
                    && text
                        .strip_prefix(literal.trim_end_matches(['-', '_']))
                        .is_some_and(|left| reaches_end(rest.get(1..).unwrap_or_default(), left, dead))
        }
        Piece::Field(Field::Date) => digits(8),
        Piece::Field(Field::Time) => digits(6),
        Piece::Field(Field::Label) if reaches_end(rest, text, dead) => true,
        // Ids are ASCII; those that are not match nowhere.
        Piece::Field(_) => (1..=text.len())
            .any(|at| text.split_at_checked(at).is_some_and(|(_, left)| reaches_end(rest, left, dead))),
    };
    if !reached {
        dead.insert(place);
    }
    reached
}

/// A name with what an id cannot hold written as `_XX`, and cut.
fn shown(name: &str) -> String {
    let mut shown = String::new();
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let piece = if is_plain { char::from(byte).to_string() } else { format!("_{byte:02X}") };
        if shown.len() + piece.len() > MAX_NAME {
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

impl FromStr for IdTemplate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |message: &str| {
            Error::new(ErrorKind::InvalidInput, message).with_context("template", text.escape_debug())
        };
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find('{').unwrap_or(rest.len());
            let (literal, from) = rest.split_at(end);
            if !literal.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
                return Err(invalid("the template of names has characters that no id has")
                    .with_suggestion("use letters, digits, - and _ between the placeholders"));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let Some(placeholder) = from.strip_prefix('{') else { break };
            let (name, left) = placeholder.split_once('}').unzip();
            let name = name.unwrap_or(from);
            let Some((_, field)) = Field::ALL.into_iter().find(|(known, _)| *known == name) else {
                let known = Field::ALL.map(|(known, _)| format!("{{{known}}}")).join(", ");
                return Err(invalid("the template of names has a placeholder that is not known")
                    .with_context("placeholder", name.escape_debug())
                    .with_suggestion(format!("choose of {known}")));
            };
            pieces.push(Piece::Field(field));
            rest = left.unwrap_or_default();
        }
        if !pieces.contains(&Piece::Field(Field::Date)) {
            return Err(invalid("the template of names gives backups of different days one name")
                .with_suggestion("add {date}, and {time} where there are several a day"));
        }
        if text.starts_with(['-', '_']) || pieces.first() == Some(&Piece::Field(Field::Label)) {
            return Err(invalid("the template of names begins with -, _ or {label}, which may be empty")
                .with_suggestion("begin with a letter, a digit or another placeholder"));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }
}

impl fmt::Display for IdTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
