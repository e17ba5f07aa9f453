//! Reads a connection URL; nothing of the URL is ever part of an error.

use backup_core::{Error, Result, Secret};
use percent_encoding::percent_decode_str;

use super::{Address, MysqlConfig, PORT, Tls, invalid};

pub(super) fn parse(url: &str) -> Result<MysqlConfig> {
    let rest = url
        .trim()
        .strip_prefix("mysql://")
        .or_else(|| url.trim().strip_prefix("mariadb://"))
        .ok_or_else(|| invalid("the URL does not start with mysql:// or mariadb://"))?;
    let (user_info, rest) = split_user_info(rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));

    let mut config = MysqlConfig::new(decode(path)?);
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        config.user = Some(decode(user)?).filter(|user| !user.is_empty());
        config.password = password.filter(|text| !text.is_empty()).map(decode).transpose()?.map(Secret::new);
    }
    if !authority.is_empty() {
        config.address = address(authority)?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| invalid("the URL has a parameter without a value"))?;
        parameter(&mut config, name, decode(value)?)?;
    }
    config.validate()?;
    Ok(config)
}

fn parameter(config: &mut MysqlConfig, name: &str, value: String) -> Result<()> {
    match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "socket" => config.address = Address::Socket(value.into()),
        "ssl-mode" | "sslmode" => config.tls = tls(&value)?,
        "ssl-ca" | "sslca" => config.tls_ca = Some(value.into()),
        "ssl-cert" => config.tls_cert = Some(value.into()),
        "ssl-key" => config.tls_key = Some(value.into()),
        "connect-timeout" => {
            config.connect_timeout_seconds = value
                .parse()
                .ok()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| invalid("connect-timeout is not a number of seconds"))?;
        }
        _ => return Err(unknown_parameter(name)),
    }
    Ok(())
}

/// The words of MySQL's clients, and those of other libraries for the same.
fn tls(word: &str) -> Result<Tls> {
    Ok(match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" | "disable" => Tls::Disabled,
        "preferred" | "prefer" => Tls::Preferred,
        "required" | "require" => Tls::Required,
        "verify_ca" => Tls::VerifyCa,
        "verify_identity" | "verify_full" => Tls::VerifyIdentity,
        _ => {
            return Err(invalid("the URL's ssl-mode is not known")
                .with_suggestion("use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"));
        }
    })
}

/// Splits `user:password` off, also where the password holds `@`, `/` or `?` as they are.
fn split_user_info(rest: &str) -> (Option<&str>, &str) {
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let at = if let Some(at) = authority.rfind('@') {
        Some(at)
    } else {
        let path_end = tail.find('?').unwrap_or(tail.len());
        let path = tail.get(..path_end).unwrap_or_default();
        match path.rfind('@') {
            Some(at) => Some(authority_end + at),
            // `host?socket=a@b` is well formed; `user:p?w@host` has no port where a port would stand.
            None if authority.is_empty() || address(authority).is_ok() => None,
            None => rest.rfind('@'),
        }
    };
    match at.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?))) {
        Some((user_info, rest)) => (Some(user_info), rest),
        None => (None, rest),
    }
}

fn address(text: &str) -> Result<Address> {
    let bad = || {
        invalid("the URL names a host or a port that cannot be read")
            .with_suggestion("percent-encode `@`, `:`, `/` and `?` in user and password")
    };
    if text.contains(',') {
        return Err(invalid("the URL names several hosts").with_suggestion("name the one to dump from"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            match rest.strip_prefix(':') {
                None if rest.is_empty() => (host, None),
                None => return Err(bad()),
                Some(port) => (host, Some(port)),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => PORT,
        Some(port) => port.parse().map_err(|_| bad())?,
    };
    let host = decode(host)?;
    // A socket as some libraries write it: `mysql://user@%2Frun%2Fmysqld%2Fmysqld.sock/db`.
    Ok(if host.starts_with('/') { Address::Socket(host.into()) } else { Address::Tcp { host, port } })
}

/// Decodes `%XX`; a `%` that starts no such thing stays as it is.
fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| invalid("the URL holds percent-encoded bytes that are not UTF-8"))?.into_owned())
}

/// Names the parameter only where it looks like one: a piece of a mangled URL may be a piece of a password.
fn unknown_parameter(name: &str) -> Error {
    let plausible =
        name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let shown = if plausible && !name.is_empty() { name } else { "(not shown)" };
    invalid("the connection has a parameter that is not known")
        .with_context("parameter", shown)
        .with_suggestion("known are socket, ssl-mode, ssl-ca, ssl-cert, ssl-key and connect-timeout")
        .with_suggestion("percent-encode `?`, `&` and `/` in the password")
}
