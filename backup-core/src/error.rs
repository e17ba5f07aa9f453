//! [`Error`]: one boxed error for every crate of the project, with a kind per *different caller action*.

use std::{error::Error as StdError, fmt, io};

/// A `Result` whose default error type is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed source error.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The error of every trait and operation of this project.
///
/// It says what kind of failure it is ([`Error::kind`], with a stable [code](ErrorKind::code)), what was
/// being done ([`Error::operation`]), on what ([`Error::context`], an allow-list of fields, so that secrets
/// cannot drift in), whether trying again can help ([`Error::is_retryable`]) and what to do next
/// ([`Error::suggestions`]). `Display` is one line; the cause is reached through
/// [`source`](StdError::source).
///
/// # Examples
///
/// ```
/// use backup_core::{Error, ErrorKind};
///
/// let err = Error::new(ErrorKind::NotFound, "no such backup")
///     .with_operation("verify")
///     .with_context("id", "backup-20261120-020000");
/// assert_eq!(err.to_string(), "verify: no such backup, id: backup-20261120-020000");
/// assert_eq!(err.kind().code(), "not_found");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    suggestions: Vec<String>,
    retryable: bool,
    source: Option<BoxError>,
}

/// What went wrong, as far as a caller would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a setting is wrong; nothing was done.
    InvalidInput,
    /// The operation changes or deletes something and was not confirmed; nothing was done.
    NotConfirmed,
    /// What was asked for does not exist.
    NotFound,
    /// Something of that name exists already and is never overwritten.
    AlreadyExists,
    /// The restore target is not empty; nothing was done.
    TargetNotEmpty,
    /// The operating system, the store or the server refuses access.
    PermissionDenied,
    /// This part cannot do what was asked.
    Unsupported,
    /// A program that is needed is not installed.
    ToolNotFound,
    /// The program is installed, but in a version that does not fit the server or is not safe.
    ToolVersion,
    /// A program ran and failed.
    ToolFailed,
    /// The database server cannot be reached.
    ConnectionFailed,
    /// The database server refuses the user or the password.
    AuthenticationFailed,
    /// The server has no database of that name.
    DatabaseNotFound,
    /// A service is out of reach for now, or the process is short of files, threads or memory.
    Unavailable,
    /// A service asks for fewer requests.
    RateLimited,
    /// Something took longer than its limit.
    Timeout,
    /// It was interrupted, by Ctrl-C for instance.
    Cancelled,
    /// No space is left, or a quota is reached.
    StorageFull,
    /// The dump ended without its end mark, or the tool was cut short: what came is incomplete.
    Incomplete,
    /// Stored bytes are not what was recorded.
    Corrupt,
    /// None of the above; the source says more.
    Unexpected,
}

impl ErrorKind {
    /// The stable name of the kind, for JSON and for scripts.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotConfirmed => "not_confirmed",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::TargetNotEmpty => "target_not_empty",
            Self::PermissionDenied => "permission_denied",
            Self::Unsupported => "unsupported",
            Self::ToolNotFound => "tool_not_found",
            Self::ToolVersion => "tool_version_mismatch",
            Self::ToolFailed => "tool_failed",
            Self::ConnectionFailed => "database_connection_failed",
            Self::AuthenticationFailed => "authentication_failed",
            Self::DatabaseNotFound => "database_not_found",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::StorageFull => "insufficient_disk_space",
            Self::Incomplete => "dump_incomplete",
            Self::Corrupt => "backup_corrupted",
            Self::Unexpected => "unexpected",
        }
    }

    /// True where nothing was done and the caller has to change the request (exit code 3 of the examples).
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::InvalidInput
                | Self::NotConfirmed
                | Self::TargetNotEmpty
                | Self::Unsupported
                | Self::ToolVersion
        )
    }

    /// The advice given where nothing more specific was said.
    fn suggestion(self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidInput | Self::Unexpected | Self::ToolFailed => return None,
            Self::Cancelled => "run it again when nothing interrupts it",
            Self::NotConfirmed => "make sure that it is what you want, then confirm",
            Self::NotFound => "list the backups to see which exist",
            Self::AlreadyExists => "choose another name; nothing is ever overwritten",
            Self::TargetNotEmpty => {
                "restore into an empty or a new database, or ask for the target to be replaced"
            }
            Self::PermissionDenied => "check owner and mode of the path, or the rights of the user",
            Self::Unsupported => "choose another format or option, or enable the feature that brings it",
            Self::ToolNotFound => "install the program, or say where it is",
            Self::ToolVersion => "install the version that the message names",
            Self::ConnectionFailed => "check that the server runs and that host and port are right",
            Self::AuthenticationFailed => "check user and password, and the server's pg_hba.conf or grants",
            Self::DatabaseNotFound => "check the database's name, or create it",
            Self::Unavailable | Self::RateLimited => "try again later",
            Self::Timeout => "check whether the server or the store hangs, or raise the limit",
            Self::StorageFull => "free space on the store, then run the operation again",
            Self::Incomplete => "nothing was stored; look at the server's log, then run the backup again",
            Self::Corrupt => "do not restore from this backup; verify the others and use a good one",
        })
    }
}

