//! Runs `psql` or `pg_restore` on a body.

use std::path::Path;

use backup_core::{
    ByteStream, Error, ErrorKind, Result,
    process::{Tool, ToolOutput},
};
use bytes::Bytes;
use futures::StreamExt;

use super::{
    PgRestore,
    script::ScriptFilter,
    select::{self, Wanted},
    unpack,
};
use crate::{
    PgConfig, Version, command,
    dumper::Staging,
    error::classify,
    format::{DIRECTORY, PLAIN},
    version::{Client, Program},
};

/// The most bytes that a restoring tool may print.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// What psql prints after the commit, and the program that ran to its end never prints otherwise.
const COMMITTED: &str = "backup: committed";

/// Where what the statements of a dump return goes.
const NOWHERE: &str = if cfg!(windows) { "--output=NUL" } else { "--output=/dev/null" };

/// Whether the restore has to be one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atomic {
    OneTransaction,
    /// The whole database is dropped on a failure.
    NotNeeded,
}

/// One restore.
pub(super) struct Run<'a> {
    pub(super) settings: &'a PgRestore,
    pub(super) client: Client,
    pub(super) format: String,
    pub(super) target: Version,
    pub(super) part: Part,
}

/// What of a body is restored, and what is done around it in the same transaction.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) wanted: Option<Wanted>,
    pub(super) before: String,
    pub(super) after: String,
}

/// What the tool is to read.
pub(super) enum Input {
    /// As it comes.
    Stream(ByteStream),
    /// A copy that the tool can seek in, whole.
    Copy(Staging),
}

impl Run<'_> {
    /// Makes a copy of `body` where the tool needs one.
    pub(super) async fn input(&self, body: ByteStream) -> Result<Input> {
        if self.format == PLAIN || (self.format != DIRECTORY && self.settings.jobs == 1) {
            return Ok(Input::Stream(body));
        }
        let staging = Staging::create("backup-pg-restore-", self.settings.staging.clone()).await?;
        let copied = if self.format == DIRECTORY {
            unpack::unpack(body, &staging.content()).await
        } else {
            unpack::copy(body, &staging.content()).await
        };
        copied.map_err(staging.named())?;
        Ok(Input::Copy(staging))
    }

    /// Restores into the database that `config` names, and returns what the tool warned of.
    pub(super) async fn restore(
        &self,
        config: &PgConfig,
        atomic: Atomic,
        input: Input,
    ) -> Result<Vec<String>> {
        let run = match input {
            Input::Stream(body) if self.format == PLAIN => self.plain(config, atomic, body).await,
            Input::Stream(body) => self.custom(config, atomic, body).await,
            Input::Copy(staging) => self.copy(config, atomic, staging).await,
        };
        let output = run.map_err(|err| named(config, err))?;
        Ok(warnings(&output.stderr))
    }

    /// `psql` gets the commit from us, after the body ended cleanly; nothing in the body can commit.
    async fn plain(&self, config: &PgConfig, atomic: Atomic, body: ByteStream) -> Result<ToolOutput> {
        let restricted = self.client.version.restores_safely();
        let mut args: Vec<String> =
            ["-X", "-q", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose", NOWHERE]
                .map(str::to_owned)
                .to_vec();
        let mut end = String::new();
        if restricted {
            let mut key = [0_u8; 16];
            getrandom::fill(&mut key).map_err(|err| {
                Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
            })?;
            let key = hex::encode(key);
            args.push(format!("--command=\\restrict {key}"));
            end = format!("\\unrestrict {key}\n");
        }
        let mut commit = "";
        if atomic == Atomic::OneTransaction {
            args.push("--command=BEGIN".to_owned());
            commit = "COMMIT;\n";
        }
        args.push("--file=-".to_owned());
        let last = Bytes::from(format!("\n{}{commit}{end}\\echo {COMMITTED}\n", self.part.after));
        let filter = ScriptFilter::new(self.target.major, atomic);
        let body = match &self.part.wanted {
            Some(wanted) => select::filtered(body, wanted.clone()),
            None => body,
        };
        let before = Bytes::from(self.part.before.clone());
        let body = ByteStream::new(futures::stream::iter([Ok(before)]).chain(body));
        let tool = self.tool(Program::Psql, config, args).await?;
        let output = tool.feed(filtered(body, filter, last), OUTPUT_LIMIT).await?;
        if String::from_utf8_lossy(&output.stdout).contains(COMMITTED) {
            return Ok(output);
        }
        Err(Error::new(ErrorKind::ToolFailed, "psql ended before the end of the dump")
            .with_context("tool", "psql")
            .with_context("stderr", output.stderr))
    }

    async fn custom(&self, config: &PgConfig, atomic: Atomic, body: ByteStream) -> Result<ToolOutput> {
        let tool = self.tool(Program::PgRestore, config, self.archive_args(atomic)).await?;
        tool.feed(with_last_chunk_held(body), OUTPUT_LIMIT).await
    }

    async fn copy(&self, config: &PgConfig, atomic: Atomic, staging: Staging) -> Result<ToolOutput> {
        let done = self.archive_at(config, atomic, &staging.content()).await;
        staging.remove().await?;
        done
    }

    async fn archive_at(&self, config: &PgConfig, atomic: Atomic, path: &Path) -> Result<ToolOutput> {
        let mut args = self.archive_args(atomic);
        if self.settings.jobs > 1 {
            args.push(format!("--jobs={}", self.settings.jobs));
        }
        args.push(path.display().to_string());
        let tool = self.tool(Program::PgRestore, config, args).await?;
        tool.output(OUTPUT_LIMIT).await
    }

    fn archive_args(&self, atomic: Atomic) -> Vec<String> {
        let mut args = vec!["--no-password".to_owned(), "--exit-on-error".to_owned()];
        if atomic == Atomic::OneTransaction {
            args.push("--single-transaction".to_owned());
        }
        if matches!(self.part.wanted, Some(Wanted::Definitions)) {
            args.push("--schema-only".to_owned());
        }
        // Names no database, so that PGDATABASE is used, where no name is read as a connection string.
        args.push("--dbname=".to_owned());
        args
    }

    async fn tool(&self, program: Program, config: &PgConfig, args: Vec<String>) -> Result<Tool> {
        let tool =
            command::client(program.name(), self.client.path(program), config, &self.settings.host, args)
                .await?
                .idle_timeout(self.settings.idle_timeout);
        Ok(match self.settings.total_timeout {
            Some(limit) => tool.total_timeout(limit),
            None => tool,
        })
    }
}

