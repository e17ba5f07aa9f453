use std::pin::pin;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    MAX_REQUEST_BYTES, Service,
    read::{Rejected, too_long},
};
use crate::Result;

/// What came of reading a line.
enum Line {
    /// It is there, without its line break.
    Whole,
    /// It was longer than is read; its rest was passed over.
    TooLong,
    /// Nothing comes any more.
    End,
}

impl Service {
    /// Answers the requests of a stream, one a line, by one line each, in their order, until it ends or `stop` does.
    ///
    /// Each line gets an answer, one that is empty or longer than [`MAX_REQUEST_BYTES`] too; no more than that is held
    /// of a line. Once `stop` has ended, no further line is read; the request that is being answered then gets its
    /// answer.
    ///
    /// # Errors
    ///
    /// Those of the stream, and of the writer.
    ///
    /// # Cancel safety
    ///
    /// As [`handle`](Self::handle); lines that were read and not answered are lost. Let `stop` end it instead.
    pub async fn serve_lines(
        &self,
        mut requests: impl AsyncBufRead + Unpin,
        mut answers: impl AsyncWrite + Unpin,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let mut stop = pin!(stop);
        let mut stopped = false;
        let mut line = Vec::new();
        while !stopped {
            let read = tokio::select! {
                biased;
                () = &mut stop => break,
                read = next_line(&mut requests, &mut line) => read?,
            };
            let mut answer = match read {
                Line::End => break,
                Line::TooLong => self.reject(Rejected::new(too_long())).to_json(),
                Line::Whole => {
                    let mut answer = pin!(self.handle_json(&line));
                    loop {
                        tokio::select! {
                            answer = &mut answer => break answer,
                            // Asked all the time, so that whoever waits for a signal keeps waiting for it.
                            () = &mut stop, if !stopped => stopped = true,
                        }
                    }
                }
            };
            answer.push('\n');
            answers.write_all(answer.as_bytes()).await?;
            answers.flush().await?;
        }
        Ok(())
    }
}

async fn next_line(requests: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> Result<Line> {
    line.clear();
    let mut too_long = false;
    loop {
        let chunk = requests.fill_buf().await?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let text = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        let is_last = chunk.is_empty();
        too_long = too_long || line.len() + text.len() > MAX_REQUEST_BYTES;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(text);
        }
        let read = text.len() + usize::from(end.is_some());
        requests.consume(read);
        if end.is_some() || is_last {
            return Ok(match (too_long, is_last && line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
    }
}
