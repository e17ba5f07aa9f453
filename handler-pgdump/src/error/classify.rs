//! What a client program's messages mean to the caller.

use backup_core::{Error, ErrorKind};

/// A message that is known, by pieces of it, all of which must be in one line.
struct Rule {
    pieces: &'static [&'static str],
    kind: ErrorKind,
    message: &'static str,
    suggestion: Option<&'static str>,
}

const fn rule(
    pieces: &'static [&'static str],
    kind: ErrorKind,
    message: &'static str,
    suggestion: &'static str,
) -> Rule {
    Rule { pieces, kind, message, suggestion: if suggestion.is_empty() { None } else { Some(suggestion) } }
}

use ErrorKind::{
    AuthenticationFailed, ConnectionFailed, Corrupt, DatabaseNotFound, InvalidInput, PermissionDenied,
    StorageFull, Timeout, ToolFailed, ToolVersion, Unavailable,
};

/// What is said of a disk that is not ours.
pub(crate) const SERVER_FULL: &str = "the server's disk is full";
const TLS: &str = "check sslmode, sslrootcert and the server's certificate; sslmode=verify-full needs the \
                   host's name to be in the certificate";
const HBA: &str = "check user, password and the server's pg_hba.conf";
const READ: &str = "grant the user the right to read it, for example by membership in pg_read_all_data";
const AGAIN: &str = "look at the server's log, then try again";
const SLOTS: &str = "raise max_connections, or run the backup when fewer clients are connected";
const REMOVED: &str = "the server was restarted or an administrator ended the session; try again";

const ONE_SERVER: &str =
    "try again; connect to one server itself, not to several hosts or by way of a pooler";

