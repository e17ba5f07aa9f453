//! What a client program's messages mean to the caller.

use backup_core::{Error, ErrorKind};

/// A message that is known: by the number of the error, or by pieces of the text, all in one line.
struct Rule {
    numbers: &'static [u32],
    pieces: &'static [&'static str],
    kind: ErrorKind,
    message: &'static str,
    suggestion: &'static str,
}

const fn numbered(
    numbers: &'static [u32],
    kind: ErrorKind,
    message: &'static str,
    suggestion: &'static str,
) -> Rule {
    Rule { numbers, pieces: &[], kind, message, suggestion }
}

const fn worded(
    pieces: &'static [&'static str],
    kind: ErrorKind,
    message: &'static str,
    suggestion: &'static str,
) -> Rule {
    Rule { numbers: &[], pieces, kind, message, suggestion }
}

use ErrorKind::{
    AuthenticationFailed, ConnectionFailed, DatabaseNotFound, InvalidInput, PermissionDenied, StorageFull,
    Timeout, ToolFailed, ToolVersion, Unavailable, Unsupported,
};

const LOGIN: &str = "check user and password, and from which hosts the server lets the user in";
const GRANT: &str = "grant the user what is missing: a dump needs SELECT, SHOW VIEW, TRIGGER and EVENT on the \
                     database, and LOCK TABLES where tables are locked";
const TLS: &str = "check ssl-mode, ssl-ca and the server's certificate";
const PLUGIN: &str = "install the client programs of the server's own flavour (mariadb-client for MariaDB, \
                      mysql-client for MySQL), or give the user another authentication plugin";
const AGAIN: &str = "look at the server's log, then try again";
const PACKET: &str = "raise max_allowed_packet on the target's server (SET GLOBAL max_allowed_packet=1073741824), \
                      then restore again";

/// In order: the first that fits any line is the answer.
const RULES: &[Rule] = &[
    worded(
        &["packet bigger than 'max_allowed_packet'"],
        InvalidInput,
        "a row is larger than the target takes",
        PACKET,
    ),
    numbered(&[1153, 1301], InvalidInput, "a row is larger than the target takes", PACKET),
    worded(
        &["Authentication plugin", "cannot be loaded"],
        ToolVersion,
        "the client program cannot log in to this server: it lacks the server's way of authentication",
        PLUGIN,
    ),
    numbered(
        &[1045, 1698, 3118, 4151],
        AuthenticationFailed,
        "the server refuses the user or the password",
        LOGIN,
    ),
    worded(
        &["Access denied for user", "using password"],
        AuthenticationFailed,
        "the server refuses the user or the password",
        LOGIN,
    ),
    numbered(
        &[1820, 1862],
        AuthenticationFailed,
        "the user's password has expired",
        "set a new password for the user",
    ),
    numbered(&[1130, 1129], AuthenticationFailed, "the server does not let this host in", LOGIN),
    numbered(&[1049], DatabaseNotFound, "no such database", ""),
    numbered(
        &[1040, 1203, 1226],
        Unavailable,
        "the server has no free connection",
        "raise max_connections, or run the backup when fewer clients are connected",
    ),
    numbered(&[1053, 1927, 3169], Unavailable, "the server ended the session", AGAIN),
    numbered(&[3159], ConnectionFailed, "the server takes encrypted connections alone", TLS),
    worded(
        &["TLS/SSL error", "when dumping table"],
        Unavailable,
        "the connection to the server was lost",
        AGAIN,
    ),
    numbered(&[2026], ConnectionFailed, "the TLS connection failed", TLS),
    worded(&["TLS/SSL error"], ConnectionFailed, "the TLS connection failed", TLS),
    numbered(&[2005], ConnectionFailed, "the server's host name cannot be resolved", "check the host's name"),
    numbered(&[2002, 2003], ConnectionFailed, "the server cannot be reached", ""),
    worded(
        &["Lost connection", "reading authorization packet"],
        ConnectionFailed,
        "the server did not answer in time",
        "",
    ),
    worded(
        &["Lost connection", "initial communication packet"],
        ConnectionFailed,
        "the server did not answer in time",
        "",
    ),
    numbered(&[2013, 2006, 2055, 4031], Unavailable, "the connection to the server was lost", AGAIN),
    worded(&["server has gone away"], Unavailable, "the connection to the server was lost", AGAIN),
    worded(&["Lost connection"], Unavailable, "the connection to the server was lost", AGAIN),
    numbered(&[1021, 1030, 1114, 3675], StorageFull, "the server's disk is full", "free space on the server"),
    worded(&["No space left on device"], StorageFull, "no space is left on the device", ""),
    worded(
        &["insufficent privileges to"],
        PermissionDenied,
        "the user may not see the definition of a routine",
        "let the definer dump, or grant SHOW_ROUTINE (MySQL) or SELECT on mysql.proc (MariaDB)",
    ),
    worded(
        &["insufficient privileges to"],
        PermissionDenied,
        "the user may not see the definition of a routine",
        "let the definer dump, or grant SHOW_ROUTINE (MySQL) or SELECT on mysql.proc (MariaDB)",
    ),
    numbered(
        &[1227],
        PermissionDenied,
        "the user lacks a right that this needs",
        "restore as an administrator, or strip the definers (Definers::Strip)",
    ),
    numbered(&[1044, 1142, 1143, 1370, 1410], PermissionDenied, "the server refuses the user access", GRANT),
    numbered(
        &[1419],
        PermissionDenied,
        "the server lets only administrators make functions and triggers",
        "set log_bin_trust_function_creators, or restore as an administrator",
    ),
    numbered(
        &[1273, 1115],
        Unsupported,
        "the target does not know a character set or collation of the dump",
        "restore into a server of the flavour and version that the dump is of, or a newer one",
    ),
    numbered(
        &[1286],
        Unsupported,
        "the target does not have a storage engine of the dump",
        "install or enable the engine on the target",
    ),
    numbered(&[1205], Timeout, "a table stayed locked", "run it when no migration runs"),
    numbered(
        &[1969, 3024],
        Timeout,
        "the server ended a statement that took too long",
        "raise max_statement_time or max_execution_time for the user",
    ),
    worded(
        &["Couldn't find table"],
        InvalidInput,
        "a table that was asked for does not exist",
        "check the table's name",
    ),
    numbered(
        &[1356],
        ToolFailed,
        "a view refers to what does not exist, or its definer may not see it",
        "mend or drop the view, then run it again",
    ),
    numbered(
        &[1449],
        ToolFailed,
        "a view or routine belongs to a user that does not exist",
        "make the user, or give the object another definer",
    ),
    numbered(
        &[1236, 1381, 29],
        Unsupported,
        "the server writes no binary log, so that there is no position in it",
        "turn log_bin on, or leave the position out",
    ),
    worded(
        &["Binlogging on server not active"],
        Unsupported,
        "the server writes no binary log, so that there is no position in it",
        "turn log_bin on, or leave the position out",
    ),
    worded(
        &["unknown option"],
        ToolVersion,
        "the program does not know an option",
        "update the client programs, or leave the extra argument out",
    ),
    worded(
        &["unknown variable"],
        ToolVersion,
        "the program does not know an option",
        "update the client programs, or leave the extra argument out",
    ),
];

