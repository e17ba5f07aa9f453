//! How much of a backup is read for one of its hundred tables, and what its frames cost.
//!
//! `cargo bench --package benches --bench parts`; `BACKUP_BENCH_MB` is the size of the dump (1000 unless said),
//! `BACKUP_BENCH_ROUNDS` the rounds (3).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use backup_core::{
    BackupRef, ByteStream, Compressor, Dumper, DumperInfo, Error, ErrorKind, Event, Inventory, Observer,
    Pipeline, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike, Selected, Selection,
    TargetInfo, compress,
    inventory::Inspector,
    pipeline::{BackupRequest, RestoreRequest},
    testkit::{fake::FakeDumper, postgres::PrivatePostgres},
    transform::{Output, Transform},
};
use benches::{median, setting};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::PgDump;
use storage_local::LocalStore;

const TABLES: usize = 100;

/// A dump of tables of one size, of rows that no two are the same.
fn dump(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + bytes / 16);
    for table in 0..TABLES {
        writeln!(text, "CREATE TABLE public.t{table} (\n    id integer,\n    name text,\n    paid numeric,\n    at timestamp\n);\n")
            .unwrap();
    }
    let mut noise = 7_u64;
    for table in 0..TABLES {
        writeln!(text, "COPY public.t{table} (id, name, paid, at) FROM stdin;").unwrap();
        let end = text.len() + bytes / TABLES;
        let mut id = 0;
        while text.len() < end {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (one, two) = (noise >> 40, noise >> 20 & 0xffff);
            id += 1;
            writeln!(
                text,
                "{id}\tCustomer {:08x} of Example Street {}, Somewhere\t{two}.50\t2026-11-{:02} 11:{:02}:37",
                one,
                two % 97,
                one % 28 + 1,
                two % 60
            )
            .unwrap();
        }
        text.push_str("\\.\n\n\n");
    }
    text + "--\n-- PostgreSQL database dump complete\n--\n\n"
}

/// A target that takes what it is given, and says that it holds what the scanner sees.
#[derive(Debug)]
struct Target {
    selected: Selected,
    /// From the first byte of the last restore to its last one.
    took: Mutex<Duration>,
}

impl Target {
    fn new(table: &str) -> Self {
        Self { selected: Selected::new(vec![table.to_owned()]), took: Mutex::default() }
    }
}

#[async_trait]
impl Restorer for Target {
    fn supports(&self, _: &str, _: &str) -> bool {
        true
    }

    async fn probe(&self) -> Result<TargetInfo> {
        let mut info = TargetInfo::new("target");
        info.exists = true;
        Ok(info)
    }

    async fn restore(&self, mut body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let started = Instant::now();
        let mut inspector = Inspector::for_format("postgresql", "plain");
        while let Some(chunk) = body.next().await {
            inspector.tap.update(&chunk?)?;
        }
        inspector.tap.finish()?;
        *self.took.lock().unwrap() = started.elapsed();
        let mut found = inspector.inventory.take().flatten().unwrap_or_default();
        if matches!(options.selection, Selection::Tables(_)) {
            found = Inventory::new(
                found.tables.into_iter().filter(|table| self.selected.tables.contains(&table.name)).collect(),
            );
        }
        Ok(RestoreOutcome::new(found))
    }

    async fn select(&self, mut definitions: ByteStream, _: &RestoreOptions) -> Result<Selected> {
        while let Some(chunk) = definitions.next().await {
            chunk?;
        }
        Ok(self.selected.clone())
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Err(Error::new(ErrorKind::Unsupported, "no safety backup of a target that holds nothing"))
    }

    async fn scratch(&self, _: &ScratchLike) -> Result<Box<dyn Scratch>> {
        Err(Error::new(ErrorKind::Unsupported, "no scratch"))
    }
}

/// The stored bytes that the last restore read.
#[derive(Debug, Clone, Default)]
struct Read(Arc<AtomicU64>);

impl Observer for Read {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Progress { progress, .. } = event {
            self.0.store(progress.stored_bytes, Ordering::Relaxed);
        }
    }
}

