//! The lines by which the shell on the other host reports, among what the tool says on standard error.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{Error, ErrorKind, Result};

/// The longest line of ours, without the token.
const LINE_BYTES: usize = 64;

/// What the other host reported.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::process) struct Report {
    /// The tool is about to start: what was said before is the transport's.
    pub(in crate::process) ready: bool,
    /// The status of the tool where it is not the one of the whole.
    pub(in crate::process) tool: Option<i32>,
    /// The status of the whole.
    pub(in crate::process) end: Option<i32>,
    pub(in crate::process) trouble: Option<Trouble>,
}

/// Why a tool was not run, or cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Trouble {
    /// The program is not installed.
    Missing,
    /// The program may not be run.
    Refused,
    /// The compressor for the wire is not installed.
    NoCompressor,
    /// The shell leads no process group, so that the tool could not be ended.
    NoGroup,
    /// The shell would show secrets.
    NoPrintf,
    /// The tool ended with success before it had read everything.
    InputLeft,
}

impl Trouble {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "missing" => Self::Missing,
            "refused" => Self::Refused,
            "wire" => Self::NoCompressor,
            "group" => Self::NoGroup,
            "shell" => Self::NoPrintf,
            "left" => Self::InputLeft,
            _ => return None,
        })
    }
}

/// Takes our lines out of standard error.
#[derive(Debug)]
pub(in crate::process) struct Marks {
    token: String,
    pending: Vec<u8>,
    report: Report,
    has_ended: Arc<AtomicBool>,
}

/// What is to be done with the tool's messages.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::process) enum Said {
    /// These bytes are the tool's, or the transport's.
    Bytes(Vec<u8>),
    /// What was said so far was the transport's, and it got through.
    Forget,
}

impl Marks {
    pub(in crate::process) fn new(token: String, has_ended: Arc<AtomicBool>) -> Self {
        Self { token, pending: Vec::new(), report: Report::default(), has_ended }
    }

    pub(in crate::process) fn report(&self) -> &Report {
        &self.report
    }

    /// Takes the next bytes, and returns what is not ours.
    pub(in crate::process) fn update(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.pending.extend_from_slice(bytes);
        let mut said = Vec::new();
        while let Some(start) = memchr::memmem::find(&self.pending, self.token.as_bytes()) {
            let behind = start + self.token.len();
            let rest = self.pending.get(behind..).unwrap_or_default();
            let line = match memchr::memchr(b'\n', rest) {
                Some(end) if end <= LINE_BYTES => rest.get(..end).unwrap_or_default().to_vec(),
                None if rest.len() <= LINE_BYTES => {
                    // The rest of the line is still to come.
                    push(&mut said, self.pending.drain(..start).collect());
                    return said;
                }
                // Nobody but us knows the token; whatever this is, it is passed on.
                _ => {
                    push(&mut said, self.pending.drain(..behind).collect());
                    continue;
                }
            };
            push(&mut said, self.pending.drain(..start).collect());
            self.pending.drain(..=self.token.len() + line.len());
            if self.note(String::from_utf8_lossy(&line).trim()) {
                said.push(Said::Forget);
            }
        }
        // What could be the beginning of a token is kept back.
        let keep = (0..self.token.len().min(self.pending.len() + 1))
            .rev()
            .find(|length| self.pending.ends_with(self.token.as_bytes().get(..*length).unwrap_or_default()))
            .unwrap_or(0);
        let ready = self.pending.len() - keep;
        push(&mut said, self.pending.drain(..ready).collect());
        said
    }

    /// Returns what was kept back, at the end of standard error.
    pub(in crate::process) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// Notes a line; true for the one that says that the tool starts.
    fn note(&mut self, line: &str) -> bool {
        let (word, number) = line.split_once(' ').unwrap_or((line, ""));
        match (word, number.parse().ok()) {
            ("ready", _) => {
                self.report.ready = true;
                return true;
            }
            ("tool", Some(status)) => {
                self.report.tool = Some(status);
                self.has_ended.store(true, Ordering::Release);
            }
            ("end", Some(status)) => {
                self.report.end = Some(status);
                self.has_ended.store(true, Ordering::Release);
            }
            _ => self.report.trouble = self.report.trouble.or(Trouble::of(word)),
        }
        false
    }
}

fn push(said: &mut Vec<Said>, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        said.push(Said::Bytes(bytes));
    }
}

/// A token that nothing which a tool says can hold.
pub(in crate::process) fn new_token() -> Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
    })?;
    Ok(format!("backup-{}", hex::encode(random)))
}

/// Takes out of standard output what is not the tool's: everything up to the line of the token, which a login
/// shell may have printed, and our signs of life.
#[derive(Debug)]
pub(in crate::process) struct Stdout {
    line: Vec<u8>,
    seen: Vec<u8>,
    done: bool,
    /// Only where there are any.
    beats: Option<Marks>,
}

