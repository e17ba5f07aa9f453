//! [`Host`]: the machine on which tools run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Ssh, Tool};
use crate::{Error, ErrorKind, Result};

/// How many bytes of paths a host may name.
const PATHS_BYTES: usize = 1024 * 1024;

/// The machine on which a [`Tool`] runs: this one, or one that is reached by [`Ssh`].
///
/// Clones of a host share its connection.
///
/// # Examples
///
/// ```
/// use backup_core::process::{Host, Ssh};
///
/// assert!(Host::local().is_local());
/// let host = Host::ssh(Ssh::new("backup@db.example")?);
/// assert_eq!(host.name(), Some("backup@db.example"));
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Host(Option<Ssh>);

/// Where [`Host::installed`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places<'a> {
    /// In these folders, and nowhere else; here no `*` is matched.
    Folders(&'a [&'a str]),
    /// In these folders, in which a component may hold a `*`, then in those of `PATH`.
    FoldersAndPath(&'a [&'a str]),
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn local() -> Self {
        Self(None)
    }

    /// A machine that is reached by SSH.
    #[must_use]
    pub fn ssh(ssh: Ssh) -> Self {
        Self(Some(ssh))
    }

    /// True for this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_none()
    }

    /// The name of another machine, as it was given, for messages.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(Ssh::destination)
    }

    pub(super) fn remote(&self) -> Option<&Ssh> {
        self.0.as_ref()
    }

    /// The absolute paths of programs of these `names`, in the order of `folders`, then of `PATH`.
    ///
    /// A component of a folder may hold a `*`, as in `/usr/lib/postgresql/*/bin`; several matches come in the order
    /// of their names. Nothing is run, and finding none is no error.
    ///
    /// # Errors
    ///
    /// Another machine cannot be reached, or refuses.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn find_program(&self, names: &[&str], folders: &[&str]) -> Result<Vec<PathBuf>> {
        check_names(names)?;
        if self.is_local() {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let folders: Vec<_> = folders.iter().map(PathBuf::from).collect();
            return tokio::task::spawn_blocking(move || local::find(&names, &folders)).await.map_err(|err| {
                Error::new(ErrorKind::Unexpected, "a background task did not end").with_source(err)
            });
        }
        Ok(self.look(FIND, names, folders).await?.lines().map(PathBuf::from).collect())
    }

    async fn look(&self, script: &str, names: &[&str], folders: &[&str]) -> Result<String> {
        check_names(names)?;
        let tool = Tool::new("sh", "sh").args(["-c", script, "sh"]).on(self);
        let tool = tool.arg(names.len().to_string()).args(names).args(folders);
        let printed = tool.total_timeout(VERSION_LIMIT).output(PATHS_BYTES).await?.stdout;
        String::from_utf8(printed.into()).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "a path on the host is not UTF-8").with_source(err)
        })
    }
}

impl Host {
    /// The programs that [`find_program`](Self::find_program) finds, each with what it prints first when it is asked
    /// for its version; one that does not run, or prints nothing, is left out.
    ///
    /// On another host that is one command, as each command costs a round trip.
    ///
    /// # Errors
    ///
    /// Those of [`find_program`](Self::find_program); here, why the last program did not run where none did.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn installed(&self, names: &[&str], places: Places<'_>) -> Result<Vec<(PathBuf, String)>> {
        let (folders, path) = match places {
            Places::Folders(folders) => (folders, ""),
            Places::FoldersAndPath(folders) => (folders, "$PATH"),
        };
        if self.is_local() {
            let mut found = self.find_program(names, folders).await?;
            if path.is_empty() {
                found.retain(|file| folders.iter().any(|folder| file.parent() == Some(Path::new(folder))));
            }
            return self.program_versions(&found).await;
        }
        let find = FIND.replace("$PATH", path);
        let script = format!("find() {{\n{find}}}\nfind \"$@\" | {{ {VERSIONS_OF_FOUND} }}");
        let printed = self.look(&script, names, folders).await?;
        let mut lines = printed.lines();
        let mut found = Vec::new();
        while let (Some(path), Some(version)) = (lines.next(), lines.next()) {
            if !version.trim().is_empty() {
                found.push((PathBuf::from(path), version.trim().to_owned()));
            }
        }
        Ok(found)
    }

    /// What each of these programs prints first when it is asked for its version, in their order; one that does not
    /// run, or prints nothing, is left out.
    ///
    /// On another host all of them are asked by one command, as each command costs a round trip.
    ///
    /// # Errors
    ///
    /// Another machine cannot be reached, or refuses; here, why the last program did not run where none did.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn program_versions(&self, programs: &[PathBuf]) -> Result<Vec<(PathBuf, String)>> {
        if programs.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_local() {
            let tool = Tool::new("sh", "sh").args(["-c", VERSIONS, "sh"]).args(programs).on(self);
            let printed = tool.total_timeout(VERSION_LIMIT).output(PATHS_BYTES).await?.stdout;
            let printed = String::from_utf8_lossy(&printed).into_owned();
            let said = programs.iter().cloned().zip(printed.lines().map(|line| line.trim().to_owned()));
            return Ok(said.filter(|(_, version)| !version.is_empty()).collect());
        }
        let (mut found, mut broken) = (Vec::new(), None);
        for program in programs {
            let tool = Tool::new("version", program).arg("--version").env("LC_ALL", "C");
            match tool.total_timeout(VERSION_LIMIT).output(4096).await {
                Ok(output) => {
                    let printed = String::from_utf8_lossy(&output.stdout);
                    let first = printed.lines().next().unwrap_or_default().trim().to_owned();
                    if !first.is_empty() {
                        found.push((program.clone(), first));
                    }
                }
                Err(err) => broken = Some(err),
            }
        }
        match broken {
            Some(err) if found.is_empty() => Err(err),
            _ => Ok(found),
        }
    }
}

