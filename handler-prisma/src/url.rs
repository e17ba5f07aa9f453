//! [`Connection`]: where a datasource leads, read out of its URL as Prisma reads it.

use std::path::{Path, PathBuf};

use backup_core::{Error, ErrorKind, Result, Secret};

mod mysql;
mod postgresql;
mod refused;

pub use mysql::{MySqlEncryption, MySqlUrl};
pub use postgresql::PostgreSqlUrl;

/// A database that Prisma can be connected to, and that can be dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connection {
    /// PostgreSQL.
    PostgreSql(PostgreSqlUrl),
    /// MySQL or MariaDB.
    MySql(MySqlUrl),
    /// A file of SQLite.
    Sqlite(PathBuf),
}

/// A URL that was read, and what was left out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedUrl {
    /// Where it leads.
    pub connection: Connection,
    /// What of it does not reach the client programs, one sentence each.
    pub notes: Vec<String>,
    /// What needs a look: a pooler, encryption that is not what was asked for; one sentence each.
    pub warnings: Vec<String>,
}

impl Connection {
    /// Reads the URL of a datasource whose `provider` is this; relative paths in it are relative to `base`.
    ///
    /// The URL is read as Prisma reads it and not as the client programs do: user and password are percent-decoded
    /// (what is no `%XX` stays), the database's name is not, and a parameter of Prisma's own is translated or dropped.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a provider or a kind of URL that cannot be dumped, with what to do
    /// instead; [`InvalidInput`](ErrorKind::InvalidInput) for a URL that cannot be read. The URL is never in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use handler_prisma::{Connection, Secret};
    ///
    /// let url = Secret::new("postgresql://app:p%40ss@db.example/shop?schema=sales&connection_limit=5");
    /// let parsed = Connection::parse("postgresql", &url, Path::new("prisma"))?;
    /// assert_eq!(parsed.connection.location(), "db.example:5432");
    /// assert_eq!(parsed.notes, ["connection_limit means nothing to the client programs, and was dropped"]);
    ///
    /// let refused = Connection::parse("postgresql", &Secret::new("prisma://accelerate.prisma-data.net/?api_key=x"), Path::new("."));
    /// assert_eq!(refused.unwrap_err().code(), "unsupported");
    /// # Ok::<(), backup_core::Error>(())
    /// ```
    pub fn parse(provider: &str, url: &Secret, base: &Path) -> Result<ParsedUrl> {
        let text = url.expose().trim();
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the URL of the database is empty"));
        }
        refused::provider(provider)?;
        refused::scheme(provider, text)?;
        match provider {
            "postgresql" | "postgres" => postgresql::parse(text, base),
            "mysql" => mysql::parse(text, base),
            _ => {
                let connection = Self::Sqlite(sqlite_path(text, base)?);
                Ok(ParsedUrl { connection, notes: Vec::new(), warnings: Vec::new() })
            }
        }
    }

    /// The engine, in the words of manifests; MariaDB says so itself when it is asked.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self {
            Self::PostgreSql(_) => "postgresql",
            Self::MySql(_) => "mysql",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// The database's name, or that of the file.
    #[must_use]
    pub fn database(&self) -> String {
        match self {
            Self::PostgreSql(url) => url.database.clone(),
            Self::MySql(url) => url.database.clone(),
            Self::Sqlite(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Where it is, without secrets: `db.example:5432`, a socket's path, or the path of a file.
    #[must_use]
    pub fn location(&self) -> String {
        match self {
            Self::PostgreSql(url) => place(&url.host, url.port),
            Self::MySql(url) => match &url.socket {
                Some(path) => path.display().to_string(),
                None => place(&url.host, url.port),
            },
            Self::Sqlite(path) => path.display().to_string(),
        }
    }

    /// The database with its place, without secrets.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::PostgreSql(url) if url.schema != "public" => {
                format!("{}/{} (schema {})", self.location(), url.database, url.schema)
            }
            Self::PostgreSql(_) | Self::MySql(_) => format!("{}/{}", self.location(), self.database()),
            Self::Sqlite(_) => self.location(),
        }
    }

    /// Whether two lead to the same database, and the same table of migrations; two names of one server count as two.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PostgreSql(one), Self::PostgreSql(two)) => {
                (&one.database, &one.schema, one.port) == (&two.database, &two.schema, two.port)
                    && canonical(&one.host) == canonical(&two.host)
            }
            (Self::MySql(one), Self::MySql(two)) => {
                let place = |url: &MySqlUrl| match &url.socket {
                    Some(path) => (path.display().to_string(), 0),
                    None => (canonical(&url.host), url.port),
                };
                one.database == two.database && place(one) == place(two)
            }
            (Self::Sqlite(one), Self::Sqlite(two)) => {
                let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                real(one) == real(two)
            }
            _ => false,
        }
    }
}