/// The most bytes that a login shell may print.
const PREAMBLE_BYTES: usize = 256 * 1024;

impl Stdout {
    pub(in crate::process) fn new(token: &str) -> Self {
        Self { line: format!("{token}\n").into_bytes(), seen: Vec::new(), done: false, beats: None }
    }

    /// Takes signs of life out too.
    pub(in crate::process) fn with_beats(mut self, token: &str) -> Self {
        self.beats = Some(Marks::new(token.to_owned(), Arc::default()));
        self
    }

    /// What of `chunk` is the tool's.
    pub(in crate::process) fn strip(&mut self, chunk: bytes::Bytes) -> Result<bytes::Bytes> {
        let chunk = if self.done { chunk } else { self.strip_preamble(chunk)? };
        let Some(beats) = &mut self.beats else { return Ok(chunk) };
        let kept = beats.update(&chunk).into_iter().filter_map(|said| match said {
            Said::Bytes(bytes) => Some(bytes),
            Said::Forget => None,
        });
        Ok(kept.collect::<Vec<_>>().concat().into())
    }

    /// What was kept back, at the end.
    pub(in crate::process) fn finish(&mut self) -> bytes::Bytes {
        self.beats.as_mut().map(Marks::finish).unwrap_or_default().into()
    }

    fn strip_preamble(&mut self, mut chunk: bytes::Bytes) -> Result<bytes::Bytes> {
        let before = self.seen.len();
        self.seen.extend_from_slice(&chunk);
        let Some(start) = memchr::memmem::find(&self.seen, &self.line) else {
            if self.seen.len() > PREAMBLE_BYTES {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the login shell on the host prints too much",
                )
                .with_suggestion("let its start files print nothing where there is no terminal"));
            }
            return Ok(bytes::Bytes::new());
        };
        self.done = true;
        self.seen = Vec::new();
        // The line ends in this chunk, as it was not found before.
        Ok(chunk.split_off((start + self.line.len()).saturating_sub(before)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(token: &str, text: &[u8], cut: usize) -> (Vec<u8>, Report) {
        let mut marks = Marks::new(token.to_owned(), Arc::default());
        let mut kept = Vec::new();
        for piece in text.chunks(cut) {
            for said in marks.update(piece) {
                match said {
                    Said::Bytes(bytes) => kept.extend(bytes),
                    Said::Forget => kept.clear(),
                }
            }
        }
        kept.extend(marks.finish());
        (kept, marks.report().clone())
    }

    proptest! {
        /// However the bytes are cut, what the tool said is kept, and what we said is understood.
        #[test]
        fn our_lines_are_taken_out(
            noise in "[ab\n-]{0,40}", text in "[token \n-]{0,80}", status in 0_i32..256, cut in 1_usize..60,
        ) {
            let all = format!("{noise}tok-en ready\n{text}tok-en left\ntok-en tool 3\ntok-en end {status}\n");
            // A text that holds the token by chance is another test.
            prop_assume!(!text.contains("tok-en") && !noise.contains("tok-en"));
            let (kept, report) = run("tok-en", all.as_bytes(), cut);
            prop_assert_eq!(String::from_utf8(kept).unwrap(), text);
            prop_assert_eq!(report, Report {
                ready: true, tool: Some(3), end: Some(status), trouble: Some(Trouble::InputLeft),
            });
        }

        #[test]
        fn what_comes_before_the_first_byte_is_taken_away(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 1_usize..90,
        ) {
            let beat = b"backup-0123456789 beat\n";
            let whole = [noise, b"backup-0123456789\n".to_vec(), body.clone()].concat();
            let beating = [&whole, beat.as_slice(), &body, beat].concat();
            for (all, expected, beats) in [(whole, body.clone(), false), (beating, body.repeat(2), true)] {
                let mut stdout = Stdout::new("backup-0123456789");
                if beats {
                    stdout = stdout.with_beats("backup-0123456789");
                }
                let mut kept = Vec::new();
                for piece in all.chunks(cut) {
                    kept.extend_from_slice(&stdout.strip(bytes::Bytes::copy_from_slice(piece)).unwrap());
                }
                kept.extend_from_slice(&stdout.finish());
                prop_assert_eq!(kept, expected);
            }
        }
    }

    #[test]
    fn a_report_that_is_cut_off_is_none() {
        let (kept, report) = run("tok-en", b"x\ntok-en ready\nbad\ntok-en end 0", 5);
        assert_eq!((report.ready, report.end), (true, None));
        assert_eq!(kept, b"bad\ntok-en end 0");
    }

    #[test]
    fn a_login_shell_that_never_stops_is_refused() {
        let mut preamble = Stdout::new("backup-0");
        let mut chunks = std::iter::repeat_n(bytes::Bytes::from(vec![b'x'; 10_000]), 100);
        assert!(chunks.any(|chunk| preamble.strip(chunk).is_err()));
    }
}
