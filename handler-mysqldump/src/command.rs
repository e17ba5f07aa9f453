//! Settings to option files and argument lists; starts nothing.

use std::fmt::Write as _;

use backup_core::{
    Result, Secret,
    process::{Host, Tool},
};

use crate::{
    config::{Address, MysqlConfig, Tls},
    version::{Client, Flavour, Version},
};

mod dump_args;

pub(crate) use dump_args::{DumpSettings, check_extra};

/// What would redirect or bend the connection if it were inherited; removed from every child.
const NEVER_INHERITED: &[&str] = &[
    "MYSQL_HOST",
    "MYSQL_TCP_PORT",
    "MYSQL_UNIX_PORT",
    "MYSQL_PWD",
    "MYSQL_GROUP_SUFFIX",
    "MARIADB_GROUP_SUFFIX",
    "MYSQL_HOME",
    "MARIADB_HOME",
    "MYSQL_HISTFILE",
    "LANGUAGE",
];

/// Larger than any row that a server takes: a client's own limit never stops a dump or a restore.
const MAX_ALLOWED_PACKET: &str = "--max-allowed-packet=1073741824";

/// The arguments of every question put to the SQL client; the SQL comes by standard input.
///
/// In binary mode the client obeys no command in its input but `DELIMITER` and `\C`: nothing in it can run a program.
pub(crate) const SQL_ARGS: &[&str] = &[
    "--batch",
    "--skip-column-names",
    "--binary-mode",
    "--default-character-set=utf8mb4",
    MAX_ALLOWED_PACKET,
];

/// A client program told about the connection, with `args` behind the option file.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(crate) async fn client(
    name: &'static str,
    client: &Client,
    host: &Host,
    config: &MysqlConfig,
    args: impl IntoIterator<Item = impl Into<std::ffi::OsString>>,
) -> Result<Tool> {
    config.validate()?;
    let mut tool = Tool::new(name, &client.path)
        .on(host)
        // Messages are classified by their English text.
        .env("LC_ALL", "C")
        // Read last by MySQL's clients, whatever their first argument says.
        .env("MYSQL_TEST_LOGIN_FILE", "/dev/null");
    for variable in NEVER_INHERITED {
        tool = tool.env_remove(*variable);
    }
    if let Some(password) = config.password.as_ref().filter(|password| !password.expose().is_empty()) {
        tool = tool.redact(password.clone());
    }
    let tool = tool.file_arg("--defaults-file=", option_file(config, client.version)).await?;
    Ok(tool.args(args))
}

/// Where the server is, and from where it is seen.
pub(crate) fn location(config: &MysqlConfig, host: &Host) -> String {
    match host.name() {
        Some(name) => format!("{} from {name}", config.location()),
        None => config.location(),
    }
}

/// The option file for a client of this version.
pub(crate) fn option_file(config: &MysqlConfig, client: Version) -> Secret {
    let mut text = String::new();
    if let Some(path) = &config.option_file {
        text.push_str(&format!("!include {}\n", path.display()));
    }
    text.push_str("[client]\n");
    let mut set = |name: &str, value: &str| {
        // Writing into a string cannot fail.
        let _written = writeln!(text, "{name}=\"{}\"", escaped(value));
    };
    match &config.address {
        Address::DefaultSocket => {}
        Address::Socket(path) => {
            set("protocol", "socket");
            set("socket", &path.to_string_lossy());
        }
        Address::Tcp { host, port } => {
            set("protocol", "tcp");
            set("host", host);
            set("port", &port.to_string());
        }
    }
    if let Some(user) = &config.user {
        set("user", user);
    }
    if let Some(password) = &config.password {
        set("password", password.expose());
    }
    for (name, path) in
        [("ssl-ca", &config.tls_ca), ("ssl-cert", &config.tls_cert), ("ssl-key", &config.tls_key)]
    {
        if let (Some(path), true) = (path, config.tls != Tls::Disabled) {
            set(name, &path.to_string_lossy());
        }
    }
    text.push_str(tls(config.tls, client));
    // Not under [client]: the programs that dump do not know it.
    let _written = write!(text, "[mysql]\nconnect-timeout={}\n", config.connect_timeout_seconds);
    Secret::new(text)
}

/// The lines that say how to encrypt.
fn tls(tls: Tls, client: Version) -> &'static str {
    match (client.flavour, tls) {
        (Flavour::MySql, Tls::Disabled) => "ssl-mode=DISABLED\n",
        (Flavour::MySql, Tls::Preferred) => "ssl-mode=PREFERRED\n",
        (Flavour::MySql, Tls::Required) => "ssl-mode=REQUIRED\n",
        (Flavour::MySql, Tls::VerifyCa) => "ssl-mode=VERIFY_CA\n",
        (Flavour::MySql, Tls::VerifyIdentity) => "ssl-mode=VERIFY_IDENTITY\n",
        (Flavour::MariaDb, Tls::Disabled) => "skip-ssl\n",
        // Since 11.4 the certificate is checked unless told otherwise, and a server without one refused.
        (Flavour::MariaDb, Tls::Preferred) => "skip-ssl-verify-server-cert\n",
        (Flavour::MariaDb, Tls::Required) => "ssl\nskip-ssl-verify-server-cert\n",
        (Flavour::MariaDb, Tls::VerifyCa | Tls::VerifyIdentity) => "ssl\nssl-verify-server-cert\n",
    }
}

/// The rules of option files for a value in double quotes.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for ch in value.chars() {
        match ch {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            _ => text.push(ch),
        }
    }
    text
}

#[cfg(test)]
mod tests;
