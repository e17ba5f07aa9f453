use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::{BackupRef, pipeline::host_name};

/// Who does what the lines tell.
#[derive(Debug, Serialize)]
pub(super) struct Who {
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    pid: u32,
}

impl Who {
    /// Asks the operating system; it blocks.
    pub(super) fn new(actor: String) -> Self {
        let (uid, user) = user();
        Self { actor, user, uid, host: host_name(), pid: std::process::id() }
    }
}

/// What happened; the fields that there are not are left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line<'a> {
    pub(super) event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
}

impl<'a> Line<'a> {
    pub(super) fn new(event: &'a str) -> Self {
        Self { event, ..Self::default() }
    }

    pub(super) fn of(self, backup: &BackupRef) -> Self {
        Self { backup: Some(backup.to_string()), ..self }
    }

    /// The line with its end; empty where it cannot be written as JSON, which strings and numbers always can.
    pub(super) fn encode(&self, who: &Who, at: DateTime<Utc>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Whole<'a> {
            at: String,
            #[serde(flatten)]
            line: &'a Line<'a>,
            #[serde(flatten)]
            who: &'a Who,
        }
        let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut bytes = serde_json::to_vec(&Whole { at, line: self, who }).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// The number and the name of the user that this process runs as, the name as far as the system's own file has it: what
/// the environment says may be anybody's.
#[cfg(unix)]
fn user() -> (Option<u32>, Option<String>) {
    use std::io::Read;
    /// More than any file of users that is kept by hand.
    const MAX_BYTES: u64 = 1024 * 1024;
    let uid = rustix::process::getuid().as_raw();
    let mut users = String::new();
    let read =
        std::fs::File::open("/etc/passwd").and_then(|file| file.take(MAX_BYTES).read_to_string(&mut users));
    if let Err(err) = read {
        tracing::debug!(%err, "the users of the system cannot be read");
    }
    let number = uid.to_string();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    (Some(uid), name)
}

#[cfg(not(unix))]
fn user() -> (Option<u32>, Option<String>) {
    (None, std::env::var("USERNAME").ok())
}
