//! Wrong files: what is said of each, and where.
#![cfg_attr(
    not(all(feature = "webhook", feature = "mail", feature = "zstd", feature = "age")),
    allow(dead_code)
)]

use super::*;

/// The first three lines of most files.
const START: &str = "[environments.production]
stores = [{ kind = \"local\", path = \"/var/backups\" }]
source = { url = \"postgresql://backup@db/shop\" }
";

/// What is wrong on line 4 (and after), the key below `environments.production`, the line and the column, a part of the
/// message, and of what is allowed.
type Row = (&'static str, &'static str, (usize, usize), &'static str, &'static str);

#[rustfmt::skip] // one row a line
const AFTER_START: &[Row] = &[
    ("retension = 3", "retension", (4, 1), "no such key", "did you mean retention? known here: source, stores, "),
    ("zzz = 3", "zzz", (4, 1), "no such key", "known here: source, stores, "),
    ("level = \"deep\"", "level", (4, 9), "no such level", "present, digest, decoded, restored, equal"),
    ("level = 3", "level", (4, 9), "text in quotes is expected, not a whole number", "text in quotes"),
    ("level = \"restored\"", "", (1, 1), "no rehearsal is named", "rehearsal = {}"),
    ("compression = \"lzw\"", "compression", (4, 15), "unknown compression", "`zstd`, `gzip` and `none`"),
    ("compression = \"none:3\"", "compression", (4, 15), "has no levels", "write `none` alone"),
    ("compression = \"\"", "compression", (4, 15), "empty", "leave the key out"),
    ("encryption = { recipients = [\"age1x\"] }", "encryption.recipients[0]", (4, 30), "not a public key", "age1…, ssh-ed25519"),
    ("encryption = { recipients = [] }", "encryption.recipients", (4, 29), "nobody is named to encrypt for", "recipients = ["),
    ("encryption = {}", "encryption", (4, 14), "nobody is named to encrypt for", "passphrase = {"),
    ("encryption = { passphrase = \"correct horse\" }", "encryption.passphrase", (4, 29), "never written into this file", "{ file = \"/path\" }"),
    ("encryption = { passphrase = { env = \"A\" }, identities = [{ env = \"B\" }] }", "encryption", (4, 14), "needs no identities", "leave identities out"),
    ("[environments.production.encryption]\nrecipients = [\"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\"]\nidentities = [\"AGE-SECRET-KEY-1X\"]", "encryption.identities[0]", (6, 15), "never written into this file", "{ env = \"NAME\" }"),
    ("[environments.production.encryption]\nrecipients = [\"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\"]\npassphrase = { env = \"A\" }", "encryption", (4, 1), "exclude each other", "either recipients or a passphrase"),
    ("level = \"decoded\"\nencryption = { recipients = [\"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\"] }", "", (1, 1), "no identity is named", "no deeper than digest"),
    ("schedules = { a = { at = \"hourly\", verify = \"decoded\" } }\nencryption = { recipients = [\"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\"] }", "schedules.a", (4, 19), "no identity is named", "identities = ["),
    ("retention = {}", "retention", (4, 13), "no rule", "say what is kept: keep_last"),
    ("[environments.production.retention]\nkeep_dayly = 3", "retention.keep_dayly", (5, 1), "no such key", "did you mean keep_daily?"),
    ("[environments.production.retention]\nkeep_daily = \"7\"", "retention.keep_daily", (5, 14), "may not stand here", "a whole number from 0 to 4294967295"),
    ("retention = { keep_daily = -1 }", "retention.keep_daily", (4, 28), "may not stand here", "a whole number from 0"),
    ("retention = { keep_within = \"2 days\" }", "retention.keep_within", (4, 29), "may not stand here", "12h, 30d, 2w"),
    ("retention = { time_zone = \"Europe/Berlim\" }", "retention.time_zone", (4, 27), "may not stand here", "tz database"),
    ("retention = { kinds = { dayly = 7 } }", "retention.kinds.dayly", (4, 25), "not one of the words", "daily, weekly, monthly, manual"),
    ("retention = { kinds = { daily = \"always\" } }", "retention.kinds.daily", (4, 33), "may not stand here", "a number, or \"forever\""),
    ("retention = { keep_daily = 1, max_deleted_percent = 101 }", "retention", (4, 13), "more than 100 percent", ""),
    ("health = { warning_age = 3 }", "health.warning_age", (4, 12), "no such key", "did you mean warning_age_minutes?"),
    ("[[environments.production.health.series]]\nenvironment = \"a\"", "health.series[0].database", (4, 1), "a key is missing", "add database"),
    ("health = { target = { rpo_seconds = 1.5, rto_seconds = 1 } }", "health.target.rpo_seconds", (4, 37), "may not stand here", "a whole number"),
    ("alerts = { repeat_after_minutes = true }", "alerts.repeat_after_minutes", (4, 35), "may not stand here", "a whole number"),
    ("schedules = { a = { at = \"daily\" } }", "schedules.a.at", (4, 26), "not a schedule", "daily at 02:00"),
    ("schedules = { a = { kind = \"daily\" } }", "schedules.a.at", (4, 19), "a key is missing", "at = \"daily at 02:00\""),
    ("schedules = { a = { at = \"hourly\", time_zone = \"Berlin\" } }", "schedules.a.at", (4, 26), "no such time zone", "Europe/Berlin"),
    ("schedules = { a = { at = \"daily at 02:00 in UTC\", time_zone = \"UTC\" } }", "schedules.a.at", (4, 26), "the time zone is said twice", "leave time_zone out"),
    ("schedules = { a = { at = \"hourly\", kind = \"manual\" } }", "schedules.a.kind", (4, 43), "not one of the words", "daily, weekly, monthly"),
    ("schedules = { a = { at = \"hourly\", verify = \"equal\" } }", "schedules.a", (4, 19), "no rehearsal is named", "rehearsal = {}"),
    ("schedules = { a = { at = \"hourly\", jitter_minutes = -1 } }", "schedules.a.jitter_minutes", (4, 53), "out of range", "minutes from 0 on"),
    ("notifiers = [{ kind = \"pager\" }]", "notifiers[0].kind", (4, 23), "not one of the words", "webhook, slack, pagerduty, healthchecks, mail"),
    ("notifiers = [{ url = { env = \"A\" } }]", "notifiers[0].kind", (4, 14), "a key is missing", "webhook, slack"),
    ("[[environments.production.notifiers]]\nkind = \"webhook\"\nurl = \"https://hooks.example/x\"", "notifiers[0].url", (6, 7), "a secret is never written into this file", "{ env = \"NAME\" }"),
    ("[[environments.production.notifiers]]\nkind = \"slack\"", "notifiers[0].url", (4, 1), "a key is missing", "url = { env"),
    ("notifiers = [{ kind = \"healthchecks\", url = { env = \"A\" }, minimum_severity = \"info\" }]", "notifiers[0].minimum_severity", (4, 79), "of no severity", "leave the key out"),
    ("notifiers = [{ kind = \"slack\", url = { env = \"A\" }, minimum_severity = \"high\" }]", "notifiers[0].minimum_severity", (4, 72), "not one of the words", "info, warning, critical"),
    ("notifiers = [{ kind = \"mail\", host = \"h\", tls = \"ssl\", from = \"a@b\", to = [\"a@b\"] }]", "notifiers[0].tls", (4, 49), "not one of the words", "implicit, starttls, none-on-this-host, none-over-network"),
    ("notifiers = [{ kind = \"mail\", host = \"h\", tls = \"starttls\", from = \"a@b\", to = [] }]", "notifiers[0].to", (4, 80), "nobody gets the mails", "an address"),
    ("notifiers = [{ kind = \"mail\", host = \"h\", tls = \"starttls\", user = \"u\", from = \"a@b\", to = [\"a@b\"] }]", "notifiers[0]", (4, 14), "both a user and a password", "or neither"),
    ("rehearsal = { assertions = [{ name = \"a\", sql = \"SELECT 1\", between = [3, 2] }] }", "rehearsal.assertions[0]", (4, 29), "nothing can meet", "bounds"),
    ("rehearsal = { assertions = [{ name = \"a\", sql = \"SELECT 1\", between = [3] }] }", "rehearsal.assertions[0].between", (4, 71), "two bounds", "[1, 1000]"),
    ("rehearsal = { assertions = [{ sql = \"SELECT 1\" }] }", "rehearsal.assertions[0].name", (4, 29), "a key is missing", "a name"),
    ("targets = { \"my copy\" = { url = \"shop\" } }", "targets.\"my copy\".url", (4, 33), "this is no URL", "postgresql://user@host/database"),
    ("targets = { a = { url = \"mysql://h/d\", engine = \"mysql\" } }", "targets.a", (4, 17), "named twice", "either url, or engine"),
    ("targets = { a = { engine = \"mysql\", host = \"h\" } }", "targets.a", (4, 17), "no database is named", "engine, host, port"),
    ("targets = { a = { engine = \"mysql\", database = \"d\", port = 70000 } }", "targets.a.port", (4, 60), "out of range", "0 to 65535"),
    ("targets = { a = { engine = \"mysql\", database = \"d\", host = \"h:3306\" } }", "targets.a.host", (4, 60), "not the name of a host", "the port has a key of its own"),
    ("targets = { a = { url = \"mysql://h/d\", password = { env = \"$A\" } } }", "targets.a.password.env", (4, 59), "not the name of an environment variable", "without $"),
    ("targets = { a = { url = \"mysql://h/d\", password = { env = \"A\", file = \"/a\" } } }", "targets.a.password", (4, 51), "exactly one place", "{ file = \"/path\" }"),
    ("targets = { a = { url = \"mysql://h/d\", password = { file = \"a\" } } }", "targets.a.password.file", (4, 60), "where the process is started", "an absolute path"),
    ("targets = { a = { url = \"mysql://h/d\", password = { env = \"A\", others_may_read = true } } }", "targets.a.password.others_may_read", (4, 82), "only a file has readers", "leave the key out"),
    ("targets = { a = { url = \"mysql://h/d\", password = { command = [] } } }", "targets.a.password", (4, 51), "names no program", "command = "),
    ("targets = { a = { url = \"mysql://h/d\", password = { command = [\"a\", 1] } } }", "targets.a.password.command[1]", (4, 69), "text in quotes is expected", "text in quotes"),
    ("targets = { a = { url = \"mysql://h/d\", password = { vault = \"a\" } } }", "targets.a.password", (4, 51), "exactly one place", "{ env = \"NAME\" }"),
    ("level = digest", "level", (4, 9), "string values must be quoted", "literal string"),
    ("level = \"digest", "level", (4, 16), "invalid basic string", "`\"`"),
    ("level = \"digest\"\nlevel = \"digest\"", "level", (5, 1), "duplicate key", ""),
];

/// As above, of whole files and with whole keys.
#[rustfmt::skip] // one row a line
const WHOLE_FILES: &[Row] = &[
    ("", "environments", (1, 1), "a key is missing", "[environments.production]"),
    ("[environments]", "environments", (1, 1), "no environment is named", "[environments.production]"),
    ("[enviroments.a]", "enviroments", (1, 2), "no such key", "did you mean environments? known here: defaults, environments"),
    ("environments = 3", "environments", (1, 16), "a table is expected", "a table"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }", "environments.a", (1, 1), "no store is named", "under defaults"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ path = \"/b\" }]", "environments.a.stores[0].kind", (3, 11), "a key is missing", "\"local\""),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"local\", path = \"b\" }]", "environments.a.stores[0].path", (3, 36), "where the process is started", "an absolute path"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }, { kind = \"b\" }]\ncopies = 3", "environments.a.copies", (4, 10), "cannot be in so many of the stores", "a number from 1 to 2"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }]\ncopies = 0", "environments.a.copies", (4, 10), "cannot be in so many of the stores", "a number from 1 to 1"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }]\ncopies = \"some\"", "environments.a.copies", (4, 10), "not one of the words", "all, primary"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }, { kind = \"b\", stall_seconds = -1 }]", "environments.a.stores[1].stall_seconds", (3, 57), "out of range", "whole seconds"),
    ("[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }, { path = \"/b\" }]", "environments.a.stores[1].kind", (3, 27), "a key is missing", "\"local\""),
    ("[environments.a]\nstores = [{ kind = \"a\" }]", "environments.a.source", (1, 1), "a key is missing", "source = { url"),
    ("[environments.a]\nstores = [{ kind = \"a\" }]\n[environments.a.source]\nurl = \"mysql://a:b@h/d\"", "environments.a.source.url", (4, 7), "a password stands in the URL", "password = { env = \"NAME\" }"),
    ("[environments.a]\nstores = [{ kind = \"a\" }]\n[environments.a.source]\nurl = \"mysql://h/d\"\npassword = \"b\"", "environments.a.source.password", (5, 12), "never written into this file", "{ file = \"/path\" }"),
    ("[environments.a]\nstores = [{ kind = \"a\" }]\nsource = { url = \"mysql://h/d\", options = { token = \"b\" } }", "environments.a.source.options.token", (3, 53), "holds a secret", "outside of the options"),
    ("[environments.a]\nstores = [{ kind = \"a\" }]\nsource = { url = \"mysql://h/d\", options = { a = [1] } }", "environments.a.source.options.a", (3, 49), "text in quotes is expected, not an array", "text"),
    ("[defaults]\nsource = { url = \"mysql://h/d\" }\n[environments.a]", "defaults.source", (2, 1), "no such key", "known here: stores, "),
    ("[environments.\"a:b@c\"]\nx = 1", "environments.(not shown).source", (1, 1), "a key is missing", "source"),
    ("# ä\n[environments.a]\n\"ä\" = 1\nstores = [{ kind = \"ö\", pfad = 1 }]", "environments.a.stores[0].pfad", (4, 25), "no such key", "known here: kind, path, stall_seconds, options"),
];

