//! Reading an object, or a range of it.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use backup_core::{ByteSender, ByteStream, Error, ErrorKind, GetOptions, GetResult, Key, ObjectMeta, Result};
use futures::StreamExt;

use crate::{
    dir::{Kind, Stat, read_up_to},
    error,
    path::{Root, split},
};

/// How many bytes are read at once.
const READ_BYTES: usize = 512 * 1024;
/// How many of these wait for the reader.
const CHUNKS: usize = 4;

/// Asks for an object.
pub(crate) fn head(root: &Root, key: &Key) -> Result<ObjectMeta> {
    let (segments, name) = split(key);
    let Some(dir) = root.folder(&segments)? else { return Err(error::not_found(key)) };
    match dir.stat(name) {
        Ok(stat) => meta(root, key, stat),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Err(error::not_found(key)),
        Err(err) => Err(error::io_at(&root.full(key.as_str()), err)),
    }
}

/// Opens an object.
pub(crate) fn get(root: &Root, key: &Key, options: &GetOptions) -> Result<GetResult> {
    let (segments, name) = split(key);
    let path = root.full(key.as_str());
    let Some(dir) = root.folder(&segments)? else { return Err(error::not_found(key)) };
    let opened = dir.open_file(name).and_then(|file| Ok((Stat::of_open(&file)?, file)));
    let (stat, file) = match opened {
        Ok(opened) => opened,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Err(error::not_found(key)),
        Err(err) => {
            // A link or a socket cannot be opened: say so, not what the system calls it.
            return Err(match dir.stat(name) {
                Ok(stat) if stat.kind != Kind::File => match meta(root, key, stat) {
                    Err(refused) => refused.with_source(err),
                    Ok(_) => error::io_at(&path, err),
                },
                _ => error::io_at(&path, err),
            });
        }
    };
    let meta = meta(root, key, stat)?;
    let range = options.resolve(key, meta.size)?;
    let body = if range.is_empty() {
        ByteStream::empty()
    } else {
        stream(Reading { file, range: range.clone(), path })
    };
    Ok(GetResult::new(meta, range, body))
}

fn meta(root: &Root, key: &Key, stat: Stat) -> Result<ObjectMeta> {
    match stat.kind {
        Kind::File => Ok(ObjectMeta::new(key.clone(), stat.size, stat.modified)),
        Kind::Dir => Err(error::not_found(key)),
        Kind::Link => Err(error::link(&root.full(key.as_str()))),
        Kind::Other => Err(error::not_an_object(&root.full(key.as_str()))),
    }
}

struct Reading {
    file: File,
    range: Range<u64>,
    path: PathBuf,
}

/// The bytes; a thread is taken only once somebody asks for them.
fn stream(reading: Reading) -> ByteStream {
    let start = async move {
        let (sender, stream) = ByteStream::channel(CHUNKS);
        tokio::task::spawn_blocking(move || {
            let result = reading.run(&sender);
            sender.blocking_end(result);
        });
        stream
    };
    ByteStream::new(futures::stream::once(start).flatten())
}

impl Reading {
    fn run(mut self, sender: &ByteSender) -> Result<()> {
        let failed = |err| error::io_at(&self.path, err);
        if self.range.start > 0 {
            self.file.seek(SeekFrom::Start(self.range.start)).map_err(failed)?;
        }
        let mut left = self.range.end - self.range.start;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
            let bytes = read_up_to(&self.file, want).map_err(failed)?;
            let got = bytes.len();
            left -= got as u64;
            if got > 0 && sender.blocking_send(bytes.into()).is_err() {
                return Ok(());
            }
            if got < want {
                return Err(Error::new(ErrorKind::Corrupt, "the object became shorter while it was read")
                    .with_context("path", self.path.display())
                    .with_context("missing_bytes", left));
            }
        }
        Ok(())
    }
}
