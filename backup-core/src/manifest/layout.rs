use super::{BackupId, BackupRef};
use crate::{Error, ErrorKind, Key, Prefix, Result};

/// Where the objects of a backup are: `<environment>/<database>/<id>…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    folder: String,
    id: BackupId,
}

impl Layout {
    /// The ending of manifests' keys.
    pub const MANIFEST: &str = ".manifest.json";
    /// The ending of the claim that marks a backup under way.
    pub const CLAIM: &str = ".claim.json";
    /// The ending of the mark by which a sweep says that it removes what an old claim leads to.
    pub const SWEPT: &str = ".swept.json";
    /// The ending of the folder of annotations.
    pub const NOTES: &str = ".notes";

    /// The layout of one backup.
    #[must_use]
    pub fn of(backup: &BackupRef) -> Self {
        Self {
            folder: format!("{}/{}", Key::escape(&backup.environment), Key::escape(&backup.database)),
            id: backup.id.clone(),
        }
    }

    /// The folder of all backups of an environment and database, or of all databases of an environment.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an empty or too long name: it would select more than it says.
    pub fn folder(environment: &str, database: Option<&str>) -> Result<Prefix> {
        let mut folder = Key::escape(environment);
        if let Some(database) = database {
            folder.push('/');
            folder.push_str(&Key::escape(database));
        }
        if folder.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the name of the environment is empty"));
        }
        Prefix::parse(folder)
    }

    /// The key of the artifact with these extensions: `sql`, `zst`.
    pub fn artifact(&self, extensions: &[&str]) -> Result<Key> {
        let mut key = format!("{}/{}", self.folder, self.id);
        for extension in extensions.iter().filter(|extension| !extension.is_empty()) {
            key.push('.');
            key.push_str(extension);
        }
        Key::parse(key)
    }

    /// The key of the manifest.
    pub fn manifest(&self) -> Result<Key> {
        Key::parse(format!("{}/{}{}", self.folder, self.id, Self::MANIFEST))
    }

    /// The key of the claim that marks a backup under way.
    pub fn claim(&self) -> Result<Key> {
        Key::parse(format!("{}/{}{}", self.folder, self.id, Self::CLAIM))
    }

    /// The key of the mark of a sweep that removes what an old claim leads to.
    pub fn swept(&self) -> Result<Key> {
        Key::parse(format!("{}/{}{}", self.folder, self.id, Self::SWEPT))
    }

    /// The prefix of the annotations.
    pub fn notes(&self) -> Result<Prefix> {
        Prefix::parse(format!("{}/{}{}", self.folder, self.id, Self::NOTES))
    }

    /// Whether `key` can be an artifact or a companion of this backup: it lies beside the manifest, bears the
    /// id, and is neither manifest nor claim nor a sweep's mark nor note.
    #[must_use]
    pub fn holds(&self, key: &Key) -> bool {
        let Some((folder, name)) = key.as_str().rsplit_once('/') else { return false };
        let Some(ending) = name.strip_prefix(self.id.as_str()) else { return false };
        folder == self.folder
            && (ending.is_empty() || ending.starts_with('.'))
            && ![Self::MANIFEST, Self::CLAIM, Self::SWEPT, Self::NOTES].contains(&ending)
    }
}
