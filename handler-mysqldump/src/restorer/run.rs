//! Runs the SQL client on a body.

use std::sync::atomic::Ordering;

use backup_core::{ByteStream, Error, ErrorKind, Result};
use futures::StreamExt;

use super::{
    MysqlRestore,
    filter::{ScriptFilter, Wanted},
};
use crate::{
    command::{self, SQL_ARGS},
    error::classify,
    server::{QUESTION_LIMIT, Server, number},
};

/// The most bytes that the client may print.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// What the client prints when it has run everything, and nothing else prints.
const DONE: &str = "backup: restored";

/// The statement that prints it.
const END: &str = "\nSELECT 'backup: restored';\n";

/// One restore.
pub(super) struct Run<'a> {
    pub(super) settings: &'a MysqlRestore,
    pub(super) server: &'a Server,
}

impl Run<'_> {
    /// Restores `body` into a database.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: a dropped call ends the client; what it did by then stays.
    pub(super) async fn restore(&self, database: &str, wanted: &Wanted, body: ByteStream) -> Result<()> {
        let filter = ScriptFilter::new(self.settings.definers, wanted);
        self.filtered(Some(database), filter, body).await
    }

    /// The same with a filter of one's own.
    ///
    /// # Cancel safety
    ///
    /// As [`restore`](Self::restore).
    pub(super) async fn filtered(
        &self,
        database: Option<&str>,
        filter: ScriptFilter,
        body: ByteStream,
    ) -> Result<()> {
        let place = database.map(|name| format!("--database={name}"));
        let args = SQL_ARGS.iter().map(|arg| (*arg).to_owned()).chain(place);
        let tool = command::client("mysql", &self.server.sql, &self.server.host, &self.settings.config, args)
            .await?
            .idle_timeout(self.settings.idle_timeout);
        let tool = match self.settings.total_timeout {
            Some(limit) => tool.total_timeout(limit),
            None => tool,
        };
        let longest = filter.longest_line();
        let fed = tool.feed(filtered(body, filter), OUTPUT_LIMIT).await;
        let output = match fed
            .map_err(|err| classify(err).with_context("database", database.unwrap_or("(several)")))
        {
            Ok(output) => output,
            Err(err) => return Err(self.explained(err, longest.load(Ordering::Relaxed)).await),
        };
        if String::from_utf8_lossy(&output.stdout).lines().any(|line| line == DONE) {
            return Ok(());
        }
        Err(classify(
            Error::new(ErrorKind::ToolFailed, "the client ended before the end of the dump")
                .with_context("tool", "mysql")
                .with_context("stderr", output.stderr),
        ))
    }
}

impl Run<'_> {
    /// A server ends the connection over a statement that is too large for it, and says no more.
    async fn explained(&self, err: Error, longest: u64) -> Error {
        if err.kind() != ErrorKind::Unavailable {
            return err;
        }
        let question = "SELECT @@GLOBAL.max_allowed_packet;\n";
        let Ok(rows) = self.server.run(None, question, QUESTION_LIMIT).await else { return err };
        match rows.cell(0, 0).and_then(number) {
            Ok(limit) if longest >= limit => too_large(longest, limit).with_source(err),
            _ => err,
        }
    }
}

fn too_large(longest: u64, limit: u64) -> Error {
    Error::new(ErrorKind::InvalidInput, "the dump holds a statement that is larger than the target takes")
        .with_context("statement_bytes", longest)
        .with_context("max_allowed_packet", limit)
        .with_suggestion(
            "raise it on the target's server (SET GLOBAL max_allowed_packet=1073741824), then restore again",
        )
}

/// The body without what must not be run, then a sign of its end, once it has ended cleanly.
fn filtered(body: ByteStream, filter: ScriptFilter) -> ByteStream {
    let state = Some((body, filter));
    ByteStream::new(futures::stream::unfold(state, |state| async move {
        let (mut body, mut filter) = state?;
        match body.next().await {
            Some(Ok(chunk)) => match filter.update(&chunk) {
                Ok(chunk) => Some((Ok(chunk), Some((body, filter)))),
                Err(err) => Some((Err(err), None)),
            },
            Some(Err(err)) => Some((Err(err), None)),
            // On a line of its own, after what the dump may have left unfinished.
            None => Some((filter.finish().map(|held| [&held, END.as_bytes()].concat().into()), None)),
        }
    }))
}
