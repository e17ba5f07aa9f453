//! A dump, and beside it a session that sees the same and counts.

use std::{future::Future, time::Duration};

use backup_core::{ByteStream, Error, ErrorKind, Inventory, Result, SourceInfo, digest::Outcome};
use futures::StreamExt;

use super::PgDump;
use crate::{
    command::{self, QUERY_ARGS},
    error::classify,
    server::{PREAMBLE, Server},
    source::{self, Look, Scope},
    version::Program,
};

/// How long the end of a session is waited for that may say why its snapshot was not there.
const GRACE: Duration = Duration::from_secs(2);

/// The most characters of the user's own `application_name` that stay before the mark; the server keeps 63 bytes.
const NAME_CHARS: usize = 40;

impl PgDump {
    /// Starts the session, and says how the dump has to be made that sees what it sees.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the session.
    pub(super) async fn begin_counting(&self, server: &Server, source: &SourceInfo) -> Result<(Self, Look)> {
        let mut mark = [0_u8; 8];
        getrandom::fill(&mut mark).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
        })?;
        let mark = format!("-{}", hex::encode(mark));
        let script = source::script(PREAMBLE, &Scope::of(&self.settings)?, &mark);
        let args = QUERY_ARGS.iter().copied().filter(|arg| !arg.starts_with("--file="));
        let psql = server.psql.path(Program::Psql);
        let mut psql = command::client("psql", psql, &self.config, &self.host, args)
            .await?
            .env("PGCLIENTENCODING", "UTF8")
            .file_arg("--file=", script.into())
            .await?;
        if let Some(limit) = self.total_timeout {
            psql = psql.total_timeout(limit);
        }
        let look =
            Look::start(psql, source.encoding.as_deref().unwrap_or_default()).await.map_err(|err| {
                classify(err)
                    .with_context("server", self.config.location())
                    .with_context("database", self.config.database())
            })?;

        let mut dump = self.clone();
        dump.settings.extra.push(format!("--snapshot={}", look.snapshot));
        let own = self.config.parameters.get("application_name").map_or("backup", |name| name.expose());
        let own: String = own.chars().filter(char::is_ascii_graphic).take(NAME_CHARS).collect();
        dump.config = dump.config.parameter("application_name", format!("{own}{mark}"))?;
        Ok((dump, look))
    }
}

/// The body, which ends cleanly only after everything was counted; whichever side fails first ends both.
pub(super) fn joined(body: ByteStream, look: Look, counted: Outcome<Inventory>) -> ByteStream {
    let state = (body, look, None);
    ByteStream::new(futures::stream::try_unfold(state, move |(mut body, mut look, mut inventory)| {
        let counted = counted.clone();
        async move {
            let next = loop {
                tokio::select! {
                    // The session first, as it may be why the dump fails.
                    biased;
                    done = look.counted(), if inventory.is_none() => inventory = Some(done?),
                    next = body.next() => break next,
                }
            };
            match next {
                Some(Ok(chunk)) => Ok(Some((chunk, (body, look, inventory)))),
                Some(Err(err)) => Err(cause(err, &mut look).await),
                None => {
                    let inventory = match inventory {
                        Some(inventory) => inventory,
                        None => look.counted().await?,
                    };
                    counted.set(inventory);
                    Ok(None)
                }
            }
        }
    }))
}

/// A snapshot that is not there is the fault of the session that held it, where that has failed.
async fn cause(err: Error, look: &mut Look) -> Error {
    let of_snapshot = err.context().any(|(key, value)| key == "stderr" && value.contains("snapshot"));
    if of_snapshot && let Some(Err(session)) = within_grace(look.counted()).await {
        return session;
    }
    err
}

async fn within_grace<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(GRACE, future).await.ok()
}
