//! [`Variables`]: the environment as the Prisma CLI of a version sees it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use backup_core::{Result, Secret};

use super::{dotenv, files};

/// Environment variables, with where each came from.
#[derive(Default)]
pub(super) struct Variables {
    process: BTreeMap<String, Secret>,
    files: BTreeMap<String, (Secret, PathBuf)>,
    /// What needs a look.
    pub(super) warnings: Vec<String>,
}

impl Variables {
    /// Those of this process, or those that were given instead.
    pub(super) fn new(given: Option<BTreeMap<String, Secret>>) -> Self {
        let process = given.unwrap_or_else(|| {
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?.into()))
                })
                .collect()
        });
        Self { process, ..Self::default() }
    }

    /// Loads a `.env` file; what is set already stays. Says whether there was one.
    pub(super) fn load(&mut self, path: &Path) -> Result<bool> {
        let Some(text) = files::read_if_there(path)? else { return Ok(false) };
        let parsed = dotenv::parse(&text);
        let own = |name: &str| parsed.get(name).cloned();
        for (name, value) in &parsed {
            // The process wins inside an expansion too.
            let known = |name: &str| {
                let earlier = self.files.get(name).map(|(value, _)| value.clone());
                self.process.get(name).cloned().or(earlier).or_else(|| own(name))
            };
            let value = dotenv::expand(value, &known);
            match self.files.get(name) {
                None => {
                    self.files.insert(name.clone(), (value, path.to_owned()));
                }
                Some((earlier, first)) if *earlier == value && first != path => self.warnings.push(format!(
                    "{name} has the same value in {} and in {}: the Prisma CLI calls that a conflict and stops",
                    first.display(),
                    path.display(),
                )),
                Some(_) => {}
            }
        }
        Ok(true)
    }

    /// The value of a variable, and where it is set.
    pub(super) fn get(&self, name: &str) -> Option<(Secret, String)> {
        if let Some(value) = self.process.get(name) {
            return Some((value.clone(), "the environment".to_owned()));
        }
        self.files.get(name).map(|(value, path)| (value.clone(), path.display().to_string()))
    }
}
