//! The end of what a tool said on standard error, without its secrets.

use super::ssh::marks::{Marks, Report, Said};
use crate::Secret;

/// How much of standard error is kept, in bytes.
const TAIL_BYTES: usize = 16 * 1024;

/// A secret whose beginning, at least this long, ends the text was cut off and is hidden too.
const CUT_OFF_CHARS: usize = 4;

/// What is put in a secret's place.
const HIDDEN: &str = "***";

/// Keeps the last 16 KiB of a text, and hides secrets in it.
///
/// The bytes are kept as they came, with so many more before them that a secret cannot be half in:
/// what was cut at the edge of the tail is still recognised, and hidden.
pub(super) struct Tail {
    secrets: Vec<Secret>,
    margin: usize,
    raw: Vec<u8>,
    /// Takes out what another host reports by the way.
    marks: Option<Marks>,
}

impl Tail {
    pub(super) fn new(mut secrets: Vec<Secret>) -> Self {
        secrets.retain(|secret| !secret.expose().is_empty());
        // No way of writing that we know makes a byte longer than three.
        let margin = secrets.iter().map(|secret| secret.expose().len() * 3).max().unwrap_or(0);
        Self { secrets, margin, raw: Vec::new(), marks: None }
    }

    /// Of a tool on another host.
    pub(super) fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = Some(marks);
        self
    }

    /// What the other host reported so far.
    pub(super) fn report(&self) -> Report {
        self.marks.as_ref().map(|marks| marks.report().clone()).unwrap_or_default()
    }

    /// Appends what was said.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(marks) = &mut self.marks else { return self.append(bytes) };
        for said in marks.update(bytes) {
            match said {
                Said::Bytes(bytes) => self.append(&bytes),
                Said::Forget => self.raw.clear(),
            }
        }
    }

    /// Nothing more will be said.
    pub(super) fn finish(&mut self) {
        if let Some(marks) = &mut self.marks {
            let rest = marks.finish();
            self.append(&rest);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let keep = TAIL_BYTES + self.margin;
        // Only now and then, so that a flood of messages is not moved again and again.
        if self.raw.len() > 2 * keep {
            self.raw.drain(..self.raw.len() - keep);
        }
    }

    /// The last 16 KiB, with `***` in place of every secret, trimmed.
    pub(super) fn text(&self) -> String {
        let hidden = self.hidden();
        // Cut before hiding: a hidden secret is shorter, which would let a part of the margin in.
        let start = self.raw.len().saturating_sub(TAIL_BYTES);
        let mut text = Vec::new();
        let mut was_hidden = false;
        for (byte, hide) in self.raw.iter().zip(hidden).skip(start) {
            match (hide, was_hidden) {
                (false, _) => text.push(*byte),
                (true, false) => text.extend_from_slice(HIDDEN.as_bytes()),
                (true, true) => {}
            }
            was_hidden = hide;
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// For each byte whether it belongs to a secret.
    fn hidden(&self) -> Vec<bool> {
        let mut hidden = vec![false; self.raw.len()];
        for secret in &self.secrets {
            for start in 0..self.raw.len() {
                let length = self.raw.get(start..).and_then(|text| written(secret.expose().as_bytes(), text));
                if let Some(length) = length {
                    hidden.iter_mut().skip(start).take(length).for_each(|hide| *hide = true);
                }
            }
        }
        hidden
    }
}

/// How many bytes at the beginning of `text` are `secret`, in whatever way it is written.
///
/// Each byte may stand for itself, or be written as in a URL (`%2F`, `+`), behind a backslash, or as a
/// doubled quote. Also found is a beginning of the secret with which the text ends.
fn written(secret: &[u8], text: &[u8]) -> Option<usize> {
    // Where the byte may begin, as one byte can be read in two ways (`%25` as `%`, or as `%`, `2`, `5`).
    let mut positions = vec![0];
    let mut next = Vec::new();
    for (matched, wanted) in secret.iter().enumerate() {
        for position in positions.drain(..) {
            let rest = text.get(position..).unwrap_or_default();
            if rest.is_empty() && matched >= CUT_OFF_CHARS {
                return Some(position);
            }
            for length in ways(*wanted, rest).into_iter().flatten() {
                if !next.contains(&(position + length)) {
                    next.push(position + length);
                }
            }
        }
        if next.is_empty() {
            return None;
        }
        std::mem::swap(&mut positions, &mut next);
    }
    positions.into_iter().max()
}

/// The lengths of the ways in which `wanted` stands at the beginning of `text`.
fn ways(wanted: u8, text: &[u8]) -> [Option<usize>; 3] {
    let [mut plain, mut escaped, mut doubled] = [None; 3];
    if text.first() == Some(&wanted) || (text.first() == Some(&b'+') && wanted == b' ') {
        plain = Some(1);
    }
    match text {
        [b'%', high, low, ..] if hex(*high).zip(hex(*low)) == Some((wanted >> 4, wanted & 15)) => {
            escaped = Some(3);
        }
        [b'\\', byte, ..] if *byte == wanted => escaped = Some(2),
        [b'\'' | b'"', byte, ..] if text.first() == Some(byte) && *byte == wanted => doubled = Some(2),
        _ => {}
    }
    [plain, escaped, doubled]
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tail(secrets: &[&str], text: &str) -> String {
        let mut tail = Tail::new(secrets.iter().map(|secret| Secret::new(*secret)).collect());
        tail.push(text.as_bytes());
        tail.text()
    }

    #[test]
    fn a_secret_is_hidden_in_each_way_of_writing() {
        let secret = "p@s/w%r d'é";
        for written in [
            secret,
            "p%40s%2Fw%25r%20d%27%C3%A9",
            "p%40s%2fw%25r+d%27%c3%a9",
            "p@s/w%25r%20d'é",
            "p@s/w%r d''é",
            r"p@s/w%r d\'é",
        ] {
            assert_eq!(tail(&[secret], &format!("url {written} end")), "url *** end", "{written}");
        }
    }

    #[test]
    fn overlapping_secrets_are_hidden_as_one() {
        assert_eq!(tail(&["abcd", "cdef", ""], "x abcdef y abcd"), "x *** y ***");
    }

    #[test]
    fn a_secret_with_which_the_text_breaks_off_is_hidden() {
        assert_eq!(tail(&["hunter2hunter2"], "password=hunter2h"), "password=***");
    }

    #[test]
    fn what_is_kept_is_bounded_and_is_the_end() {
        let mut tail = Tail::new(vec![Secret::new("s")]);
        for line in 0..200_000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        assert!(tail.raw.capacity() < 8 * TAIL_BYTES);
        assert!(tail.text().len() <= 2 * TAIL_BYTES && tail.text().ends_with("line 199999"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Wherever the secret stands, however it is written and cut into reads, no part of it is shown.
        #[test]
        fn no_part_of_a_secret_is_shown(
            secret in "[A-Z@/%' é]{5,40}",
            encode in any::<u64>(),
            before in 0_usize..70_000,
            after in prop_oneof![0_usize..200, (TAIL_BYTES - 200)..(TAIL_BYTES + 200), 0_usize..70_000],
            repeat in 1_usize..4,
            cut in 1_usize..9_000,
        ) {
            let written: String = secret.bytes().enumerate().map(|(at, byte)| match (encode >> (at % 64)) & 1 {
                0 if byte.is_ascii() => char::from(byte).to_string(),
                _ if at % 2 == 0 => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            }).collect();
            let text = format!("{}{}{}", ".".repeat(before), written.repeat(repeat), ".".repeat(after));
            let mut tail = Tail::new(vec![Secret::new(secret)]);
            text.as_bytes().chunks(cut).for_each(|read| tail.push(read));
            let shown = tail.text();
            prop_assert!(shown.chars().all(|char| char == '.' || char == '*'), "shown: {shown}");
            prop_assert!(shown.len() <= TAIL_BYTES + HIDDEN.len());
            prop_assert!(after >= TAIL_BYTES || shown.contains(HIDDEN));
        }
    }
}
