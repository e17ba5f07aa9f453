//! Joins the runs of a dump into one, with one end mark.

use backup_core::{ByteStream, Encoding, EndMark, Error, ErrorKind, Result, process::Tool};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};

/// The last comment of a dump; a date may follow.
const END: &[u8] = b"-- Dump completed";

/// How many bytes may follow the start of the last comment: a date, and a line break.
const END_WINDOW: usize = 128;

/// What the first line of MariaDB's dumps holds, a command to its client: anything that may be left out within.
const SANDBOX: &[u8] = b"999999\\- enable the sandbox mode";

/// The output of the tools, one after the other, each started when the one before has ended well.
///
/// The output of a single one is compressed where its host compresses it.
pub(super) fn stream(tools: Vec<Tool>) -> Result<(ByteStream, Option<Encoding>)> {
    let mut tools = tools.into_iter();
    let last =
        tools.next_back().ok_or_else(|| Error::new(ErrorKind::Unexpected, "there is nothing to run"))?;
    let earlier: Vec<Tool> = tools.collect();
    if earlier.is_empty() {
        return Ok(match last.stream_compressed()? {
            (body, None) => (body.require_end_mark(END_WINDOW, has_mark), None),
            (body, Some(format)) => {
                (body, Some(Encoding::new(format).with_check(EndMark::new(END_WINDOW, has_mark))))
            }
        });
    }
    let count = earlier.len();
    let parts = futures::stream::iter(earlier.into_iter().chain([last]).enumerate());
    let bodies = parts.map(move |(index, tool)| {
        let body = if index == count { whole(tool)? } else { without_end(tool.stream()?) };
        Ok::<_, Error>(if index == 0 { body } else { without_sandbox(body) })
    });
    Ok((ByteStream::new(bodies.try_flatten()), None))
}

fn whole(tool: Tool) -> Result<ByteStream> {
    Ok(tool.stream()?.require_end_mark(END_WINDOW, has_mark))
}

fn has_mark(end: &[u8]) -> bool {
    mark(end).is_some()
}

/// Where the last comment begins, at the start of a line and with nothing but its date behind it.
fn mark(end: &[u8]) -> Option<usize> {
    let at = memchr::memmem::rfind(end, END)?;
    let starts_line = at == 0 || end.get(at - 1) == Some(&b'\n');
    let rest = end.get(at + END.len()..)?;
    let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let (line, behind) = rest.split_at(line_end);
    let dated = line.trim_ascii();
    let is_date = dated.is_empty() || dated.starts_with(b"on ");
    (starts_line && is_date && behind.trim_ascii().is_empty()).then_some(at)
}

/// The stream without its last comment, which has to be there.
fn without_end(body: ByteStream) -> ByteStream {
    let state = Some((body, BytesMut::new()));
    ByteStream::new(futures::stream::unfold(state, |state| async move {
        let (mut body, mut held) = state?;
        loop {
            match body.next().await {
                Some(Ok(chunk)) => {
                    held.extend_from_slice(&chunk);
                    if held.len() > END_WINDOW {
                        let pass = held.split_to(held.len() - END_WINDOW).freeze();
                        return Some((Ok(pass), Some((body, held))));
                    }
                }
                Some(Err(err)) => return Some((Err(err), None)),
                None => {
                    return Some(match mark(&held) {
                        Some(at) => (Ok(held.split_to(at).freeze()), None),
                        None => (Err(incomplete()), None),
                    });
                }
            }
        }
    }))
}

/// The stream without MariaDB's sandbox line, which is a command only where it is the first.
fn without_sandbox(body: ByteStream) -> ByteStream {
    /// Longer than that line.
    const LINE: usize = 128;
    let state = (body, Some(BytesMut::new()));
    ByteStream::new(futures::stream::unfold(state, |(mut body, mut first)| async move {
        loop {
            let next = body.next().await;
            let Some(mut held) = first.take() else { return Some((next?, (body, None))) };
            match next {
                Some(Ok(chunk)) => {
                    held.extend_from_slice(&chunk);
                    if held.len() < LINE && !held.contains(&b'\n') {
                        first = Some(held);
                        continue;
                    }
                    return Some((Ok(cut_sandbox(held)), (body, None)));
                }
                Some(Err(err)) => return Some((Err(err), (body, None))),
                None if held.is_empty() => return None,
                None => return Some((Ok(cut_sandbox(held)), (body, None))),
            }
        }
    }))
}

fn cut_sandbox(mut held: BytesMut) -> Bytes {
    let line = held.iter().position(|byte| *byte == b'\n').unwrap_or(held.len());
    let is_sandbox = held.get(..line).is_some_and(|line| memchr::memmem::find(line, SANDBOX).is_some());
    if is_sandbox {
        let _line = held.split_to(line);
    }
    held.freeze()
}

fn incomplete() -> Error {
    Error::new(ErrorKind::Incomplete, "the tool ended with success, but its dump has no end mark")
        .with_context("tool", "mysqldump")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static [u8], size: usize) -> ByteStream {
        ByteStream::new(futures::stream::iter(text.chunks(size).map(|chunk| Ok(Bytes::from_static(chunk)))))
    }

    #[test]
    fn only_the_last_comment_is_an_end_mark() {
        for (text, expected) in [
            (&b"x;\n-- Dump completed on 2026-11-21  2:22:49\n"[..], Some(3)),
            (b"-- Dump completed\n", Some(0)),
            (b"x -- Dump completed\n", None),
            (b"-- Dump completed\nDROP TABLE x;\n", None),
            (b"-- Dump completed as planned\n", None),
            (b"", None),
        ] {
            assert_eq!(mark(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[tokio::test]
    async fn an_earlier_runs_mark_is_left_out_however_it_is_cut() {
        let dump = b"/*M!999999\\- enable the sandbox mode */ \nINSERT INTO t VALUES (1);\n-- Dump completed on 2026-11-21\n";
        for size in 1..dump.len() {
            let passed = without_end(body(dump, size)).collect_bytes(1000).await.unwrap();
            assert!(passed.ends_with(b"(1);\n"), "{size}");
            let passed = without_sandbox(body(dump, size)).collect_bytes(1000).await.unwrap();
            assert!(passed.starts_with(b"\nINSERT"), "{size}");
        }
        let cut = without_end(body(b"INSERT INTO t VALUES (1);\n", 5)).collect_bytes(1000).await;
        assert_eq!(cut.unwrap_err().kind(), ErrorKind::Incomplete);
    }
}
