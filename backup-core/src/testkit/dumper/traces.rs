//! What a tool leaves in the system: processes and files.
// A look at `/proc` or a folder is short, and nothing else waits in a clause.
#![allow(clippy::disallowed_methods)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
};

/// Processes, each by its id and the time it started, so that a reused id is another process.
///
/// Empty on systems without `/proc`.
#[derive(Debug, Clone, Default)]
pub struct Processes(BTreeSet<(u32, u64)>);

struct Stat {
    parent: u32,
    started: u64,
}

impl Processes {
    /// The children of this process, with theirs.
    ///
    /// Among them may be those of other tests in the same process; they end in their own time.
    #[must_use]
    pub fn below_this_one() -> Self {
        let all = all();
        let mut below = BTreeSet::from([std::process::id()]);
        loop {
            let before = below.len();
            below.extend(
                all.iter()
                    .filter(|(_, stat)| below.contains(&stat.parent))
                    .map(|(id, _)| *id)
                    .collect::<Vec<_>>(),
            );
            if below.len() == before {
                break;
            }
        }
        below.remove(&std::process::id());
        Self(below.into_iter().filter_map(|id| all.get(&id).map(|stat| (id, stat.started))).collect())
    }

    /// Those that are not in `earlier`: a server that was there before the dump is no trace of it.
    #[must_use]
    pub fn without(mut self, earlier: &Self) -> Self {
        self.0.retain(|process| !earlier.0.contains(process));
        self
    }

    /// Those that still exist, also as zombies that nobody waited for.
    #[must_use]
    pub fn alive(&self) -> Vec<u32> {
        let all = all();
        let alive = |(id, started): &&(u32, u64)| all.get(id).is_some_and(|stat| stat.started == *started);
        self.0.iter().filter(alive).map(|(id, _)| *id).collect()
    }

    /// Their command lines, for all to read.
    #[must_use]
    pub fn command_lines(&self) -> String {
        let mut lines = String::new();
        for (id, _) in &self.0 {
            // One that has just ended has none.
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            writeln!(lines, "{}", String::from_utf8_lossy(&line).replace('\0', " ")).unwrap();
        }
        lines
    }
}

fn all() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `id (name) state parent …`, where the name may hold anything; the start is the 22nd field.
            let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
            Some((id, Stat { parent: fields.nth(1)?.parse().ok()?, started: fields.nth(17)?.parse().ok()? }))
        })
        .collect()
}

/// The paths of what is in the folders.
#[must_use]
pub fn names_in(folders: &[PathBuf]) -> BTreeSet<PathBuf> {
    let read = |folder: &PathBuf| fs::read_dir(folder).expect("the watched folder can be read");
    folders.iter().flat_map(read).map(|entry| entry.expect("the watched folder can be read").path()).collect()
}
