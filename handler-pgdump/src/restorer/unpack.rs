//! Temporary copies of archives that `pg_restore` has to seek in.

use std::{
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use backup_core::{ByteStream, Error, ErrorKind, Result};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::runtime::Handle;

/// Copies `body` to the file `path`, whole or with an error.
pub(super) async fn copy(body: ByteStream, path: &Path) -> Result<()> {
    on_thread(body, path, |reader, path| {
        let mut file = create(path)?;
        while let Some(chunk) = reader.next()? {
            file.write_all(&chunk)?;
        }
        Ok(file.flush()?)
    })
    .await
}

/// Unpacks the tar archive `body` into the new folder `path`.
pub(super) async fn unpack(body: ByteStream, path: &Path) -> Result<()> {
    on_thread(body, path, |reader, path| {
        create_folder(path)?;
        let mut archive = tar::Archive::new(&mut *reader);
        let entries = archive.entries().map_err(unreadable)?;
        for entry in entries {
            let mut entry = entry.map_err(unreadable)?;
            let name = file_name(&entry)?;
            let mut file = create(&path.join(name))?;
            io::copy(&mut entry, &mut file)?;
        }
        // The clean end of the body is known only once it was read.
        io::copy(reader, &mut io::sink())?;
        if path.join("toc.dat").is_file() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, "the archive has no table of contents"))
    })
    .await
}

async fn on_thread(
    body: ByteStream,
    path: &Path,
    work: impl FnOnce(&mut Reader, &Path) -> Result<()> + Send + 'static,
) -> Result<()> {
    let path = path.to_path_buf();
    let mut reader = Reader { handle: Handle::current(), body, chunk: Bytes::new() };
    tokio::task::spawn_blocking(move || work(&mut reader, &path)).await.map_err(crate::error::panicked)?
}

/// An error of the body comes back as itself; any other means that the bytes are no archive.
fn unreadable(err: io::Error) -> Error {
    let err = Error::from(err);
    if err.kind() == ErrorKind::Unexpected {
        return Error::new(ErrorKind::Corrupt, "the tar archive cannot be read").with_source(err);
    }
    err
}

/// `pg_dump` writes plain files side by side; nothing else is taken from an archive that may be hostile.
fn file_name(entry: &tar::Entry<'_, impl Read>) -> Result<PathBuf> {
    let refuse = || {
        Error::new(ErrorKind::Corrupt, "the archive holds what pg_dump does not write")
            .with_suggestion("do not trust this archive")
    };
    let path = entry.path().map_err(unreadable)?;
    let mut components = path.components();
    let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
        return Err(refuse());
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let named = name.to_str().is_some_and(|name| name.bytes().all(plain));
    if entry.header().entry_type().is_file() && named { Ok(PathBuf::from(name)) } else { Err(refuse()) }
}

fn create(path: &Path) -> Result<std::fs::File> {
    Ok(std::fs::File::create_new(path)?)
}

fn create_folder(path: &Path) -> Result<()> {
    Ok(std::fs::create_dir(path)?)
}

/// A body as a reader, on a thread that may block.
struct Reader {
    handle: Handle,
    body: ByteStream,
    chunk: Bytes,
}

impl Reader {
    fn next(&mut self) -> Result<Option<Bytes>> {
        self.handle.block_on(self.body.next()).transpose()
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.next()? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, tar::EntryType)]) -> ByteStream {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind) in entries {
            let mut header = tar::Header::new_gnu();
            // Written past the checks of the writing side.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(u64::from(kind.is_file()));
            header.set_entry_type(*kind);
            header.set_cksum();
            builder.append(&header, if kind.is_file() { &b"x"[..] } else { &b""[..] }).unwrap();
        }
        ByteStream::from(Bytes::from(builder.into_inner().unwrap()))
    }

    #[tokio::test]
    async fn only_plain_files_side_by_side_are_unpacked() {
        use tar::EntryType;
        let folder = tempfile::tempdir().unwrap();
        for (index, bad) in [
            ("../evil", EntryType::Regular),
            ("/tmp/evil", EntryType::Regular),
            ("a/b", EntryType::Regular),
            ("link", EntryType::Symlink),
            ("hard", EntryType::Link),
            ("folder", EntryType::Directory),
            ("a\nb", EntryType::Regular),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.path().join(index.to_string());
            let body = archive(&[("toc.dat", EntryType::Regular), bad]);
            let err = unpack(body, &path).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt, "{bad:?}");
            assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "{bad:?}");
        }
        let path = folder.path().join("good");
        unpack(archive(&[("toc.dat", EntryType::Regular), ("1.dat", EntryType::Regular)]), &path)
            .await
            .unwrap();
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn an_error_of_the_body_comes_back_as_itself() {
        let folder = tempfile::tempdir().unwrap();
        let whole = archive(&[("toc.dat", tar::EntryType::Regular)]).collect_bytes(9999).await.unwrap();
        let failing = ByteStream::new(futures::stream::iter([
            Ok(whole),
            Err(Error::new(ErrorKind::Timeout, "store hangs")),
        ]));
        let err = unpack(failing, &folder.path().join("x")).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Timeout);
    }
}
