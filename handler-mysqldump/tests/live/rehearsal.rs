//! A rehearsal on a private server proves the dump, reaches nothing else, and leaves nothing.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use backup_core::{ByteStream, Contents, Dumper, ErrorKind, RestoreOptions, Restorer, Scratch, ScratchLike};
use bytes::Bytes;
use futures::StreamExt;
use handler_mysqldump::{MysqlRestore, Rehearse};
use tempfile::TempDir;

use crate::{
    round_trip::{plain, whole},
    server::Server,
};

/// What belongs to accounts that no other server has.
const OWNED: &str = r"
CREATE USER 'app'@'%' IDENTIFIED BY 'Zx9-plain'; CREATE USER 'odd`one'@'10.0.0.%' IDENTIFIED BY 'Zx9-plain';
GRANT ALL ON owned.* TO 'app'@'%'; GRANT ALL ON owned.* TO 'odd`one'@'10.0.0.%';
CREATE TABLE rows_of_app (id int PRIMARY KEY, at timestamp DEFAULT '2026-07-01 12:00:00');
INSERT INTO rows_of_app (id) VALUES (1), (2), (3);
CREATE DEFINER = 'app'@'%' SQL SECURITY DEFINER VIEW of_app AS SELECT id FROM rows_of_app;
CREATE DEFINER = 'root'@'localhost' VIEW of_root AS SELECT id FROM of_app;
CREATE DEFINER = 'odd`one'@'10.0.0.%' TRIGGER owned_trigger BEFORE INSERT ON rows_of_app FOR EACH ROW SET NEW.id = NEW.id + 1;
CREATE DEFINER = 'app'@'%' FUNCTION answer() RETURNS int DETERMINISTIC NO SQL RETURN 42;
CREATE DEFINER = 'app'@'%' EVENT cleans ON SCHEDULE EVERY 1 SECOND DO DELETE FROM rows_of_app;
";

