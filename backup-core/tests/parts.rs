//! A backup of a plain dump has an index of its frames, and stays one file to stock programs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![cfg(all(feature = "zstd", feature = "gzip"))]

use std::{io::Write, process::Stdio};

use backup_core::{
    DumperInfo, Filter, GetOptions, Manifest, MemoryStore, Pipeline, compress, pipeline::BackupRequest,
    testkit::fake::FakeDumper,
};
use bytes::Bytes;

/// Four tables of some 9 MB, and a small one.
fn dump() -> String {
    let mut dump = String::from("SET search_path = '';\n");
    for table in 0..5 {
        dump.push_str(&format!("COPY public.t{table} (a, b) FROM stdin;\n"));
        for row in 0..if table == 2 { 20 } else { 300_000 } {
            dump.push_str(&format!("{row}\tthe text of row {row}\n"));
        }
        dump.push_str("\\.\n\n");
    }
    dump + "--\n-- PostgreSQL database dump complete\n--\n\n"
}

async fn backed_up(text: &str, info: DumperInfo, compression: &str) -> (Manifest, Bytes) {
    let dumper = FakeDumper::new(text.to_owned()).with_info(info);
    let compressor = compress::parse(compression).unwrap();
    let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_compressor(compressor);
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let manifest = pipeline.list(&Filter::all()).await.unwrap().entries.remove(0).manifest;
    let artifact = pipeline.store().get(&manifest.artifact.key, GetOptions::default()).await.unwrap();
    (manifest, artifact.body.collect_bytes(1 << 30).await.unwrap())
}

/// What a stock program makes of `input`.
fn opened(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(input).unwrap();
    // A test may block, and the program is known.
    #[allow(clippy::disallowed_methods)]
    let output = std::process::Command::new(program)
        .args(args)
        .stdin(Stdio::from(file.reopen().unwrap()))
        .output()
        .unwrap_or_else(|err| panic!("cannot run `{program}` ({err}): install the package `{program}`"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn every_listed_frame_is_one_and_the_whole_is_stock() {
    let text = dump();
    for (compression, program) in [("zstd:1", "zstd"), ("gzip:1", "gzip")] {
        let info = DumperInfo::new("postgresql", "plain", "sql");
        let (manifest, artifact) = backed_up(&text, info, compression).await;
        assert!(opened(program, &["-t"], &artifact).is_empty());
        assert!(opened(program, &["-dc"], &artifact) == text.as_bytes(), "{program}");

        let index = manifest.frames.clone().unwrap();
        let rows = text.match_indices(" FROM stdin;\n").map(|(at, start)| at + start.len());
        let ends = text.match_indices("\\.\n").map(|(at, _)| at);
        let expected: Vec<_> = (0..5).zip(rows.zip(ends)).filter(|(table, _)| *table != 2).collect();
        let found: Vec<_> =
            index.rows.iter().map(|rows| (rows.start, rows.end, rows.table.clone())).collect();
        let named = |(table, (start, end)): (i32, (usize, usize))| {
            (start as u64, end as u64, Some(format!("public.t{table}")))
        };
        assert_eq!(found, expected.into_iter().map(named).collect::<Vec<_>>());
        assert_eq!(index.frames.len(), 5, "{index:?}");
        for frame in &index.frames {
            let (plain, stored) =
                (usize::try_from(frame.plain).unwrap(), usize::try_from(frame.stored).unwrap());
            assert!(opened(program, &["-dc"], &artifact[stored..]) == text.as_bytes()[plain..], "{frame:?}");
        }
        let json = manifest.to_json().unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }
}

#[tokio::test]
async fn what_shows_no_rows_has_no_index() {
    let info = DumperInfo::new("fake", "blob", "blob");
    assert_eq!(backed_up(&dump(), info, "gzip:1").await.0.frames, None);
    let small = "COPY public.t (a) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    let info = DumperInfo::new("postgresql", "plain", "sql");
    assert_eq!(backed_up(small, info, "gzip:1").await.0.frames, None);
}
