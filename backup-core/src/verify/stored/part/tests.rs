use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::{
    BackupId, BackupRef, MemoryStore, PutOptions, SourceInfo,
    compress::{
        Gzip, Identity, Zstd,
        framed::{Framed, Limits},
    },
    manifest::{Artifact, Plain},
    testkit::{
        encryptor::seal,
        faults::{FaultyStore, StoreOp},
    },
    verify::stored::{Codec, open_part, open_plain},
};

/// The text of a dump in pieces: rows of a table, or what is none.
#[derive(Debug, Clone)]
struct Sample {
    engine: &'static str,
    pieces: Vec<(Option<String>, Vec<u8>)>,
}

impl Sample {
    fn postgresql(rows: &[Vec<String>]) -> Self {
        let mut pieces = vec![(None, b"SET search_path = '';\n".to_vec())];
        for (number, rows) in rows.iter().enumerate() {
            let before =
                format!("CREATE TABLE public.t{number} (a text);\nCOPY public.t{number} (a) FROM stdin;\n");
            pieces.push((None, before.into_bytes()));
            pieces.push((
                Some(format!("public.t{number}")),
                (rows.join("\n") + if rows.is_empty() { "" } else { "\n" }).into_bytes(),
            ));
            pieces.push((None, b"\\.\n\n".to_vec()));
        }
        pieces.push((None, b"CREATE INDEX i ON public.t0 USING btree (a);\n\n--\n-- PostgreSQL database dump complete\n--\n\n".to_vec()));
        Self { engine: "postgresql", pieces }
    }

    fn mysql(rows: &[Vec<String>]) -> Self {
        let mut pieces = vec![(None, b"-- MariaDB dump\n".to_vec())];
        for (number, rows) in rows.iter().enumerate() {
            let before = format!(
                "CREATE TABLE `t{number}` (`a` text);\n\n--\n-- Dumping data for table `t{number}`\n--\n"
            );
            pieces.push((None, before.into_bytes()));
            let insert =
                |rows: &[String]| format!("INSERT INTO `t{number}` VALUES ('{}');\n", rows.join("'),('"));
            let inserts = rows.chunks(3).map(insert).collect::<Vec<_>>().concat();
            let data = format!(
                "\nLOCK TABLES `t{number}` WRITE;\n/*!40000 ALTER TABLE `t{number}` DISABLE KEYS */;\n{inserts}\
                /*!40000 ALTER TABLE `t{number}` ENABLE KEYS */;\nUNLOCK TABLES;"
            );
            let table = (!rows.is_empty()).then(|| format!("t{number}"));
            pieces.push((table, data.into_bytes()));
            pieces.push((None, b"\n\n".to_vec()));
        }
        pieces.push((None, b"-- Dump completed\n".to_vec()));
        Self { engine: "mysql", pieces }
    }

    fn text(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, text)| text.iter().copied()).collect()
    }

    /// The dump without rows that nobody wants, as far as they are long enough to be listed.
    fn without(&self, wanted: &[String], row_bytes: usize) -> Vec<u8> {
        let is_read = |table: &Option<String>, text: &[u8]| {
            table.as_ref().is_none_or(|table| wanted.contains(table)) || text.len() < row_bytes
        };
        let read = self.pieces.iter().filter(|(table, text)| is_read(table, text));
        read.flat_map(|(_, text)| text.iter().copied()).collect()
    }

    /// Stores it as a pipeline does.
    fn store(&self, codec: Codec, limits: Limits, sizes: &[usize]) -> Stored {
        let text = self.text();
        let inspector = Inspector::with_checksums(self.engine, "plain");
        let (framed, frames) =
            Framed::new(codec.compressor.encoder().unwrap(), inspector.places.clone(), limits).unwrap();
        let (mut tap, mut framed): (_, Box<dyn crate::Transform>) = (inspector.tap, Box::new(framed));
        let mut stored = bytes::BytesMut::new();
        let mut rest = Bytes::from(text.clone());
        for size in sizes.iter().cycle() {
            let chunk = rest.split_to((*size).min(rest.len()));
            tap.update(&chunk).unwrap();
            framed.update(chunk, &mut stored).unwrap();
            if rest.is_empty() {
                break;
            }
        }
        tap.finish().unwrap();
        framed.finish(&mut stored).unwrap();
        if let Some(encryptor) = &codec.encryptor {
            stored = seal(&**encryptor, &stored, || 100_000).unwrap()[..].into();
        }
        let backup = BackupRef::new(
            "e".to_owned(),
            "d".to_owned(),
            BackupId::parse("backup-20261121-022249").unwrap(),
        );
        let key = Key::parse("e/d/x.sql").unwrap();
        let artifact = Artifact::new(key, stored.len() as u64, Digest::sha256(&stored));
        let plain = Plain::new(text.len() as u64, Digest::sha256(&text));
        let mut manifest = Manifest::new(backup, DateTime::UNIX_EPOCH, SourceInfo::new("d"), artifact, plain);
        manifest.engine = self.engine.to_owned();
        manifest.format = "plain".to_owned();
        manifest.inventory = inspector.inventory.take().unwrap();
        manifest.frames = frames.take();
        Stored { manifest, bytes: stored.freeze(), codec }
    }
}

