//! Projects in temporary folders.

use std::path::{Path, PathBuf};

use handler_prisma::{Discovery, PrismaProject};
use tempfile::TempDir;

/// A project made of files.
pub(crate) struct Project {
    pub(crate) folder: TempDir,
}

impl Project {
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        files.into_iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    /// A project that the real CLI has worked on.
    pub(crate) fn of_fixture(name: &str) -> Self {
        let project = Self::new([]);
        copy(&fixture(name), project.root());
        project
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The root without symbolic links, as findings name it.
    pub(crate) fn real(&self, path: &str) -> PathBuf {
        self.root().canonicalize().unwrap().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Says which version is installed.
    pub(crate) fn installed(self, version: &str) -> Self {
        self.write("node_modules/prisma/package.json", &format!("{{\"version\":\"{version}\"}}"));
        self
    }

    /// A search in it, in an environment that holds nothing.
    pub(crate) fn search(&self) -> Discovery {
        Discovery::new(self.root()).with_environment(Vec::<(String, String)>::new())
    }

    pub(crate) async fn discover(&self) -> backup_core::Result<PrismaProject> {
        self.search().run().await
    }
}

/// A file or folder that the real CLI made.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/prisma").join(name)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
