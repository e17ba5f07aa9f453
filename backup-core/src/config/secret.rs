//! [`SecretRef`]: where a secret is, instead of the secret.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{fs::OpenOptions, io::AsyncReadExt};
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::{Place, Value};
use crate::{Error, ErrorKind, Result, Secret, process::Tool};

/// The longest secret, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// How long a command may take: people may have to confirm on a device.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How a secret is named.
const ALLOWED: &str =
    "name it: { env = \"NAME\" }, { file = \"/path\" } or { command = [\"program\", \"argument\"] }";

/// Where a secret is: in an environment variable, in a file, or in what a command prints.
///
/// `Debug` shows the name of the variable, the path, or the program without its arguments.
///
/// # Examples
///
/// ```
/// # async fn example() -> backup_core::Result<()> {
/// use backup_core::config::SecretRef;
///
/// let secret = SecretRef::command("printf", ["p@ss\\n"]).resolve().await?;
/// assert_eq!(secret.expose(), "p@ss");
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRef {
    origin: Origin,
    place: Option<Place>,
}

#[derive(Clone, PartialEq, Eq)]
enum Origin {
    Env(String),
    File { path: PathBuf, readers: FileReaders },
    Command { program: PathBuf, args: Vec<String> },
}

/// Who may be able to read a file with a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileReaders {
    /// Its owner alone, as ssh wants it.
    #[default]
    Owner,
    /// Others too, as orchestrators of containers mount secrets.
    Others,
}

impl SecretRef {
    /// In an environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self { origin: Origin::Env(name.into()), place: None }
    }

    /// In a file of UTF-8 text.
    pub fn file(path: impl Into<PathBuf>, readers: FileReaders) -> Self {
        Self { origin: Origin::File { path: path.into(), readers }, place: None }
    }

    /// What a program prints to its standard output. Its arguments can be seen by others, and must hold no secret.
    pub fn command(program: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { origin: Origin::Command { program: program.into(), args }, place: None }
    }

    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        if matches!(value.raw.get_ref(), DeValue::String(_) | DeValue::Integer(_)) {
            let message = "a secret is never written into this file";
            return value.refuse(
                ErrorKind::InvalidInput,
                message,
                &format!("{ALLOWED}; change it if others could read it"),
            );
        }
        let mut table = value.table()?;
        let place = table.place().clone();
        let env = table.take("env").map(|value| value.parsed(variable));
        let file = table.take("file").map(Value::path);
        let others = table.take("others_may_read");
        let command = table.take("command").map(Value::texts);
        if usize::from(env.is_some()) + usize::from(file.is_some()) + usize::from(command.is_some()) != 1 {
            table.problem(ErrorKind::InvalidInput, "a secret is in exactly one place", ALLOWED);
        }
        let readers = match others {
            None => FileReaders::Owner,
            Some(value) if file.is_none() => {
                return value.refuse(ErrorKind::InvalidInput, "only a file has readers", "leave the key out");
            }
            Some(value) => {
                if value.boolean()? {
                    FileReaders::Others
                } else {
                    FileReaders::Owner
                }
            }
        };
        let origin = match (env, file, command) {
            (Some(name), None, None) => name.map(Origin::Env),
            (None, Some(path), None) => path.map(|path| Origin::File { path, readers }),
            (None, None, Some(words)) => words.and_then(|words| {
                let mut words = words.into_iter();
                let Some(program) = words.next() else {
                    table.problem(ErrorKind::InvalidInput, "the command names no program", ALLOWED);
                    return None;
                };
                Some(Origin::Command { program: program.into(), args: words.collect() })
            }),
            _ => None,
        };
        table.finish();
        Some(Self { origin: origin?, place: Some(place) })
    }

    /// Reads the secret.
    ///
    /// One line break at the end of a file, or of what a command prints, is no part of it. A file is a regular one; it, and
    /// what a command prints, is at most 64 KiB of UTF-8 text. A command has 60 seconds.
    ///
    /// # Errors
    ///
    /// None of them holds anything of the secret; where the reference comes from a file, they say where it stands there.
    /// [`NotFound`](ErrorKind::NotFound) for a variable or a file that is not there;
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) for a file that cannot be read, or that
    /// [others can read too](FileReaders); [`InvalidInput`](ErrorKind::InvalidInput) for a secret that is empty, too long or
    /// no text; those of [`Tool::output`] for a command, without its messages, which could hold the secret.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the command.
    pub async fn resolve(&self) -> Result<Secret> {
        let secret = match &self.origin {
            Origin::Env(name) => from_env(name),
            Origin::File { path, readers } => from_file(path, *readers).await,
            Origin::Command { program, args } => from_command(program, args).await,
        };
        let secret = secret.and_then(|secret| {
            if secret.expose().is_empty() {
                return Err(self.named(Error::new(ErrorKind::InvalidInput, "the secret is empty")));
            }
            Ok(secret)
        });
        secret.map_err(|err| match &self.place {
            Some(place) => place.locate(err),
            None => err,
        })
    }

    /// Says where the secret should have been.
    fn named(&self, err: Error) -> Error {
        match &self.origin {
            Origin::Env(name) => err.with_context("variable", name.escape_debug()),
            Origin::File { path, .. } => err.with_context("secret_file", path.display()),
            Origin::Command { program, .. } => err.with_context("program", program.display()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SecretRef");
        match &self.origin {
            Origin::Env(name) => shown.field("env", name).finish(),
            Origin::File { path, readers } => shown.field("file", path).field("readers", readers).finish(),
            Origin::Command { program, .. } => shown.field("program", program).finish_non_exhaustive(),
        }
    }
}

/// The name of an environment variable.
fn variable(name: &str) -> Result<String> {
    if name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
        return Ok(name.to_owned());
    }
    Err(Error::new(ErrorKind::InvalidInput, "not the name of an environment variable")
        .with_suggestion("write the name alone, without $, such as SHOP_PASSWORD"))
}

