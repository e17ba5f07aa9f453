//! What must hold of reading by an index of frames, whatever the index says.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::indexing_slicing)]

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use tokio::runtime::Runtime;

use crate::{
    BackupId, BackupRef, ByteStream, Digest, ErrorKind, Inventory, Key, Manifest, MemoryStore, PutOptions,
    Result, SourceInfo, Store, Transform,
    compress::{
        Identity,
        framed::{Framed, Limits},
    },
    digest::ByteCount,
    inventory::Inspector,
    manifest::{Artifact, FrameIndex, Plain},
    testkit::fuzz::{chunks, cuts},
    verify::stored::{Codec, RowsOf, open_part},
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// Frames of a dump, and an index that may be damaged.
///
/// The input holds the sizes of chunks, a compressor, the sizes of frames and rows that are listed, which tables are
/// wanted, the damage, and then the rows.
pub fn frames(input: &[u8]) {
    let (sizes, input) = cuts(input);
    let Some((&[compressor, frame_bytes, row_bytes, wanted, damage], rest)) = input.split_first_chunk()
    else {
        return;
    };
    let (damage, rows) = rest.split_at((usize::from(damage % 8) * 4).min(rest.len()));
    let limits = Limits { frame_bytes: frame_bytes.into(), row_bytes: row_bytes.into(), tables: 1000 };
    let tables = tables(rows);
    for engine in ["postgresql", "mysql"] {
        let dump = Dump::new(engine, &tables);
        let Some(mut stored) = dump.store(codec(compressor), limits, &sizes) else { continue };
        let wanted: Vec<String> = (0..tables.len())
            .filter(|table| wanted >> (table % 8) & 1 == 1)
            .map(|table| dump.name(table))
            .collect();
        let part = stored.read(&wanted).unwrap();
        let expected = dump.without(&wanted, limits.row_bytes);
        assert_eq!(part.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
        if damage.is_empty() {
            continue;
        }
        stored.damage(damage);
        match stored.read(&wanted) {
            Ok(part) => dump.assert_holds(&part, &wanted),
            Err(err) => assert!(matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Incomplete), "{err}"),
        }
    }
}

/// Rows of letters: of each table behind the other.
fn tables(input: &[u8]) -> Vec<Vec<String>> {
    let letters = |row: &[u8]| row.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let table = |table: &[u8]| table.split(|byte| *byte == b'\n').map(letters).collect();
    input.split(|byte| *byte == 0).filter(|table| !table.is_empty()).take(40).map(table).collect()
}

fn codec(compressor: u8) -> Codec {
    let compressor: Arc<dyn crate::Compressor> = match compressor % 3 {
        #[cfg(feature = "zstd")]
        1 => Arc::new(crate::compress::Zstd::default()),
        #[cfg(feature = "gzip")]
        2 => Arc::new(crate::compress::Gzip::level(1).unwrap().with_threads(1).unwrap()),
        _ => Arc::new(Identity),
    };
    Codec { compressor, encryptor: None }
}

/// The text of a dump in pieces: rows of a table, or what is none.
struct Dump {
    engine: &'static str,
    pieces: Vec<(Option<String>, String)>,
}

impl Dump {
    fn new(engine: &'static str, tables: &[Vec<String>]) -> Self {
        let mut dump = Self { engine, pieces: Vec::new() };
        for (number, rows) in tables.iter().enumerate() {
            let (name, text) =
                (dump.name(number), if engine == "mysql" { mysql(number, rows) } else { copy(number, rows) });
            let [before, rows, behind] = text;
            dump.pieces.extend([(None, before), (Some(name), rows), (None, behind)]);
        }
        let end = if engine == "mysql" {
            "-- Dump completed\n"
        } else {
            "--\n-- PostgreSQL database dump complete\n--\n\n"
        };
        dump.pieces.push((None, end.to_owned()));
        dump
    }

    fn name(&self, number: usize) -> String {
        if self.engine == "mysql" { format!("t{number}") } else { format!("public.t{number}") }
    }

    fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn without(&self, wanted: &[String], row_bytes: usize) -> String {
        let is_read = |(table, text): &&(Option<String>, String)| {
            table.as_ref().is_none_or(|table| wanted.contains(table) || text.len() < row_bytes.max(1))
        };
        self.pieces.iter().filter(is_read).map(|(_, text)| text.as_str()).collect()
    }

    fn inspect(&self, bytes: &[u8]) -> Result<Inventory> {
        let mut inspector = Inspector::with_checksums(self.engine, "plain");
        inspector.tap.update(bytes)?;
        inspector.tap.finish()?;
        Ok(inspector.inventory.take().flatten().unwrap())
    }

    /// What came is a dump that has all rows of the tables that are wanted.
    fn assert_holds(&self, part: &[u8], wanted: &[String]) {
        let (all, found) = (self.inspect(self.text().as_bytes()).unwrap(), self.inspect(part).unwrap());
        assert_eq!(found.objects, all.objects, "definitions are lost");
        for name in wanted {
            assert_eq!(found.table(name), all.table(name), "{name} is not whole");
        }
    }

    /// Stores it as a pipeline does; `None` where nothing of it can be left out.
    fn store(&self, codec: Codec, limits: Limits, sizes: &[usize]) -> Option<Stored> {
        let text = self.text().into_bytes();
        let mut inspector = Inspector::with_checksums(self.engine, "plain");
        let encoder = codec.compressor.encoder().unwrap();
        let (framed, frames) = Framed::new(encoder, inspector.places.clone(), limits).unwrap();
        let mut framed: Box<dyn Transform> = Box::new(framed);
        let mut stored = BytesMut::new();
        for chunk in chunks(&text, sizes) {
            inspector.tap.update(chunk).unwrap();
            framed.update(Bytes::copy_from_slice(chunk), &mut stored).unwrap();
        }
        inspector.tap.finish().unwrap();
        framed.finish(&mut stored).unwrap();
        let backup = BackupRef::new("e", "d", BackupId::parse("backup-20261121-022249").unwrap());
        let key = Key::parse("e/d/backup-20261121-022249.sql").unwrap();
        let artifact = Artifact::new(key, stored.len() as u64, Digest::sha256(&stored));
        let plain = Plain::new(text.len() as u64, Digest::sha256(&text));
        let mut manifest = Manifest::new(backup, DateTime::UNIX_EPOCH, SourceInfo::new("d"), artifact, plain);
        self.engine.clone_into(&mut manifest.engine);
        "plain".clone_into(&mut manifest.format);
        manifest.inventory = inspector.inventory.take().unwrap();
        manifest.frames = Some(frames.take()?);
        Some(Stored { manifest, bytes: stored.freeze(), codec })
    }
}

/// What stands before the rows of a table, the rows, and what stands behind them.
fn copy(number: usize, rows: &[String]) -> [String; 3] {
    let before = format!("CREATE TABLE public.t{number} (a text);\nCOPY public.t{number} (a) FROM stdin;\n");
    [before, rows.iter().flat_map(|row| [row.as_str(), "\n"]).collect(), "\\.\n\n".to_owned()]
}

fn mysql(number: usize, rows: &[String]) -> [String; 3] {
    let before =
        format!("CREATE TABLE `t{number}` (`a` text);\n\n--\n-- Dumping data for table `t{number}`\n--\n");
    let insert = |rows: &[String]| format!("INSERT INTO `t{number}` VALUES ('{}');\n", rows.join("'),('"));
    let inserts: String = rows.chunks(3).map(insert).collect();
    let rows = format!(
        "\nLOCK TABLES `t{number}` WRITE;\n/*!40000 ALTER TABLE `t{number}` DISABLE KEYS */;\n{inserts}\
         /*!40000 ALTER TABLE `t{number}` ENABLE KEYS */;\nUNLOCK TABLES;"
    );
    [before, rows, "\n\n".to_owned()]
}

struct Stored {
    manifest: Manifest,
    bytes: Bytes,
    codec: Codec,
}

impl Stored {
    fn read(&self, wanted: &[String]) -> Result<Bytes> {
        RUNTIME.block_on(async {
            let store = MemoryStore::new();
            let body = ByteStream::from(self.bytes.clone());
            store.put(&self.manifest.artifact.key, body, PutOptions::default()).await.unwrap();
            let store: Arc<dyn Store> = Arc::new(store);
            let (read, decoded) = (ByteCount::default(), ByteCount::default());
            let rows = RowsOf::Tables(wanted);
            let part = open_part(&store, &self.manifest, &self.codec, &rows, read.clone(), decoded).await?;
            let bytes = part.collect_bytes(1 << 24).await?;
            // An index leads nowhere twice.
            assert!(read.get() <= self.manifest.artifact.size, "{} bytes were read", read.get());
            Ok(bytes)
        })
    }

    /// Changes the index, four bytes a change.
    fn damage(&mut self, changes: &[u8]) {
        let Some(index) = &mut self.manifest.frames else { return };
        for change in changes.chunks_exact(4) {
            let [what, at, value, how] = change else { continue };
            damage(index, *what, usize::from(*at), change_of(u64::from(*value), *how));
        }
    }
}

/// A number near the one that is there, or far from all.
fn change_of(value: u64, how: u8) -> impl Fn(&mut u64) {
    move |number| {
        *number = match how % 5 {
            0 => value,
            1 => number.wrapping_add(value),
            2 => number.wrapping_sub(value),
            3 => u64::MAX - value,
            _ => *number ^ (1 << (value % 64)),
        }
    }
}

fn damage(index: &mut FrameIndex, what: u8, at: usize, change: impl Fn(&mut u64)) {
    let (frame, row) = (at % index.frames.len().max(1), at % index.rows.len().max(1));
    let other = index.rows.first().and_then(|rows| rows.table.clone());
    match (what % 9, index.frames.get_mut(frame), index.rows.get_mut(row)) {
        (0, Some(frame), _) => change(&mut frame.plain),
        (1, Some(frame), _) => change(&mut frame.stored),
        (2, Some(_), _) => drop(index.frames.remove(frame)),
        (3, Some(_), _) => index.frames.push(index.frames[frame]),
        (4, _, Some(rows)) => change(&mut rows.start),
        (5, _, Some(rows)) => change(&mut rows.end),
        (6, _, Some(_)) => drop(index.rows.remove(row)),
        (7, _, Some(rows)) => rows.table = other,
        (8, _, Some(rows)) => rows.table = None,
        _ => {}
    }
}
