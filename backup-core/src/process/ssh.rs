//! [`Ssh`]: another host, reached by the system's `ssh`, on which tools run as they do here.
//!
//! What is run is read by a small shell there from its standard input: no list of processes, here or there, shows
//! a secret or a statement. Standard input then stays open as the lifeline: when it ends, because a stream was
//! dropped, a process killed or the connection broken, the tool there is ended with everything that it started.

use std::{ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};

use crate::{Error, ErrorKind, Result};

pub(super) mod lost;
pub(super) mod marks;
mod master;
pub(super) mod script;
pub(super) mod session;

use master::Connection;

/// How long connecting may take, unless said otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Another host, reached by the system's `ssh` and its configuration.
///
/// Keys, names and jump hosts are those of `~/.ssh/config`, as if `ssh` were called by hand, with these exceptions:
/// nothing is ever asked for, so that the key must be usable without a question (an agent, or a key without
/// passphrase), and the host's key must be known beforehand. What a tool prints and reads passes through untouched.
///
/// A value and its clones share one connection, made at the first use and ended with the last of them; a tool that
/// is refused on it (`MaxSessions` of the server) gets one of its own.
///
/// On the host a POSIX shell named `sh` is needed, and `dd` for restores; nothing is written to its disk.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use backup_core::process::{Host, Ssh, WireCompression};
///
/// let ssh = Ssh::new("backup@db.example")?
///     .port(2222)
///     .identity("/etc/backup/id_ed25519")
///     .connect_timeout(Duration::from_secs(10))
///     .wire(WireCompression::Zstd);
/// let host = Host::ssh(ssh);
/// assert!(Ssh::new("-oProxyCommand=evil").is_err());
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Ssh {
    destination: String,
    port: Option<u16>,
    identity: Option<PathBuf>,
    config_file: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    options: Vec<String>,
    program: PathBuf,
    wire: WireCompression,
    connect_timeout: Duration,
    connection: Arc<Connection>,
}

/// How the output of a dumping tool is compressed on its way from another host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireCompression {
    /// Not at all.
    #[default]
    None,
    /// By `zstd -1` on all processors of the host, where the program has to be installed.
    Zstd,
    /// By `gzip -1` on the host.
    Gzip,
}

impl WireCompression {
    /// The format, in the words of [`compress::by_name`](crate::compress::by_name).
    #[must_use]
    pub fn format(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Zstd => Some("zstd"),
            Self::Gzip => Some("gzip"),
        }
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh")
            .field("destination", &self.destination)
            .field("port", &self.port)
            .field("identity", &self.identity)
            .field("config_file", &self.config_file)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

/// Options that would take away what this transport relies on, in lower case, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("batchmode", "there is nobody to ask"),
    ("clearallforwardings", "nothing is forwarded"),
    ("controlmaster", "the connection is shared already"),
    ("controlpath", "the connection is shared already"),
    ("controlpersist", "the connection ends with its last user"),
    ("forkafterauthentication", "leave it out"),
    ("ignoreunknown", "leave it out"),
    ("localcommand", "leave it out"),
    ("loglevel", "the messages are read to say what went wrong"),
    ("nohostauthenticationforlocalhost", "let the host's key be checked"),
    ("permitlocalcommand", "leave it out"),
    ("remotecommand", "leave it out"),
    ("requesttty", "a terminal would change the bytes"),
    ("sessiontype", "leave it out"),
    ("stdinnull", "leave it out"),
];

impl Ssh {
    /// A host by `name`, `user@name` or `ssh://user@name:port`; the name may be one of the user's `ssh_config`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what could be taken for an option or a command.
    pub fn new(destination: impl AsRef<str>) -> Result<Self> {
        let given = destination.as_ref();
        let (destination, port) = match given.strip_prefix("ssh://") {
            Some(rest) => split_port(rest.strip_suffix('/').unwrap_or(rest))?,
            None => (given.to_owned(), None),
        };
        check_destination(&destination)?;
        Ok(Self {
            destination,
            port,
            identity: None,
            config_file: None,
            known_hosts: None,
            options: Vec::new(),
            program: PathBuf::from("ssh"),
            wire: WireCompression::None,
            connect_timeout: CONNECT_TIMEOUT,
            connection: Arc::default(),
        })
    }

