//! [`HeldSession`]: a client program whose session is kept open, for what a server gives to sessions alone.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Tool, ToolOutput};
use crate::{ByteStream, Error, ErrorKind, Result};

/// How often a session that is held says something, so that nobody between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The most that a session may print, in bytes: years of answers.
const PRINTED: usize = 1024 * 1024;

/// The longest that the end of a session may take.
const END_LIMIT: Duration = Duration::from_secs(60);

/// A session of a client program that reads its commands from standard input: a lock that a server gives to a session,
/// for example.
///
/// A dropped one kills the program, by which the server notices.
#[derive(Debug)]
pub struct HeldSession {
    /// What is said at the end; a session that is dropped says nothing.
    close: Option<oneshot::Sender<Bytes>>,
    task: JoinHandle<Result<ToolOutput>>,
}

impl HeldSession {
    /// Starts `tool`, gives it the commands of `opening`, and waits until it has printed a line that is not empty;
    /// returns that line too. What `keep_alive` asks, it is asked every half minute.
    ///
    /// # Errors
    ///
    /// Those of [`Tool::feed`]; [`ToolFailed`](ErrorKind::ToolFailed) for a program that ends without a line.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the program.
    pub async fn open(
        tool: Tool,
        opening: impl Into<Bytes>,
        keep_alive: impl Into<Bytes>,
    ) -> Result<(Self, String)> {
        let (close, closed) = oneshot::channel();
        let (said, heard) = oneshot::channel();
        let (mut said, mut printed) = (Some(said), Vec::new());
        let hear = move |chunk: &Bytes| {
            if said.is_none() {
                return;
            }
            printed.extend_from_slice(chunk);
            let text = String::from_utf8_lossy(&printed);
            let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::trim);
            if let Some(line) = lines.find(|line| !line.is_empty())
                && let Some(said) = said.take()
            {
                // Nobody waits where the call was dropped, and the program is about to end.
                let _unheard = said.send(line.to_owned());
            }
        };
        let body = commands(opening.into(), keep_alive.into(), closed);
        let task = tokio::spawn(tool.feed_and_hear(body, PRINTED, hear));
        let mut session = Self { close: Some(close), task };
        match heard.await {
            Ok(line) => Ok((session, line)),
            // The program has ended: what became of it says why.
            Err(_) => match (&mut session.task).await {
                Ok(Err(err)) => Err(err),
                Ok(Ok(_)) => Err(Error::new(ErrorKind::ToolFailed, "the session ended before it answered")),
                Err(err) => Err(cut_off(err)),
            },
        }
    }

    /// Whether the program still runs.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.task.is_finished()
    }

    /// Gives the program the commands of `closing`, waits for its end, and returns all that it printed.
    ///
    /// # Errors
    ///
    /// Those of [`Tool::feed`]: also where the session was lost meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends the program.
    pub async fn close(mut self, closing: impl Into<Bytes>) -> Result<String> {
        if let Some(close) = self.close.take() {
            // Where the program has ended, its end is told below.
            let _ended = close.send(closing.into());
        }
        let ended = tokio::time::timeout(END_LIMIT, &mut self.task).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "the session did not end")
                .with_context("limit_seconds", END_LIMIT.as_secs())
        })?;
        let output = ended.map_err(cut_off)??;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for HeldSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn cut_off(err: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "the task of a session was cut off").with_source(err)
}

/// The commands of a session, as they come.
fn commands(opening: Bytes, keep_alive: Bytes, closed: oneshot::Receiver<Bytes>) -> ByteStream {
    enum Next {
        Opening(Bytes),
        Held,
        End,
    }
    let start = (Next::Opening(opening), keep_alive, closed);
    ByteStream::new(futures::stream::try_unfold(start, |(next, keep_alive, mut closed)| async move {
        match next {
            Next::Opening(opening) => Ok(Some((opening, (Next::Held, keep_alive, closed)))),
            Next::Held => tokio::select! {
                closing = &mut closed => match closing {
                    Ok(closing) => Ok(Some((closing, (Next::End, keep_alive, closed)))),
                    Err(_) => Err(Error::new(ErrorKind::Cancelled, "nobody holds the session any more")),
                },
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    Ok(Some((keep_alive.clone(), (Next::Held, keep_alive, closed))))
                }
            },
            Next::End => Ok(None),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Tool {
        Tool::new("sh", "sh").arg("-c").arg(script)
    }

    #[tokio::test]
    async fn a_session_answers_while_it_is_held() {
        let echo = sh("while read -r line; do echo \"$line\"; done");
        let (session, line) = HeldSession::open(echo, "\ntaken\n", "alive\n").await.unwrap();
        assert!(session.is_open());
        assert_eq!(line, "taken", "the empty line before it is no answer");
        assert_eq!(session.close("given back\n").await.unwrap(), "\ntaken\ngiven back\n");
    }

    #[tokio::test]
    async fn a_program_that_ends_before_it_answers_is_an_error() {
        for script in
            ["read -r line; exit 0", "read -r line; echo refused >&2; exit 3", "exec /nowhere/at/all"]
        {
            let err = HeldSession::open(sh(script), "take\n", "\n").await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::ToolFailed, "{script}: {err}");
        }
    }

    #[tokio::test]
    async fn a_session_that_was_lost_says_so_at_its_end() {
        for script in ["read -r line; echo taken; exit 3", "read -r line; echo taken; exit 0"] {
            let (session, _) = HeldSession::open(sh(script), "take\n", "\n").await.unwrap();
            while session.is_open() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if script.ends_with('0') {
                    break;
                }
            }
            session.close("give back\n").await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_dropped_session_kills_its_program_and_gives_it_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("ended");
        let script = format!("read -r line; echo taken; read -r line; touch '{}'", mark.display());
        let (session, _) = HeldSession::open(sh(&script), "take\n", "\n").await.unwrap();
        drop(session);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!mark.exists());
    }
}
