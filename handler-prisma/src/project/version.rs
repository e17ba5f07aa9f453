//! [`PrismaVersion`]: which rules hold.

use std::{fmt, path::Path};

use backup_core::{Error, ErrorKind, Result};

use super::{files, package::Package};

/// A version of Prisma, as far as the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PrismaVersion {
    /// The 6 of 6.19.3.
    pub major: u32,
    /// The 19 of 6.19.3.
    pub minor: u32,
}

impl PrismaVersion {
    /// A version.
    #[must_use]
    pub fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `6.19.3`, and of a range such as `^6.2.0` or `7.x` the least version that it takes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['^', '~', '=', 'v', '>', ' ']);
        let mut numbers = text.split(['.', '-', ' ', '+']);
        let major = numbers.next()?.parse().ok()?;
        // A range of any minor version is likely to be at its newest.
        let minor = numbers.next().map_or(Some(u32::MAX), |minor| match minor {
            "x" | "*" => Some(u32::MAX),
            minor => minor.parse().ok(),
        })?;
        Some(Self { major, minor })
    }

    /// Refuses versions that work in another way, and those before the first that is known.
    pub(super) fn check(self) -> Result<Self> {
        if (4..=7).contains(&self.major) {
            return Ok(self);
        }
        let err = Error::new(ErrorKind::Unsupported, "this version of Prisma is not known here")
            .with_context("prisma", self);
        Err(if self.major > 7 {
            err.with_suggestion(
                "Prisma 8 keeps its migrations in another way; back the database up by its URL, without the migrations",
            )
        } else {
            err.with_suggestion("versions 4 to 7 are known; back the database up by its URL")
        })
    }
}

impl fmt::Display for PrismaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            u32::MAX => write!(f, "{}.x", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

/// The installed version, else the one that the project asks for; with where it was found and by which rule.
pub(super) fn find(
    root: &Path,
    package: Option<&Package>,
) -> Result<Option<(PrismaVersion, String, String)>> {
    for folder in root.ancestors() {
        for name in ["prisma", "@prisma/client"] {
            let path = folder.join("node_modules").join(name).join("package.json");
            let Some(text) = files::read_if_there(&path)? else { continue };
            let version = Package::parse(&text).and_then(|package| package.version);
            if let Some(version) = version.as_deref().and_then(PrismaVersion::parse) {
                return Ok(Some((
                    version,
                    path.display().to_string(),
                    format!("{version} is installed there"),
                )));
            }
        }
    }
    let asked = package.and_then(|package| Some((package, package.prisma_range()?)));
    Ok(asked.and_then(|(package, range)| {
        let version = PrismaVersion::parse(range)?;
        let because = format!("it asks for {}, and nothing is installed", range.escape_debug());
        Some((version, package.path.display().to_string(), because))
    }))
}