/// Says into what the restore failed.
pub(super) fn named(config: &PgConfig, err: Error) -> Error {
    classify(err).with_context("server", config.location()).with_context("database", config.database())
}

/// The body without what must not be run, then `last`, once the body has ended cleanly.
fn filtered(body: ByteStream, filter: ScriptFilter, last: Bytes) -> ByteStream {
    let state = Some((body, filter, last));
    ByteStream::new(futures::stream::unfold(state, |state| async move {
        let (mut body, mut filter, last) = state?;
        match body.next().await {
            Some(Ok(chunk)) => match filter.update(&chunk) {
                Ok(chunk) => Some((Ok(chunk), Some((body, filter, last)))),
                Err(err) => Some((Err(err), None)),
            },
            Some(Err(err)) => Some((Err(err), None)),
            None => Some((filter.finish().map(|held| [held, last].concat().into()), None)),
        }
    }))
}

/// Keeps the last chunk back until the body has ended cleanly.
///
/// `pg_restore` commits when it has read what the archive's table of contents names, without waiting for the
/// end of its input; an archive ends with the end of its last table's rows, so that without its last bytes it
/// cannot commit.
fn with_last_chunk_held(body: ByteStream) -> ByteStream {
    let state = Some((body, Bytes::new()));
    ByteStream::new(futures::stream::unfold(state, |state| async move {
        let (mut body, mut held) = state?;
        loop {
            match body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    let pass = std::mem::replace(&mut held, chunk);
                    return Some((Ok(pass), Some((body, held))));
                }
                Some(Err(err)) => return Some((Err(err), None)),
                None => return Some((Ok(held), None)),
            }
        }
    }))
}

/// The lines in which a tool warns.
fn warnings(stderr: &str) -> Vec<String> {
    let warns = |line: &&str| line.contains("WARNING:") || line.contains("warning:");
    stderr.lines().filter(warns).map(|line| line.trim().to_owned()).collect()
}