struct Stored {
    manifest: Manifest,
    bytes: Bytes,
    codec: Codec,
}

impl Stored {
    async fn kept(&self) -> Arc<dyn Store> {
        let store = MemoryStore::new();
        let key = &self.manifest.artifact.key;
        store.put(key, ByteStream::from(self.bytes.clone()), PutOptions::default()).await.unwrap();
        Arc::new(store)
    }

    /// Reads the part, and says how many stored bytes that took.
    async fn read(&self, wanted: &RowsOf<'_>) -> Result<(Bytes, u64)> {
        let (read, decoded) = (ByteCount::default(), ByteCount::default());
        let store = self.kept().await;
        let part =
            open_part(&store, &self.manifest, &self.codec, wanted, read.clone(), decoded.clone()).await?;
        let bytes = part.collect_bytes(1 << 30).await?;
        assert_eq!(decoded.get(), bytes.len() as u64);
        Ok((bytes, read.get()))
    }

    async fn read_all(&self) -> Bytes {
        let store = self.kept().await;
        let Manifest { artifact, plain, .. } = &self.manifest;
        let (read, decoded) = (ByteCount::default(), ByteCount::default());
        let whole =
            open_plain(&*store, artifact, plain, &self.codec, Inspector::blind(), read, decoded).await;
        whole.unwrap().0.collect_bytes(1 << 30).await.unwrap()
    }
}

const LIMITS: Limits = Limits { frame_bytes: 300, row_bytes: 40, tables: 1000 };

fn codecs() -> Vec<Codec> {
    let gzip = Gzip::level(1).unwrap().with_threads(1).unwrap();
    let compressors: [Arc<dyn Compressor>; 3] =
        [Arc::new(Identity), Arc::new(gzip), Arc::new(Zstd::default())];
    let codec =
        |compressor: &Arc<dyn Compressor>| Codec { compressor: Arc::clone(compressor), encryptor: None };
    let plain = compressors.iter().map(codec);
    #[cfg(feature = "age")]
    return plain
        .chain(compressors.iter().map(|compressor| Codec { encryptor: Some(age()), ..codec(compressor) }))
        .collect();
    #[cfg(not(feature = "age"))]
    plain.collect()
}

