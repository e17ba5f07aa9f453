//! What must hold of schemas and URLs, whatever they are: `backup-core/fuzz` runs it on inputs that are made up, the
//! tests on those that were kept.

use std::{net::Ipv6Addr, path::Path};

use handler_mysqldump::MysqlConfig;
use handler_pgdump::PgConfig;
use handler_prisma::{
    Connection, Secret,
    schema::{Token, Tokens, datasources},
};

/// Two passwords without a letter in common, so that nothing of one is in what is the same with the other.
const SECRET: &str = "hunter2Zq9";
const OTHER: &str = "Cov8XB";

/// Schemas of Prisma.
pub(crate) fn schema(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    tokens(text);
    let found = datasources(text);
    // Nothing that is only blank or comment changes what is found.
    let closed = format!("{text}\n");
    if datasources(&closed) == found && is_between(text) {
        for comment in ["// datasource x { url = \"y\" }", "/* datasource x { */", "\u{feff}"] {
            assert_eq!(datasources(&format!("{closed}{comment}\n")), found, "{comment}");
        }
    }
}

/// Whether no string and no comment goes on to the end: what follows is read as a token of its own.
fn is_between(text: &str) -> bool {
    let marked = format!("{text}\n\u{1f512}");
    Tokens::of(&marked).last() == Some(Token::Symbol('\u{1f512}'))
}

/// Tokens are pieces of the text, in its order.
fn tokens(text: &str) {
    let mut rest = text;
    let mut count = 0;
    for token in Tokens::of(text) {
        count += 1;
        let (at, length) = match &token {
            Token::Word(word) => {
                let at = (word.as_ptr() as usize).checked_sub(rest.as_ptr() as usize).expect("it goes back");
                assert_eq!(&rest[at..at + word.len()], *word);
                assert!(
                    word.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter)),
                    "{word}"
                );
                (at, word.len())
            }
            Token::Symbol(letter) => (rest.find(*letter).expect("it is in the text"), letter.len_utf8()),
            Token::Text(_) => (rest.find('"').expect("it is in the text"), 1),
            _ => continue,
        };
        rest = &rest[at + length..];
    }
    assert!(count <= text.chars().count());
}

/// URLs of datasources, and those of the handlers.
pub(crate) fn url(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for scheme in ["postgresql", "mysql"] {
        connection(scheme, text);
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        connection(scheme, &format!("{scheme}://{text}"));
        concealed(scheme, text);
    }
    connection("sqlite", text);
}

/// Whatever is behind it, a password changes nothing that is shown, and so is not in it.
fn concealed(scheme: &str, rest: &str) {
    let with = |password: &str| format!("{scheme}://user:{password}{rest}");
    assert_eq!(shown(scheme, &with(SECRET)), shown(scheme, &with(OTHER)));
}

/// All that somebody could log of a URL.
fn shown(provider: &str, url: &str) -> Vec<String> {
    let mut shown = Vec::new();
    match Connection::parse(provider, &Secret::new(url), Path::new("prisma")) {
        Ok(parsed) => {
            let connection = &parsed.connection;
            shown.push(format!("{parsed:?} {} {}", connection.location(), connection.database()));
        }
        Err(err) => shown.push(format!("{err} {err:?} {:?}", err.suggestions())),
    }
    match PgConfig::from_url(url) {
        Ok(config) => shown.push(format!("{config:?} {} {}", config.location(), config.database())),
        Err(err) => shown.push(format!("{err} {err:?} {:?}", err.suggestions())),
    }
    match MysqlConfig::from_url(url) {
        Ok(config) => shown.push(format!("{config:?} {} {}", config.location(), config.database())),
        Err(err) => shown.push(format!("{err} {err:?} {:?}", err.suggestions())),
    }
    shown
}

/// What was read and is written again leads to the same place.
fn connection(provider: &str, url: &str) {
    let base = Path::new("/srv/prisma");
    let Ok(parsed) = Connection::parse(provider, &Secret::new(url), base) else { return };
    match &parsed.connection {
        Connection::PostgreSql(found) => {
            let written =
                written(provider, found.user.as_deref(), found.password.as_ref(), &found.host, found.port);
            let written = format!("{written}/{}", found.database);
            let again = Connection::parse(provider, &Secret::new(written), base);
            let Connection::PostgreSql(again) = again.expect("it reads back").connection else {
                panic!("another engine")
            };
            assert_eq!((&again.host, again.port), (&found.host, found.port));
            assert_eq!((&again.user, &again.password), (&found.user, &found.password));
            assert_eq!(again.database, found.database);
            if let Ok(config) = found.config() {
                assert_eq!(config.database(), found.database);
            }
        }
        Connection::MySql(found) if found.socket.is_none() => {
            let written =
                written(provider, found.user.as_deref(), found.password.as_ref(), &found.host, found.port);
            let written = format!("{written}/{}", found.database);
            let again = Connection::parse(provider, &Secret::new(written), base);
            let Connection::MySql(again) = again.expect("it reads back").connection else {
                panic!("another engine")
            };
            assert_eq!((&again.host, again.port), (&found.host, found.port));
            assert_eq!((&again.user, &again.password), (&found.user, &found.password));
            assert_eq!(again.database, found.database);
        }
        _ => {}
    }
}

fn written(scheme: &str, user: Option<&str>, password: Option<&Secret>, host: &str, port: u16) -> String {
    let login = match (user, password) {
        (None, None) => String::new(),
        (user, None) => format!("{}@", encoded(user.unwrap_or_default())),
        (user, Some(password)) => {
            format!("{}:{}@", encoded(user.unwrap_or_default()), encoded(password.expose()))
        }
    };
    // Only an address may stand in brackets; the parameter `host` takes anything.
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { encoded(host) };
    format!("{scheme}://{login}{host}:{port}")
}

/// Every byte as `%XX`, but for those that no reader takes for anything else.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
#[test]
fn every_schema_and_url_that_was_kept_reads_as_it_has_to() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backup-core/fuzz/corpus");
    assert!(backup_core::testkit::fuzz::replay(corpus.join("schema"), schema) > 0);
    assert!(backup_core::testkit::fuzz::replay(corpus.join("url"), url) > 0);
}
