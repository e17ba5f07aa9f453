//! [`Beside`]: what a database is called that a restore or a rehearsal makes beside its target.

use super::TargetInfo;
use crate::{Error, ErrorKind, Result};

/// How many hex digits a name ends in.
const DIGITS: usize = 8;

/// What a database beside a target is there for; it is named `<name>_<purpose>_<8 hex digits>`.
///
/// For implementers of [`Restorer`](super::Restorer): a name that [`name`](Self::name) makes is one that [`of`](Self::of)
/// knows again, so that a probe can tell of what a killed process left ([`TargetInfo::left_behind`]).
///
/// Both take the engine's rule of how long a name may be: a function of the target's name that returns as much of its
/// beginning as leaves room for so many letters of ASCII.
///
/// # Examples
///
/// ```
/// use backup_core::restore::Beside;
///
/// fn head(name: &str, room: usize) -> &str {
///     name.get(..64 - room).unwrap_or(name)
/// }
///
/// let name = Beside::Restoring.name("shop", head)?;
/// assert!(name.starts_with("shop_restoring_"));
/// assert_eq!(Beside::of("shop", &name, head), Some(Beside::Restoring));
/// assert_eq!(Beside::of("shop", "shop_eu_restoring_0a1b2c3d", head), None);
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beside {
    /// `restoring`: what is being restored, until it takes the target's place.
    Restoring,
    /// `replaced`: what the target held before, until it is dropped.
    Replaced,
    /// `rehearsal`: a throw-away database.
    Rehearsal,
}

impl Beside {
    /// Every purpose.
    const ALL: [Self; 3] = [Self::Restoring, Self::Replaced, Self::Rehearsal];

    fn word(self) -> &'static str {
        match self {
            Self::Restoring => "restoring",
            Self::Replaced => "replaced",
            Self::Rehearsal => "rehearsal",
        }
    }

    /// The name of a new database beside `target`.
    ///
    /// # Errors
    ///
    /// Where the system has no random numbers.
    pub fn name(self, target: &str, head: fn(&str, usize) -> &str) -> Result<String> {
        let mut random = [0_u8; DIGITS / 2];
        getrandom::fill(&mut random).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
        })?;
        let suffix = format!("_{}_{}", self.word(), hex::encode(random));
        Ok(format!("{}{suffix}", head(target, suffix.len())))
    }

    /// What `other` is there for, where [`name`](Self::name) makes it of `target`, or of one that is as long and begins
    /// alike.
    #[must_use]
    pub fn of(target: &str, other: &str, head: fn(&str, usize) -> &str) -> Option<Self> {
        let (begins, purpose) = Self::split(other)?;
        (begins == head(target, other.len().saturating_sub(begins.len()))).then_some(purpose)
    }

    /// Takes a name apart: the name of the target, as far as there was room for it, and the purpose; `None` where no
    /// restore or rehearsal makes such names.
    fn split(name: &str) -> Option<(&str, Self)> {
        let (rest, digits) = name.rsplit_once('_')?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        Self::ALL
            .into_iter()
            .find_map(|purpose| Some((rest.strip_suffix(purpose.word())?.strip_suffix('_')?, purpose)))
    }
}

impl TargetInfo {
    /// Says of each database that was [left behind](Self::left_behind) what it may hold and what to do; one sentence each.
    #[must_use]
    pub fn left_behind_notes(&self) -> Vec<String> {
        self.left_behind.iter().map(|name| note(name, &self.database)).collect()
    }
}

fn note(name: &str, target: &str) -> String {
    if name == target {
        return format!(
            "{target} is not whole: a restore was filling it that may still run or was killed; check that none runs, then \
             restore into it again, replacing what it holds"
        );
    }
    let (maker, holds, advice) = match Beside::split(name).map(|(_, purpose)| purpose) {
        Some(Beside::Restoring) => ("a restore", "what was being restored", ""),
        Some(Beside::Replaced) => (
            "a restore",
            "what the target held before, perhaps the only copy of it",
            " and look whether the target has what it holds",
        ),
        Some(Beside::Rehearsal) => ("a rehearsal", "a throw-away copy of a backup", ""),
        None => ("a restore or a rehearsal", "a part of what was restored", ""),
    };
    format!(
        "{name} lies beside {target}: {maker} made it, which may still run or was killed, and it may hold {holds}; check that \
         none runs{advice}, then drop it (DROP DATABASE)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_restore_makes_are_not_taken_apart() {
        for name in [
            "",
            "shop",
            "shop_restoring",
            "shop_restoring_0a1b2c3",
            "shop_restoring_0a1b2c3d4",
            "shop_restoring_0A1B2C3D",
            "shop_restoring_0a1b2c3g",
            "shop_restoring_0a1b2c3d_old",
            "shop_restoring_0a1b2c3d\n",
            "shop_restored_0a1b2c3d",
            "shoprestoring_0a1b2c3d",
            "restoring_0a1b2c3d",
        ] {
            assert_eq!(Beside::split(name), None, "{name}");
        }
        // One of another target.
        let nested = "shop_restoring_0a1b2c3d_rehearsal_0a1b2c3d";
        assert_eq!(Beside::split(nested), Some(("shop_restoring_0a1b2c3d", Beside::Rehearsal)));
    }

    #[test]
    fn a_note_says_what_may_be_lost() {
        let mut target = TargetInfo::new("shop");
        target.left_behind =
            Beside::ALL.map(|purpose| purpose.name("shop", |name, _| name).unwrap()).to_vec();
        target.left_behind.push("/backups/shop.part".to_owned());
        let notes = target.left_behind_notes();
        for (note, name) in notes.iter().zip(&target.left_behind) {
            assert!(note.starts_with(&format!("{name} lies beside shop: ")), "{note}");
            assert!(note.contains("may still run") && note.contains("DROP DATABASE"), "{note}");
        }
        target.left_behind = vec!["shop".to_owned()];
        let [itself] = target.left_behind_notes().try_into().unwrap();
        assert!(itself.contains("not whole") && !itself.contains("DROP"), "{itself}");
        let only_copy: Vec<bool> = notes.iter().map(|note| note.contains("only copy")).collect();
        assert_eq!(only_copy, [false, true, false, false]);
    }
}