/// In order: the first that fits any line is the answer.
const RULES: &[Rule] = &[
    rule(&["server version mismatch"], ToolVersion, "the client program is older than the server", ""),
    rule(
        &["unsupported version", "in file header"],
        ToolVersion,
        "the archive was written by a newer pg_dump than this pg_restore can read",
        "install the clients of the version that wrote the dump, or of a newer one",
    ),
    rule(&["53100"], StorageFull, SERVER_FULL, "free space on the server"),
    rule(&["ERROR:", "No space left on device"], StorageFull, SERVER_FULL, "free space on the server"),
    rule(&["No space left on device"], StorageFull, "no space is left on the device", ""),
    rule(&["password authentication failed"], AuthenticationFailed, "the server refuses the password", ""),
    rule(&["no password supplied"], AuthenticationFailed, "the server asks for a password", HBA),
    rule(
        &["no pg_hba.conf entry"],
        AuthenticationFailed,
        "the server has no rule that lets the user in",
        HBA,
    ),
    rule(
        &["pg_hba.conf rejects"],
        AuthenticationFailed,
        "the server has a rule that keeps the user out",
        HBA,
    ),
    rule(&["authentication failed"], AuthenticationFailed, "the server refuses the user", HBA),
    rule(&["is not permitted to log in"], AuthenticationFailed, "the role may not log in", "grant it LOGIN"),
    rule(&["FATAL", "role \"", "does not exist"], AuthenticationFailed, "the server has no such role", ""),
    rule(&["FATAL", "database \"", "does not exist"], DatabaseNotFound, "no such database", ""),
    rule(&["3D000"], DatabaseNotFound, "no such database", ""),
    rule(&["too many connections"], Unavailable, "the server has no free connection", SLOTS),
    rule(&["too many clients"], Unavailable, "the server has no free connection", SLOTS),
    rule(&["remaining connection slots"], Unavailable, "the server has no free connection", SLOTS),
    rule(&["the database system is"], Unavailable, "the server starts up or shuts down", AGAIN),
    rule(&["not currently accepting connections"], Unavailable, "the database takes no connections", ""),
    rule(
        &["invalid snapshot identifier"],
        Unavailable,
        "the dump cannot see what the session sees that sums up the rows",
        ONE_SERVER,
    ),
    rule(
        &["snapshot \"", "does not exist"],
        Unavailable,
        "the dump cannot see what the session sees that sums up the rows",
        ONE_SERVER,
    ),
    rule(
        &["conflict with recovery"],
        Unavailable,
        "the standby ended the dump in favour of replication",
        "dump the primary, or raise max_standby_streaming_delay",
    ),
    rule(&["due to administrator command"], Unavailable, "the server ended the session", REMOVED),
    rule(&["because of crash of another"], Unavailable, "the server crashed", AGAIN),
    rule(&["server closed the connection"], Unavailable, "the server closed the connection", REMOVED),
    rule(&["connection to server was lost"], Unavailable, "the server closed the connection", REMOVED),
    rule(&["57P01"], Unavailable, "the server ended the session", REMOVED),
    rule(
        &["unsupported startup parameter"],
        ConnectionFailed,
        "a connection pooler refuses the session",
        "connect to the server itself, not by way of a pooler such as PgBouncer",
    ),
    rule(&["certificate verify failed"], ConnectionFailed, "the server's certificate is not trusted", TLS),
    rule(&["root certificate"], ConnectionFailed, "the root certificate cannot be used", TLS),
    rule(&["server certificate for"], ConnectionFailed, "the certificate is for another host", TLS),
    rule(&["does not support SSL"], ConnectionFailed, "the server does not speak TLS", TLS),
    rule(&["SSL error"], ConnectionFailed, "the TLS connection failed", TLS),
    rule(&["private key file"], ConnectionFailed, "the client's key cannot be used", TLS),
    rule(
        &["could not translate host name"],
        ConnectionFailed,
        "the server's host name cannot be resolved",
        "check the host's name",
    ),
    rule(&["Connection refused"], ConnectionFailed, "nothing listens at the server's address", ""),
    rule(&["timeout expired"], ConnectionFailed, "the server did not answer in time", ""),
    rule(&["connection to server", "failed"], ConnectionFailed, "the server cannot be reached", ""),
    rule(
        &["row-level security"],
        PermissionDenied,
        "row-level security hides rows from the user, so that the dump would not be whole",
        "dump as the owner or a role with BYPASSRLS",
    ),
    rule(&["permission denied"], PermissionDenied, "the server refuses the user access", READ),
    rule(&["42501"], PermissionDenied, "the server refuses the user access", ""),
    rule(&["must be "], PermissionDenied, "the user lacks a right that this needs", ""),
    rule(&["statement timeout"], Timeout, "the server ended a statement that took too long", ""),
    rule(&["lock timeout"], Timeout, "a table stayed locked", "run the backup when no migration runs"),
    rule(
        &["no matching"],
        InvalidInput,
        "a table or schema that was asked for does not exist",
        "check the patterns; names with capitals need double quotes",
    ),
    rule(
        &["max_locks_per_transaction"],
        ToolFailed,
        "the server's lock table is full",
        "raise max_locks_per_transaction",
    ),
    rule(
        &["extension"],
        ToolFailed,
        "the tool failed at an extension",
        "install the extension's package on the target's server",
    ),
    rule(
        &["ERROR", "role \"", "does not exist"],
        ToolFailed,
        "the target's server lacks a role that the dump names",
        "restore the globals first, or dump without owners and privileges",
    ),
    rule(&["valid archive"], Corrupt, "this is no archive of pg_dump", ""),
    rule(&["end of file"], Corrupt, "the archive ends early", ""),
    rule(&["too short"], Corrupt, "the archive ends early", ""),
];

/// The programs whose own lines count; rows and statements that they quote do not.
const SPEAKERS: &[&str] =
    &["psql:", "pg_dump:", "pg_dumpall:", "pg_restore:", "connection to server", "server closed", "FATAL:"];

/// Where lines begin in which a client quotes rows, or the statement that failed with the rows in it.
const QUOTES: &[&str] = &["DETAIL:", "CONTEXT:", "LINE ", "QUERY:", "STATEMENT:", "Command was:"];

/// Where lines begin that are about the error again.
const REMARKS: &[&str] = &["HINT:", "LOCATION:", "ERROR:", "WARNING:"];