#[cfg(feature = "age")]
fn age() -> Arc<dyn crate::Encryptor> {
    use crate::encrypt::Age;
    Arc::new(Age::for_identities(&Age::generate_identity()).unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
    let row = prop_oneof![3 => "[a-z]{0,9}", 1 => "[a-z]{50,200}"];
    prop::collection::vec(prop::collection::vec(row, 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn a_part_is_the_dump_without_the_rows_that_nobody_wants(
        rows in rows(),
        chosen in prop::collection::vec(any::<bool>(), 8),
        sizes in prop::collection::vec(1_usize..400, 1..10),
        frame_bytes in 1_u64..900,
        row_bytes in 1_usize..200,
    ) {
        let limits = Limits { frame_bytes, row_bytes, ..LIMITS };
        for sample in [Sample::postgresql(&rows), Sample::mysql(&rows)] {
            let names = sample.pieces.iter().filter_map(|(table, _)| table.clone());
            let wanted: Vec<_> = names.zip(&chosen).filter(|(_, chosen)| **chosen).map(|(name, _)| name).collect();
            for codec in codecs() {
                let stored = sample.store(codec, limits, &sizes);
                block_on(async {
                    assert_eq!(stored.read_all().await, sample.text());
                    let (part, _) = stored.read(&RowsOf::Tables(&wanted)).await.unwrap();
                    assert_eq!(part.escape_ascii().to_string(), sample.without(&wanted, row_bytes).escape_ascii().to_string());
                    let (none, _) = stored.read(&RowsOf::Nothing).await.unwrap();
                    assert_eq!(none, sample.without(&[], row_bytes));
                });
            }
        }
    }
}

/// Six tables of some 400 bytes.
fn some_rows() -> Vec<Vec<String>> {
    (0..6)
        .map(|table| (0..20).map(|row| format!("row {row} of the table with the number {table}")).collect())
        .collect()
}

#[test]
fn stored_bytes_that_are_not_needed_are_not_read() {
    // Noise that does not compress, so that windows matter.
    let mut noise = 1_u64;
    let mut word = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x}", noise >> 32)
    };
    let mut table =
        |rows: usize| -> Vec<String> { (0..rows).map(|_| (0..8).map(|_| word()).collect()).collect() };
    let rows = vec![table(40_000), table(100), table(40_000), table(3_000), table(40_000)];
    let sample = Sample::postgresql(&rows);
    let limits = Limits { frame_bytes: 100_000, ..Limits::default() };
    for codec in codecs() {
        let stored = sample.store(codec, limits, &[65_536]);
        assert_eq!(stored.manifest.frames.as_ref().unwrap().frames.len(), 5);
        for (wanted, most) in [("public.t1", 10), ("public.t3", 14), ("public.t4", 42)] {
            let wanted = [wanted.to_owned()];
            let (part, read) = block_on(stored.read(&RowsOf::Tables(&wanted))).unwrap();
            assert_eq!(part, sample.without(&wanted, 4096));
            let percent = read * 100 / stored.bytes.len() as u64;
            // Of what is encrypted, at least 64 KiB are read at once.
            let most = if stored.codec.encryptor.is_some() { most + 12 } else { most };
            assert!(percent < most, "{percent} % of the stored bytes for {wanted:?}");
        }
    }
}

#[test]
fn an_index_is_sound_only_where_it_can_be_one_of_its_artifact() {
    type Change = fn(&mut FrameIndex);
    let frame = crate::manifest::Frame::new;
    let rows = |start, end| RowData::new(Some("t".to_owned()), start, end);
    let frames = vec![frame(0, 0), frame(100, 50), frame(180, 60)];
    let of_rows = vec![rows(10, 20), rows(20, 30), rows(150, 200)];
    let sound = FrameIndex::new(frames, of_rows, Digest::sha256(b""));
    // The last frame may hold nothing, and is stored all the same.
    let can_be: [Change; 3] =
        [|_| (), |index| index.frames[2].plain = 200, |index| index.frames[2].stored = 79];
    let cannot_be: [Change; 15] = [
        |index| index.frames.clear(),
        |index| index.frames[0].plain = 1,
        |index| index.frames[0].stored = 1,
        |index| index.frames[1].plain = 0,
        |index| index.frames[1].stored = 0,
        |index| index.frames[2].plain = 99,
        |index| index.frames[2].stored = 49,
        |index| index.frames[2].plain = 201,
        |index| index.frames[2].stored = 80,
        |index| index.frames[2].stored = 81,
        |index| index.rows[0].start = 20,
        |index| index.rows[0].start = 21,
        |index| index.rows[0].end = 21,
        |index| index.rows[2].end = 201,
        |index| index.rows.swap(0, 2),
    ];
    for (changes, is) in [(&can_be[..], true), (&cannot_be[..], false)] {
        for (number, change) in changes.iter().enumerate() {
            let mut index = sound.clone();
            change(&mut index);
            assert_eq!(is_sound(&index, 200, 80), is, "change {number}: {index:?}");
        }
    }
}

#[test]
fn what_is_read_in_one_go_is_what_follows_each_other_and_is_wanted() {
    let place = |plain: Range<u64>, is_wanted| Place { plain, is_wanted };
    let frame = crate::manifest::Frame::new;
    let frames = vec![frame(0, 0), frame(100, 50), frame(200, 60), frame(300, 70)];
    let index = FrameIndex::new(frames, Vec::new(), Digest::sha256(b""));
    let run = |stored: Range<u64>, plain: Range<u64>, is_whole| Run { stored, plain, is_whole };
    for (rows, expected) in [
        (vec![], vec![run(0..90, 0..400, true)]),
        (vec![place(0..400, true)], vec![run(0..90, 0..400, true)]),
        (vec![place(0..400, false)], vec![]),
        (vec![place(100..300, false)], vec![run(0..50, 0..100, true), run(70..90, 300..400, true)]),
        // Unwanted rows at its end shorten a frame; those in its middle, or up to just before its end, do not.
        (vec![place(350..400, false)], vec![run(0..70, 0..300, true), run(70..90, 300..350, false)]),
        (vec![place(350..399, false)], vec![run(0..90, 0..400, true)]),
        (
            vec![place(40..60, false), place(60..100, false)],
            vec![run(0..50, 0..40, false), run(50..90, 100..400, true)],
        ),
        (
            vec![place(40..60, true), place(60..100, false)],
            vec![run(0..50, 0..60, false), run(50..90, 100..400, true)],
        ),
        (
            vec![place(150..250, false)],
            vec![run(0..50, 0..100, true), run(50..60, 100..150, false), run(60..90, 200..400, true)],
        ),
        (
            vec![place(50..100, false), place(150..200, false)],
            vec![run(0..50, 0..50, false), run(50..60, 100..150, false), run(60..90, 200..400, true)],
        ),
    ] {
        assert_eq!(runs(&index, &rows, 400, 90), expected, "{rows:?}");
    }
}

#[test]
fn an_index_that_was_tampered_with_is_corrupt() {
    for sample in [Sample::postgresql(&some_rows()), Sample::mysql(&some_rows())] {
        for codec in codecs() {
            let stored = sample.store(codec, LIMITS, &[100]);
            let index = stored.manifest.frames.clone().unwrap();
            assert!(index.frames.len() > 4 && index.rows.len() == 6, "{index:?}");
            let chosen = [index.rows[3].table.clone().unwrap()];
            let read = |index: &FrameIndex| {
                let mut manifest = stored.manifest.clone();
                manifest.frames = Some(index.clone());
                let (bytes, codec) = (stored.bytes.clone(), stored.codec.clone());
                block_on(Stored { manifest, bytes, codec }.read(&RowsOf::Tables(&chosen)))
            };
            let refuses = |case: &str, change: &dyn Fn(&mut FrameIndex)| {
                let mut index = index.clone();
                change(&mut index);
                let err = read(&index).expect_err(case);
                assert_eq!(err.kind(), ErrorKind::Corrupt, "{case}: {err}");
            };
            for at in 0..6 {
                refuses("start earlier", &|index| index.rows[at].start -= 1);
                refuses("start later", &|index| index.rows[at].start += 1);
                refuses("end earlier", &|index| index.rows[at].end -= 1);
                refuses("end later", &|index| index.rows[at].end += 1);
                refuses("missing", &|index| drop(index.rows.remove(at)));
            }
            refuses("other table", &|index| index.rows[3].table = Some("other".to_owned()));
            refuses("names swapped", &|index| {
                let name = index.rows[3].table.take();
                index.rows[3].table = index.rows[4].table.replace(name.unwrap());
            });
            let expected = sample.without(&chosen, LIMITS.row_bytes);
            for at in 1..index.frames.len() {
                for (plain, stored_by) in [(0, 1), (1, 0), (1, 1)] {
                    let mut index = index.clone();
                    index.frames[at].plain += plain;
                    index.frames[at].stored += stored_by;
                    // Between frames that are read one after the other it does not matter, nor without compression.
                    match read(&index) {
                        Ok((part, _)) => assert_eq!(part, expected, "frame {at} elsewhere"),
                        Err(err) => assert_eq!(err.kind(), ErrorKind::Corrupt, "frame {at} elsewhere: {err}"),
                    }
                }
            }
            refuses("no frames", &|index| index.frames.clear());
            refuses("frames out of order", &|index| index.frames.reverse());
            refuses("outside", &|index| index.frames.push(crate::manifest::Frame::new(u64::MAX, u64::MAX)));
            refuses("rows outside", &|index| index.rows[5].end = u64::MAX);
            refuses("another digest", &|index| index.rest = Digest::sha256(b"x"));
        }
    }
}

#[test]
fn damaged_stored_bytes_never_read_as_other_rows_or_definitions() {
    let sample = Sample::postgresql(&some_rows());
    for codec in codecs() {
        let stored = sample.store(codec, LIMITS, &[100]);
        let wanted = ["public.t2".to_owned()];
        let expected = sample.without(&wanted, LIMITS.row_bytes);
        for at in (0..stored.bytes.len()).step_by(5) {
            let mut bytes = stored.bytes.to_vec();
            bytes[at] ^= 0x10;
            let (manifest, codec) = (stored.manifest.clone(), stored.codec.clone());
            let damaged = Stored { manifest, bytes: bytes.into(), codec };
            match block_on(damaged.read(&RowsOf::Tables(&wanted))) {
                // The damage is where nothing was read.
                Ok((part, _)) => assert_eq!(part, expected, "a bit at {at}"),
                Err(err) => {
                    let is_found = matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Incomplete);
                    // Where whom it was encrypted for is damaged, it is for nobody.
                    assert!(is_found || crate::encrypt::NoIdentity::is_cause_of(&err), "{err}");
                }
            }
        }
    }
}