/// What a restore took from the first byte on, in seconds, and how many stored bytes it read.
async fn restore(
    pipeline: &Pipeline,
    read: &Read,
    backup: &BackupRef,
    target: &Target,
    all: bool,
) -> (f64, u64) {
    let request = RestoreRequest::new().confirmed();
    let request = if all { request } else { request.tables(target.selected.tables.clone()) };
    pipeline.restore(backup, target, request).await.expect("a restore");
    (target.took.lock().unwrap().as_secs_f64(), read.0.load(Ordering::Relaxed))
}

/// Wall seconds and bytes of an encoder, with a boundary behind each of `pieces` or without.
fn encode(compressor: &dyn Compressor, pieces: &[Bytes], with_boundaries: bool) -> (f64, u64) {
    struct Count(u64);
    impl Output for Count {
        fn put(&mut self, chunk: Bytes) -> Result<()> {
            self.0 += chunk.len() as u64;
            Ok(())
        }

        fn boundary(&mut self) -> Result<()> {
            Ok(())
        }
    }
    let (mut encoder, mut output) = (compressor.encoder().unwrap(), Count(0));
    let started = Instant::now();
    for piece in pieces {
        for at in (0..piece.len()).step_by(64 * 1024) {
            encoder.update(piece.slice(at..(at + 64 * 1024).min(piece.len())), &mut output).unwrap();
        }
        if with_boundaries {
            encoder.boundary(&mut output).unwrap();
        }
    }
    encoder.finish(&mut output).unwrap();
    (started.elapsed().as_secs_f64(), output.0)
}

/// A compressor that ends no frame, so that what frames cost is the difference.
#[derive(Debug, Clone)]
struct Unframed<C>(C);

impl<C: Compressor> Compressor for Unframed<C> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn extension(&self) -> &'static str {
        self.0.extension()
    }

    fn encoder(&self) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Endless(self.0.encoder()?)))
    }

    fn decoder(&self) -> Result<Box<dyn Transform>> {
        self.0.decoder()
    }
}

struct Endless(Box<dyn Transform>);

impl Transform for Endless {
    fn update(&mut self, input: Bytes, output: &mut dyn Output) -> Result<()> {
        self.0.update(input, output)
    }

    fn boundary(&mut self, _: &mut dyn Output) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>, output: &mut dyn Output) -> Result<()> {
        self.0.finish(output)
    }
}

/// Whole backups of a hundred tables by `pg_dump`, with frames and without.
async fn whole_backups(megabytes: usize, rounds: u64) {
    let server = PrivatePostgres::start().await;
    server.create_database("bench").await;
    let rows = megabytes * 1_000_000 / TABLES / 100;
    let fill = format!(
        "do $$ begin for t in 1..{TABLES} loop
           execute format('create table t%s as select i as id, ''Customer '' || md5((i * %s)::text) as name,
             (i %% 65536)::numeric / 100 as paid, timestamp ''2026-01-01'' + i * interval ''7 s'' as at,
             repeat(''lorem ipsum '', (i %% 5)::int) as note from generate_series(1, {rows}) i', t, t);
         end loop; end $$; vacuum analyze;"
    );
    for statement in fill.split_inclusive("$$;") {
        server.psql("bench", statement).await;
    }
    println!(
        "\n| whole backup of {TABLES} tables | seconds without frames | with | × | MB | bytes × |\n|---|---|---|---|---|---|"
    );
    for name in ["zstd:1", "gzip:6"] {
        let (mut seconds, mut sizes) = ([Vec::new(), Vec::new()], [1, 1]);
        for round in 0..rounds {
            for framed in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
                let dump = PgDump::from_url(&server.url("bench")).unwrap();
                let pipeline = Pipeline::new(dump, LocalStore::open(folder.path()).await.unwrap());
                let compressor = compress::parse(name).unwrap();
                let pipeline = if framed == 1 {
                    pipeline.with_compressor(compressor)
                } else {
                    pipeline.with_compressor(Unframed(compressor))
                };
                let started = Instant::now();
                let manifest = pipeline.backup(BackupRequest::new()).await.unwrap().manifest;
                seconds[framed].push(started.elapsed().as_secs_f64());
                sizes[framed] = manifest.artifact.size;
                let frames = manifest.frames.map_or(0, |index| index.frames.len());
                assert_eq!(frames > 1, framed == 1, "{frames} frames");
            }
        }
        // The best of all rounds: what else the machine does only ever adds, and by more than frames may cost.
        let [without, with] = seconds.map(|seconds| seconds.into_iter().fold(f64::INFINITY, f64::min));
        println!(
            "| {name} | {without:.2} | {with:.2} | {:.3} | {:.0} | {:.4} |",
            with / without,
            sizes[1] as f64 / 1e6,
            sizes[1] as f64 / sizes[0] as f64
        );
    }
}

