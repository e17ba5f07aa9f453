//! A backup of a database on another host against the shell pipe that it replaces, in one run, alternating.
//!
//! `cargo bench --package benches --bench ssh` starts a PostgreSQL and an SSH server of its own, on the loopback:
//! both sides share this machine's processors. `BACKUP_BENCH_MB` (1000 unless said) is the size of the dump,
//! `BACKUP_BENCH_ROUNDS` (3) the rounds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

use std::{path::Path, process::Command, time::Duration};

use backup_core::{
    Level, Pipeline,
    compress::Zstd,
    pipeline::BackupRequest,
    process::{Host, Ssh, WireCompression},
    testkit::{postgres::PrivatePostgres, sshd::PrivateSshd},
};
use benches::run;
use handler_pgdump::PgDump;
use storage_local::LocalStore;

/// Plain bytes that one generated row takes in a dump, about.
const ROW_BYTES: u64 = 300;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if args.get(1).is_some_and(|arg| arg == "one") {
        runtime.block_on(one(&args[2], Path::new(&args[3]), args[4].parse().unwrap(), Path::new(&args[5])));
    } else {
        runtime.block_on(compare());
    }
}

/// One backup in a process of its own, so that connecting is measured too.
async fn one(url: &str, sshd: &Path, port: u16, store: &Path) {
    let ssh = Ssh::new("127.0.0.1").unwrap().port(port).config_file(sshd.join("ssh_config"));
    let ssh = ssh.known_hosts(sshd.join("known_hosts")).identity(sshd.join("user_key"));
    let dump = PgDump::from_url(url).unwrap().over(Host::ssh(ssh.wire(WireCompression::Zstd)));
    let store = LocalStore::open(store).await.unwrap();
    let pipeline =
        Pipeline::new(dump, store).with_compressor(Zstd::level(1).unwrap()).with_level(Level::Present);
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

async fn compare() {
    let setting =
        |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let rows = setting("BACKUP_BENCH_MB", 1000) * 1_000_000 / ROW_BYTES;
    let (server, sshd) = (PrivatePostgres::start().await, PrivateSshd::start().await);
    server.create_database("bench").await;
    let fill = format!(
        "SELECT setseed(0.5); CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS key, now() AS at, \
         (random() * 1e6)::numeric(12, 2) AS net, repeat(md5((i % 1000)::text), 6) AS note \
         FROM generate_series(1, {rows}) i;"
    );
    server.psql("bench", &fill).await;
    let at = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(at).unwrap();
    let environment = folder.path().join("environment");
    let password = server.password().expose().replace('\'', "'\\''");
    let text = format!(
        "export PGHOST={} PGPORT={} PGUSER={} PGPASSWORD='{password}'",
        server.host(),
        server.port(),
        server.superuser()
    );
    std::fs::write(&environment, text).unwrap();
    // For a machine on which others work: wait until it is quiet.
    if let Some(path) = std::env::var_os("BACKUP_BENCH_WAIT_FOR") {
        eprintln!("ready, waiting");
        while !Path::new(&path).exists() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..setting("BACKUP_BENCH_ROUNDS", 3) {
        let directory = sshd.directory().display();
        let mut shell = Command::new("bash");
        shell.current_dir(folder.path()).args(["-o", "pipefail", "-c"]).arg(format!(
            "ssh -F {directory}/ssh_config -i {directory}/user_key -o UserKnownHostsFile={directory}/known_hosts \
             -p {} 127.0.0.1 '. {}; {} bench | zstd -q -1 -T0' > out && sync out",
            sshd.port(),
            environment.display(),
            server.bin("pg_dump").display()
        ));
        let mut ours = Command::new(std::env::current_exe().unwrap());
        let store = tempfile::tempdir_in(folder.path()).unwrap();
        ours.arg("one").arg(server.url("bench")).arg(sshd.directory()).arg(sshd.port().to_string());
        ours.arg(store.path());
        for (way, command) in [shell, ours].into_iter().enumerate() {
            let run = run(command);
            assert!(run.status.success());
            eprintln!("{} {:?}", ["shell", "ours"][way], run);
            times[way].push(run.wall);
        }
    }
    for times in &mut times {
        times.sort();
    }
    let middle = times[0].len() / 2;
    let (shell, ours) = (times[0][middle].as_secs_f64(), times[1][middle].as_secs_f64());
    println!("medians: ssh | zstd {shell:.2} s, this library {ours:.2} s, ratio {:.2}", ours / shell);
}