impl Error {
    /// Makes an error; `message` is lower case, without a full stop, and holds no secret.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retryable = matches!(
            kind,
            ErrorKind::Unavailable
                | ErrorKind::RateLimited
                | ErrorKind::Timeout
                | ErrorKind::ConnectionFailed
        );
        Self(Box::new(Inner {
            kind,
            operation: "",
            message: message.into(),
            context: Vec::new(),
            suggestions: Vec::new(),
            retryable,
            source: None,
        }))
    }

    /// Says what was being done; the outermost word wins over none, never over an earlier one.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation;
        }
        self
    }

    /// Adds a field; never a URL with a password, an environment or a command line.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds a sentence that says what to do next.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: impl Into<String>) -> Self {
        self.0.suggestions.push(suggestion.into());
        self
    }

    /// Says whether trying again can help, where the kind alone does not tell.
    #[must_use]
    pub fn with_retryable(mut self, retryable: Retryable) -> Self {
        self.0.retryable = retryable == Retryable::Yes;
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable name of the kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// What was being done, or the empty string.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The message alone, without operation and context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The fields, in the order in which they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// What to do next: the specific advice first, else the one of the kind.
    #[must_use]
    pub fn suggestions(&self) -> Vec<&str> {
        if self.0.suggestions.is_empty() {
            let io = self.0.source.as_ref().and_then(|source| source.downcast_ref::<io::Error>());
            return match (self.0.kind, io.map(io::Error::kind)) {
                // What is missing is a path then, and no backup.
                (ErrorKind::NotFound, Some(_)) => vec!["check that the path exists and is spelled right"],
                (ErrorKind::StorageFull, Some(io::ErrorKind::FileTooLarge)) => {
                    vec!["check `ulimit -f`, and whether the file system takes files of this size"]
                }
                (ErrorKind::Unavailable, Some(io::ErrorKind::OutOfMemory)) => {
                    vec!["raise the limit of the process's memory (`ulimit -v`, or that of its container)"]
                }
                (kind, _) => kind.suggestion().into_iter().collect(),
            };
        }
        self.0.suggestions.iter().map(String::as_str).collect()
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryable {
    /// The same call may succeed later.
    Yes,
    /// It will fail again until something is changed.
    No,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.operation.is_empty() {
            write!(f, "{}: ", self.0.operation)?;
        }
        write_one_line(f, &self.0.message)?;
        for (key, value) in &self.0.context {
            write!(f, ", {key}: ")?;
            write_one_line(f, value)?;
        }
        Ok(())
    }
}

/// Writes `text` with line breaks as ` | `, so that one error stays one line of a log.
fn write_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if let Some(first) = lines.next() {
        f.write_str(first)?;
    }
    for line in lines {
        write!(f, " | {line}")?;
    }
    Ok(())
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("context", &self.0.context)
            .field("retryable", &self.0.retryable)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|err| err as _)
    }
}

/// Folds an I/O error by meaning; an [`Error`] that crossed an `AsyncRead` boundary comes back unchanged.
impl From<io::Error> for Error {
    fn from(err: io::Error) -> Self {
        let err = match err.downcast::<Error>() {
            Ok(err) => return err,
            Err(err) => err,
        };
        let (kind, message) = match err.kind() {
            io::ErrorKind::NotFound => (ErrorKind::NotFound, "no such file or directory"),
            io::ErrorKind::PermissionDenied => (ErrorKind::PermissionDenied, "access denied"),
            io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::PermissionDenied, "the file system is read-only")
            }
            io::ErrorKind::AlreadyExists => (ErrorKind::AlreadyExists, "exists already"),
            io::ErrorKind::StorageFull => (ErrorKind::StorageFull, "no space left on the device"),
            io::ErrorKind::QuotaExceeded => (ErrorKind::StorageFull, "the disk quota is used up"),
            io::ErrorKind::FileTooLarge => {
                (ErrorKind::StorageFull, "the file is larger than the file system or a limit allows")
            }
            io::ErrorKind::TimedOut => (ErrorKind::Timeout, "timed out"),
            io::ErrorKind::OutOfMemory => (ErrorKind::Unavailable, "no memory is left"),
            _ => (ErrorKind::Unexpected, "i/o failed"),
        };
        Error::new(kind, message).with_source(err)
    }
}

impl From<Error> for io::Error {
    fn from(err: Error) -> Self {
        io::Error::other(err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_crosses_the_io_boundary_unchanged() {
        let err = Error::new(ErrorKind::ToolFailed, "exit 1").with_context("tool", "pg_dump");
        let back = Error::from(io::Error::from(err));
        assert_eq!(
            (back.kind(), back.to_string().as_str()),
            (ErrorKind::ToolFailed, "exit 1, tool: pg_dump")
        );
    }

    #[test]
    fn display_is_one_line_whatever_the_context_holds() {
        let err = Error::new(ErrorKind::ToolFailed, "failed\nbadly").with_context("stderr", "a\r\n\n  b\n");
        assert_eq!(err.to_string(), "failed | badly, stderr: a | b");
    }

    #[test]
    fn a_missing_path_is_not_advised_to_list_backups() {
        let err = Error::from(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(err.suggestions(), ["check that the path exists and is spelled right"]);
    }

    #[test]
    fn a_limit_of_the_process_is_named_with_how_it_is_raised() {
        for (met, kind, limit) in [
            (io::ErrorKind::FileTooLarge, ErrorKind::StorageFull, "ulimit -f"),
            (io::ErrorKind::OutOfMemory, ErrorKind::Unavailable, "ulimit -v"),
        ] {
            let err = Error::from(io::Error::from(met));
            assert_eq!(err.kind(), kind);
            assert!(err.suggestions().concat().contains(limit), "{:?}", err.suggestions());
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_io_errors() {
        assert_eq!(
            Error::from(io::Error::from(io::ErrorKind::StorageFull)).code(),
            "insufficient_disk_space"
        );
    }

    #[test]
    fn a_result_of_nothing_is_one_pointer_large() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}
