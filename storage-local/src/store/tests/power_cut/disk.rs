//! What a disk may hold after the power was cut: a model of the least that POSIX promises.
//!
//! Durable are the bytes of a file and the names in a folder, each as it was when it was synced last. Whatever
//! happened since may be on the disk or not, each change for itself: a name may be there before the bytes of its
//! file, a later change without an earlier one. A change of names (a rename too) is whole or absent.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    fs,
    hash::{Hash, Hasher},
    path::Path,
};

use super::record::{Event, Made, Names, Node};
use crate::step::Synced;

/// Up to so many changes that are not synced, every subset of them is tried.
const ALL_SUBSETS: usize = 6;

/// The disk after the first so many events.
#[derive(Debug)]
pub(super) struct Disk {
    folders: BTreeMap<Node, BTreeMap<String, Node>>,
    /// Changes of names that are not synced, the oldest first.
    pending: Vec<(Node, Names)>,
    files: HashMap<Node, Bytes>,
    /// A sync of this kind does nothing, as if the program did not call it.
    without: Option<Synced>,
}

/// A file's bytes.
#[derive(Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: usize,
}

/// What becomes of bytes that are not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unsynced {
    Absent,
    Half,
    /// The file has its length, and holes where bytes should be.
    Zeros,
    Present,
}

/// What may be found after the crash, below the recorded folder.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Found {
    /// Folders before what is in them.
    folders: Vec<String>,
    /// Path, file, and how many of its bytes there are, how many more as zeros.
    files: Vec<(String, Node, usize, usize)>,
}

impl Disk {
    pub(super) fn new(without: Option<Synced>) -> Self {
        Self {
            folders: BTreeMap::from([(0, BTreeMap::new())]),
            pending: Vec::new(),
            files: HashMap::new(),
            without,
        }
    }

    pub(super) fn advance(&mut self, event: &Event) {
        match event {
            Event::New(node, Made::Folder) => drop(self.folders.insert(*node, BTreeMap::new())),
            Event::New(node, Made::File) => drop(self.files.insert(*node, Bytes::default())),
            Event::Names(folder, changes) => self.pending.push((*folder, changes.clone())),
            Event::Appended(file, bytes) => {
                self.files.get_mut(file).unwrap().written.extend_from_slice(bytes);
            }
            Event::Synced(_, what) if Some(*what) == self.without => {}
            Event::Synced(node, _) => {
                if let Some(bytes) = self.files.get_mut(node) {
                    bytes.synced = bytes.written.len();
                    return;
                }
                for (folder, changes) in self.pending.extract_if(.., |(folder, _)| folder == node) {
                    apply(&mut self.folders, folder, &changes);
                }
            }
            Event::Asked(..) | Event::Done(..) | Event::Refused(..) => {}
        }
    }

    /// Everything that a crash now may leave, some of it more than once.
    pub(super) fn crashes(&self) -> Vec<Found> {
        let dirty = self.files.values().any(|bytes| bytes.synced < bytes.written.len());
        let unsynced: &[_] = if dirty {
            &[Unsynced::Absent, Unsynced::Half, Unsynced::Zeros, Unsynced::Present]
        } else {
            &[Unsynced::Present]
        };
        let mut found = Vec::new();
        for persisted in subsets(self.pending.len()) {
            let mut folders = self.folders.clone();
            for ((folder, changes), _) in self.pending.iter().zip(persisted).filter(|(_, is)| *is) {
                apply(&mut folders, *folder, changes);
            }
            found.extend(unsynced.iter().map(|unsynced| self.found(&folders, *unsynced)));
        }
        found
    }

    fn found(&self, folders: &BTreeMap<Node, BTreeMap<String, Node>>, unsynced: Unsynced) -> Found {
        let mut found = Found { folders: Vec::new(), files: Vec::new() };
        let mut open = vec![(0, String::new())];
        while let Some((folder, path)) = open.pop() {
            for (name, node) in &folders[&folder] {
                let path = format!("{path}/{name}");
                let Some(bytes) = self.files.get(node) else {
                    found.folders.push(path.clone());
                    open.push((*node, path));
                    continue;
                };
                let rest = bytes.written.len() - bytes.synced;
                let (there, zeros) = match unsynced {
                    Unsynced::Absent => (bytes.synced, 0),
                    Unsynced::Half => (bytes.synced + rest / 2, 0),
                    Unsynced::Zeros => (bytes.synced, rest),
                    Unsynced::Present => (bytes.written.len(), 0),
                };
                found.files.push((path, *node, there, zeros));
            }
        }
        found
    }

    /// Makes what was found, below `root`.
    pub(super) fn make(&self, found: &Found, root: &Path) {
        for folder in &found.folders {
            fs::create_dir(root.join(&folder[1..])).unwrap();
        }
        for (path, node, there, zeros) in &found.files {
            let mut bytes = self.files[node].written[..*there].to_vec();
            bytes.resize(there + zeros, 0);
            fs::write(root.join(&path[1..]), bytes).unwrap();
        }
    }
}

impl Found {
    pub(super) fn hash_with(&self, other: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self, other).hash(&mut hasher);
        hasher.finish()
    }
}

fn apply(
    folders: &mut BTreeMap<Node, BTreeMap<String, Node>>,
    folder: Node,
    changes: &[(String, Option<Node>)],
) {
    let names = folders.get_mut(&folder).unwrap();
    for (name, node) in changes {
        match node {
            Some(node) => drop(names.insert(name.clone(), *node)),
            None => drop(names.remove(name)),
        }
    }
}

/// Which of `count` changes are on the disk: every subset of few; of many none, all, those up to each, each one
/// alone, and all but each one.
fn subsets(count: usize) -> Vec<Vec<bool>> {
    if count <= ALL_SUBSETS {
        return (0..1_usize << count)
            .map(|bits| (0..count).map(|at| bits >> at & 1 == 1).collect())
            .collect();
    }
    let mut subsets = vec![vec![false; count]];
    for nth in 0..count {
        subsets.push((0..count).map(|at| at == nth).collect());
        subsets.push((0..count).map(|at| at != nth).collect());
        subsets.push((0..count).map(|at| at <= nth).collect());
    }
    subsets
}
