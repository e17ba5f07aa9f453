//! The directory format: dumped into a private folder by several jobs, then streamed as one tar archive.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use backup_core::{ByteSender, ByteStream, Error, ErrorKind, Result, process::Tool};
use bytes::{Bytes, BytesMut};

use super::Staging;

/// The size of the chunks that are passed on.
const CHUNK_BYTES: usize = 256 * 1024;

/// How many chunks may wait for the reader.
const CHUNKS: usize = 4;

/// Runs `tool`, which writes into `staging`, and streams what it wrote.
pub(super) fn stream(tool: Tool, staging: Staging, idle: Duration) -> ByteStream {
    let (sender, body) = ByteStream::channel(CHUNKS);
    let named = staging.named();
    tokio::spawn(async move {
        let dumped = tokio::select! {
            dumped = watched(tool, staging.content(), idle) => dumped,
            // Ending the tool's future kills it and its jobs.
            () = sender.closed() => Err(Error::new(ErrorKind::Unexpected, "the reader is gone")),
        };
        // A panic in it drops the sender, which ends the body in an error.
        let packing = tokio::task::spawn_blocking(move || {
            let mut writer = ChunkWriter { sender, chunk: BytesMut::new() };
            let packed = dumped.and_then(|()| pack(&staging.content(), &mut writer));
            // The end of the body promises that the copy is gone.
            drop(staging);
            writer.sender.blocking_end(packed.map_err(named));
        });
        drop(packing);
    });
    body
}

/// Runs the tool; one that writes nothing for `idle` is ended, as it prints nothing by which to see it.
async fn watched(tool: Tool, folder: PathBuf, idle: Duration) -> Result<()> {
    let mut run = std::pin::pin!(tool.output(64 * 1024));
    let mut last = 0;
    loop {
        tokio::select! {
            done = &mut run => return done.map(|_| ()),
            () = tokio::time::sleep(idle) => {}
        }
        let measured = folder.clone();
        let size = tokio::task::spawn_blocking(move || size_of_files(&measured))
            .await
            .map_err(crate::error::panicked)?;
        if size == last {
            return Err(Error::new(ErrorKind::Timeout, "pg_dump wrote nothing for too long")
                .with_context("tool", "pg_dump")
                .with_context("idle_seconds", idle.as_secs()));
        }
        last = size;
    }
}

fn size_of_files(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len() + 1).sum()
}

/// Packs the files of `folder`, in the order of their names, so that equal folders give equal archives.
fn pack(folder: &Path, writer: &mut ChunkWriter) -> Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    if !names.iter().any(|name| name == "toc.dat") {
        return Err(Error::new(ErrorKind::Incomplete, "the tool ended with success, but wrote no archive"));
    }
    let mut archive = tar::Builder::new(&mut *writer);
    for name in names {
        let mut file = File::open(folder.join(&name))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o600);
        header.set_mtime(0);
        archive.append_data(&mut header, &name, &mut file)?;
    }
    archive.finish()?;
    drop(archive);
    writer.flush()?;
    Ok(())
}

/// Cuts what is written into chunks for the reader.
struct ChunkWriter {
    sender: ByteSender,
    chunk: BytesMut,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk: Bytes = self.chunk.split().freeze();
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
