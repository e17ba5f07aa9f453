//! Whether a URL holds a password; nothing of it is ever part of an error.

use percent_encoding::percent_decode_str;

/// Whether the name of a key, an option or a parameter is one of a secret.
pub(super) fn names_a_secret(name: &str) -> bool {
    let name = decoded(name).to_lowercase();
    // A password file is a path.
    !matches!(name.as_str(), "passfile" | "pass_file" | "password_file")
        && (["pass", "pwd", "secret", "token", "credential"].iter().any(|word| name.contains(word))
            || matches!(name.as_str(), "key" | "api_key" | "apikey" | "routing_key"))
}

/// The engine that a URL names, or why the URL cannot be used.
///
/// Rather refuses too much: what cannot be read for certain may be a piece of a password.
pub(super) fn engine(url: &str) -> Result<&str, Refused> {
    let (scheme, rest) = url.trim().split_once(':').ok_or(Refused::NoUrl)?;
    let is_scheme = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'));
    if !is_scheme {
        return Err(Refused::NoUrl);
    }
    match rest.strip_prefix("//") {
        Some(rest) => check(rest)?,
        // Such as `sqlite:/path`; a URL without its scheme, `user:password@host`, looks the same.
        None if rest.contains(['@', '?', ';']) || rest.contains("//") => return Err(Refused::Unclear),
        None => {}
    }
    Ok(match scheme {
        "postgres" => "postgresql",
        "file" => "sqlite",
        scheme => scheme,
    })
}

/// Why a URL cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    NoUrl,
    /// There is a password in it.
    Password,
    /// There may be one.
    Unclear,
}

impl Refused {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NoUrl => "this is no URL",
            Self::Password => "a password stands in the URL",
            Self::Unclear => "the URL holds characters that could be those of a password",
        }
    }

    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::NoUrl => "write it like postgresql://user@host/database",
            Self::Password => {
                "write postgresql://user@host/database, and the password beside it: password = { env = \"NAME\" }, \
                 { file = \"/path\" } or { command = [\"program\", \"argument\"] }; change the password if others could read it"
            }
            Self::Unclear => {
                "percent-encode `@`, `:`, `/`, `?` and `#` in names, and write a password beside it: \
                 password = { env = \"NAME\" }"
            }
        }
    }
}

/// Checks what follows `//`.
fn check(rest: &str) -> Result<(), Refused> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    // Encoded once more is how a password gets past who decodes once.
    let is_pair = |user: &str| decoded(&decoded(user)).contains(':');
    if user.is_some_and(is_pair) {
        return Err(Refused::Password);
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    for parameter in query.split(['&', ';', '#']).filter(|parameter| !parameter.is_empty()) {
        let (name, _) = parameter.split_once('=').ok_or(Refused::Unclear)?;
        if names_a_secret(&decoded(name)) {
            return Err(Refused::Password);
        }
    }
    let is_unclear = user.is_some_and(|user| user.contains('@'))
        || path.contains(['@', ';'])
        || query.contains(['@', '?'])
        || tail.contains('#')
        || !hosts.split(',').all(is_host);
    if is_unclear { Err(Refused::Unclear) } else { Ok(()) }
}

/// Whether it is a host's name or address, with or without a port.
pub(super) fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let (address, zone) = address.split_once('%').unwrap_or((address, ""));
            if !address.chars().all(|char| char.is_ascii_hexdigit() || matches!(char, ':' | '.'))
                || !zone.chars().all(|char| char.is_ascii_alphanumeric())
            {
                return false;
            }
            ("", port.strip_prefix(':').unwrap_or(port))
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    port.chars().all(|char| char.is_ascii_digit())
        && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | '%'))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_password_names_its_engine() {
        for (url, name) in [
            ("postgresql://shop@db.example:5433/shop?sslmode=verify-full", "postgresql"),
            ("postgres:///shop?host=%2Frun%2Fpostgresql&passfile=/etc/pass", "postgresql"),
            ("postgresql://shop%40corp@a:1,b:2/shop", "postgresql"),
            ("postgresql://shop@[fe80::1%25eth0]:5432/shop", "postgresql"),
            ("postgresql://%2Frun%2Fpostgresql/shop", "postgresql"),
            ("mysql://shop@db.example/shop", "mysql"),
            ("mariadb://db.example/shop", "mariadb"),
            ("sqlite:/var/lib/shop.sqlite", "sqlite"),
            ("sqlite:///var/lib/shop.sqlite", "sqlite"),
        ] {
            assert_eq!(engine(url), Ok(name), "{url}");
        }
    }

    #[test]
    fn a_password_is_found_wherever_it_stands_in_a_url() {
        for url in [
            "postgresql://shop:hunter2@db/shop",
            " postgresql://shop:hunter2@db/shop",
            "postgresql://:hunter2@db/shop",
            "postgresql://shop%3Ahunter2@db/shop",
            "postgresql://shop%253Ahunter2@db/shop",
            "postgresql://shop:@db/shop",
            "postgresql://db/shop?password=hunter2",
            "postgresql://db/shop?user=a&PASSWORD=hunter2",
            "postgresql://db/shop?p%61ssword=hunter2",
            "postgresql://db/shop?sslpassword=hunter2",
            "mysql://db/shop?a=b;password=hunter2",
        ] {
            assert_eq!(engine(url), Err(Refused::Password), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_for_certain_is_refused() {
        for url in [
            "postgresql://shop:hun/ter2@db/shop",
            "postgresql://shop:1/2@db/shop",
            "postgresql://shop:hun?ter2@db/shop",
            "postgresql://shop:hun#ter2@db/shop",
            "postgresql://shop@hunter2@db/shop",
            "postgresql://shop:hunter2/shop",
            "postgresql://shop:hunter2",
            "shop:hunter2@db/shop",
            "jdbc:postgresql://shop:hunter2@db/shop",
            "sqlite:/shop?key=hunter2",
        ] {
            assert_eq!(engine(url), Err(Refused::Unclear), "{url}");
        }
        for text in ["hunter2", "host=db password=hunter2", "://shop:hunter2@db", "/path:hunter2"] {
            assert_eq!(engine(text), Err(Refused::NoUrl), "{text}");
        }
    }
}
