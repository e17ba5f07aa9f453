//! Progress on standard error: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use backup_core::{Event, Observer, Progress};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// An [`Observer`] that shows how far an operation got.
#[derive(Debug)]
pub struct Bar(Mutex<State>);

#[derive(Debug)]
struct State {
    bar: Option<ProgressBar>,
    terminal: bool,
    written_at: Instant,
}

impl Default for Bar {
    fn default() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self(Mutex::new(State { bar: None, terminal, written_at: Instant::now() }))
    }
}

impl Observer for Bar {
    fn observe(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { operation, backup } => state.line(&format!("{} {backup}", operation.name())),
            Event::Progress { operation, progress, .. } => state.progress(operation.name(), progress),
            Event::Warning { message, .. } => state.line(&format!("warning: {message}")),
            Event::Finished { .. } | Event::Failed { .. } => state.end(),
            _ => {}
        }
    }
}

impl State {
    fn progress(&mut self, operation: &str, progress: &Progress) {
        let text = format!(
            "{operation}: {} plain, {} stored",
            HumanBytes(progress.plain_bytes),
            HumanBytes(progress.stored_bytes)
        );
        if self.terminal {
            let bar = self.bar.get_or_insert_with(|| match progress.estimated_plain_bytes {
                // The size of a database is only near to that of its dump: the bar may end early or stay full.
                Some(bytes) => ProgressBar::new(bytes).with_style(style("{bar:30} {msg} {elapsed}")),
                None => ProgressBar::new_spinner().with_style(style("{spinner} {msg} {elapsed}")),
            });
            bar.set_position(progress.plain_bytes);
            bar.set_message(text);
        } else if self.written_at.elapsed() >= LINE_EVERY {
            self.written_at = Instant::now();
            self.line(&text);
        }
    }

    fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| write_line(text)),
            None => write_line(text),
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn write_line(text: &str) {
    // A closed standard error must not end a backup.
    let _closed = writeln!(std::io::stderr(), "{text}");
}
