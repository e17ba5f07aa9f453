//! The bytes of one request, which can be sent again.

use std::path::PathBuf;

use aws_sdk_s3::primitives::{ByteStream as SdkStream, Length};
use aws_smithy_types::base64;
use backup_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use md5::Md5;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
    task::spawn_blocking,
};

use crate::{
    bucket::Bucket,
    error::{Failure, chain},
    options::Checksums,
};

/// The bytes of one request.
#[derive(Debug)]
pub(super) enum Piece {
    Memory(Bytes),
    Spooled(Spooled),
}

/// Bytes that wait in a file, for this user alone, which goes with them.
#[derive(Debug)]
pub(super) struct Spooled {
    file: NamedTempFile,
    bytes: u64,
    sum: Sum,
}

/// The checksum of a request, in base64.
#[derive(Debug, Clone)]
pub(super) enum Sum {
    Sha256(String),
    Md5(String),
    /// The signature covers the bytes.
    None,
}

impl Piece {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spooled(spooled) => spooled.bytes,
        }
    }

    /// What the service is told to check; `locked` where it wants a checksum in any case.
    pub(super) async fn sum(&self, checksums: Checksums, locked: bool) -> Result<Sum, Failure> {
        match self {
            Self::Spooled(spooled) => Ok(spooled.sum.clone()),
            Self::Memory(_) if checksums == Checksums::Signature && !locked => Ok(Sum::None),
            Self::Memory(bytes) => {
                let bytes = bytes.clone();
                spawn_blocking(move || match checksums {
                    Checksums::Sha256 => Sum::Sha256(base64::encode(Sha256::digest(&bytes))),
                    Checksums::Signature => Sum::Md5(base64::encode(Md5::digest(&bytes))),
                })
                .await
                .map_err(|err| Failure::Invalid(chain(&err)))
            }
        }
    }

    /// A body for one attempt.
    pub(super) async fn stream(&self) -> Result<SdkStream, Failure> {
        match self {
            Self::Memory(bytes) => Ok(SdkStream::from(bytes.clone())),
            Self::Spooled(spooled) => SdkStream::read_from()
                .path(spooled.file.path())
                .length(Length::Exact(spooled.bytes))
                .build()
                .await
                .map_err(|err| Failure::Invalid(chain(&err))),
        }
    }
}

/// A file being filled.
#[derive(Debug)]
pub(super) struct Spool {
    file: NamedTempFile,
    writer: BufWriter<File>,
    bytes: u64,
    hasher: Hasher,
    folder: PathBuf,
}

#[derive(Debug)]
enum Hasher {
    Sha256(Sha256),
    Md5(Md5),
}

impl Spool {
    pub(super) async fn open(bucket: &Bucket) -> Result<Self> {
        let folder = bucket.options.spool.clone().unwrap_or_else(std::env::temp_dir);
        let place = folder.clone();
        let opened = spawn_blocking(move || {
            let file = tempfile::Builder::new().prefix("backup-part-").tempfile_in(place)?;
            let writer = file.reopen()?;
            Ok::<_, std::io::Error>((file, writer))
        });
        let opened = opened.await.map_err(|err| {
            Error::new(ErrorKind::Unexpected, "the thread of the store stopped early").with_source(err)
        })?;
        let (file, writer) = opened.map_err(|err| spool_failed(&folder, err))?;
        let hasher = match bucket.checksums() {
            Checksums::Sha256 => Hasher::Sha256(Sha256::new()),
            Checksums::Signature => Hasher::Md5(Md5::new()),
        };
        let writer = BufWriter::with_capacity(1024 * 1024, File::from_std(writer));
        Ok(Self { file, writer, bytes: 0, hasher, folder })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        match &mut self.hasher {
            Hasher::Sha256(hasher) => hasher.update(chunk),
            Hasher::Md5(hasher) => hasher.update(chunk),
        }
        self.writer.write_all(chunk).await.map_err(|err| spool_failed(&self.folder, err))?;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Spooled> {
        self.writer.flush().await.map_err(|err| spool_failed(&self.folder, err))?;
        let sum = match self.hasher {
            Hasher::Sha256(hasher) => Sum::Sha256(base64::encode(hasher.finalize())),
            Hasher::Md5(hasher) => Sum::Md5(base64::encode(hasher.finalize())),
        };
        Ok(Spooled { file: self.file, bytes: self.bytes, sum })
    }
}

fn spool_failed(folder: &std::path::Path, err: std::io::Error) -> Error {
    Error::from(err).with_context("folder", folder.display()).with_suggestion(
        "parts of very large objects wait in this folder: free space there, name another one with \
         `S3Options::with_spool`, or say the size beforehand",
    )
}
