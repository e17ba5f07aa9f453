//! Alerts as text.

use std::fmt::Write;

use crate::{Alert, AlertState, Severity};

impl Severity {
    /// The severity as it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One line that says how bad it is, where and what: `[CRITICAL] production/shop/backup: …`.
pub(super) fn headline(alert: &Alert) -> String {
    let word = match alert.state {
        AlertState::Firing => alert.severity.name().to_uppercase(),
        AlertState::Escalated => format!("{}, ESCALATED", alert.severity.name().to_uppercase()),
        AlertState::Resolved => "RESOLVED".to_owned(),
    };
    one_line(&format!("[{word}] {}: {}", alert.key, alert.summary))
}

/// Everything that is known, and what to do.
#[cfg(feature = "mail")]
pub(super) fn body(alert: &Alert) -> String {
    let mut text = format!("{}\n", headline(alert));
    if !alert.actions.is_empty() && alert.state != AlertState::Resolved {
        text.push_str("\nWhat to do:\n");
        for (number, action) in alert.actions.iter().enumerate() {
            push_line(&mut text, format_args!("{}. {}", number + 1, one_line(action)));
        }
    }
    text.push_str("\nWhat is known:\n");
    push_line(&mut text, format_args!("at: {}", alert.at.format("%Y-%m-%d %H:%M:%S UTC")));
    push_line(&mut text, format_args!("code: {}", one_line(&alert.code)));
    for (name, value) in &alert.details {
        push_line(&mut text, format_args!("{}: {}", one_line(name), shortened(&one_line(value), MAX_VALUE)));
    }
    text
}

/// How much of a detail is told, in characters; the whole of it is in the log.
pub(super) const MAX_VALUE: usize = 2000;

/// A line of its own; writing into a `String` cannot fail.
pub(super) fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}

/// Without line breaks and other control characters, which would begin a new header of a mail.
pub(super) fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters of `text`.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_one_line_whatever_the_summary_holds() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let alert = Alert::new("a/b", Severity::Warning, "c", "one\r\nBcc: two\u{7}", at);
        assert_eq!(headline(&alert), "[WARNING] a/b: one Bcc: two");
        let escalated = alert.clone().in_state(AlertState::Escalated);
        assert!(headline(&escalated).starts_with("[WARNING, ESCALATED] "));
        assert!(headline(&alert.in_state(AlertState::Resolved)).starts_with("[RESOLVED] "));
        assert_eq!((shortened("äöü", 3), shortened("äöüß", 3)), ("äöü".to_owned(), "äö…".to_owned()));
    }
}