fn check_names(names: &[&str]) -> Result<()> {
    if names.iter().any(|name| name.is_empty() || name.contains(['/', '\n'])) {
        return Err(Error::new(ErrorKind::InvalidInput, "the name of a program is empty or a path"));
    }
    Ok(())
}

/// The longest that asking for versions may take.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// Prints one line for each program, empty for one that does not run.
const VERSIONS: &str = r#"
for program; do
  said=$(LC_ALL=C "$program" --version 2>/dev/null </dev/null) || said=
  printf '%s\n' "${said%%
*}"
done
"#;

/// Reads the paths of programs, and prints each with its version on the next line, empty for one that does not run.
const VERSIONS_OF_FOUND: &str = r#"
while IFS= read -r program; do
  said=$(LC_ALL=C "$program" --version 2>/dev/null </dev/null) || said=
  printf '%s\n%s\n' "$program" "${said%%
*}"
done
"#;

/// Prints the paths of programs: `$1` is the number of names, which follow; then come the folders.
///
/// A folder's blanks are kept and its `*` is matched, as `IFS` is empty while it is expanded.
const FIND: &str = r#"
count=$1; shift
names=; while [ "$count" -gt 0 ]; do names="$names$1/"; shift; count=$((count - 1)); done
seen=/
look() {
  rest=$names
  while [ -n "$rest" ]; do
    file=$1/${rest%%/*}; rest=${rest#*/}
    if [ -f "$file" ] && [ -x "$file" ]; then
      case $seen in *"/$file/"*) ;; *) seen="$seen/$file/"; printf '%s\n' "$file" ;; esac
    fi
  done
}
IFS=
for pattern; do for folder in $pattern; do look "$folder"; done; done
set -f; IFS=:
for folder in $PATH; do case $folder in /*) look "${folder%/}" ;; esac; done
"#;

mod local {
    use std::{
        env::consts::EXE_SUFFIX,
        path::{Component, Path, PathBuf},
    };

    pub(super) fn find(names: &[String], folders: &[PathBuf]) -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let mut found = Vec::new();
        for folder in folders.iter().flat_map(|pattern| matches(pattern)).chain(in_path) {
            for name in names {
                let file = folder.join(format!("{name}{EXE_SUFFIX}"));
                if is_program(&file) && !found.contains(&file) {
                    found.push(file);
                }
            }
        }
        found
    }

    /// The folders that `pattern` means.
    fn matches(pattern: &Path) -> Vec<PathBuf> {
        let mut folders = vec![PathBuf::new()];
        for component in pattern.components() {
            let starred = match component {
                Component::Normal(name) => name.to_str().and_then(|name| name.split_once('*')),
                _ => None,
            };
            let Some((prefix, suffix)) = starred else {
                for folder in &mut folders {
                    folder.push(component);
                }
                continue;
            };
            folders = folders.iter().flat_map(|folder| entries(folder, prefix, suffix)).collect();
        }
        folders
    }

    fn entries(folder: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let fits = |entry: &std::fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let hidden = name.starts_with('.') && !prefix.starts_with('.');
            !hidden
                && name.len() >= prefix.len() + suffix.len()
                && name.starts_with(prefix)
                && name.ends_with(suffix)
        };
        let mut found: Vec<_> = entries.flatten().filter(fits).map(|entry| entry.path()).collect();
        found.sort();
        found
    }

    #[cfg(unix)]
    fn is_program(file: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }

    #[cfg(not(unix))]
    fn is_program(file: &Path) -> bool {
        file.is_file()
    }
}
