//! Backups and restores of MariaDB or MySQL, here and over SSH, against the shell pipes that they replace, in one run,
//! alternating.
//!
//! `cargo bench --package benches --bench mysql` starts a server and an SSH server of its own, fills a database and
//! prints the medians. `BACKUP_BENCH_MB` (1000 unless said) is the size of the dump, `BACKUP_BENCH_ROUNDS` (3) the rounds,
//! `BACKUP_TEST_MYSQL_BIN` the folder of the programs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use backup_core::{
    Filter, Pipeline, Rehearsal, compress,
    pipeline::{BackupRequest, RestoreRequest},
    process::{Host, Ssh, WireCompression},
    testkit::{
        mysql::{Flavour, PrivateMysql},
        sshd::PrivateSshd,
    },
};
use benches::{run, setting, table, this_program};
use handler_mysqldump::{MysqlDump, MysqlRestore, Rehearse};
use storage_local::LocalStore;

/// Plain bytes that one generated row takes in a dump, about.
const ROW_BYTES: u64 = 300;

/// What this library asks of the program, too.
const OPTIONS: &str = "--single-transaction --quick --routines --triggers --events --hex-blob --no-tablespaces \
                       --default-character-set=utf8mb4";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match args.get(1).map(String::as_str) {
        Some("one") => runtime.block_on(one(&args[2..])),
        Some("restore") => runtime.block_on(restore(&args[2..])),
        _ => runtime.block_on(compare()),
    }
}

/// One backup in a process of its own, so that its memory and processor time are measured alone.
async fn one(args: &[String]) {
    let [url, clients, store, level, ssh @ ..] = args else { return };
    let mut dump = MysqlDump::from_url(url).unwrap().client_dir(clients);
    if let [folder, port] = ssh {
        let folder = Path::new(folder);
        let ssh = Ssh::new("127.0.0.1").unwrap().port(port.parse().unwrap());
        let ssh = ssh.config_file(folder.join("ssh_config")).identity(folder.join("user_key"));
        let ssh = ssh.known_hosts(folder.join("known_hosts")).wire(WireCompression::Zstd);
        dump = dump.over(Host::ssh(ssh));
    }
    let pipeline = Pipeline::new(dump, LocalStore::open(store).await.unwrap())
        .with_compressor(compress::parse("zstd:1").unwrap())
        .with_level(level.parse().unwrap());
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

/// One restore, or one rehearsal, which says how much of it the restore was.
async fn restore(args: &[String]) {
    let [url, clients, store, backup, level @ ..] = args else { return };
    let mut restore = MysqlRestore::from_url(url).unwrap().client_dir(clients);
    if std::env::var_os("BACKUP_TEST_MYSQL_BIN").is_some() {
        restore = restore.server_dir(clients);
    }
    let (pipeline, backup) =
        (Pipeline::for_store(LocalStore::open(store).await.unwrap()), backup.parse().unwrap());
    let [level] = level else {
        pipeline.restore(&backup, &restore, RestoreRequest::new().confirmed()).await.unwrap();
        return;
    };
    let pipeline = pipeline.with_rehearsal(Rehearsal::new(restore.rehearse_in(Rehearse::PrivateServer)));
    let report = pipeline.verify(&backup, level.parse().unwrap()).await.unwrap();
    let evidence = report.ensure_passed().unwrap().evidence;
    let restore_ms = evidence.rehearsed.unwrap().restore_ms;
    eprintln!(
        "rehearsal {level}: {} ms beyond the restore of {restore_ms} ms",
        evidence.duration_ms - restore_ms
    );
}

struct Bench {
    server: PrivateMysql,
    sshd: PrivateSshd,
    folder: PathBuf,
}

async fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 1000), setting("BACKUP_BENCH_ROUNDS", 3));
    let (server, sshd) = (PrivateMysql::start().await, PrivateSshd::start().await);
    server.create_database("bench").await;
    server.sql("bench", &fill(megabytes * 1_000_000 / ROW_BYTES)).await;
    let at = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(at).unwrap();
    let bench = Bench { server, sshd, folder: folder.path().to_owned() };
    bench.write_option_file();

    let names = [
        "dump > /dev/null",
        "dump \\| gzip",
        "dump \\| zstd -1 -T0",
        "this library, zstd:1",
        "this library, zstd:1, read back",
        "ssh h 'dump \\| zstd -1'",
        "this library over ssh",
    ];
    let mut rows = names.map(table::Row::new);
    for round in 0..rounds {
        bench.shell(&mut rows[0], "$D > /dev/null");
        bench.shell(&mut rows[1], "$D | gzip > out && sync out");
        bench.shell(&mut rows[2], "$D | zstd -q -1 -T0 -f -o out && sync out");
        bench.ours(&mut rows[3], "present", &[]).await;
        bench.ours(&mut rows[4], "digest", &[]).await;
        bench.shell(&mut rows[5], "$S '$D | zstd -q -1 -T0' > out && sync out");
        let (directory, port) = (bench.sshd.directory().display().to_string(), bench.sshd.port().to_string());
        bench.ours(&mut rows[6], "present", &[&directory, &port]).await;
        eprintln!("round {} of {rounds} done", round + 1);
    }
    table::print("backup", rows[..5].iter(), 2);
    table::print("over ssh", rows[5..].iter(), 0);
    bench.restores(rounds).await;
}

