//! Dumps that arrive compressed, as from another host.
#![cfg(all(feature = "zstd", feature = "gzip"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dump, Dumper, DumperInfo, Encoding, EndMark, ErrorKind, GetOptions, Level, MemoryStore,
    Pipeline, Prefix, Result, SourceInfo, Stages, Store,
    compress::{self, Gzip, Identity, Zstd},
    pipeline::BackupRequest,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

/// Dumps these bytes as they are, and says that they are compressed.
#[derive(Debug, Clone)]
struct Encoded {
    format: &'static str,
    bytes: Bytes,
}

#[async_trait]
impl Dumper for Encoded {
    fn info(&self) -> DumperInfo {
        DumperInfo::new("fake", "blob", "sql")
    }

    async fn probe(&self) -> Result<SourceInfo> {
        Ok(SourceInfo::new("shop"))
    }

    async fn dump(&self) -> Result<Dump> {
        let chunks: Vec<_> = self.bytes.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let body = ByteStream::new(stream::iter(chunks));
        let mark = EndMark::new(16, |end: &[u8]| end.ends_with(b"-- the end\n"));
        Ok(Dump::new(SourceInfo::new("shop"), body)
            .with_encoding(Encoding::new(self.format).with_check(mark)))
    }
}

fn plain() -> Bytes {
    let lines = (0..100_000).map(|line| format!("insert into orders values ({line});\n"));
    lines.chain(["-- the end\n".to_owned()]).collect::<String>().into()
}

async fn compressed(format: &'static str, plain: Bytes) -> Encoded {
    let encoder = compress::by_name(format).unwrap().encoder().unwrap();
    let bytes = Stages::new().transform(encoder).run(ByteStream::from(plain));
    Encoded { format, bytes: bytes.collect_bytes(usize::MAX).await.unwrap() }
}

async fn stored(store: &MemoryStore) -> Vec<(String, Bytes)> {
    let listed: Vec<_> = store.list(&Prefix::root()).try_collect().await.unwrap();
    let mut all = Vec::new();
    for object in listed {
        let got = store.get(&object.key, GetOptions::default()).await.unwrap();
        all.push((object.key.to_string(), got.body.collect_bytes(usize::MAX).await.unwrap()));
    }
    all
}

#[tokio::test]
async fn bytes_in_the_pipelines_own_format_are_stored_as_they_came_and_checked_as_plain() {
    for format in ["zstd", "gzip"] {
        let (dumper, store) = (compressed(format, plain()).await, MemoryStore::new());
        let pipeline = Pipeline::new(dumper.clone(), store.clone());
        let pipeline = match format {
            "zstd" => pipeline.with_compressor(Zstd::default()),
            _ => pipeline.with_compressor(Gzip::default()),
        };
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        let objects = stored(&store).await;
        assert!(objects.iter().any(|(_, bytes)| *bytes == dumper.bytes), "{format}: not as it came");
        assert_eq!(report.manifest.compression, format);
        assert_eq!(report.manifest.plain.size, plain().len() as u64);
        // The same digest as that of a dump that came plain.
        let usual = Pipeline::new(Decoded(dumper), MemoryStore::new());
        let usual = usual.backup(BackupRequest::new()).await.unwrap().manifest;
        assert_eq!(report.manifest.plain, usual.plain);
        pipeline.verify(&report.backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    }
}

#[tokio::test]
async fn bytes_in_another_format_are_compressed_anew() {
    let dumper = compressed("gzip", plain()).await;
    let store = MemoryStore::new();
    let pipeline = Pipeline::new(dumper.clone(), store.clone()).with_compressor(Identity);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert!(stored(&store).await.iter().any(|(_, bytes)| *bytes == plain()));
    assert_eq!(report.manifest.compression, "none");
    let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_compressor(Zstd::default());
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    pipeline.verify(&report.backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
}

#[tokio::test]
async fn what_cannot_be_decoded_or_has_no_end_is_never_stored() {
    let whole = compressed("zstd", plain()).await;
    let with = |bytes: Vec<u8>| Encoded { bytes: bytes.into(), ..whole.clone() };
    let mut flipped = whole.bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let unmarked = compressed("zstd", plain().slice(..plain().len() - 1)).await;
    for (dumper, kind) in [
        (with(whole.bytes[..whole.bytes.len() - 1].to_vec()), ErrorKind::Corrupt),
        (with(whole.bytes[..middle].to_vec()), ErrorKind::Corrupt),
        (with([&whole.bytes, b"trailing".as_slice()].concat()), ErrorKind::Corrupt),
        (with(flipped), ErrorKind::Corrupt),
        (with(plain().to_vec()), ErrorKind::Corrupt),
        (with(Vec::new()), ErrorKind::Corrupt),
        (unmarked, ErrorKind::Incomplete),
    ] {
        for own_format in [true, false] {
            let store = MemoryStore::new();
            let pipeline = Pipeline::new(dumper.clone(), store.clone());
            let pipeline = if own_format {
                pipeline.with_compressor(Zstd::default())
            } else {
                pipeline.with_compressor(Gzip::default())
            };
            let failed = pipeline.backup(BackupRequest::new()).await.unwrap_err();
            assert_eq!(failed.kind(), kind, "{failed:?}");
            assert!(stored(&store).await.is_empty(), "{:?}", stored(&store).await);
        }
        let plain = dumper.dump().await.unwrap().into_plain().unwrap();
        let last = plain.body.collect::<Vec<_>>().await.pop().unwrap();
        assert_eq!(last.unwrap_err().kind(), kind);
    }
}

/// The same dump with a plain body.
#[derive(Debug)]
struct Decoded(Encoded);

#[async_trait]
impl Dumper for Decoded {
    fn info(&self) -> DumperInfo {
        self.0.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.0.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        self.0.dump().await?.into_plain()
    }
}
