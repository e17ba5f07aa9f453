//! `package.json`, as far as it concerns Prisma.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use backup_core::Result;
use serde::Deserialize;

use super::files;

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Package {
    /// Where it is.
    #[serde(skip)]
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    prisma: Option<Settings>,
    #[serde(default, rename = "devDependencies")]
    development: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    dependencies: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Settings {
    #[serde(default)]
    schema: Option<String>,
}

impl Package {
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()
    }

    /// The nearest one, in the folder or above it.
    pub(super) fn nearest(root: &Path) -> Result<Option<Self>> {
        for folder in root.ancestors() {
            let path = folder.join("package.json");
            if let Some(text) = files::read_if_there(&path)? {
                // One that is damaged, or of another shape, says nothing of Prisma.
                return Ok(Some(Self { path, ..Self::parse(&text).unwrap_or_default() }));
            }
        }
        Ok(None)
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// `prisma.schema`, relative to the file.
    pub(super) fn schema(&self) -> Option<PathBuf> {
        Some(self.folder().join(self.prisma.as_ref()?.schema.as_ref()?))
    }

    pub(super) fn prisma_range(&self) -> Option<&str> {
        let range = |name: &str| self.development.get(name).or_else(|| self.dependencies.get(name))?.as_str();
        range("prisma").or_else(|| range("@prisma/client"))
    }
}
