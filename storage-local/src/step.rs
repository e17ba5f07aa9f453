//! What a test can stand between: the steps of a put, to kill the process between any two of them, the changes to
//! the disk, to cut the power between any two of them, and every system call, to let it fail.

#[cfg(not(test))]
use std::io;
use std::{fs::File, path::Path};

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    FolderMade,
    TempCreated,
    Locked,
    ChunkWritten,
    FileSynced,
    Published,
    FolderSynced,
    WaySynced,
    /// A listing read a name, and looks at what has it next.
    Named,
    /// It saw that it is a folder, and opens it next.
    FolderFound,
}

/// Does nothing outside the tests of this crate.
#[cfg(not(test))]
pub(crate) fn reached(_: Step) {}

#[cfg(test)]
pub(crate) use crate::store::tests::reached;

/// A system call that changes something; names are looked up in the open directory.
#[derive(Debug, Clone, Copy)]
// Read by the tests alone.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) enum Change<'a> {
    /// Makes a folder at a whole path.
    MakeAt(&'a Path),
    /// Makes a file or a folder.
    Make(&'a File, &'a str),
    /// Gives a file a second name.
    Link(&'a File, &'a str, &'a str),
    Rename(&'a File, &'a str, &'a str),
    /// Removes a file or a folder.
    Remove(&'a File, &'a str),
    /// Appends to a file.
    Write(&'a File, &'a [u8]),
    Sync(&'a File, Synced),
}

/// What a sync is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synced {
    /// A large file while it grows, which no promise needs.
    Early,
    /// The bytes of an object, before it gets its name.
    File,
    /// The name of an object.
    Folder,
    /// The names of the folders on the way to it.
    Way,
    /// That a name is gone.
    Deletion,
    /// The names of the store's directory and of those above it.
    Root,
}

/// Does what it is told, and nothing else outside the tests of this crate.
#[cfg(not(test))]
pub(crate) fn changing<T>(_: Change<'_>, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    change()
}

/// A system call that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Opens a folder, or a file for reading.
    Open,
    Stat,
    /// Begins to read the names in a folder.
    Names,
    /// Reads the next of them.
    Name,
    /// Reads bytes of a file.
    Read,
    /// Asks whether this user may write.
    Access,
    /// Asks for the space of the file system.
    Space,
}

/// Looks, and nothing else outside the tests of this crate.
#[cfg(not(test))]
pub(crate) fn looking<T>(_: Look, look: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    look()
}

#[cfg(test)]
pub(crate) use crate::store::tests::{changing, looking};