/// What was said instead, if anything.
fn refused_otherwise(
    text: &str,
    key: &str,
    (line, column): (usize, usize),
    message: &str,
    allowed: &str,
) -> Option<String> {
    let err = Config::from_toml(text, "backups.toml").unwrap_err();
    let place = format!("key: {key}, line: {line}, column: {column}");
    let lines = err.context().find(|(name, _)| *name == "also").map(|(_, lines)| lines.to_owned());
    let first = format!("{err}").replace('|', "\n");
    let is_first = first.contains(&place)
        && err.message().contains(message)
        && err.suggestions().join(" ").contains(allowed);
    let is_other = lines.unwrap_or_default().lines().any(|other| {
        other.starts_with(&format!("line {line}, column {column}, {key}: "))
            && other.contains(message)
            && other.contains(allowed)
    });
    let is_named =
        err.to_string().starts_with("configuration: ") && err.to_string().contains("file: backups.toml");
    let unsupported = ["not supported yet", "unknown compression"];
    let expected = if unsupported.iter().any(|message| err.message().contains(message)) {
        ErrorKind::Unsupported
    } else {
        ErrorKind::InvalidInput
    };
    let is_right = (is_first || is_other) && is_named && err.kind() == expected;
    (!is_right).then(|| format!("{text}\n  {place}\n  {err}\n  {:?}", err.suggestions()))
}