/// The programs whose own lines count; rows and statements that they quote do not.
const SPEAKERS: &[&str] = &["ERROR ", "mysqldump: ", "mariadb-dump: ", "mysql: ", "mariadb: ", "ERROR:"];

/// The lines of the programs themselves, without the paths that some put before their names.
fn spoken(stderr: &str) -> impl Iterator<Item = &str> {
    stderr.lines().map(str::trim).filter_map(|line| {
        let bare = line.strip_prefix('/').and_then(|path| {
            let (program, _) = path.split_once(": ")?;
            let name = program.rsplit('/').next()?;
            line.get(line.len() - (path.len() - program.len()) - name.len()..)
        });
        let line = bare.unwrap_or(line);
        SPEAKERS.iter().any(|speaker| line.starts_with(speaker)).then_some(line)
    })
}

/// The number of the error that a line reports: `ERROR 1045 (28000): …`, `Got error: 1045: …`, `… (1142)`.
fn number(line: &str) -> Option<u32> {
    let behind = |word: &str| {
        let rest = line.split_once(word)?.1.trim_start();
        let end = rest.find(|ch: char| !ch.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    };
    if line.starts_with("ERROR ") {
        return behind("ERROR ");
    }
    let in_parentheses = || {
        let rest = line.strip_suffix(')')?;
        rest.rsplit_once('(')?.1.parse().ok()
    };
    ["Got error: ", "error: ", "Error: ", "Error "].into_iter().find_map(behind).or_else(in_parentheses)
}

/// Whether a failed tool reports an error of this number.
pub(crate) fn mentions(err: &Error, wanted: u32) -> bool {
    err.context()
        .any(|(key, value)| key == "stderr" && spoken(value).any(|line| number(line) == Some(wanted)))
}

/// Says what a failed tool's messages mean; any other error keeps its kind.
///
/// Of the messages only the programs' own lines stay: beside them a client prints the statement that failed, with
/// the rows in it.
pub(crate) fn classify(err: Error) -> Error {
    let field = |name| err.context().find(|(key, _)| *key == name).map(|(_, value)| value);
    let Some(stderr) = field("stderr") else { return silent(err) };
    let fits = |rule: &&Rule| {
        spoken(stderr).any(|line| {
            if rule.pieces.is_empty() {
                number(line).is_some_and(|number| rule.numbers.contains(&number))
            } else {
                rule.pieces.iter().all(|piece| line.contains(piece))
            }
        })
    };
    let rule = RULES.iter().filter(|_| err.kind() == ErrorKind::ToolFailed).find(fits);
    let mut folded = match rule {
        Some(rule) => Error::new(rule.kind, rule.message),
        None => Error::new(err.kind(), err.message()),
    };
    let said: Vec<String> = spoken(stderr).map(shortened).collect();
    for (key, value) in err.context() {
        match key {
            "stderr" if said.is_empty() => {}
            "stderr" => folded = folded.with_context(key, said.join("\n")),
            _ => folded = folded.with_context(key, value),
        }
    }
    match rule {
        Some(rule) if !rule.suggestion.is_empty() => folded.with_suggestion(rule.suggestion),
        Some(_) => folded,
        None => err.suggestions().iter().fold(folded, |folded, text| folded.with_suggestion(*text)),
    }
}

/// MariaDB's program ends so when the connection is lost between two tables.
fn silent(err: Error) -> Error {
    let ended_so = err.context().any(|(key, value)| key == "status" && value == "exit 2");
    if err.kind() != ErrorKind::ToolFailed || !ended_so {
        return err;
    }
    Error::new(
        Unavailable,
        "the program ended without a word, as it does when the connection to the server is lost",
    )
    .with_suggestion(AGAIN)
    .with_source(err)
}

/// A line as far as a person reads it.
fn shortened(line: &str) -> String {
    /// Most messages have less than half of this.
    const LETTERS: usize = 600;
    if line.chars().count() <= LETTERS {
        return line.to_owned();
    }
    line.chars().take(LETTERS).chain(" …".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(stderr: &str) -> ErrorKind {
        let err = Error::new(ToolFailed, "exit 1").with_context("tool", "x").with_context("stderr", stderr);
        classify(err).kind()
    }

    #[test]
    fn messages_are_told_apart() {
        for (stderr, expected) in [
            (
                "ERROR 1045 (28000): Access denied for user 'u'@'localhost' (using password: YES)",
                AuthenticationFailed,
            ),
            (
                "mysqldump: Got error: 1045: \"Access denied for user 'u'@'localhost' (using password: YES)\" when trying to connect",
                AuthenticationFailed,
            ),
            (
                "mysqldump: Got error: 1049: Unknown database 'x' when selecting the database",
                DatabaseNotFound,
            ),
            (
                "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/tmp/s' (2)",
                ConnectionFailed,
            ),
            (
                "ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:13307' (111)",
                ConnectionFailed,
            ),
            (
                "ERROR 2059 (HY000): Authentication plugin 'mysql_native_password' cannot be loaded: /usr/lib/x.so",
                ToolVersion,
            ),
            (
                "mariadb-dump: Couldn't execute 'SHOW FIELDS FROM `v`': SHOW VIEW command denied to user 'u'@'%' for table `v` (1142)",
                PermissionDenied,
            ),
            (
                "mysqldump: Couldn't execute 'show events': Access denied for user 'u'@'%' to database 'd' (1044)",
                PermissionDenied,
            ),
            ("/usr/bin/mariadb-dump: Couldn't find table: \"x\"", InvalidInput),
            (
                "mysqldump: Error 2013: Lost connection to server during query when dumping table `t` at row: 5",
                Unavailable,
            ),
            (
                "ERROR 1153 (08S01) at line 9: Got a packet bigger than 'max_allowed_packet' bytes",
                InvalidInput,
            ),
            ("ERROR 2006 (HY000) at line 9: MySQL server has gone away", Unavailable),
            (
                "mariadb-dump: Error 2026: TLS/SSL error: unexpected eof while reading when dumping table `t` at row: 3",
                Unavailable,
            ),
            ("ERROR 1064 (42000) at line 3: You have an error in your SQL syntax", ToolFailed),
            ("mysqldump: Error: Binlogging on server not active", Unsupported),
        ] {
            assert_eq!(kind(stderr), expected, "{stderr}");
        }
    }

    #[test]
    fn rows_are_not_in_the_error() {
        let stderr = "--------------\nINSERT INTO t VALUES ('Geheim')\n--------------\n\nERROR 1062 (23000) at line 9: Duplicate entry";
        let err =
            Error::new(ToolFailed, "failed").with_context("status", "exit 1").with_context("stderr", stderr);
        let err = classify(err);
        let shown = format!("{err} {err:?}");
        assert!(
            !shown.contains("Geheim") && shown.contains("at line 9") && shown.contains("exit 1"),
            "{shown}"
        );
    }

    #[test]
    fn a_program_that_ends_without_a_word_lost_its_connection() {
        let ended =
            |status: &str| classify(Error::new(ToolFailed, "failed").with_context("status", status)).kind();
        assert_eq!(
            (ended("exit 2"), ended("exit 1"), ended("signal 9")),
            (Unavailable, ToolFailed, ToolFailed)
        );
    }

    #[test]
    fn what_a_row_says_is_not_taken_for_a_message() {
        let stderr = "ERROR 1062 (23000) at line 9: Duplicate entry 'x' for key 'PRIMARY'\n(1142) Access denied for user 'x' (using password: YES)";
        assert_eq!(kind(stderr), ToolFailed);
    }
}
