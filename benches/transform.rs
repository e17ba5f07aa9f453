//! Compressors on text as `pg_dump` writes it, alone and beside `pigz` and `zstd`.
//!
//! `cargo bench -p benches --bench transform` measures throughput; set `COMPARE=1` to compare, in one run and by
//! turns, with the programs that are installed, on speed, processor time and size; `COMPARE=dump.sql` does so on a
//! dump of your own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "the comparison is printed")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::{fmt::Write as _, fs::File, process::Stdio, time::Instant};

use backup_core::{
    ByteStream, Compressor, Stages,
    compress::{Gzip, Identity, Zstd},
};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;

const MIB: usize = 1024 * 1024;
/// What a pipe or a file hands over at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Numbers that look random and are the same in every run (splitmix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

const WORDS: [&str; 40] = [
    "the", "order", "of", "customer", "was", "shipped", "to", "a", "new", "address", "and", "payment", "is",
    "pending", "review", "please", "contact", "support", "with", "invoice", "number", "for", "more",
    "details", "delivery", "expected", "within", "three", "days", "unless", "returned", "item", "damaged",
    "refund", "issued", "by", "email", "thank", "you", "again",
];

/// A plain dump of one table: ids, references, timestamps, words, jsonb, numerics, some UUIDs and nulls.
fn dump(len: usize) -> Vec<u8> {
    let mut noise = Noise(1);
    let mut text = String::with_capacity(len + 1024);
    text.push_str("COPY public.orders (id, customer_id, status, total, note, payload, token, created_at, updated_at) FROM stdin;\n");
    let (mut id, mut seconds) = (1_000_000_u64, 0_u64);
    while text.len() < len {
        id += 1;
        seconds += noise.below(90);
        let status = noise.one_of(&["pending", "paid", "shipped", "delivered", "cancelled"]);
        let (customer, total, cents) = (noise.below(250_000), noise.below(2_000), noise.below(100));
        write!(text, "{id}\t{customer}\t{status}\t{total}.{cents:02}\t").unwrap();
        for word in 0..noise.below(24) {
            // Some words are much more frequent than others, as in any language.
            let most = usize::try_from(noise.below(40)).unwrap() + 1;
            text.push_str(if word == 0 { "" } else { " " });
            text.push_str(noise.one_of(&WORDS[..most]));
        }
        write!(
            text,
            "\t{{\"sku\": \"SKU-{:05}\", \"quantity\": {}, \"gift\": {}, \"weight\": {}.{}, \"tags\": [\"{}\", \"{}\"]}}",
            noise.below(20_000),
            noise.below(9) + 1,
            noise.below(10) == 0,
            noise.below(30),
            noise.below(1000),
            noise.one_of(&WORDS),
            noise.one_of(&WORDS),
        )
        .unwrap();
        match noise.below(4) {
            0 => write!(text, "\t{:016x}{:016x}", noise.next(), noise.next()).unwrap(),
            _ => text.push_str("\t\\N"),
        }
        for delay in [0, noise.below(86_400)] {
            let at = seconds + delay;
            let (day, hour, minute, second) = (at / 86_400, at / 3600 % 24, at / 60 % 60, at % 60);
            let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
            let micros = noise.below(1_000_000);
            write!(text, "\t2026-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}+00")
                .unwrap();
        }
        text.push('\n');
    }
    text.truncate(len);
    text.into_bytes()
}

fn compressors() -> Vec<(&'static str, Box<dyn Compressor>)> {
    vec![
        ("none", Box::new(Identity)),
        ("zstd-1", Box::new(Zstd::level(1).unwrap())),
        ("zstd-3", Box::new(Zstd::level(3).unwrap())),
        ("gzip-6", Box::new(Gzip::level(6).unwrap())),
    ]
}

/// Runs `stages` over `plain` as a pipeline does, and returns the number of bytes that came out.
fn drain(runtime: &tokio::runtime::Runtime, stages: Stages, plain: &Bytes) -> usize {
    let mut rest = plain.clone();
    let chunks = std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(CHUNK_BYTES))))
    });
    runtime.block_on(async {
        let mut stream = stages.run(ByteStream::new(futures::stream::iter(chunks)));
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len();
        }
        bytes
    })
}

fn encoded(runtime: &tokio::runtime::Runtime, compressor: &dyn Compressor, plain: &Bytes) -> Bytes {
    let stages = Stages::new().transform(compressor.encoder().unwrap());
    runtime.block_on(async { stages.run(plain.clone().into()).collect_bytes(usize::MAX).await }).unwrap()
}

