//! `S3Store` against `rclone rcat`: the same bytes through a pipe, the same parts, the same server.
//!
//! `cargo bench --package benches --bench s3`; `BACKUP_BENCH_MB` is how much is stored (2000 unless said),
//! `BACKUP_BENCH_ROUNDS` how often (3). The server is a process of its own, so that its memory counts for nobody.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::disallowed_methods)]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use backup_core::{ByteStream, Key, PutOptions, Secret, Store};
use benches::{run, setting, table::Row, this_program};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use storage_s3::{Addressing, S3Credentials, S3Options, S3Store};

const PART: u64 = 8 * 1024 * 1024;
const ACCESS: &str = "AKIABENCH";
const SECRET: &str = "bench-secret";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("fill") => fill(args[2].parse().unwrap()),
        Some("serve") => tokio_run(serve(Path::new(&args[2]))),
        Some("put") => tokio_run(put(&args[2])),
        _ => compare(),
    }
}

fn tokio_run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}

fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 2000), setting("BACKUP_BENCH_ROUNDS", 3));
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("bucket")).unwrap();
    let (server, url) = start_server(dir.path());
    let program = std::env::current_exe().unwrap();
    let program = program.display();
    let ours = format!("{program} fill {megabytes} | {program} put {url}");
    let theirs = format!(
        "{program} fill {megabytes} | rclone rcat :s3:bucket/object --config /dev/null --s3-provider Other \
         --s3-endpoint {url} --s3-force-path-style --s3-no-check-bucket --s3-chunk-size 8Mi --s3-upload-concurrency 4"
    );
    let has_rclone = Command::new("rclone").arg("version").stdout(Stdio::null()).status().is_ok();
    if !has_rclone {
        println!("rclone is not installed (`apt-get install rclone`): nothing to compare with");
    }
    let mut rows = [Row::new("rclone rcat"), Row::new("this library")];
    for _ in 0..rounds {
        for (row, line) in rows.iter_mut().zip([&theirs, &ours]).skip(usize::from(!has_rclone)) {
            let mut command = Command::new("sh");
            // It refuses to start with one.
            command.env_remove("AWS_CA_BUNDLE");
            command
                .arg("-c")
                .arg(line)
                .env("RCLONE_S3_ACCESS_KEY_ID", ACCESS)
                .env("RCLONE_S3_SECRET_ACCESS_KEY", SECRET);
            row.add(run(command), megabytes * 1_000_000);
            check_and_remove(dir.path(), megabytes * 1_000_000);
        }
    }
    let base = 0;
    let rows = &rows[usize::from(!has_rclone)..];
    benches::table::print("put, parts of 8 MiB, 4 at once", rows.iter(), base);
    drop(server);
}

/// The whole object must be there: a fast failure is no success.
fn check_and_remove(dir: &Path, bytes: u64) {
    let object = dir.join("bucket/object");
    assert_eq!(std::fs::metadata(&object).unwrap().len(), bytes);
    std::fs::remove_file(object).unwrap();
}

/// Bytes that no hash and no disk can shorten, written fast.
fn fill(megabytes: usize) {
    let mut state = 1_u64;
    let chunk: Vec<u8> = (0..125_000)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    let mut out = std::io::stdout().lock();
    for _ in 0..megabytes {
        out.write_all(&chunk).unwrap();
    }
}

async fn put(url: &str) {
    let store = S3Store::open(
        S3Options::new("bucket")
            .with_endpoint(url)
            .with_region("us-east-1")
            .with_addressing(Addressing::Path)
            .with_credentials(S3Credentials::new(ACCESS, Secret::new(SECRET)))
            .with_part_bytes(PART)
            .with_parallel(4),
    );
    let options = PutOptions::default();
    let body = ByteStream::from_reader(tokio::io::stdin());
    store.await.unwrap().put(&Key::parse("object").unwrap(), body, options).await.unwrap();
}

/// A server that ends with this process.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

fn start_server(dir: &Path) -> (Server, String) {
    let mut command = this_program(&["serve", dir.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Server(child), line.trim().to_owned())
}

async fn serve(dir: &Path) {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir).unwrap());
    builder.set_auth(SimpleAuth::from_single(ACCESS, SECRET));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    // Whoever started it holds the other end of its input.
    std::thread::spawn(|| {
        let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            let _closed = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
