//! What `ssh` says when there is no way to the other host, in kinds.

use super::{KNOWN_BEFOREHAND, Ssh};
use crate::{Error, ErrorKind, Retryable};

/// A message of `ssh`, by a piece of one of its lines.
struct Rule {
    piece: &'static str,
    kind: ErrorKind,
    retryable: Retryable,
    message: &'static str,
    suggestion: &'static str,
}

const fn rule(
    piece: &'static str,
    kind: ErrorKind,
    retryable: Retryable,
    message: &'static str,
    suggestion: &'static str,
) -> Rule {
    Rule { piece, kind, retryable, message, suggestion }
}

use ErrorKind::{AuthenticationFailed, ConnectionFailed, InvalidInput, Unavailable};
use Retryable::{No, Yes};

const CHANGED: &str = "find out why before anything else: somebody may be in between; if the host was set up \
                       anew, remove its old key from known_hosts with `ssh-keygen -R`, then add the new one";
const KEY: &str = "add the public key to ~/.ssh/authorized_keys on the host, and name the private one; it must be \
                   usable without a question, by an agent or without a passphrase";
const CONFIG: &str = "correct the option or the configuration file that the message names";
const REACH: &str = "check the host's name and port, that its SSH server runs, and the firewalls in between";
const SERVER: &str =
    "look at the log of the host's SSH server (MaxStartups, hosts.deny, PAM), then try again";

/// In order: the first that fits any line is the answer.
const RULES: &[Rule] = &[
    rule(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        ConnectionFailed,
        No,
        "the host has another key than the one that is known",
        CHANGED,
    ),
    rule(
        "Host key verification failed",
        ConnectionFailed,
        No,
        "the host's key is not known",
        KNOWN_BEFOREHAND,
    ),
    rule(
        "no matching host key type",
        ConnectionFailed,
        No,
        "the host and this ssh have no kind of key in common",
        REACH,
    ),
    rule(
        "Too many authentication failures",
        AuthenticationFailed,
        No,
        "the host refuses the user after too many keys",
        KEY,
    ),
    rule("Permission denied (", AuthenticationFailed, No, "the host refuses the user's key", KEY),
    rule(
        "UNPROTECTED PRIVATE KEY FILE",
        AuthenticationFailed,
        No,
        "the private key can be read by others",
        "chmod 600",
    ),
    rule("Bad configuration option", InvalidInput, No, "ssh does not know an option", CONFIG),
    rule(
        "Bad owner or permissions",
        InvalidInput,
        No,
        "the configuration of ssh can be written by others",
        CONFIG,
    ),
    rule("Can't open user config file", InvalidInput, No, "the configuration of ssh cannot be read", CONFIG),
    rule("command-line: line 0", InvalidInput, No, "ssh refuses an option", CONFIG),
    rule("terminating,", InvalidInput, No, "ssh refuses its configuration", CONFIG),
    rule(
        "too long for Unix domain socket",
        InvalidInput,
        No,
        "the path of the temporary folder is too long for a socket",
        "set TMPDIR to a short path",
    ),
    rule("Could not resolve hostname", ConnectionFailed, Yes, "the host's name cannot be resolved", REACH),
    rule("Connection refused", ConnectionFailed, Yes, "nothing listens at the host's port", REACH),
    rule("timed out", ConnectionFailed, Yes, "the host did not answer in time", REACH),
    rule("No route to host", ConnectionFailed, Yes, "there is no way to the host", REACH),
    rule("Network is unreachable", ConnectionFailed, Yes, "there is no way to the host", REACH),
    rule("administratively prohibited", Unavailable, No, "the host opens no session", SERVER),
    rule("session request failed", Unavailable, Yes, "the host opens no session", SERVER),
    rule("Connection closed by", ConnectionFailed, Yes, "the host closed the connection", SERVER),
    rule("Connection reset by", ConnectionFailed, Yes, "the host closed the connection", SERVER),
    rule("kex_exchange_identification", ConnectionFailed, Yes, "the host closed the connection", SERVER),
];

/// Why there was no connection, by what `ssh` itself said: no tool had been started.
pub(in crate::process) fn before_the_tool(ssh: &Ssh, said: &str) -> Error {
    let fits = |rule: &&Rule| said.lines().any(|line| line.contains(rule.piece));
    let err = match RULES.iter().find(fits) {
        Some(rule) => Error::new(rule.kind, rule.message)
            .with_retryable(rule.retryable)
            .with_suggestion(rule.suggestion),
        None => Error::new(ConnectionFailed, "no connection to the host").with_suggestion(
            "try `ssh` by hand; a login shell that is no shell, such as nologin, runs no tool",
        ),
    };
    let err = err.with_context("host", ssh.destination());
    if said.is_empty() { err } else { err.with_context("ssh", said) }
}

/// The connection is gone, and nobody knows how the tool there ended.
pub(in crate::process) fn amid_the_tool(host: &str) -> Error {
    Error::new(Unavailable, "the connection to the host was lost before the tool had ended")
        .with_context("host", host)
        .with_suggestion("try again; the tool on the host was ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_ssh_are_told_apart() {
        let ssh = Ssh::new("db.example").unwrap();
        for (said, kind, retryable) in [
            (
                "No ED25519 host key is known for x and you have requested strict checking.\r\nHost key verification failed.",
                ConnectionFailed,
                false,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                ConnectionFailed,
                false,
            ),
            ("u@h: Permission denied (publickey,password).", AuthenticationFailed, false),
            (
                "ssh: Could not resolve hostname nowhere.invalid: Name or service not known",
                ConnectionFailed,
                true,
            ),
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused", ConnectionFailed, true),
            ("ssh: connect to host 10.255.255.1 port 22: Connection timed out", ConnectionFailed, true),
            ("command-line: line 0: Bad configuration option: x", InvalidInput, false),
            ("", ConnectionFailed, true),
        ] {
            let err = before_the_tool(&ssh, said);
            assert_eq!((err.kind(), err.is_retryable()), (kind, retryable), "{said}");
            assert!(!err.suggestions().is_empty());
        }
        let changed =
            before_the_tool(&ssh, "REMOTE HOST IDENTIFICATION HAS CHANGED\nHost key verification failed.");
        assert!(changed.suggestions()[0].contains("ssh-keygen -R"));
    }
}