fn from_env(name: &str) -> Result<Secret> {
    match std::env::var(name) {
        Ok(value) => Ok(Secret::new(value)),
        Err(std::env::VarError::NotPresent) => {
            Err(Error::new(ErrorKind::NotFound, "the environment variable with the secret is not set")
                .with_context("variable", name)
                .with_suggestion("set it where this process is started"))
        }
        // The error of the standard library repeats the value.
        Err(std::env::VarError::NotUnicode(_)) => Err(no_text().with_context("variable", name)),
    }
}

async fn from_file(path: &Path, readers: FileReaders) -> Result<Secret> {
    let fail = |err: Error| err.with_context("secret_file", path.display());
    let mut options = OpenOptions::new();
    options.read(true);
    // A pipe that nobody writes to would be waited for without end.
    #[cfg(unix)]
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).await.map_err(|err| {
        let suggestion = "check the path, and that this process may read the file";
        fail(Error::from(err)).with_suggestion(suggestion)
    })?;
    let metadata = file.metadata().await.map_err(|err| fail(err.into()))?;
    if !metadata.is_file() {
        let err = Error::new(ErrorKind::InvalidInput, "what should hold the secret is no file");
        return Err(fail(err).with_suggestion("name a regular file, or use a command"));
    }
    if readers == FileReaders::Owner && is_open(&metadata) {
        let err =
            Error::new(ErrorKind::PermissionDenied, "others than its owner can use the file with the secret");
        return Err(fail(err).with_suggestion("chmod 600 the file, or say others_may_read = true"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).await.map_err(|err| fail(err.into()))?;
    taken(&text).map_err(fail)
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

/// Who can read a file is not a matter of its mode here.
#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

async fn from_command(program: &Path, args: &[String]) -> Result<Secret> {
    let tool = Tool::new("the command of a secret", program).args(args).total_timeout(TIME_LIMIT);
    let output = tool.output(MAX_BYTES).await.map_err(|err| {
        // Its messages and its output stay out: both may hold the secret.
        let status = err.context().find(|(name, _)| *name == "status").map(|(_, status)| status.to_owned());
        let failed = Error::new(err.kind(), "the command that prints the secret failed")
            .with_context("program", program.display())
            .with_suggestion("run it by hand, as the same user, to see what it says");
        match status {
            Some(status) => failed.with_context("status", status),
            None => failed.with_context("reason", err.message()),
        }
    })?;
    taken(&output.stdout).map_err(|err| err.with_context("program", program.display()))
}

/// A secret without the line break at its end.
fn taken(text: &[u8]) -> Result<Secret> {
    if text.len() > MAX_BYTES {
        return Err(Error::new(ErrorKind::InvalidInput, "the secret is too long")
            .with_context("limit_bytes", MAX_BYTES)
            .with_suggestion("check that this is the right file"));
    }
    let text = text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).unwrap_or(text);
    std::str::from_utf8(text).map(Secret::new).map_err(|_| no_text())
}

fn no_text() -> Error {
    Error::new(ErrorKind::InvalidInput, "the secret is no UTF-8 text")
}
