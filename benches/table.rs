//! Tables of medians.
#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

use crate::{Run, median};

/// A row: the runs of one way to do a thing.
#[derive(Debug)]
pub struct Row {
    name: &'static str,
    runs: Vec<Run>,
    bytes: u64,
}

impl Row {
    /// A row without runs.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, runs: Vec::new(), bytes: 0 }
    }

    /// Adds a run that wrote so many bytes.
    ///
    /// # Panics
    ///
    /// When the run failed.
    pub fn add(&mut self, run: Run, bytes: u64) {
        assert!(run.status.success(), "{} failed", self.name);
        self.runs.push(run);
        self.bytes = bytes;
    }

    fn median(&self, of: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(of).collect())
    }
}

/// Prints the medians, with wall time and processor time as ratios to the row at `base`.
pub fn print<'a>(title: &str, rows: impl Iterator<Item = &'a Row> + Clone, base: usize) {
    println!("\n| {title} | wall s | × | processor s | × | peak MiB | MB |\n|---|---|---|---|---|---|---|");
    let wall = |row: &Row| row.median(|run| run.wall.as_secs_f64());
    let cpu = |row: &Row| row.median(|run| run.cpu_seconds);
    let Some(base) = rows.clone().nth(base) else { return };
    for row in rows {
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} |",
            row.name,
            wall(row),
            wall(row) / wall(base),
            cpu(row),
            cpu(row) / cpu(base),
            row.median(|run| run.peak_mib),
            row.bytes as f64 / 1e6,
        );
    }
}
