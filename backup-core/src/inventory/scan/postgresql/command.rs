//! The `psql` commands that `pg_dump` writes, and no other: a dump must not run programs on restore.

use super::super::{Error, capped::Capped, corrupt};

/// A command that `pg_dump` or `pg_dumpall` writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// To another database; the session's settings start anew.
    Connect,
    /// Nothing but the matching [`Unrestrict`](Self::Unrestrict) is allowed from here on.
    Restrict(Vec<u8>),
    Unrestrict(Vec<u8>),
    /// Only ever `SQL_ASCII`, before a connection string.
    Encoding,
}

impl Command {
    /// Reads a line from behind its backslash; an argument that `pg_dump` does not write is refused as well.
    pub(super) fn parse(line: &Capped) -> Result<Self, Error> {
        let parsed = || {
            let line = line.whole()?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let space = line.iter().position(|byte| *byte == b' ')?;
            let (name, argument) = (line.get(..space)?, line.get(space + 1..)?);
            match name {
                b"restrict" if is_token(argument) => Some(Self::Restrict(argument.to_vec())),
                b"unrestrict" if is_token(argument) => Some(Self::Unrestrict(argument.to_vec())),
                b"encoding" if argument == b"SQL_ASCII" => Some(Self::Encoding),
                b"connect" if is_database(argument) => Some(Self::Connect),
                _ => None,
            }
        };
        parsed().ok_or_else(|| refused(line))
    }
}

/// The error for a command that `pg_dump` does not write.
pub(super) fn refused(line: &Capped) -> Error {
    let line = line.start();
    let letters =
        line.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let name = String::from_utf8_lossy(line.get(..letters.max(1)).unwrap_or_default());
    corrupt("the dump holds a psql command that pg_dump does not write")
        .with_context("command", format_args!("\\{}", name.escape_debug()))
}

fn is_token(argument: &[u8]) -> bool {
    !argument.is_empty() && argument.iter().all(u8::is_ascii_alphanumeric)
}

/// `name`, `"Name"`, or `-reuse-previous=on "dbname='any name'"`.
fn is_database(argument: &[u8]) -> bool {
    let is_plain = |name: &[u8]| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        !name.is_empty() && name.iter().all(allowed)
    };
    let quoted = |text: &[u8]| -> Option<Vec<u8>> {
        let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let parts: Vec<&[u8]> = inner.split(|byte| *byte == b'"').collect();
        // A quote is doubled, so that every second part is empty.
        let doubled = parts.len() % 2 == 1 && parts.iter().skip(1).step_by(2).all(|part| part.is_empty());
        let unescaped: Vec<&[u8]> = parts.into_iter().step_by(2).collect();
        doubled.then(|| unescaped.join(&b'"'))
    };
    if let Some(settings) = argument.strip_prefix(b"-reuse-previous=on ") {
        let value =
            quoted(settings).and_then(|settings| settings.strip_prefix(b"dbname=").map(<[u8]>::to_vec));
        return value.is_some_and(|value| is_setting(&value));
    }
    is_plain(argument) || quoted(argument).is_some_and(|name| is_plain(&name))
}

/// One value of a connection string, quoted or not, and nothing behind it.
fn is_setting(value: &[u8]) -> bool {
    let Some(inner) = value.strip_prefix(b"'").and_then(|value| value.strip_suffix(b"'")) else {
        return !value.is_empty()
            && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    };
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' => return false,
            b'\\' if bytes.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn parse(line: &str) -> Result<Command, Error> {
        let mut text = Capped::default();
        text.push(line.as_bytes());
        Command::parse(&text)
    }

    #[test]
    fn commands_of_pg_dump_are_known() {
        assert_eq!(parse("restrict aB9").unwrap(), Command::Restrict(b"aB9".to_vec()));
        assert_eq!(parse("unrestrict aB9\r").unwrap(), Command::Unrestrict(b"aB9".to_vec()));
        assert_eq!(parse("encoding SQL_ASCII").unwrap(), Command::Encoding);
        for database in [
            "shop_2",
            r#""Shop""#,
            r#"-reuse-previous=on "dbname='a b'""#,
            r#"-reuse-previous=on "dbname='it\'s `x` "" \\'""#,
        ] {
            assert_eq!(parse(&format!("connect {database}")).unwrap(), Command::Connect, "{database}");
        }
    }

    #[test]
    fn any_other_command_is_refused_by_name() {
        for (line, name) in [
            ("! touch x", r"command: \!"),
            ("copy t from program 'x'", r"command: \copy"),
            ("o |sh", r"command: \o"),
            ("gexec", r"command: \gexec"),
            (".", r"command: \."),
            ("", r"command: \"),
            ("restrict", r"command: \restrict"),
            ("restrict a b", r"command: \restrict"),
            ("restrict `x`", r"command: \restrict"),
            ("encoding UTF8", r"command: \encoding"),
            ("connect `touch x`", r"command: \connect"),
            (r"connect a \! touch x", r"command: \connect"),
            ("connect a user host", r"command: \connect"),
            (r#"connect "host=a dbname=b""#, r"command: \connect"),
            (r#"connect -reuse-previous=on "dbname='a' host='b'""#, r"command: \connect"),
            (r#"connect -reuse-previous=on "dbname='a'" \! x"#, r"command: \connect"),
            (r#"connect -reuse-previous=on "dbname='a'" "b""#, r"command: \connect"),
            (r#"connect -reuse-previous=on "dbname='a\'""#, r"command: \connect"),
        ] {
            let err = parse(line).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt, "{line}");
            assert!(err.to_string().ends_with(name), "{err}");
        }
        assert!(parse(&format!("connect {}", "x".repeat(2000))).is_err());
    }
}