/// A folder that the private server's user can enter, to be empty at the end.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The directories of private servers.
    fn servers(&self) -> Vec<PathBuf> {
        let mut found: Vec<_> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    async fn assert_clean(&self, processes: &[i32]) {
        let limit = Instant::now() + Duration::from_secs(20);
        let runs = |pid: &i32| Path::new(&format!("/proc/{pid}/cwd")).read_link().is_ok();
        while !self.servers().is_empty() || processes.iter().any(runs) {
            assert!(Instant::now() < limit, "{:?} {processes:?}", self.servers());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The process ids of everything that works in the directory of a private server.
fn processes_in(folder: &Path) -> Vec<i32> {
    let all =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let works = |pid: &i32| {
        Path::new(&format!("/proc/{pid}/cwd")).read_link().is_ok_and(|place| place.starts_with(folder))
    };
    all.filter(works).collect()
}

fn rehearsals(folder: &Folder) -> MysqlRestore {
    held_in(folder.path())
}

fn held_in(folder: impl Into<PathBuf>) -> MysqlRestore {
    let restore = MysqlRestore::rehearsals().staging(folder);
    match std::env::var_os("BACKUP_TEST_MYSQL_BIN") {
        Some(programs) => restore.server_dir(&programs).client_dir(programs),
        None => restore,
    }
}

async fn scratch(restore: &MysqlRestore) -> Box<dyn Scratch> {
    restore.scratch(&ScratchLike::anything()).await.unwrap()
}

/// The text of a database without what differs from run to run.
async fn text(dumper: &dyn Dumper) -> String {
    let dump = dumper.dump().await.unwrap();
    let bytes = dump.body.collect_bytes(1 << 28).await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| {
        ["-- Host:", "-- Server version", "-- Dump completed"].iter().all(|start| !line.starts_with(start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_comes_back_is_the_whole_database_with_its_definers() {
    let server = Server::start().await;
    server.fill("owned", 60).await;
    // On the source they would run too.
    server.sql("owned", "SET GLOBAL event_scheduler = OFF;").await;
    server.sql("owned", OWNED).await;
    let folder = Folder::new();
    let source = server.dump("owned");
    let like = ScratchLike::source(&source.probe().await.unwrap());
    let expected = text(&source).await;
    let started = Instant::now();
    let scratch = rehearsals(&folder).scratch(&like).await.unwrap();
    let ready = started.elapsed();
    let mut options = plain();
    options.source_encoding.clone_from(&like.encoding);
    let outcome = scratch.restorer().restore(ByteStream::from(whole(&source).await), options).await.unwrap();
    assert_eq!(outcome.warnings, Vec::<String>::new());
    assert_eq!(outcome.inventory.table("orders").unwrap().rows, 60);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let rows = scratch.scalar("SELECT COUNT(*) FROM of_root").await.unwrap();
    assert_eq!(rows.as_deref(), Some("3"), "no event runs");
    assert_eq!(text(&*scratch.dumper(Contents::All).unwrap()).await, expected);
    assert!(scratch.place().own_server);
    assert_eq!(Some(scratch.place().server_version), like.server_version);
    assert_eq!(scratch.scalar("SELECT @@skip_networking").await.unwrap().as_deref(), Some("1"));
    let servers = folder.servers();
    let mode = fs::metadata(&servers[0]).unwrap().permissions().mode();
    assert_eq!((servers.len(), mode & 0o777), (1, 0o700));
    let closing = Instant::now();
    scratch.close().await.unwrap();
    eprintln!("ready after {ready:?}, closed after {:?}", closing.elapsed());
    assert_eq!(folder.servers(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn several_databases_are_rehearsed_under_their_own_names() {
    let server = Server::start().await;
    server.fill("one_a", 20).await;
    server.fill("two_b", 10).await;
    let source = server.dump("one_a").also("two_b");
    let folder = Folder::new();
    let scratch = scratch(&rehearsals(&folder)).await;
    let body = ByteStream::from(whole(&source).await);
    let options = RestoreOptions::new(source.info().format);
    let outcome = scratch.restorer().restore(body, options).await.unwrap();
    assert_eq!(outcome.inventory.table("two_b.orders").unwrap().rows, 10);
    scratch.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_is_gone_and_so_is_one_of_a_task_that_panics() {
    let folder = Folder::new();
    let scratch_here = scratch(&rehearsals(&folder)).await;
    let processes = processes_in(&folder.servers()[0]);
    assert!(!processes.is_empty(), "{processes:?}");
    drop(scratch_here);
    assert_eq!(folder.servers(), Vec::<PathBuf>::new(), "gone when the drop is over");
    folder.assert_clean(&processes).await;

    let restore = rehearsals(&folder);
    let task = tokio::spawn(async move {
        let _held = scratch(&restore).await;
        panic!("on purpose");
    });
    assert!(task.await.unwrap_err().is_panic());
    folder.assert_clean(&[]).await;

    let restore = rehearsals(&folder);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _held = runtime.block_on(scratch(&restore));
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    folder.assert_clean(&[]).await;
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_whenever_that_is() {
    let folder = Folder::new();
    for wait in [0, 20, 100, 300, 600, 1200, 2400] {
        let restore = rehearsals(&folder);
        let started = tokio::time::timeout(Duration::from_millis(wait), scratch(&restore)).await;
        let dropped = Instant::now();
        drop(started);
        let processes: Vec<_> = folder.servers().iter().flat_map(|server| processes_in(server)).collect();
        folder.assert_clean(&processes).await;
        assert!(dropped.elapsed() < Duration::from_secs(5), "after {wait} ms: {:?}", dropped.elapsed());
    }
}

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn holds_a_server_until_it_is_killed() {
    let folder = std::env::var_os("BACKUP_TEST_HELD").expect("started by another test");
    let _held = scratch(&held_in(folder)).await;
    println!("held");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_server() {
    for signal in ["-KILL", "-TERM"] {
        let folder = Folder::new();
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rehearsal::holds_a_server_until_it_is_killed", "--ignored", "--nocapture"])
            .env("BACKUP_TEST_HELD", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(holder.stdout.take().unwrap());
        assert!(said.lines().any(|line| line.unwrap().contains("held")), "the holder runs");
        let processes = processes_in(&folder.servers()[0]);
        assert!(!processes.is_empty(), "{processes:?}");
        let killed = Command::new("kill").args([signal, &holder.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(!holder.wait().unwrap().success());
        let since = Instant::now();
        folder.assert_clean(&processes).await;
        eprintln!("gone {:?} after {signal}", since.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_is_an_error_that_says_so() {
    let server = Server::shared().await;
    server.fill("dies", 20000).await;
    let bytes = whole(&server.dump("dies")).await;
    let folder = Folder::new();
    let scratch = scratch(&rehearsals(&folder)).await;
    let processes = processes_in(&folder.servers()[0]);
    let pid = fs::read_to_string(folder.servers()[0].join("pid")).unwrap().trim().to_owned();
    let half = bytes.len() / 2;
    let (first, second) = (bytes.slice(..half), bytes.slice(half..));
    let body = futures::stream::iter([first, second]).enumerate().then(move |(at, chunk)| {
        let pid = pid.clone();
        async move {
            if at == 1 {
                assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            }
            Ok::<Bytes, backup_core::Error>(chunk)
        }
    });
    let err = scratch.restorer().restore(ByteStream::new(body), plain()).await.unwrap_err();
    assert!(matches!(err.kind(), ErrorKind::Unavailable | ErrorKind::ConnectionFailed), "{err}");
    scratch.close().await.unwrap();
    folder.assert_clean(&processes).await;
}

/// A dump with `statement` in its middle, as the program ends it.
fn hostile(statement: &str) -> ByteStream {
    ByteStream::from(Bytes::from(format!(
        "-- MariaDB dump 10.19\nCREATE TABLE `t` (a text);\nINSERT INTO `t` VALUES ('x');\n{statement}\n-- Dump completed\n"
    )))
}

#[tokio::test]
async fn a_hostile_dump_reaches_nothing_outside() {
    let folder = Folder::new();
    let outside = Folder::new();
    let mark = outside.path().join("mark");
    let mark = mark.display();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let secret = secret.display();
    let scratch = scratch(&rehearsals(&folder)).await;
    let restore = async |statement: &str| scratch.restorer().restore(hostile(statement), plain()).await;
    for statement in [
        format!("\\! touch {mark}"),
        format!("system touch {mark};"),
        format!("tee {mark};"),
        format!("\\T {mark}"),
        format!("source {secret};"),
        format!("\\. {secret}"),
        format!("SELECT 'x' INTO OUTFILE '{mark}';"),
        format!("SELECT 'x' INTO DUMPFILE '{mark}';"),
        format!("LOAD DATA INFILE '{secret}' INTO TABLE t;"),
        format!("LOAD DATA LOCAL INFILE '{secret}' INTO TABLE t;"),
        format!("SET GLOBAL general_log_file = '{mark}';"),
        "INSTALL PLUGIN x SONAME 'ha_archive.so';".to_owned(),
        "CREATE FUNCTION f RETURNS string SONAME 'udf.so';".to_owned(),
        "INSERT INTO mysql.func VALUES ('f', 0, 'udf.so', 'function');".to_owned(),
        "CREATE USER 'other'@'localhost';".to_owned(),
        "GRANT FILE ON *.* TO CURRENT_USER();".to_owned(),
        "SELECT user FROM mysql.user;".to_owned(),
        "SELECT * FROM mysql.global_priv;".to_owned(),
        "SHUTDOWN;".to_owned(),
        "USE mysql;\nCREATE TABLE u (a int);".to_owned(),
        // Runs as somebody else, who may not do it either.
        "CREATE DEFINER=`root`@`localhost` PROCEDURE p() SELECT 'x' INTO OUTFILE '/tmp/x';\nCALL p();".to_owned(),
        "CREATE DEFINER=`mariadb.sys`@`localhost` PROCEDURE p() SELECT COUNT(*) FROM mysql.global_priv;\nCALL p();"
            .to_owned(),
        "CREATE DEFINER=`mysql.session`@`localhost` PROCEDURE p() SELECT COUNT(*) FROM mysql.user;\nCALL p();"
            .to_owned(),
    ] {
        let err = restore(&statement).await.expect_err(&statement);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{statement}: {err}");
        assert!(scratch.restorer().probe().await.unwrap().is_empty(), "{statement}: {err}");
    }
    // Refused, or made where all tables are.
    let elsewhere = format!(
        "CREATE TABLE u (a int) DATA DIRECTORY = '{0}' INDEX DIRECTORY = '{0}';",
        outside.path().display()
    );
    let engines = ["InnoDB", "MyISAM"]
        .map(|engine| elsewhere.replace("DATA DIR", &format!("ENGINE = {engine} DATA DIR")));
    for statement in engines {
        let scratch = self::scratch(&rehearsals(&folder)).await;
        let _refused = scratch.restorer().restore(hostile(&statement), plain()).await;
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{statement}");
        scratch.close().await.unwrap();
    }
    // A function that reads a file has nothing to read.
    restore(&format!("INSERT INTO t SELECT COALESCE(LOAD_FILE('{secret}'), 'nothing');")).await.unwrap();
    let read = scratch.scalar("SELECT GROUP_CONCAT(a ORDER BY a) FROM t").await.unwrap();
    assert_eq!(read.as_deref(), Some("nothing,x"));
    scratch.close().await.unwrap();
}

#[tokio::test]
async fn without_a_server_program_the_target_is_used_or_the_package_named() {
    let server = Server::shared().await;
    server.create_database("fallback").await;
    let nothing = tempfile::tempdir().unwrap();
    let restore = server.restore("fallback").server_dir(nothing.path());
    let scratch = restore.scratch(&ScratchLike::anything()).await.unwrap();
    assert!(!scratch.place().own_server);
    assert_eq!(server.leftovers("fallback").await.len(), 1);
    scratch.close().await.unwrap();

    let private = restore.rehearse_in(Rehearse::PrivateServer);
    let mut like = ScratchLike::anything();
    like.server_version = Some("8.0.36".to_owned());
    let err = private.scratch(&like).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound);
    assert!(err.suggestions().iter().any(|text| text.contains("mysql-server")), "{err:?}");

    // An older server than the dump's would not take it, and neither would another flavour's.
    for version in ["99.1.2", "99.1.2-MariaDB"] {
        like.server_version = Some(version.to_owned());
        let err = MysqlRestore::rehearsals().scratch(&like).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolNotFound, "{err}");
    }
}