#[test]
#[cfg(all(feature = "webhook", feature = "mail", feature = "zstd", feature = "age"))]
fn each_error_names_key_line_and_column_and_what_is_allowed() {
    Config::from_toml(START, "backups.toml").unwrap();
    let mut otherwise = Vec::new();
    for (text, key, at, message, allowed) in AFTER_START {
        let key = format!("environments.production.{key}");
        let text = format!("{START}{text}\n");
        otherwise.extend(refused_otherwise(&text, key.trim_end_matches('.'), *at, message, allowed));
    }
    for (text, key, at, message, allowed) in WHOLE_FILES {
        otherwise.extend(refused_otherwise(text, key, *at, message, allowed));
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n\n"));
}

#[test]
fn an_error_of_the_defaults_is_told_once_and_where_it_stands() {
    let text = "[defaults]\nlevel = \"deep\"\n[environments.a]\nsource = { url = \"mysql://h/d\" }\nstores = [{ kind = \"a\" }]\n";
    let err = Config::from_toml(text, "a.toml").unwrap_err();
    let told: Vec<_> = err.context().collect();
    assert_eq!(told, [("file", "a.toml"), ("key", "defaults.level"), ("line", "2"), ("column", "9")]);
}

#[test]
#[cfg(not(all(feature = "webhook", feature = "mail")))]
fn a_notifier_that_this_build_lacks_is_refused() {
    let text = format!("{START}notifiers = [{{ kind = \"slack\", url = {{ env = \"A\" }} }}]\n");
    let err = Config::from_toml(&text, "a.toml");
    assert_eq!(err.is_err(), cfg!(not(feature = "webhook")));
    if let Err(err) = err {
        assert_eq!(err.kind(), ErrorKind::Unsupported);
        assert_eq!(err.suggestions(), ["enable the feature `webhook` of backup-core"]);
    }
}
