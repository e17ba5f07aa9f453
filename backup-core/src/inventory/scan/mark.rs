//! [`Mark`]: whether the comment that ends a dump was seen, with no statement behind it.

use super::{Error, incomplete};

/// The end mark of a dump in SQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Missing,
    Seen,
    /// Statements follow the mark, so it is none.
    Followed,
}

impl Mark {
    /// The mark is here; a second one changes nothing.
    pub(super) fn see(&mut self) {
        if *self == Self::Missing {
            *self = Self::Seen;
        }
    }

    /// A statement is here.
    pub(super) fn follow(&mut self) {
        if *self == Self::Seen {
            *self = Self::Followed;
        }
    }

    /// The dump ended.
    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Self::Seen => Ok(()),
            Self::Missing => Err(incomplete("the dump has no end mark")),
            Self::Followed => Err(incomplete("the dump goes on behind its end mark")),
        }
    }
}
