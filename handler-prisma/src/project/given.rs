//! [`GivenUrl`]: whether a URL that was given leads where the Prisma CLI goes.

use backup_core::{Error, ErrorKind, Result};

/// How a URL that was given stands to the one that the Prisma CLI uses, which is always the project's own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GivenUrl {
    /// None was given: the project's own is used.
    NotGiven,
    /// Both lead to the same database.
    Same,
    /// The project's own leads elsewhere: a deploy changes that database, and not the one that was given.
    Other {
        /// Where the project's own leads, without secrets.
        own: String,
        /// Where it was found.
        from: String,
        /// The environment variable by which the Prisma CLI would be led to the one that was given.
        variable: Option<String>,
    },
    /// Nobody knows, because the project's own was not found.
    Unknown {
        /// Why not, without secrets.
        because: String,
        /// The environment variable by which the Prisma CLI would be led to the one that was given.
        variable: Option<String>,
    },
}

impl GivenUrl {
    /// The environment variable that has to hold the URL that was given, for the Prisma CLI to use it too; none where it
    /// does so already, or cannot be told.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::NotGiven | Self::Same => None,
            Self::Other { variable, .. } | Self::Unknown { variable, .. } => variable.as_deref(),
        }
    }

    /// Refuses a URL that does not surely lead where the Prisma CLI goes; `given` is where it leads, without secrets.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput), naming both databases.
    pub fn ensure_same(&self, given: &str) -> Result<()> {
        let (err, variable) = match self {
            Self::NotGiven | Self::Same => return Ok(()),
            Self::Other { own, from, variable } => {
                let message = "the given database is not the one that prisma migrate deploy would change";
                let err = Error::new(ErrorKind::InvalidInput, message);
                let err = err.with_context("given", given).with_context("the_projects_own", own);
                (err.with_context("its_url_from", from), variable)
            }
            Self::Unknown { because, variable } => {
                let message = "nobody knows whether prisma migrate deploy would change the given database";
                let err = Error::new(ErrorKind::InvalidInput, message);
                (err.with_context("given", given).with_context("because", because), variable)
            }
        };
        Err(match variable {
            Some(name) => {
                err.with_suggestion(format!("give no URL, and set {name} to that of the right database"))
            }
            None => err.with_suggestion("give no URL, and let the project say that of the right database"),
        })
    }
}