#[tokio::main]
async fn main() {
    let megabytes = usize::try_from(setting("BACKUP_BENCH_MB", 1000)).unwrap();
    let rounds = setting("BACKUP_BENCH_ROUNDS", 3);
    let text = Bytes::from(dump(megabytes * 1_000_000));
    // Never less than the pipeline puts into a frame.
    let piece = (text.len() / TABLES).max(usize::try_from(setting("BACKUP_BENCH_FRAME", 2 << 20)).unwrap());
    let pieces: Vec<_> =
        (0..text.len()).step_by(piece).map(|at| text.slice(at..(at + piece).min(text.len()))).collect();
    println!("| compression | frames | seconds without | with | × | bytes × |\n|---|---|---|---|---|---|");
    for name in ["zstd:1", "gzip:6"] {
        let compressor = compress::parse(name).unwrap();
        let (mut without, mut with, mut sizes) = (Vec::new(), Vec::new(), (1_u64, 1_u64));
        for round in 0..rounds {
            // By turns, as the second of two may find the processor warmer or slower.
            for boundaries in if round % 2 == 0 { [false, true] } else { [true, false] } {
                let (seconds, size) = encode(&*compressor, &pieces, boundaries);
                if boundaries {
                    with.push(seconds);
                    sizes.1 = size;
                } else {
                    without.push(seconds);
                    sizes.0 = size;
                }
            }
        }
        let (without, with) = (median(without), median(with));
        println!(
            "| {name} | {} | {without:.2} | {with:.2} | {:.3} | {:.4} |",
            pieces.len(),
            with / without,
            sizes.1 as f64 / sizes.0 as f64
        );
    }
    whole_backups(megabytes, rounds).await;
    println!(
        "\n| one of {TABLES} tables | seconds of all | of one | % | stored MB of all | of one | % |\n|---|---|---|---|---|---|---|"
    );
    for name in ["zstd:1", "gzip:6", "none"] {
        let folder = tempfile::tempdir().unwrap();
        let read = Read::default();
        let dumper = FakeDumper::new(text.clone()).with_info(DumperInfo::new("postgresql", "plain", "sql"));
        let pipeline = Pipeline::new(dumper, LocalStore::open(folder.path()).await.unwrap())
            .with_compressor(compress::parse(name).unwrap())
            .with_observer(read.clone());
        let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
        let target = Target::new(&format!("public.t{}", TABLES / 2));
        let (mut all, mut one, mut bytes) = (Vec::new(), Vec::new(), (1, 1));
        for _ in 0..rounds {
            let (seconds, all_bytes) = restore(&pipeline, &read, &backup, &target, true).await;
            all.push(seconds);
            let (seconds, one_bytes) = restore(&pipeline, &read, &backup, &target, false).await;
            one.push(seconds);
            bytes = (all_bytes, one_bytes);
        }
        let (all, one) = (median(all), median(one));
        println!(
            "| {name} | {all:.3} | {one:.3} | {:.1} | {:.1} | {:.1} | {:.1} |",
            100.0 * one / all,
            bytes.0 as f64 / 1e6,
            bytes.1 as f64 / 1e6,
            100.0 * bytes.1 as f64 / bytes.0 as f64
        );
    }
}