/// The host, with one name for this machine.
fn canonical(host: &str) -> String {
    match host.to_ascii_lowercase().as_str() {
        "127.0.0.1" | "::1" => "localhost".to_owned(),
        // The path of a socket.
        path if path.starts_with('/') => host.to_owned(),
        other => other.to_owned(),
    }
}

fn place(host: &str, port: u16) -> String {
    match host {
        host if host.starts_with('/') => host.to_owned(),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// Prisma strips `file:`, cuts at the first `?`, and decodes nothing.
fn sqlite_path(text: &str, base: &Path) -> Result<PathBuf> {
    let path = text.strip_prefix("file:").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" || path.contains('\0') {
        return Err(Error::new(ErrorKind::InvalidInput, "the URL names no file")
            .with_suggestion("write the URL of the database as file:./name.db"));
    }
    // Two slashes at the start are one to the operating system.
    let path =
        if path.starts_with("//") { format!("/{}", path.trim_start_matches('/')) } else { path.to_owned() };
    Ok(tidied(&base.join(path)))
}

/// The path without `.` in it; `..` stays, as a symbolic link may stand before it.
pub(crate) fn tidied(path: &Path) -> PathBuf {
    let tidy: PathBuf = path.components().collect();
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

/// What both servers' URLs have in common.
struct Parts {
    user: Option<String>,
    password: Option<Secret>,
    /// Empty where the URL names none.
    host: String,
    port: Option<u16>,
    database: String,
    parameters: Vec<(String, String)>,
}

/// Reads a URL as the WHATWG's standard has it, by which the last `@` ends user and password.
fn parts(text: &str) -> Result<Parts> {
    let bad = || {
        Error::new(ErrorKind::InvalidInput, "the URL of the database cannot be read").with_suggestion(
            "percent-encode `/`, `?`, `#`, `[`, `]` and `@` in user and password, and write the port as a number",
        )
    };
    // The parser's own error says nothing of where, and is not kept: it is about a URL with a password.
    let url = url::Url::parse(text).map_err(|_| bad())?;
    if url.cannot_be_a_base() || url.fragment().is_some() {
        return Err(bad());
    }
    let decoded = |part: &str| {
        percent_encoding::percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    let user = Some(decoded(url.username()).map_err(|_| bad())?).filter(|user| !user.is_empty());
    let password = match url.password() {
        Some(password) => Some(Secret::new(decoded(password).map_err(|_| bad())?)),
        None => None,
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = decoded(host).map_err(|_| bad())?;
    // Not decoded: Prisma uses the first segment as it stands.
    let mut segments = url.path().trim_start_matches('/').split('/');
    let database = segments.next().unwrap_or_default().to_owned();
    if database.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "the URL names no database").with_suggestion(
            "end the URL in `/name`: the defaults of Prisma and of the client programs differ",
        ));
    }
    // What a password with a slash leaves: nothing of it may be taken for a name, and be shown.
    if database.contains('@') {
        return Err(bad());
    }
    let parameters = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    Ok(Parts { user, password, host, port: url.port(), database, parameters })
}

/// What is said of a parameter that does not reach the client programs.
fn dropped(name: &str) -> String {
    let plausible = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // A piece of a mangled URL may be a piece of a password.
    let name = if plausible && !name.is_empty() { name } else { "a parameter (not shown)" };
    format!("{name} means nothing to the client programs, and was dropped")
}

/// Refuses an identity in PKCS#12, which no client program reads.
fn no_identity(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "the URL names a certificate in PKCS#12, which no client program reads")
        .with_context("parameter", what)
        .with_suggestion(
            "convert it: openssl pkcs12 -in identity.p12 -out client.pem -nodes; then give certificate and key to the \
             dumper's own configuration",
        )
}

#[cfg(test)]
mod tests;
