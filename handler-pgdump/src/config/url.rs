//! Reads a connection URL; nothing of the URL is ever part of an error.

use backup_core::{Result, Secret};
use percent_encoding::percent_decode_str;

use super::{Host, PARAMETERS, PgConfig, invalid, unknown_parameter};

pub(super) fn parse(url: &str) -> Result<PgConfig> {
    let rest = url
        .trim()
        .strip_prefix("postgresql://")
        .or_else(|| url.trim().strip_prefix("postgres://"))
        .ok_or_else(|| invalid("the URL does not start with postgresql:// or postgres://"))?;
    let (user_info, rest) = split_user_info(rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));

    let mut config = PgConfig::new(decode(path)?);
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        config.user = Some(decode(user)?).filter(|user| !user.is_empty());
        config.password = password.filter(|text| !text.is_empty()).map(decode).transpose()?.map(Secret::new);
    }
    for host in authority.split(',').filter(|host| !host.is_empty()) {
        config.hosts.push(parse_host(host)?);
    }
    let mut hosts = None;
    let mut ports = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| invalid("the URL has a parameter without a value"))?;
        let value = decode(value)?;
        match name {
            "host" => hosts = Some(value),
            "port" => ports = Some(value),
            "user" => config.user = Some(value),
            "password" => config.password = Some(Secret::new(value)),
            "dbname" => config.database = value,
            "passfile" => config.pass_file = Some(value.into()),
            // JDBC's spelling, which libpq takes too.
            "ssl" if value == "true" => {
                config.parameters.insert("sslmode", Secret::new("require"));
            }
            _ => {
                let known = PARAMETERS.iter().find(|(known, _)| *known == name);
                let (name, _) = known.ok_or_else(|| unknown_parameter(name))?;
                config.parameters.insert(name, Secret::new(value));
            }
        }
    }
    if let Some(hosts) = hosts {
        config.hosts = hosts.split(',').map(|name| Host { name: name.to_owned(), port: None }).collect();
    }
    if let Some(ports) = ports {
        set_ports(&mut config, &ports)?;
    }
    if config.database.is_empty() {
        // libpq's rule.
        config.database = config.user.clone().unwrap_or_default();
    }
    config.validate()?;
    Ok(config)
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
            // `host?user=a@b` is well formed; `user:p?w@host` has no port where a port would stand.
            None if authority.split(',').all(|host| parse_host(host).is_ok()) => None,
            None => rest.rfind('@'),
        }
    };
    match at.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?))) {
        Some((user_info, rest)) => (Some(user_info), rest),
        None => (None, rest),
    }
}

fn parse_host(text: &str) -> Result<Host> {
    let bad = || {
        invalid("the URL names a host or a port that cannot be read")
            .with_suggestion("percent-encode `@`, `:`, `/` and `?` in user and password")
    };
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or_else(bad)?;
            match rest.strip_prefix(':') {
                None if rest.is_empty() => (name, None),
                None => return Err(bad()),
                Some(port) => (name, Some(port)),
            }
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().map_err(|_| bad())?),
    };
    Ok(Host { name: decode(name)?, port })
}

/// One port for all hosts, or one each.
fn set_ports(config: &mut PgConfig, ports: &str) -> Result<()> {
    let parsed: Vec<Option<u16>> = ports
        .split(',')
        .map(|port| if port.is_empty() { Ok(None) } else { port.parse().map(Some) })
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("the URL names a port that is not a number from 0 to 65535"))?;
    if config.hosts.is_empty() {
        config.hosts.push(Host { name: String::new(), port: None });
    }
    if parsed.len() != 1 && parsed.len() != config.hosts.len() {
        return Err(invalid("the URL names as many ports as hosts, or one port, or none"));
    }
    let all = parsed.first().copied().flatten();
    for (index, host) in config.hosts.iter_mut().enumerate() {
        host.port = parsed.get(index).copied().unwrap_or(all);
    }
    Ok(())
}

/// Decodes `%XX`; a `%` that starts no such thing stays as it is.
fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| invalid("the URL holds percent-encoded bytes that are not UTF-8"))?.into_owned())
}
