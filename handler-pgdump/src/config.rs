//! [`PgConfig`]: where the server is and who asks, from a URL or from fields.

use std::{collections::BTreeMap, path::PathBuf};

use backup_core::{Error, ErrorKind, Result, Secret};

mod url;

/// The connection to one database.
///
/// Values reach the client programs as environment variables of the child, the password never as an argument.
/// Nothing that another program left in the environment redirects the connection: what is not said here has
/// libpq's built-in default. Only a password, a password file and TLS settings are taken from the `PG*`
/// variables of this process where none is given here.
///
/// # Examples
///
/// ```
/// use handler_pgdump::PgConfig;
///
/// let config = PgConfig::from_url("postgresql://app:p%40ss@db.example:5433/shop?sslmode=verify-full")?;
/// assert_eq!(config.location(), "db.example:5433");
/// assert_eq!(config.database(), "shop");
/// assert!(!format!("{config:?}").contains("p@ss"));
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgConfig {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: Option<String>,
    pub(crate) database: String,
    pub(crate) password: Option<Secret>,
    pub(crate) password_via: PasswordVia,
    pub(crate) pass_file: Option<PathBuf>,
    /// Values by parameter, for those of [`PARAMETERS`].
    pub(crate) parameters: BTreeMap<&'static str, Secret>,
}

/// A host name, an address or a socket's folder, with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: Option<u16>,
}

/// How the password reaches the client programs; neither way shows it in the list of processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordVia {
    /// As `PGPASSWORD` in the environment of the child, which only its own user and root can read.
    #[default]
    Environment,
    /// In a temporary password file of mode 0600, removed when the child has ended.
    PassFile,
}

/// How a parameter of libpq reaches a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// By this environment variable.
    Env(&'static str),
    /// libpq reads it from a connection string or a service file only.
    ServiceFile,
}

/// The parameters that a URL or [`PgConfig::parameter`] may set, beside host, port, user, password, database
/// and password file.
pub(crate) const PARAMETERS: &[(&str, Route)] = &[
    ("application_name", Route::Env("PGAPPNAME")),
    ("channel_binding", Route::Env("PGCHANNELBINDING")),
    ("connect_timeout", Route::Env("PGCONNECT_TIMEOUT")),
    ("gssdelegation", Route::Env("PGGSSDELEGATION")),
    ("gssencmode", Route::Env("PGGSSENCMODE")),
    ("gsslib", Route::Env("PGGSSLIB")),
    ("hostaddr", Route::Env("PGHOSTADDR")),
    ("keepalives", Route::ServiceFile),
    ("keepalives_count", Route::ServiceFile),
    ("keepalives_idle", Route::ServiceFile),
    ("keepalives_interval", Route::ServiceFile),
    ("krbsrvname", Route::Env("PGKRBSRVNAME")),
    ("load_balance_hosts", Route::Env("PGLOADBALANCEHOSTS")),
    ("options", Route::Env("PGOPTIONS")),
    ("require_auth", Route::Env("PGREQUIREAUTH")),
    ("requirepeer", Route::Env("PGREQUIREPEER")),
    ("ssl_max_protocol_version", Route::Env("PGSSLMAXPROTOCOLVERSION")),
    ("ssl_min_protocol_version", Route::Env("PGSSLMINPROTOCOLVERSION")),
    ("sslcert", Route::Env("PGSSLCERT")),
    ("sslcertmode", Route::Env("PGSSLCERTMODE")),
    ("sslcompression", Route::Env("PGSSLCOMPRESSION")),
    ("sslcrl", Route::Env("PGSSLCRL")),
    ("sslcrldir", Route::Env("PGSSLCRLDIR")),
    ("sslkey", Route::Env("PGSSLKEY")),
    ("sslmode", Route::Env("PGSSLMODE")),
    ("sslnegotiation", Route::Env("PGSSLNEGOTIATION")),
    ("sslpassword", Route::ServiceFile),
    ("sslrootcert", Route::Env("PGSSLROOTCERT")),
    ("sslsni", Route::Env("PGSSLSNI")),
    ("target_session_attrs", Route::Env("PGTARGETSESSIONATTRS")),
    ("tcp_user_timeout", Route::ServiceFile),
];