    /// Sets the port, 22 unless the user's configuration says otherwise.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self.reconnecting()
    }

    /// Names the private key to use.
    #[must_use]
    pub fn identity(mut self, path: impl Into<PathBuf>) -> Self {
        self.identity = Some(path.into());
        self.reconnecting()
    }

    /// Names the configuration to read instead of `~/.ssh/config` and `/etc/ssh/ssh_config`.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self.reconnecting()
    }

    /// Names the one file in which the host's key must stand, instead of the user's and the system's.
    #[must_use]
    pub fn known_hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.known_hosts = Some(path.into());
        self.reconnecting()
    }

    /// Sets an option of `ssh_config`, such as `ProxyJump`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for one that would weaken or redirect what this transport relies
    /// on: the check of the host's key, the shared connection, the command that is run.
    pub fn option(mut self, name: &str, value: &str) -> Result<Self> {
        let refuse = |message, why: &str| {
            Err(Error::new(ErrorKind::InvalidInput, message)
                .with_context("option", name)
                .with_suggestion(why))
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::new(ErrorKind::InvalidInput, "this is no name of an option of ssh"));
        }
        let lower = name.to_ascii_lowercase();
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == lower) {
            return refuse("the option of ssh cannot be set", why);
        }
        if lower == "stricthostkeychecking" && !value.eq_ignore_ascii_case("yes") {
            return refuse("the check of the host's key cannot be weakened", KNOWN_BEFOREHAND);
        }
        if value.chars().any(char::is_control) {
            return refuse("the value of the option holds a control character", "write it on one line");
        }
        self.options.push(format!("{name}={value}"));
        Ok(self.reconnecting())
    }

    /// Names the `ssh` program; the one in `PATH` unless said otherwise.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = path.into();
        self.reconnecting()
    }

    /// Says how the output of dumping tools is compressed on its way; not at all unless said.
    ///
    /// Where the pipeline's compressor writes the same format, the bytes are stored as they come.
    #[must_use]
    pub fn wire(mut self, compression: WireCompression) -> Self {
        self.wire = compression;
        self
    }

    /// Limits how long connecting may take, in whole seconds; 30 unless said otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self.reconnecting()
    }

    pub(super) fn destination(&self) -> &str {
        &self.destination
    }

    pub(super) fn wire_compression(&self) -> WireCompression {
        self.wire
    }

    /// Settings of a connection changed: it is no longer the one of the value that this was cloned from.
    fn reconnecting(mut self) -> Self {
        self.connection = Arc::default();
        self
    }

    /// The arguments that every call of `ssh` shares; the first value of an option is the one that counts.
    fn arguments(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        if let Some(path) = &self.config_file {
            args.extend(["-F".into(), path.into()]);
        }
        // Newer than some versions that are in use, which would stop at the name.
        let unknown = "IgnoreUnknown=SessionType,ForkAfterAuthentication,StdinNull,EnableEscapeCommandline";
        let seconds = self.connect_timeout.as_secs().max(1);
        for option in [
            unknown,
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "NoHostAuthenticationForLocalhost=no",
            "UpdateHostKeys=no",
            "ControlPersist=no",
            "RequestTTY=no",
            "RemoteCommand=none",
            "StdinNull=no",
            "ForkAfterAuthentication=no",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ForwardX11=no",
            "Tunnel=no",
            "LogLevel=INFO",
        ] {
            args.extend(["-o".into(), option.into()]);
        }
        args.extend(["-o".into(), format!("ConnectTimeout={seconds}").into()]);
        for option in &self.options {
            args.extend(["-o".into(), option.into()]);
        }
        // Behind the caller's, which may say it otherwise.
        for option in ["ServerAliveInterval=15", "ServerAliveCountMax=3"] {
            args.extend(["-o".into(), option.into()]);
        }
        if let Some(path) = &self.known_hosts {
            let mut option = OsString::from("UserKnownHostsFile=");
            option.push(quoted(path));
            args.extend(["-o".into(), option, "-o".into(), "GlobalKnownHostsFile=/dev/null".into()]);
        }
        if let Some(path) = &self.identity {
            args.extend(["-i".into(), path.into(), "-o".into(), "IdentitiesOnly=yes".into()]);
        }
        if let Some(port) = self.port {
            args.extend(["-p".into(), port.to_string().into()]);
        }
        args
    }
}

/// What to do about a host whose key is not known.
pub(super) const KNOWN_BEFOREHAND: &str =
    "connect once by hand, or add the output of `ssh-keyscan` to known_hosts after comparing its fingerprint";

/// A path as a value that may hold several paths.
fn quoted(path: &std::path::Path) -> OsString {
    let mut quoted = OsString::from("\"");
    quoted.push(path);
    quoted.push("\"");
    quoted
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
        .with_suggestion("write `user@host`, or `ssh://user@host:port`")
}

/// The port of `user@host:port` and `user@[::1]:port`.
fn split_port(text: &str) -> Result<(String, Option<u16>)> {
    let (user, host) = text.rsplit_once('@').map_or(("", text), |(user, host)| (user, host));
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(|| invalid("the address has no end"))?;
            (address, port.strip_prefix(':'))
        }
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(str::parse).transpose().map_err(|_| invalid("the port of the host is no port"))?;
    let destination = if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") };
    Ok((destination, port))
}

/// Refuses what `ssh`, or a shell in somebody's `ProxyCommand`, could take for something else.
fn check_destination(destination: &str) -> Result<()> {
    let (user, host) = match destination.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, destination),
    };
    if host.is_empty() || user.is_some_and(str::is_empty) {
        return Err(invalid("the host or its user has no name"));
    }
    if destination.starts_with('-') || host.starts_with('-') {
        return Err(invalid("the host's name begins like an option"));
    }
    let bad = |ch: char| ch.is_whitespace() || ch.is_control() || "'`\"\\;&<>|(){}$/".contains(ch);
    if host.contains(bad) || user.is_some_and(|user| user.replace('\\', "").contains(bad)) {
        return Err(invalid("the host's name holds a character that no name has"));
    }
    if user.is_some_and(|user| user.ends_with('\\') || user.contains(':')) {
        return Err(invalid("the user's name ends in a backslash or holds a colon")
            .with_suggestion("a password cannot be given: use a key"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