/// Messages that quote a value of a row.
const OF_A_VALUE: &[&str] =
    &["invalid input syntax", "invalid input value", "out of range", "malformed", "invalid value"];

/// From this length on, the start of the messages may have been cut off, in the middle of a row.
const MAY_BE_CUT: usize = 8 * 1024;

/// Says what a failed tool's messages mean; any other error keeps its kind.
///
/// Of the messages only those stay that cannot hold a row.
pub(crate) fn classify(err: Error) -> Error {
    let field = |name| err.context().find(|(key, _)| *key == name).map(|(_, value)| value);
    let Some(stderr) = field("stderr") else { return err };
    let spoken = || {
        stderr.lines().map(str::trim).filter(|line| SPEAKERS.iter().any(|speaker| line.starts_with(speaker)))
    };
    let fits = |rule: &&Rule| spoken().any(|line| rule.pieces.iter().all(|piece| line.contains(piece)));
    let rule = RULES.iter().filter(|_| err.kind() == ErrorKind::ToolFailed).find(fits);
    let mut folded = match rule {
        Some(rule) => Error::new(rule.kind, rule.message),
        None => Error::new(err.kind(), err.message()),
    };
    let said = without_rows(stderr);
    for (key, value) in err.context() {
        match key {
            "stderr" if said.is_empty() => {}
            "stderr" => folded = folded.with_context(key, &said),
            _ => folded = folded.with_context(key, value),
        }
    }
    match rule {
        Some(Rule { suggestion: Some(suggestion), .. }) => folded.with_suggestion(*suggestion),
        Some(_) => folded,
        None => err
            .suggestions()
            .iter()
            .fold(folded, |folded, text| folded.with_suggestion(*text))
            .with_operation(err.operation()),
    }
}

/// The messages without what can be of a row.
fn without_rows(stderr: &str) -> String {
    let mut quoting = stderr.len() >= MAY_BE_CUT;
    let mut kept: Vec<String> = Vec::new();
    for line in stderr.lines() {
        let bare = line.trim();
        let begins = |words: &[&str]| words.iter().any(|word| bare.starts_with(word));
        if begins(QUOTES) {
            quoting = true;
            // `COPY orders, line 3, column id: "..."`: where it was helps, what it was does not.
            if bare.starts_with("CONTEXT:  COPY ") {
                kept.push(bare.split_once(": \"").map_or(bare, |(place, _)| place).to_owned());
            }
        } else if begins(SPEAKERS) || begins(REMARKS) {
            quoting = false;
        }
        if !quoting {
            kept.push(if OF_A_VALUE.iter().any(|piece| bare.contains(piece)) {
                masked(line)
            } else {
                line.to_owned()
            });
        }
    }
    kept.join("\n")
}