impl PgConfig {
    /// A connection to `database` with libpq's defaults: the local socket, the user of this process.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            hosts: Vec::new(),
            user: None,
            database: database.into(),
            password: None,
            password_via: PasswordVia::default(),
            pass_file: None,
            parameters: BTreeMap::new(),
        }
    }

    /// Reads a URL: `postgresql://user:password@host:port/database?sslmode=verify-full`.
    ///
    /// Several hosts, IPv6 addresses in brackets, socket folders (`postgresql:///db?host=/run/postgresql` or
    /// percent-encoded as host) and every parameter of libpq that concerns the connection are understood. A
    /// password with characters that ought to be percent-encoded is understood where it is not ambiguous.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput), naming an unknown parameter; the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// Adds a host name, an address or a socket's folder; several are tried in turn.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(Host { name: host.into(), port: None });
        self
    }

    /// Sets the port of the host added last.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        match self.hosts.last_mut() {
            Some(host) => host.port = Some(port),
            // libpq's default host, with another port.
            None => self.hosts.push(Host { name: String::new(), port: Some(port) }),
        }
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the password.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Says how the password reaches the client programs.
    #[must_use]
    pub fn password_via(mut self, via: PasswordVia) -> Self {
        self.password_via = via;
        self
    }

    /// Names a password file of the user's own, in libpq's format and of mode 0600.
    #[must_use]
    pub fn pass_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pass_file = Some(path.into());
        self
    }

    /// Sets a parameter of libpq by its name, such as `sslmode`, `sslrootcert` or `connect_timeout` (seconds).
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput), naming an unknown parameter.
    pub fn parameter(mut self, name: &str, value: impl Into<Secret>) -> Result<Self> {
        let Some((name, _)) = PARAMETERS.iter().find(|(known, _)| *known == name) else {
            return Err(unknown_parameter(name));
        };
        self.parameters.insert(name, value.into());
        Ok(self)
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, database: impl Into<String>) -> Self {
        Self { database: database.into(), ..self.clone() }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Where the server is, without secrets: `db.example:5432`, or a socket's folder.
    #[must_use]
    pub fn location(&self) -> String {
        if self.hosts.is_empty() {
            return "local socket".to_owned();
        }
        let hosts: Vec<_> = self.hosts.iter().map(Host::location).collect();
        hosts.join(",")
    }

    /// Refuses what no client program could be told.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.database.is_empty() {
            return Err(invalid("no database is named")
                .with_suggestion("end the URL in `/name`, or give the database's name"));
        }
        let texts = [("database", self.database.as_str()), ("user", self.user.as_deref().unwrap_or("x"))];
        let hosts = self.hosts.iter().map(|host| ("host", host.name.as_str()));
        let secrets = self.parameters.iter().map(|(name, value)| (*name, value.expose()));
        let password = self.password.iter().map(|password| ("password", password.expose()));
        for (what, text) in texts.into_iter().chain(hosts).chain(secrets).chain(password) {
            if text.contains('\0') {
                return Err(invalid("a zero byte cannot be passed to libpq").with_context("field", what));
            }
        }
        if self.hosts.iter().any(|host| host.name.contains(',')) {
            return Err(invalid("a host's name holds a comma").with_suggestion("add each host for itself"));
        }
        let in_file = PARAMETERS.iter().filter(|(_, route)| *route == Route::ServiceFile);
        for (name, _) in in_file {
            let value = self.parameters.get(name).map_or("", Secret::expose);
            if value.contains(['\n', '\r']) || value.trim() != value {
                return Err(invalid("libpq cannot be told a value with a line break or outer blanks")
                    .with_context("field", name));
            }
        }
        let breaks_line = |password: &Secret| password.expose().contains(['\n', '\r']);
        if self.password_via == PasswordVia::PassFile && self.password.as_ref().is_some_and(breaks_line) {
            return Err(invalid("a password file cannot hold a password with a line break")
                .with_suggestion("hand the password over by the environment"));
        }
        Ok(())
    }
}

impl Host {
    pub(crate) fn is_socket(&self) -> bool {
        self.name.is_empty() || self.name.starts_with(['/', '@'])
    }

    fn location(&self) -> String {
        let name = if self.name.is_empty() { "local socket" } else { &self.name };
        match self.port {
            Some(port) if name.contains(':') => format!("[{name}]:{port}"),
            Some(port) => format!("{name}:{port}"),
            None if self.is_socket() => name.to_owned(),
            None if name.contains(':') => format!("[{name}]:5432"),
            None => format!("{name}:5432"),
        }
    }
}

pub(crate) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// Names the parameter only where it looks like one: a piece of a mangled URL may be a piece of a password.
fn unknown_parameter(name: &str) -> Error {
    let plausible = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let shown = if plausible && !name.is_empty() { name } else { "(not shown)" };
    invalid("the connection has a parameter that libpq does not know")
        .with_context("parameter", shown)
        .with_suggestion("remove the parameter, or percent-encode `?`, `&` and `/` in the password")
}

#[cfg(test)]
mod tests;