fn transforms(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if std::env::var_os("COMPARE").is_some() {
        compare(&runtime);
        return;
    }
    let plain = Bytes::from(dump(32 * MIB));
    let mut group = criterion.benchmark_group("transform");
    group.throughput(Throughput::Bytes(plain.len() as u64)).sample_size(10);
    for (name, compressor) in compressors() {
        let file = encoded(&runtime, &*compressor, &plain);
        println!("{name}: {} bytes, ratio {:.2}", file.len(), plain.len() as f64 / file.len() as f64);
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            bencher.iter(|| drain(&runtime, Stages::new().transform(compressor.encoder().unwrap()), &plain));
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| drain(&runtime, Stages::new().transform(compressor.decoder().unwrap()), &file));
        });
    }
    group.finish();
}

/// A name, and what encodes once and returns the number of bytes.
type Contestant<'a> = (&'static str, Box<dyn Fn() -> usize + 'a>);

/// Runs each of ours and each program in turn, several rounds, and prints the medians.
fn compare(runtime: &tokio::runtime::Runtime) {
    const ROUNDS: usize = 7;
    let plain = std::env::var_os("COMPARE").filter(|path| path != "1").map_or_else(
        || dump(96 * MIB).into(),
        // A benchmark may block.
        #[allow(clippy::disallowed_methods)]
        |path| Bytes::from(std::fs::read(path).unwrap()),
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &plain).unwrap();
    let open = || File::open(file.path()).unwrap();

    let gzip = Gzip::level(6).unwrap().with_threads(2).unwrap();
    let faster = Gzip::level(5).unwrap().with_threads(2).unwrap();
    let zstd = Zstd::level(1).unwrap().with_threads(2).unwrap();
    let encode = |compressor: &dyn Compressor| {
        drain(runtime, Stages::new().transform(compressor.encoder().unwrap()), &plain)
    };
    let mut contestants: Vec<Contestant<'_>> = vec![
        ("Gzip level 6, 2 threads", Box::new(|| encode(&gzip))),
        ("pigz -6 -p 2", Box::new(|| output_bytes("pigz", &["-6", "-p", "2", "-c"], open()).unwrap())),
        ("Gzip level 5, 2 threads", Box::new(|| encode(&faster))),
        ("Zstd level 1, 2 threads", Box::new(|| encode(&zstd))),
        ("zstd -1 -T0", Box::new(|| output_bytes("zstd", &["-1", "-T0", "-q", "-c"], open()).unwrap())),
    ];
    contestants.retain(|(name, _)| {
        let program = name.split(' ').next().unwrap_or_default();
        let there = name.contains("level") || output_bytes(program, &["--version"], open()).is_some();
        if !there {
            println!("{program} is not installed: left out");
        }
        there
    });

    let mut figures = vec![Vec::new(); contestants.len()];
    let mut sizes = vec![0; contestants.len()];
    for _ in 0..ROUNDS {
        for (at, (_, run)) in contestants.iter().enumerate() {
            let (cpu, start) = (cpu_seconds(), Instant::now());
            sizes[at] = run();
            figures[at].push((start.elapsed().as_secs_f64(), cpu_seconds() - cpu));
        }
    }
    println!("{} MiB of COPY text, medians of {ROUNDS} rounds", plain.len() / MIB);
    for ((name, _), (figures, size)) in contestants.iter().zip(figures.iter().zip(sizes)) {
        let mib = (plain.len() / MIB) as f64;
        let wall = median(figures.iter().map(|(wall, _)| *wall));
        let cpu = median(figures.iter().map(|(_, cpu)| *cpu));
        println!(
            "{name:>24}: {:7.1} MiB/s, {:7.1} MiB per second of processor time, {size} bytes, ratio {:.3}",
            mib / wall,
            mib / cpu,
            plain.len() as f64 / size as f64
        );
    }
}

/// How many bytes a program writes; `None` where it is not installed.
fn output_bytes(program: &str, args: &[&str], input: File) -> Option<usize> {
    // A benchmark may block.
    #[allow(clippy::disallowed_methods)]
    let output = std::process::Command::new(program).args(args).stdin(Stdio::from(input)).output().ok()?;
    assert!(output.status.success(), "{program} failed");
    Some(output.stdout.len())
}

/// The processor time of this process and of the programs that it waited for; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    // A benchmark may block.
    #[allow(clippy::disallowed_methods)]
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

criterion_group!(benches, transforms);
criterion_main!(benches);
