//! Measures whole process trees: wall time, processor time, peak memory. Linux only: it reads `/proc`.
#![allow(clippy::expect_used, clippy::disallowed_methods, clippy::cast_precision_loss)]

use std::{
    collections::{HashMap, HashSet},
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub mod fill;
pub mod table;

/// How often memory is sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// Clock ticks a second in `/proc`, on every Linux there is.
const TICKS: f64 = 100.0;

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Wall time.
    pub wall: Duration,
    /// Processor seconds, user and system, of the command and all its children.
    pub cpu_seconds: f64,
    /// The most resident memory of the command and all its children together, in MiB.
    pub peak_mib: f64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs `command` to its end.
///
/// # Panics
///
/// When it cannot be started.
#[must_use]
pub fn run(mut command: Command) -> Run {
    let before = children_ticks();
    let started = Instant::now();
    let mut child = command.spawn().expect("the command can be started");
    let done = Arc::new(AtomicBool::new(false));
    let sampler = {
        let (root, done) = (child.id(), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(tree_kib(root));
                std::thread::sleep(SAMPLE_EVERY);
            }
            peak
        })
    };
    let status = child.wait().expect("the command can be waited for");
    let wall = started.elapsed();
    done.store(true, Ordering::Relaxed);
    let peak = sampler.join().expect("the sampler does not panic");
    Run {
        wall,
        cpu_seconds: (children_ticks() - before) as f64 / TICKS,
        peak_mib: peak as f64 / 1024.0,
        status,
    }
}

/// A number set by an environment variable, or `default`.
///
/// # Panics
///
/// When the variable holds no number.
#[must_use]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// The middle one of `values`.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Processor ticks of all children that were waited for, with their children.
fn children_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    // The name in parentheses may hold spaces; the fields after it do not. cutime and cstime are 16 and 17.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [13, 14].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum()
}

/// The resident memory of a process and all its descendants, in KiB; pages shared between them count twice.
fn tree_kib(root: u32) -> u64 {
    let mut parents = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    let mut tree = HashSet::from([root]);
    while let Some(pid) = parents.iter().find(|(pid, parent)| !tree.contains(pid) && tree.contains(parent)) {
        tree.insert(*pid.0);
    }
    tree.iter().map(|pid| resident_kib(*pid)).sum()
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// This program again, in a process of its own, so that its memory and processor time are measured alone.
///
/// # Panics
///
/// Where the system does not say which program this is.
#[must_use]
pub fn this_program(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(args);
    command
}