/// The line with nothing between its first and its last quotation mark.
fn masked(line: &str) -> String {
    match (line.split_once('"'), line.rsplit_once('"')) {
        (Some((before, _)), Some((start, after))) if start.len() > before.len() => {
            format!("{before}\"…\"{after}")
        }
        // A value of several lines.
        (Some((before, _)), _) => format!("{before}\"…"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn kind(stderr: &str) -> ErrorKind {
        let err = Error::new(ToolFailed, "exit 1").with_context("tool", "x").with_context("stderr", stderr);
        classify(err).kind()
    }

    #[test]
    fn messages_are_told_apart() {
        for (stderr, expected) in [
            (
                "psql: error: connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
                ConnectionFailed,
            ),
            (
                "psql: error: could not translate host name \"x\" to address: Name or service not known",
                ConnectionFailed,
            ),
            (
                "psql: error: connection to server at \"x\", port 5432 failed: timeout expired",
                ConnectionFailed,
            ),
            (
                "psql: error: connection to server on socket \"/x/.s.PGSQL.5\" failed: FATAL:  role \"n\" does not exist",
                AuthenticationFailed,
            ),
            (
                "pg_dump: error: connection to server on socket \"/x/.s.PGSQL.5\" failed: FATAL:  database \"n\" does not exist",
                DatabaseNotFound,
            ),
            (
                "psql: error: connection to server at \"h\", port 1 failed: FATAL:  password authentication failed for user \"u\"",
                AuthenticationFailed,
            ),
            (
                "psql: error: connection to server at \"h\", port 1 failed: FATAL:  no pg_hba.conf entry for host \"1.2.3.4\"",
                AuthenticationFailed,
            ),
            (
                "psql: error: connection to server at \"h\", port 1 failed: FATAL:  sorry, too many clients already",
                Unavailable,
            ),
            (
                "psql: error: connection to server at \"h\", port 1 failed: FATAL:  the database system is starting up",
                Unavailable,
            ),
            (
                "psql: error: connection to server at \"h\", port 1 failed: SSL error: certificate verify failed",
                ConnectionFailed,
            ),
            (
                "pg_dump: error: query failed: ERROR:  permission denied for table x\npg_dump: detail: Query was: LOCK TABLE",
                PermissionDenied,
            ),
            (
                "pg_dump: error: Dumping the contents of table \"t\" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: FATAL:  terminating connection due to administrator command",
                Unavailable,
            ),
            (
                "pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 17",
                ToolVersion,
            ),
            ("pg_dump: error: no matching tables were found", InvalidInput),
            (
                "psql:<stdin>:3: ERROR:  23505: duplicate key value violates unique constraint \"x\"",
                ToolFailed,
            ),
            ("pg_restore: error: could not read from input file: end of file", Corrupt),
        ] {
            assert_eq!(kind(stderr), expected, "{stderr}");
        }
    }

    #[test]
    fn what_a_row_says_is_not_taken_for_a_message() {
        let stderr = "psql:<stdin>:9: ERROR:  23514: new row violates check constraint\nDETAIL:  Failing row contains (permission denied, No space left on device).";
        assert_eq!(kind(stderr), ToolFailed);
    }

    #[test]
    fn every_field_is_carried_over_once() {
        let err = Error::new(ToolFailed, "exit 2")
            .with_context("tool", "psql")
            .with_context("status", "exit 2")
            .with_context("stderr", "psql: error: Connection refused");
        let folded = classify(err);
        assert!(folded.source().is_none() && folded.is_retryable());
        assert_eq!(folded.to_string().matches("Connection refused").count(), 1);
        assert!(folded.to_string().contains("tool: psql, status: exit 2"), "{folded}");
    }

    #[test]
    fn rows_are_not_in_the_error() {
        for stderr in [
            "psql:<stdin>:9: ERROR:  23505: duplicate key\nDETAIL:  Key (name)=(Geheim) already exists.\nCONTEXT:  COPY t, line 3: \"1\tGeheim\nGeheim\"\nLOCATION:  x.c:1",
            "psql:<stdin>:9: ERROR:  42601: syntax error\nLINE 1: INSERT INTO t VALUES ('Geheim')\n                   ^",
            "pg_restore: error: could not execute query: ERROR:  x\nDETAIL:  Key (a)=(Geheim)\nCommand was: INSERT INTO t VALUES ('a\nGeheim');",
            "psql:<stdin>:3: ERROR:  22P02: invalid input syntax for type integer: \"Geheim\"\nCONTEXT:  COPY t, line 3, column a: \"Geheim\"",
            "psql:<stdin>:3: ERROR:  22003: value \"Geheim\" is out of range for type integer",
        ] {
            let err = classify(Error::new(ToolFailed, "failed").with_context("stderr", stderr));
            let shown = format!("{err} {err:?}");
            assert!(!shown.contains("Geheim") && shown.contains("ERROR:"), "{shown}");
            assert!(!stderr.contains("CONTEXT:") || shown.contains("COPY t, line 3"), "{shown}");
        }
        let cut = format!("{}\npsql:<stdin>:9: ERROR:  x", "Geheim ".repeat(2000));
        let shown = classify(Error::new(ToolFailed, "failed").with_context("stderr", cut)).to_string();
        assert_eq!(shown, "failed, stderr: psql:<stdin>:9: ERROR:  x");
    }
}