#[cfg(feature = "age")]
#[test]
fn an_artifact_for_many_is_read_in_part_and_one_that_ends_in_its_start_is_corrupt() {
    use crate::encrypt::Age;
    let identities: Vec<_> = (0..60).map(|_| Age::generate_identity()).collect();
    let ours = identities.last().unwrap();
    let recipients = identities.iter().map(|identity| {
        let named = identity.expose().lines().next().unwrap();
        named.trim_start_matches("# public key: ").to_owned()
    });
    let age = Age::for_recipients(recipients).unwrap().with_identities(ours).unwrap();
    let codec = Codec { encryptor: Some(Arc::new(age)), ..codecs().remove(2) };
    let sample = Sample::postgresql(&some_rows());
    let stored = sample.store(codec, LIMITS, &[100]);
    // So many recipients take more than what is read at first.
    assert!(stored.bytes.len() > 6000, "{}", stored.bytes.len());
    let (part, _) = block_on(stored.read(&RowsOf::Nothing)).unwrap();
    assert_eq!(part, sample.without(&[], LIMITS.row_bytes));
    for bytes in [1, 100, 4096, 5000] {
        let mut manifest = stored.manifest.clone();
        manifest.artifact.size = bytes as u64;
        let cut = Stored { manifest, bytes: stored.bytes.slice(..bytes), codec: stored.codec.clone() };
        let err = block_on(cut.read(&RowsOf::Nothing)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{bytes}: {err}");
        assert!(err.context().any(|(key, _)| key == "key"), "{err}");
    }
}

#[test]
fn without_an_index_everything_is_read() {
    let sample = Sample::postgresql(&some_rows());
    let mut stored = sample.store(codecs().remove(0), LIMITS, &[100]);
    stored.manifest.frames = None;
    stored.manifest.plain.digest = Some(Digest::sha256(&sample.text()));
    assert_eq!(block_on(stored.read(&RowsOf::Nothing)).unwrap().0, sample.text());
}

#[test]
fn a_table_in_a_section_with_something_else_is_never_left_out() {
    let mut sample = Sample::mysql(&some_rows());
    // A dump without locks: the trigger of the table stands behind its rows, and is none of them.
    for (_, text) in &mut sample.pieces {
        let unlocked =
            String::from_utf8(text.clone()).unwrap().replace("UNLOCK TABLES;", "CREATE VIEW v AS SELECT 1;");
        *text = unlocked.into_bytes();
    }
    let stored = sample.store(codecs().remove(2), LIMITS, &[100]);
    assert_eq!(stored.manifest.frames, None);
    assert_eq!(block_on(stored.read(&RowsOf::Nothing)).unwrap().0, sample.text());
}

#[test]
fn a_part_that_nobody_reads_any_more_waits_for_no_store() {
    let stored = Sample::postgresql(&some_rows()).store(codecs().remove(2), LIMITS, &[100]);
    block_on(async {
        let faulty = Arc::new(FaultyStore::new(stored.kept().await).hang(StoreOp::Get, 1));
        let store: Arc<dyn Store> = faulty.clone();
        let (codec, read, decoded) = (stored.codec.clone(), ByteCount::default(), ByteCount::default());
        let part =
            open_part(&store, &stored.manifest, &codec, &RowsOf::Nothing, read, decoded).await.unwrap();
        while faulty.calls(StoreOp::Get) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop(part);
        let reader_is_gone = async {
            while Arc::strong_count(&store) > 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reader_is_gone).await.unwrap();
    });
}
