//! Finds the installed client programs.

use std::{
    env::consts::EXE_SUFFIX,
    path::{Path, PathBuf},
    time::Duration,
};

use backup_core::{
    Error, ErrorKind, Result,
    process::{Host, Tool},
};

use super::Version;

/// Where distributions keep the clients of one major version, as `(parent, prefix, suffix)` of the folder.
///
/// The real programs first: `/usr/bin/pg_dump` of Debian is a script that may choose another version.
const PLACES: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib64", "pgsql-", "bin"),
    ("/usr/local", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "libpq", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "libpq", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Library/PostgreSQL", "", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("C:\\Program Files\\PostgreSQL", "", "bin"),
];

/// How to get the programs, where no version of a server is known yet.
const PACKAGES: &str =
    "install the package postgresql-client (Debian, Ubuntu), postgresql (Red Hat) or libpq (Homebrew)";

/// The longest that `--version` may take.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// A program of the client package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Psql,
    PgDump,
    PgDumpall,
    PgRestore,
    /// The server, for rehearsals.
    Postgres,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Psql => "psql",
            Self::PgDump => "pg_dump",
            Self::PgDumpall => "pg_dumpall",
            Self::PgRestore => "pg_restore",
            Self::Postgres => "postgres",
        }
    }
}

/// The client programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) folder: PathBuf,
    pub(crate) version: Version,
    /// The version as the program prints it.
    pub(crate) printed: String,
}

impl Client {
    pub(crate) fn path(&self, program: Program) -> PathBuf {
        file(&self.folder, program)
    }

    #[cfg(test)]
    pub(crate) fn of(version: Version) -> Self {
        Self { folder: PathBuf::new(), version, printed: version.to_string() }
    }
}

/// Where clients are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Installed {
    /// In the usual folders, and in `PATH`.
    #[default]
    Anywhere,
    /// In this folder alone.
    In(PathBuf),
}

impl Installed {
    /// The clients on `host` that have `program`, with the version that it prints; never none.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn find(&self, program: Program, host: &Host) -> Result<Vec<Client>> {
        let chosen = self.clone();
        let folders = if host.is_local() {
            tokio::task::spawn_blocking(move || chosen.folders(program))
                .await
                .map_err(crate::error::panicked)?
        } else {
            self.folders_on(program, host).await?
        };
        let mut clients = Vec::new();
        let mut broken = None;
        for folder in folders {
            let tool = Tool::new(program.name(), file(&folder, program))
                .arg("--version")
                .on(host)
                .env("LC_ALL", "C")
                .total_timeout(VERSION_LIMIT);
            match tool.output(4096).await {
                Ok(output) => {
                    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                    if let Some(version) = Version::parse(&printed) {
                        clients.push(Client { folder, version, printed });
                    }
                }
                // The way to the host, and no program, is missing.
                Err(err) if !host.is_local() && !is_of_the_tool(&err) => return Err(err),
                // One that does not run hides none that does.
                Err(err) => broken = Some(err),
            }
        }
        match broken {
            _ if !clients.is_empty() => Ok(clients),
            Some(err) if err.kind() == ErrorKind::ToolNotFound => {
                Err(self.none(program, host).with_source(err))
            }
            Some(err) => Err(does_not_run(program, host, &err)),
            None => Err(self.none(program, host)),
        }
    }

    pub(crate) fn none(&self, program: Program, host: &Host) -> Error {
        let mut err = Error::new(ErrorKind::ToolNotFound, "a client program of PostgreSQL is not installed")
            .with_context("tool", program.name());
        if let Some(name) = host.name() {
            err = err.with_context("host", name);
        }
        match self {
            Self::Anywhere => err.with_suggestion(format!("{PACKAGES}, or name the folder of the programs")),
            Self::In(folder) => err
                .with_context("folder", folder.display())
                .with_suggestion("name the folder in which psql, pg_dump and pg_restore are, or none at all, to have the usual ones looked at")
                .with_suggestion(PACKAGES),
        }
    }

    /// The folders on another host, where a link cannot be looked at: Debian's wrapper gives way to any other.
    async fn folders_on(&self, program: Program, host: &Host) -> Result<Vec<PathBuf>> {
        let patterns: Vec<String> = match self {
            Self::In(folder) => vec![folder.to_string_lossy().into_owned()],
            Self::Anywhere => {
                let unix = PLACES.iter().filter(|(parent, ..)| parent.starts_with('/'));
                unix.map(|(parent, prefix, suffix)| format!("{parent}/{prefix}*/{suffix}")).collect()
            }
        };
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.trim_end_matches('/')).collect();
        let found = host.find_program(&[program.name()], &patterns).await?;
        let mut folders: Vec<_> =
            found.iter().filter_map(|file| file.parent()).map(Path::to_path_buf).collect();
        match self {
            Self::In(folder) => folders.retain(|found| found == folder),
            Self::Anywhere if folders.iter().any(|folder| folder.starts_with("/usr/lib/postgresql")) => {
                folders.retain(|folder| *folder != Path::new("/usr/bin") && *folder != Path::new("/bin"));
            }
            Self::Anywhere => {}
        }
        Ok(folders)
    }

    fn folders(&self, program: Program) -> Vec<PathBuf> {
        if let Self::In(folder) = self {
            return file(folder, program).is_file().then(|| folder.clone()).into_iter().collect();
        }
        let mut folders: Vec<PathBuf> = Vec::new();
        let listed = PLACES.iter().flat_map(subfolders);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path: Vec<_> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        for folder in listed.chain(in_path) {
            let program = file(&folder, program);
            let wrapped = std::fs::canonicalize(&program).is_ok_and(|real| real.ends_with("pg_wrapper"));
            if program.is_file() && (folders.is_empty() || !wrapped) && !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }
}

/// A program that is there, and was killed or failed when it was asked for its version.
fn does_not_run(program: Program, host: &Host, err: &Error) -> Error {
    let mut named =
        Error::new(err.kind(), "a client program of PostgreSQL is installed, and does not tell its version");
    if let Some(name) = host.name() {
        named = named.with_context("host", name);
    }
    named = err.context().fold(named, |named, (key, value)| named.with_context(key, value));
    if !err.context().any(|(key, _)| key == "tool") {
        named = named.with_context("tool", program.name());
    }
    named.with_suggestion(format!(
        "run `{} --version` by hand, and reinstall it if that fails",
        program.name()
    ))
}

/// Whether it is the tool that failed, and not the way to its host.
fn is_of_the_tool(err: &Error) -> bool {
    matches!(
        err.kind(),
        ErrorKind::ToolFailed | ErrorKind::ToolNotFound | ErrorKind::PermissionDenied | ErrorKind::Timeout
    )
}

fn file(folder: &Path, program: Program) -> PathBuf {
    folder.join(format!("{}{EXE_SUFFIX}", program.name()))
}

fn subfolders((parent, prefix, suffix): &(&str, &str, &str)) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let fits = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    let mut found: Vec<_> = entries.flatten().filter(fits).map(|entry| entry.path().join(suffix)).collect();
    found.sort();
    found
}
