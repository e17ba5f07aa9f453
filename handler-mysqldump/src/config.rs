//! [`MysqlConfig`]: where the server is and who asks, from a URL or from fields.

use std::path::PathBuf;

use backup_core::{Error, ErrorKind, Result, Secret};

mod url;

/// The port that both flavours have unless told otherwise.
const PORT: u16 = 3306;

/// The connection to one database.
///
/// Values reach the client programs by an option file that only its owner can read, and that is their first
/// argument; no other option file is read, and nothing that another program left in the environment redirects
/// the connection.
///
/// # Examples
///
/// ```
/// use handler_mysqldump::MysqlConfig;
///
/// let config = MysqlConfig::from_url("mysql://app:p%40ss@db.example:3307/shop?ssl-mode=VERIFY_IDENTITY")?;
/// assert_eq!(config.location(), "db.example:3307");
/// assert_eq!(config.database(), "shop");
/// assert!(!format!("{config:?}").contains("p@ss"));
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MysqlConfig {
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) connect_timeout_seconds: u32,
    pub(crate) option_file: Option<PathBuf>,
}

/// Where the server listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Address {
    /// The client's built-in socket.
    #[default]
    DefaultSocket,
    Socket(PathBuf),
    Tcp {
        host: String,
        port: u16,
    },
}

/// How the connection is encrypted; the words are those of MySQL's `ssl-mode`.
///
/// MariaDB's clients have no such option; what is asked for is put into theirs. That a connection that has to be
/// encrypted is encrypted is asked of the server before anything is dumped or restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// Never; refused by servers that require it.
    Disabled,
    /// Where the server can; its certificate is not checked.
    #[default]
    Preferred,
    /// Always; the server's certificate is not checked.
    Required,
    /// Always, and the certificate is by an authority that is trusted. MariaDB's clients check the host's name too.
    VerifyCa,
    /// Always, by an authority that is trusted, and for this host.
    VerifyIdentity,
}

impl MysqlConfig {
    /// A connection to `database` by the local socket, as the user of this process.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            address: Address::default(),
            user: None,
            password: None,
            database: database.into(),
            tls: Tls::default(),
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            connect_timeout_seconds: 15,
            option_file: None,
        }
    }

    /// Reads a URL: `mysql://user:password@host:port/database?ssl-mode=REQUIRED`, or `mariadb://…`.
    ///
    /// A host, `localhost` too, is reached over TCP; a socket is named by `?socket=/run/mysqld/mysqld.sock`.
    /// Known parameters are `socket`, `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key` and `connect-timeout` (seconds),
    /// also with `_` for `-`. A password with characters that ought to be percent-encoded is understood where it
    /// is not ambiguous.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput), naming an unknown parameter; the URL is never in it.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// Connects over TCP to a host's name or address, on port 3306 unless [`port`](Self::port) says otherwise.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let port = if let Address::Tcp { port, .. } = self.address { port } else { PORT };
        self.address = Address::Tcp { host: host.into(), port };
        self
    }

    /// Sets the port; the host is this one unless [`host`](Self::host) names another.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        let host = match self.address {
            Address::Tcp { host, .. } => host,
            _ => "127.0.0.1".to_owned(),
        };
        self.address = Address::Tcp { host, port };
        self
    }

    /// Connects by this Unix socket.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.address = Address::Socket(path.into());
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

    /// Says how the connection is encrypted; where the server can, unless said otherwise.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Names the file of the certificate authorities that are trusted (PEM).
    #[must_use]
    pub fn tls_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls_ca = Some(path.into());
        self
    }

    /// Names the files of this client's own certificate and key (PEM).
    #[must_use]
    pub fn tls_identity(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls_cert = Some(cert.into());
        self.tls_key = Some(key.into());
        self
    }

    /// Sets how long to wait for the connection, in seconds; 15 unless said otherwise.
    #[must_use]
    pub fn connect_timeout_seconds(mut self, seconds: u32) -> Self {
        self.connect_timeout_seconds = seconds.max(1);
        self
    }

    /// Reads `[client]` of an option file of the user's own, such as `~/.my.cnf`; what is set here wins.
    #[must_use]
    pub fn option_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.option_file = Some(path.into());
        self
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

    /// Where the server is, without secrets: `db.example:3306`, or a socket's path.
    #[must_use]
    pub fn location(&self) -> String {
        match &self.address {
            Address::DefaultSocket => "local socket".to_owned(),
            Address::Socket(path) => path.display().to_string(),
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
        }
    }

    /// Refuses what no client program could be told.
    pub(crate) fn validate(&self) -> Result<()> {
        /// The servers' own limit for names, in letters.
        const NAME_LETTERS: usize = 64;
        if self.database.is_empty() {
            return Err(invalid("no database is named")
                .with_suggestion("end the URL in `/name`, or give the database's name"));
        }
        if self.database.chars().count() > NAME_LETTERS {
            return Err(invalid("the database's name is longer than any server takes")
                .with_context("limit", NAME_LETTERS));
        }
        let paths = [
            ("socket", if let Address::Socket(path) = &self.address { Some(path) } else { None }),
            ("ssl-ca", self.tls_ca.as_ref()),
            ("ssl-cert", self.tls_cert.as_ref()),
            ("ssl-key", self.tls_key.as_ref()),
            ("option file", self.option_file.as_ref()),
        ];
        for (what, path) in paths {
            let Some(path) = path else { continue };
            match path.to_str() {
                None => return Err(invalid("a path is not UTF-8").with_context("field", what)),
                Some(path) if path.contains(['\0', '\n', '\r']) => {
                    return Err(
                        invalid("a path holds a line break or a zero byte").with_context("field", what)
                    );
                }
                Some(_) => {}
            }
        }
        let host = if let Address::Tcp { host, .. } = &self.address { host.as_str() } else { "x" };
        let texts = [
            ("database", self.database.as_str()),
            ("host", host),
            ("user", self.user.as_deref().unwrap_or("x")),
            ("password", self.password.as_ref().map_or("x", Secret::expose)),
        ];
        for (what, text) in texts {
            if text.contains('\0') {
                return Err(
                    invalid("a zero byte cannot be passed to a client program").with_context("field", what)
                );
            }
        }
        if host.is_empty() {
            return Err(invalid("the host has no name"));
        }
        Ok(())
    }
}

pub(crate) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests;
