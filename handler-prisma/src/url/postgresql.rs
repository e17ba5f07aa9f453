//! URLs of PostgreSQL.

use std::path::Path;

use backup_core::{Error, ErrorKind, Result, Secret};

use super::{Connection, ParsedUrl, dropped, no_identity, parts, tidied};

/// A connection to PostgreSQL, in libpq's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgreSqlUrl {
    /// The host's name or address, or a socket's folder.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database's name.
    pub database: String,
    /// The schema that `_prisma_migrations` is in.
    pub schema: String,
    /// What libpq is told besides, by the names of its own parameters.
    pub parameters: Vec<(&'static str, String)>,
}

pub(super) fn parse(text: &str, base: &Path) -> Result<ParsedUrl> {
    let parts = parts(text)?;
    let (mut notes, mut warnings) = (Vec::new(), Vec::new());
    let mut found = PostgreSqlUrl {
        host: if parts.host.is_empty() { "localhost".to_owned() } else { parts.host },
        port: parts.port.unwrap_or(5432),
        user: parts.user,
        password: parts.password,
        database: parts.database,
        schema: "public".to_owned(),
        parameters: Vec::new(),
    };
    let (mut sslmode, mut strict) = (None, false);
    let mut pooled = false;
    for (name, value) in parts.parameters {
        match name.as_str() {
            "schema" if !value.is_empty() => found.schema = value,
            // libpq would take the server of this machine for it.
            "host" if value.is_empty() => {
                return Err(Error::new(ErrorKind::InvalidInput, "the URL names a host that is empty")
                    .with_suggestion("drop the parameter `host`, or name the server by it"));
            }
            "host" => found.host = value,
            "sslmode" => sslmode = Some(mode(&value, &mut warnings)),
            "sslaccept" => strict = value == "strict",
            "sslcert" => {
                found.parameters.push(("sslrootcert", tidied(&base.join(value)).display().to_string()));
            }
            "sslidentity" => return Err(no_identity("sslidentity")),
            // What belongs to an identity, or is empty.
            "sslpassword" | "schema" => {}
            // Zero waits for ever with both.
            "connect_timeout" => found.parameters.push(("connect_timeout", seconds(&value)?)),
            "options" => found.parameters.push(("options", value)),
            "application_name" => found.parameters.push(("application_name", value)),
            "channel_binding" => found.parameters.push(("channel_binding", value)),
            "pgbouncer" => pooled = value == "true",
            // Prisma's own, such as `connection_limit`, and what nobody knows: libpq refuses both.
            other => notes.push(dropped(other)),
        }
    }
    match (sslmode, strict) {
        (Some("disable"), _) => found.parameters.push(("sslmode", "disable".to_owned())),
        (Some(stricter @ ("verify-ca" | "verify-full")), _) => {
            found.parameters.push(("sslmode", stricter.to_owned()));
        }
        (_, true) => {
            found.parameters.push(("sslmode", "verify-full".to_owned()));
            // Prisma then trusts the authorities of the system, which libpq does not by itself.
            if !found.parameters.iter().any(|(name, _)| *name == "sslrootcert") {
                warnings.push("sslaccept=strict trusts the authorities in ~/.postgresql/root.crt of libpq; name others by sslcert".to_owned());
            }
        }
        (Some(mode), false) => found.parameters.push(("sslmode", mode.to_owned())),
        (None, false) => {}
    }
    if pooled || is_pooler(&found.host, found.port) {
        warnings.push(
            "the URL leads to a pooler, which is not fit for a dump: give the server's own by directUrl"
                .to_owned(),
        );
    }
    Ok(ParsedUrl { connection: Connection::PostgreSql(found), notes, warnings })
}

/// Prisma knows three modes, and takes any other for `prefer`; the stricter ones of libpq are not weakened.
fn mode(value: &str, warnings: &mut Vec<String>) -> &'static str {
    match value {
        "disable" => "disable",
        "require" => "require",
        "verify-ca" => "verify-ca",
        "verify-full" => "verify-full",
        "prefer" => "prefer",
        _ => {
            warnings.push("the URL's sslmode is not known to Prisma, which takes it for prefer".to_owned());
            "prefer"
        }
    }
}

fn seconds(value: &str) -> Result<String> {
    match value.parse::<u32>() {
        Ok(seconds) => Ok(seconds.to_string()),
        Err(_) => Err(Error::new(ErrorKind::InvalidInput, "connect_timeout is not a number of seconds")),
    }
}

/// The hosts and ports of poolers that do not keep a session: Supabase, Neon, Prisma Postgres, `PgBouncer`.
fn is_pooler(host: &str, port: u16) -> bool {
    port == 6543 || host.contains(".pooler.") || host.contains("-pooler.") || host == "pooled.db.prisma.io"
}

#[cfg(feature = "postgresql")]
impl PostgreSqlUrl {
    /// The connection for `pg_dump` and `psql`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what libpq cannot be told.
    pub fn config(&self) -> Result<handler_pgdump::PgConfig> {
        let config = handler_pgdump::PgConfig::new(&self.database).host(&self.host).port(self.port);
        let config = self.user.iter().fold(config, handler_pgdump::PgConfig::user);
        let config = self.password.iter().cloned().fold(config, handler_pgdump::PgConfig::password);
        self.parameters
            .iter()
            .try_fold(config, |config, (name, value)| config.parameter(name, value.as_str()))
    }
}