impl Bench {
    fn write_option_file(&self) {
        let password = self.server.password().expose().replace('\\', "\\\\").replace('"', "\\\"");
        let socket = self.server.socket();
        let text = format!("[client]\nuser=root\npassword=\"{password}\"\nsocket={}\n", socket.display());
        std::fs::write(self.folder.join("options"), text).unwrap();
    }

    async fn restores(&self, rounds: u64) {
        let (store, url) = (self.folder.join("store"), self.server.url("target"));
        let clients = self.server.client().parent().unwrap();
        let dump = MysqlDump::from_url(&self.server.url("bench")).unwrap().client_dir(clients);
        let pipeline = Pipeline::new(dump, LocalStore::open(&store).await.unwrap())
            .with_compressor(compress::parse("zstd:1").unwrap());
        let made = pipeline.backup(BackupRequest::new()).await.unwrap();
        let file = store.join(made.manifest.artifact.key.as_str());
        let names = [
            "zstdcat \\| client",
            "this library, into an empty database",
            "rehearsal, level restored",
            "rehearsal, level equal",
        ];
        let mut rows = names.map(table::Row::new);
        let (client, options) = (self.server.client(), self.folder.join("options"));
        let pipe = format!(
            "zstdcat {} | {} --defaults-file={} target",
            file.display(),
            client.display(),
            options.display()
        );
        for round in 0..rounds {
            for (index, row) in rows.iter_mut().enumerate() {
                self.server.sql("", "DROP DATABASE IF EXISTS target; CREATE DATABASE target").await;
                let mut command = if index == 0 { Command::new("bash") } else { this_program(&["restore"]) };
                if index == 0 {
                    command.args(["-o", "pipefail", "-c", &pipe]);
                } else {
                    command.args([&url, &clients.display().to_string(), &store.display().to_string()]);
                    command
                        .arg(made.backup.to_string())
                        .args([None, Some("restored"), Some("equal")][index - 1]);
                }
                settle();
                row.add(run(command), 0);
            }
            eprintln!("restore round {} of {rounds} done", round + 1);
        }
        table::print("restore", rows.iter(), 0);
    }

    fn shell(&self, row: &mut table::Row, script: &str) {
        let name = if self.server.flavour() == Flavour::MariaDb { "mariadb-dump" } else { "mysqldump" };
        let (dump, options) = (self.server.bin(name), self.folder.join("options"));
        let dump = format!("{} --defaults-file={} {OPTIONS} bench", dump.display(), options.display());
        let directory = self.sshd.directory().display();
        let ssh = format!(
            "ssh -F {directory}/ssh_config -i {directory}/user_key -o UserKnownHostsFile={directory}/known_hosts \
             -p {} 127.0.0.1",
            self.sshd.port()
        );
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &script.replace("$D", &dump).replace("$S", &ssh)]);
        command.current_dir(&self.folder);
        settle();
        let run = run(command);
        let out = self.folder.join("out");
        row.add(run, std::fs::metadata(&out).map_or(0, |meta| meta.len()));
        let _nothing_written = std::fs::remove_file(out);
    }

    async fn ours(&self, row: &mut table::Row, level: &str, ssh: &[&str]) {
        let store = self.folder.join("store");
        let clients = self.server.client().parent().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("one").arg(self.server.url("bench")).arg(clients).arg(&store).arg(level).args(ssh);
        settle();
        let run = run(command);
        let pipeline = Pipeline::for_store(LocalStore::open(&store).await.unwrap());
        let listing = pipeline.list(&Filter::all()).await.unwrap();
        row.add(run, listing.entries[0].manifest.artifact.size);
        std::fs::remove_dir_all(store).unwrap();
    }
}

/// What the last run left dirty must not be paid for by the next one.
fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}

/// Mixed rows: text, JSON, numbers, times, bytes.
fn fill(rows: u64) -> String {
    format!(
        "CREATE TABLE digits (d int); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
         CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, total decimal(12,2), note text, doc json,
           at datetime, token binary(16));
         SET SESSION sql_log_bin = 0, unique_checks = 0;
         INSERT INTO orders SELECT i, 1 + i % 9973, (i % 100000) / 7,
           REPEAT(CONCAT('the quick brown fox ', i % 13, ' jumps over '), 1 + i % 5),
           JSON_OBJECT('sku', CONCAT('P-', i % 5003), 'qty', 1 + i % 9, 'price', i % 10007),
           '2025-01-01' + INTERVAL i % 31536000 SECOND, UNHEX(SUBSTR(SHA2(i, 256), 1, 32))
         FROM (SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d + 1000000 * h.d AS i
           FROM digits h, digits g, digits f, digits e, digits c, digits b, digits a) n WHERE i <= {rows};"
    )
}
