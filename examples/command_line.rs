//! The `backup` and `quickstart` examples as a user runs them: exit codes, JSON, files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use examples::testing::example;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

struct Shop {
    folder: TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Connection::open(folder.path().join("shop.sqlite")).unwrap();
        shop.execute_batch("create table orders (item text); insert into orders values ('tea'), ('cup');")
            .unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn backup(&self, args: &str) -> Output {
        example("backup").args(args.split_whitespace()).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs with `--json`; the exit code and the one document on standard output.
    fn json(&self, args: &str) -> (i32, Value) {
        let output = self.backup(&format!("--json {args}"));
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|err| panic!("{args}: {err}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), document)
    }

    fn created(&self) -> String {
        let (code, created) = self.json("create --database sqlite:shop.sqlite --store backups");
        assert_eq!(code, 0, "{created}");
        created["result"]["backup"]["id"].as_str().unwrap().to_owned()
    }
}

fn orders(path: &Path) -> u64 {
    Connection::open(path).unwrap().query_row("select count(*) from orders", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_backup_goes_through_its_whole_life() {
    let shop = Shop::new();
    let (code, created) = shop.json(
        "create --database sqlite:shop.sqlite --store backups --environment production --kind pre-migration \
         --label v2 --reason tryout --tag team=shop --compression gzip:9",
    );
    assert_eq!(
        (code, &created["status"], &created["operation"]),
        (0, &"success".into(), &"create-backup".into())
    );
    assert_eq!(created["environment"], "production");
    let manifest = &created["result"]["manifest"];
    assert_eq!((&manifest["kind"], &manifest["tags"]["team"]), (&"pre-migration".into(), &"shop".into()));
    assert_eq!(manifest["inventory"]["tables"][0]["rows"], 2);
    let id = manifest["id"].as_str().unwrap();
    assert!(id.ends_with("-v2"), "{id}");

    let (code, listed) = shop.json("list --store backups");
    assert_eq!((code, listed["result"]["backups"].as_array().unwrap().len()), (0, 1));
    for level in ["present", "digest", "decoded"] {
        let (code, verified) = shop.json(&format!("verify {id} --store backups --level {level}"));
        assert_eq!((code, &verified["result"]["evidence"]["result"]), (0, &"passed".into()), "{verified}");
    }
    let restore = format!("restore {id} --store backups --target sqlite:restored.sqlite");
    let (code, plan) = shop.json(&format!("{restore} --dry-run"));
    assert_eq!((code, &plan["result"]["rows"]), (0, &2.into()), "{plan}");
    assert!(!shop.path("restored.sqlite").exists(), "a dry run changes nothing");
    let (code, refused) = shop.json(&restore);
    assert_eq!((code, &refused["code"]), (3, &"not_confirmed".into()));
    assert!(!shop.path("restored.sqlite").exists());
    let (code, restored) = shop.json(&format!("{restore} --confirm"));
    assert_eq!((code, &restored["result"]["rows"]), (0, &2.into()), "{restored}");
    assert_eq!(orders(&shop.path("restored.sqlite")), 2);

    let (code, refused) = shop.json(&format!("delete {id} --store backups"));
    assert_eq!((code, &refused["code"]), (3, &"not_confirmed".into()));
    let (code, _) = shop.json(&format!("delete production/shop/{id} --store backups --confirm"));
    assert_eq!(code, 0);
    let (code, listed) = shop.json("list --store backups");
    assert_eq!((code, listed["result"]["backups"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_target_with_tables_is_replaced_only_by_word_and_after_a_backup_of_it() {
    let shop = Shop::new();
    let id = shop.created();
    let live = Connection::open(shop.path("shop.sqlite")).unwrap();
    live.execute_batch("insert into orders values ('pot')").unwrap();
    drop(live);

    let restore = format!("restore {id} --store backups --target sqlite:shop.sqlite --confirm");
    let (code, refused) = shop.json(&restore);
    assert_eq!((code, &refused["code"]), (3, &"target_not_empty".into()));
    let (code, refused) = shop.json(&format!("{restore} --replace"));
    assert_eq!(
        (code, &refused["code"]),
        (3, &"invalid_input".into()),
        "the source itself needs another word"
    );
    assert_eq!(orders(&shop.path("shop.sqlite")), 3);

    let (code, restored) = shop.json(&format!("{restore} --replace --over-source"));
    assert_eq!(code, 0, "{restored}");
    assert_eq!(orders(&shop.path("shop.sqlite")), 2);
    let safety = restored["result"]["safety_backup"]["id"].as_str().unwrap();
    let (code, back) =
        shop.json(&format!("restore {safety} --store backups --target sqlite:before.sqlite --confirm"));
    assert_eq!((code, orders(&shop.path("before.sqlite"))), (0, 3), "{back}");
}

#[test]
fn a_target_with_nothing_but_a_view_is_backed_up_before_it_is_replaced() {
    let shop = Shop::new();
    let id = shop.created();
    let views = Connection::open(shop.path("views.sqlite")).unwrap();
    views.execute_batch("create view answer as select 42").unwrap();
    drop(views);

    let restore = format!("restore {id} --store backups --target sqlite:views.sqlite");
    for how in ["--dry-run", "--confirm"] {
        let (code, refused) = shop.json(&format!("{restore} {how}"));
        assert_eq!((code, &refused["code"]), (3, &"target_not_empty".into()), "{how}");
        assert!(!refused["error"].as_str().unwrap().contains("holds tables"), "{refused}");
    }
    let (code, plan) = shop.json(&format!("{restore} --replace --dry-run"));
    assert_eq!((code, &plan["result"]["safety_backup"]), (0, &true.into()), "{plan}");
    let (code, restored) = shop.json(&format!("{restore} --replace --confirm"));
    assert_eq!((code, &restored["result"]["rows_compared"]), (0, &"equal".into()), "{restored}");
    let safety = restored["result"]["safety_backup"]["id"].as_str().unwrap();
    let (code, _) = shop.json(&format!(
        "restore default/views/{safety} --store backups --target sqlite:before.sqlite --confirm"
    ));
    assert_eq!(code, 0);
    let before = Connection::open(shop.path("before.sqlite")).unwrap();
    assert_eq!(before.query_row("select * from answer", [], |row| row.get::<_, i64>(0)).unwrap(), 42);
}

#[test]
fn a_dry_run_names_every_obstacle_and_what_it_would_do() {
    let shop = Shop::new();
    let id = shop.created();
    let restore = |rest: &str| format!("restore {id} --store backups --target sqlite:{rest} --dry-run");
    let (code, refused) = shop.json(&restore("shop.sqlite"));
    let codes: Vec<_> =
        refused["blockers"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!((code, codes), (3, vec!["target_not_empty", "invalid_input"]));

    // The log of a database that is gone.
    std::fs::write(shop.path("gone.sqlite-wal"), "somebody's last rows").unwrap();
    assert_eq!(shop.json(&restore("gone.sqlite")).1["code"], "target_not_empty");

    let text = String::from_utf8(shop.backup(&restore("new.sqlite")).stdout).unwrap();
    for said in ["1 table, 2 rows", "a new database", "nothing was changed"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn every_error_has_a_code_a_suggestion_and_an_exit_code() {
    let shop = Shop::new();
    let id = shop.created();
    std::fs::write(shop.path("file"), "no folder").unwrap();
    std::fs::write(shop.path("text.sqlite"), "no database at all, but text").unwrap();
    for (args, code, exit) in [
        ("create --database sqlite:missing.sqlite --store backups", "database_not_found", 2),
        ("create --database sqlite:shop.sqlite --store backups --label ../x", "invalid_input", 3),
        ("create --database sqlite:shop.sqlite --store backups --compression lzma", "unsupported", 3),
        ("create --database mongodb://host/x --store backups", "invalid_input", 3),
        (
            "create --database postgresql://nobody@127.0.0.1:1/x --store backups",
            "database_connection_failed",
            2,
        ),
        ("list --store missing", "unavailable", 2),
        ("list --store file", "invalid_input", 3),
        ("verify backup-20260101-000000 --store backups", "not_found", 2),
        ("verify ../../etc/passwd --store backups", "invalid_input", 3),
    ] {
        let (exited, document) = shop.json(args);
        assert_eq!((document["code"].as_str(), exited), (Some(code), exit), "{args}: {document}");
        assert_eq!(document["status"], "error");
        assert!(!document["recovery"]["suggestions"].as_array().unwrap().is_empty(), "{args}: {document}");
    }
    assert_eq!(shop.backup("create --no-such-option").status.code(), Some(3));
    let (exited, document) = shop.json("create --no-such-option");
    assert_eq!((document["code"].as_str(), exited), (Some("invalid_input"), 3), "{document}");
    assert!(document["error"].as_str().unwrap().contains("--no-such-option"), "{document}");
    assert_eq!(example("quickstart").arg("--nonsense").output().unwrap().status.code(), Some(3));
    assert_eq!(shop.backup("--help").status.code(), Some(0));
    assert!(!shop.path("missing").exists(), "a wrong store is not made by looking at it");
    assert!(!shop.path("missing.sqlite").exists());
    assert_eq!(shop.json(&format!("verify {id} --store backups")).0, 0);
}

#[test]
fn a_url_is_never_taken_for_a_folder() {
    let shop = Shop::new();
    let id = shop.created();
    for args in [
        "create --database sqlite:shop.sqlite --store s3://geheim@bucket".to_owned(),
        "list --store s3://geheim@bucket".to_owned(),
        "copy --store backups --to sftp://geheim@host/backups".to_owned(),
    ] {
        let (code, refused) = shop.json(&args);
        assert_eq!((code, &refused["code"]), (3, &"invalid_input".into()), "{args}: {refused}");
        assert!(refused.to_string().contains("is no folder"), "{refused}");
        let said = String::from_utf8(shop.backup(&args).stderr).unwrap();
        assert!(said.contains("is no folder") && !said.contains("geheim"), "{said}");
        assert!(!refused.to_string().contains("geheim"), "{refused}");
    }
    let args = ["--any-tool", "--database", "sqlite:shop.sqlite", "--store", "s3://bucket/path"];
    let gate = example("ci_gate").args(args).current_dir(shop.folder.path()).output().unwrap();
    assert_eq!(gate.status.code(), Some(3), "{gate:?}");
    assert!(!shop.path("s3:").exists() && !shop.path("sftp:").exists());
    let url = format!("file://{}", shop.path("backups").display());
    assert_eq!(shop.json(&format!("verify {id} --store {url}")).0, 0);
}

#[test]
fn a_url_without_a_database_names_none() {
    let shop = Shop::new();
    let id = shop.created();
    for url in ["postgresql://me@127.0.0.1:1/", "postgres://me@127.0.0.1:1?sslmode=disable"] {
        for args in [
            format!("restore {id} --store backups --target {url} --dry-run"),
            format!("create --store backups --database {url}"),
        ] {
            let (code, refused) = shop.json(&args);
            assert_eq!((code, &refused["code"]), (3, &"invalid_input".into()), "{args}: {refused}");
            assert!(refused["error"].as_str().unwrap().contains("names no database"), "{refused}");
        }
    }
    let named = "create --store backups --database postgresql://me@127.0.0.1:1/?dbname=shop";
    assert_ne!(shop.json(named).1["code"], "invalid_input");
}

#[test]
fn store_and_environment_come_from_the_environment_too() {
    let shop = Shop::new();
    let output = example("backup")
        .args(["create", "--database", "sqlite:shop.sqlite"])
        .env("BACKUP_STORE", "elsewhere")
        .env("BACKUP_ENVIRONMENT", "staging")
        .current_dir(shop.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(shop.path("elsewhere/staging").is_dir());
}

#[test]
fn damage_is_found_and_ends_with_two() {
    let shop = Shop::new();
    let id = shop.created();
    let artifact = shop.path("backups/default/shop").join(format!("{id}.sqlite.zst"));
    let mut bytes = std::fs::read(&artifact).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&artifact, bytes).unwrap();

    let (code, verified) = shop.json(&format!("verify {id} --store backups --level digest"));
    assert_eq!((code, &verified["code"]), (2, &"backup_corrupted".into()));
    let (code, restored) =
        shop.json(&format!("restore {id} --store backups --target sqlite:new.sqlite --confirm"));
    assert_eq!((code, &restored["code"]), (2, &"backup_corrupted".into()));
    assert!(!shop.path("new.sqlite").exists(), "no byte reached the target");
}

#[test]
fn a_shallow_check_does_not_hide_what_a_deep_one_found() {
    let shop = Shop::new();
    let id = shop.created();
    let artifact = shop.path("backups/default/shop").join(format!("{id}.sqlite.zst"));
    let whole = std::fs::read(&artifact).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&artifact, damaged).unwrap();

    let verify = |level: &str| shop.json(&format!("verify {id} --store backups --level {level}")).0;
    let listed = || {
        let (code, listed) = shop.json("list --store backups");
        (code, listed["status"].clone(), listed["result"]["backups"][0]["standing"].clone())
    };
    assert_eq!((verify("decoded"), verify("present")), (2, 0));
    let failed = serde_json::json!({ "state": "failed", "level": "decoded" });
    assert_eq!(listed(), (1, "warning".into(), failed));
    let text = String::from_utf8(shop.backup("list --store backups").stdout).unwrap();
    assert!(text.starts_with("BACKUP ") && text.contains("FAILED (decoded)"), "{text}");

    std::fs::write(&artifact, whole).unwrap();
    assert_eq!(verify("decoded"), 0);
    let proven = serde_json::json!({ "state": "proven", "level": "decoded" });
    assert_eq!(listed(), (0, "success".into(), proven));
}

#[test]
fn what_is_wrong_in_a_store_is_a_warning_with_code_key_and_advice() {
    let shop = Shop::new();
    let (bad, gone) = (shop.created(), shop.created());
    let manifest = |id: &str| shop.path("backups/default/shop").join(format!("{id}.manifest.json"));
    std::fs::write(manifest(&bad), "{").unwrap();
    std::fs::remove_file(manifest(&gone)).unwrap();

    let (code, listed) = shop.json("list --store backups");
    assert_eq!((code, &listed["status"]), (1, &"warning".into()), "{listed}");
    let damaged = &listed["result"]["damaged"][0];
    assert_eq!(damaged["code"], "backup_corrupted");
    assert_eq!(damaged["key"], format!("default/shop/{bad}.manifest.json"));
    assert!(damaged["suggestions"][0].as_str().unwrap().contains(&bad), "{damaged}");
    assert!(listed["result"]["orphans"]["keys"][0].as_str().unwrap().contains(&gone), "{listed}");
    let swept = shop.backup("sweep --store backups --grace-hours 0");
    let text = String::from_utf8(swept.stdout).unwrap();
    assert!(text.contains("without a manifest") && text.contains("never swept"), "{text}");
    assert!(shop.path("backups/default/shop").join(format!("{gone}.sqlite.zst")).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_never_a_success() {
    let shop = Shop::new();
    let id = shop.created();
    let full = |args: &str| {
        let to = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = example("backup");
        command.args(args.split_whitespace()).current_dir(shop.folder.path()).stdout(to);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for read in ["list --store backups", "--json list --store backups", "--help"] {
        let (code, told) = full(read);
        assert_eq!(code, 2, "{read}: {told}");
    }
    let to = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut quickstart = example("quickstart");
    quickstart.current_dir(shop.folder.path()).env("TMPDIR", shop.folder.path()).stdout(to);
    assert_eq!(quickstart.output().unwrap().status.code(), Some(2));
    let (code, told) = full(&format!("verify {id} --store backups"));
    assert!(code == 2 && told.contains("standard output"), "{code} {told}");
    let (code, told) = full("create --database sqlite:shop.sqlite --store backups --label second");
    assert!(code == 1 && told.contains("the backup exists: default/shop/backup-"), "{code} {told}");
    assert_eq!(shop.json("list --store backups").1["result"]["backups"].as_array().unwrap().len(), 2);
    // A reader that went away has read what it wanted.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = example("backup");
    command.args(["list", "--store", "backups"]).current_dir(shop.folder.path()).stdout(writer);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn an_error_is_said_once_and_in_the_words_of_the_command_line() {
    let shop = Shop::new();
    let id = shop.created();
    let said = |args: &str| String::from_utf8(shop.backup(args).stderr).unwrap();
    let restore = said(&format!("restore {id} --store backups --target sqlite:shop.sqlite --dry-run"));
    for flag in ["--replace", "--over-source"] {
        assert!(restore.contains(flag), "{restore}");
    }
    let delete = said(&format!("delete {id} --store backups"));
    assert!(delete.contains("--confirm") && !delete.contains("dry run"), "{delete}");
    let refused = said("create --database postgresql://nobody@127.0.0.1:1/x --store backups");
    assert_eq!(refused.matches("Connection refused").count(), 1, "{refused}");
    assert!(!refused.contains("ERROR") && !refused.contains("caused by"), "{refused}");
    let other = if id.ends_with('9') { '8' } else { '9' };
    let near = said(&format!("verify {}{other} --store backups", &id[..id.len() - 1]));
    assert!(
        near.contains(&format!("did you mean default/shop/{id}")) && near.contains("store: file://"),
        "{near}"
    );
    let twice = said("create --database sqlite:shop.sqlite --store backups --tag a=1 --tag a=2");
    assert!(twice.contains("a tag is given twice, tag: a"), "{twice}");
}

#[test]
fn the_quickstart_runs_without_arguments_and_twice() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        // What the environment says is of no concern to whoever only looks.
        let output = example("quickstart")
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .env("BACKUP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(
            text.contains("3 tables and 5250 rows, as many in each table as the backup recorded"),
            "{text}"
        );
        let removal = text.lines().find(|line| line.trim().starts_with("rm ")).unwrap();
        assert!(removal.contains("quickstart-") && !removal.contains("backups"), "{removal}");
    }
    assert!(folder.path().join("backups/quickstart/shop").is_dir());
}

#[test]
fn a_configured_backup_is_made_and_a_wrong_file_is_refused_without_its_password() {
    let shop = Shop::new();
    let configured = |text: &str, args: &[&str]| {
        let file = shop.path("backups.toml");
        std::fs::write(&file, text).unwrap();
        let output = example("configured").arg("--config").arg(&file).args(args).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(told).unwrap())
    };
    let folder = shop.folder.path().display();
    let environment = |name: &str, source: &str| {
        format!(
            "[environments.{name}]\nstores = [{{ kind = \"local\", path = '{folder}/backups' }}]\nsource = {source}\n\
             retention = {{ keep_last = 2 }}\nhealth = {{ min_free_bytes = 1 }}\n"
        )
    };
    let sqlite = format!("{{ url = 'sqlite:{folder}/shop.sqlite' }}");
    let (code, told) = configured(&environment("a", &sqlite), &[]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("backed up  a/shop/") && told.contains("retention  keeps 1 backup"), "{told}");

    let two = environment("a", &sqlite) + &environment("b", &sqlite);
    let (code, told) = configured(&two, &[]);
    assert!(code == 3 && told.contains("give --environment one of a, b"), "{told}");
    let (code, told) = configured(&two, &["--environment", "b"]);
    assert!(code == 0 && told.contains("backed up  b/shop/"), "{told}");

    for (source, place) in [
        ("{ url = 'mysql://shop:hunter2@db/shop' }", "environments.a.source.url, line: 3, column: 18"),
        ("{ url = 'oracle://db/shop' }", "environments.a.source, line: 3, column: 10"),
        ("{ url = 'sqlite:shop.sqlite' }", "environments.a.source, line: 3, column: 10"),
        (
            "{ engine = 'postgresql', database = 'shop', options = { format = 'tar' } }",
            "options.format, line: 3",
        ),
        ("{ engine = 'mysql', database = 'shop', options = { format = 'tar' } }", "options.format, line: 3"),
    ] {
        let (code, told) = configured(&environment("a", source), &[]);
        assert!(code == 3 && told.contains(place) && !told.contains("hunter2"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_copies_of_sqlite_that_fails_is_reported_and_repaired() {
    let shop = Shop::new();
    let url = format!("sqlite:{}", shop.path("shop.sqlite").display());
    let database = examples::database::dumper(&url, None, examples::database::host(None).unwrap());
    examples::testing::one_of_two_copies_fails(database.unwrap()).await;
}

#[test]
fn the_doctor_tells_whether_store_and_database_are_as_they_should_be() {
    let shop = Shop::new();
    shop.created();
    let (code, examined) = shop.json("doctor --store backups --database sqlite:shop.sqlite");
    assert_eq!(code, 0, "{examined}");
    let checks = examined["result"]["store"]["checks"].as_array().unwrap();
    let outcome = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap()["outcome"].clone();
    assert_eq!(
        (outcome("create-race"), outcome("abort"), outcome("lock")),
        ("passed".into(), "passed".into(), "not-checked".into())
    );
    assert_eq!(examined["result"]["database"]["database"], "shop");
    let text = String::from_utf8(shop.backup("doctor --store backups").stdout).unwrap();
    assert!(text.contains("[passed] create-race") && !text.contains("[failed]"), "{text}");
    let (code, examined) = shop.json("doctor --store backups --database sqlite:missing.sqlite");
    assert_eq!((code, &examined["status"]), (1, &"warning".into()), "{examined}");
    let (_, listed) = shop.json("list --store backups");
    assert_eq!(listed["result"]["backups"].as_array().unwrap().len(), 1, "nothing of the probe is left");
}
