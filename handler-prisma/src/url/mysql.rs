//! URLs of MySQL and MariaDB.

use std::path::{Path, PathBuf};

use backup_core::{Error, ErrorKind, Result, Secret};

use super::{Connection, ParsedUrl, dropped, no_identity, parts, tidied};

/// A connection to MySQL or MariaDB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MySqlUrl {
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The socket, which is then used instead of the host.
    pub socket: Option<PathBuf>,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database's name.
    pub database: String,
    /// How the connection is encrypted.
    pub encryption: MySqlEncryption,
    /// The certificate of the authority that is trusted (PEM).
    pub ca: Option<PathBuf>,
    /// How long to wait for a connection, in seconds.
    pub connect_timeout_seconds: Option<u32>,
}

/// How a connection to MySQL is encrypted: Prisma knows no more than these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MySqlEncryption {
    /// Where the server can.
    #[default]
    Preferred,
    /// Always; whose certificate it is, is not checked.
    Required,
    /// Always, by an authority that is trusted, and for this host.
    Verified,
}

pub(super) fn parse(text: &str, base: &Path) -> Result<ParsedUrl> {
    let parts = parts(text)?;
    let mut notes = Vec::new();
    let mut found = MySqlUrl {
        host: if parts.host.is_empty() { "localhost".to_owned() } else { parts.host },
        port: parts.port.unwrap_or(3306),
        socket: None,
        user: parts.user,
        password: parts.password,
        database: parts.database,
        encryption: MySqlEncryption::Preferred,
        ca: None,
        connect_timeout_seconds: None,
    };
    for (name, value) in parts.parameters {
        match name.as_str() {
            "socket" => {
                let path = value.strip_prefix('(').and_then(|path| path.strip_suffix(')')).unwrap_or(&value);
                found.socket = Some(path.into());
            }
            "connect_timeout" => {
                let seconds = value.parse().map_err(|_| {
                    Error::new(ErrorKind::InvalidInput, "connect_timeout is not a number of seconds")
                })?;
                // Zero, which is no limit, is the clients' own to choose.
                found.connect_timeout_seconds = Some(seconds).filter(|seconds| *seconds > 0);
            }
            "sslcert" => found.ca = Some(tidied(&base.join(value))),
            "sslidentity" => return Err(no_identity("sslidentity")),
            "sslaccept" if value == "strict" => found.encryption = MySqlEncryption::Verified,
            "sslaccept" | "sslpassword" => {}
            other => notes.push(dropped(other)),
        }
        // Any parameter of TLS switches it on.
        if name.starts_with("ssl") && found.encryption == MySqlEncryption::Preferred {
            found.encryption = MySqlEncryption::Required;
        }
    }
    Ok(ParsedUrl { connection: Connection::MySql(found), notes, warnings: Vec::new() })
}

#[cfg(feature = "mysql")]
impl MySqlUrl {
    /// The connection for `mysqldump`, `mariadb-dump` and the SQL clients.
    #[must_use]
    pub fn config(&self) -> handler_mysqldump::MysqlConfig {
        use handler_mysqldump::{MysqlConfig, Tls};
        let config = match &self.socket {
            Some(path) => MysqlConfig::new(&self.database).socket(path),
            None => MysqlConfig::new(&self.database).host(&self.host).port(self.port),
        };
        let config = self.user.iter().fold(config, MysqlConfig::user);
        let config = self.password.iter().cloned().fold(config, MysqlConfig::password);
        let config = self.ca.iter().fold(config, MysqlConfig::tls_ca);
        let seconds = self.connect_timeout_seconds.iter();
        let config = seconds.fold(config, |config, seconds| config.connect_timeout_seconds(*seconds));
        config.tls(match self.encryption {
            MySqlEncryption::Preferred => Tls::Preferred,
            MySqlEncryption::Required => Tls::Required,
            MySqlEncryption::Verified => Tls::VerifyIdentity,
        })
    }
}
