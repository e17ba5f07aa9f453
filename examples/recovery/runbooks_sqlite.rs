//! The runbooks that need no server.

use std::path::Path;

use examples::testing::json;
use rusqlite::Connection;

use super::runbooks::Stage;

const FILL: &str = "create table orders (id integer primary key, item text);
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 500)
        insert into orders select i, 'item ' || i from n;";

fn shop(stage: &Stage) {
    Connection::open(stage.path("shop.sqlite")).unwrap().execute_batch(FILL).unwrap();
}

fn change(stage: &Stage, sql: &str) {
    Connection::open(stage.path("shop.sqlite")).unwrap().execute_batch(sql).unwrap();
}

/// How many orders there are, and that the application can write another.
fn orders(path: &Path) -> i64 {
    let shop = Connection::open(path).unwrap();
    let all = "select count(*) from orders where item = 'item ' || id";
    let counted = shop.query_row(all, [], |row| row.get(0)).unwrap();
    shop.execute_batch("insert into orders (item) values ('the first afterwards')").unwrap();
    counted
}

/// Backs the shop up; `environment/database/id`.
fn created(stage: &Stage, args: &[&str]) -> String {
    let mut create = examples::testing::example("backup");
    create.args(["--json", "create", "--environment", "production", "--store"]).arg(stage.path("backups"));
    create.arg("--database").arg(format!("sqlite:{}", stage.path("shop.sqlite").display())).args(args);
    let output = create.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    format!("production/shop/{}", json(&output)["result"]["backup"]["id"].as_str().unwrap())
}

fn copied(stage: &Stage, to: &str) {
    stage.sh(&format!("cargo backup copy --store backups --to {to}"), &[].into());
}

fn text(stage: &Stage, name: &str) -> String {
    stage.path(name).display().to_string()
}

#[test]
fn ransomware_is_survived_by_a_copy_that_it_could_not_reach() {
    let stage = Stage::new(None);
    shop(&stage);
    let good = created(&stage, &["--label", "good"]);
    // What the attacker wrote before it was noticed is backed up, and its artifact in the copy was tampered with too.
    change(
        &stage,
        "update orders set item = hex(randomblob(20)); insert into orders (item) values ('pay us');",
    );
    let late = created(&stage, &["--label", "late"]);
    copied(&stage, "offsite");
    let tampered = stage.path(&format!("offsite/{late}.sqlite.zst"));
    let mut bytes = std::fs::read(&tampered).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&tampered, bytes).unwrap();
    for file in examples::testing::files(&stage.path("backups")) {
        std::fs::write(file, "your files are encrypted").unwrap();
    }
    std::fs::write(stage.path("shop.sqlite"), "your files are encrypted").unwrap();

    std::fs::create_dir(stage.path("clean")).unwrap();
    let names = [
        ("survivor", text(&stage, "offsite")),
        ("store", text(&stage, "clean/backups")),
        ("database", text(&stage, "clean/shop.sqlite")),
        ("id", good),
    ];
    let said = stage.follow("ransomware", &names);
    assert!(said.contains("as many in each table as the backup recorded"), "{said}");
    assert!(said.contains("some of it is damaged"), "what was tampered with is named: {said}");
    assert!(!stage.path(&format!("clean/backups/{late}.manifest.json")).exists());
    assert_eq!(orders(&stage.path("clean/shop.sqlite")), 500);
}

#[test]
fn a_lost_key_is_replaced_by_another_recipients() {
    let stage = Stage::new(None);
    shop(&stage);
    for key in ["lost.txt", "escrow.txt"] {
        stage.sh(&format!("cargo backup new-key --identity {key}"), &[].into());
    }
    let public =
        |key: &str| stage.sh(&format!("sed -n 's/^# public key: //p' {key}"), &[].into()).trim().to_owned();
    let id = created(&stage, &["--recipient", &public("lost.txt"), "--recipient", &public("escrow.txt")]);
    std::fs::remove_file(stage.path("lost.txt")).unwrap();
    std::fs::remove_file(stage.path("shop.sqlite")).unwrap();

    let names = [
        ("store", text(&stage, "backups")),
        ("escrow", text(&stage, "escrow.txt")),
        ("new_key", text(&stage, "new.txt")),
        ("database", text(&stage, "shop.sqlite")),
        ("id", id.clone()),
    ];
    let said = stage.follow("key-lost", &names);
    assert!(said.contains("can be opened") && said.contains("as many in each table"), "{said}");
    assert_eq!(orders(&stage.path("shop.sqlite")), 500);

    // What is said first is true: with no identity of its recipients a backup stays shut.
    let said =
        stage.sh(&format!("! cargo backup verify {id} --store backups --identity new.txt"), &[].into());
    assert!(said.contains("no identity"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(stage.path("new.txt")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_lost_catalog_comes_back_from_a_copy_from_a_file_or_not_at_all() {
    let stage = Stage::new(None);
    shop(&stage);
    let by_copy = created(&stage, &["--label", "copied"]);
    copied(&stage, "offsite");
    let by_file = created(&stage, &["--label", "in-the-file"]);
    stage.sh("cargo backup export-catalog --store backups --to exported.json", &[].into());
    let before = stage.sh("cargo backup --json list --store backups", &[].into());
    let by_nothing = created(&stage, &["--label", "in-neither"]);
    // Manifests and notes are gone, and of one the notes alone are left.
    stage.sh(
        "find backups -name '*.manifest.json' -delete; rm -r backups/production/shop/*-copied.notes",
        &[].into(),
    );
    std::fs::remove_file(stage.path("shop.sqlite")).unwrap();

    let names = [
        ("store", text(&stage, "backups")),
        ("offsite", text(&stage, "offsite")),
        ("exported", text(&stage, "exported.json")),
        ("artifact", stage.path(&format!("backups/{by_nothing}.sqlite.zst")).display().to_string()),
        ("database", text(&stage, "shop.sqlite")),
        ("fresh", text(&stage, "fresh.json")),
    ];
    let said = stage.follow("catalog-lost", &names);
    assert!(said.contains("brought back 1 manifest") && said.contains("without a manifest"), "{said}");
    assert_eq!(orders(&stage.path("shop.sqlite")), 500);

    let document =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["result"]["backups"].clone();
    let after = stage.sh("cargo backup --json list --store backups || test $? -eq 1", &[].into());
    let after = document(&after);
    for entry in document(&before).as_array().unwrap() {
        assert!(after.as_array().unwrap().contains(entry), "{entry}");
    }
    for id in [&by_copy, &by_file] {
        stage.sh(&format!("cargo backup verify {id} --store backups --level decoded"), &[].into());
    }
    let fresh = std::fs::read_to_string(stage.path("fresh.json")).unwrap();
    assert!(
        fresh.contains("-catalogued") && fresh.contains("-in-the-file") && !fresh.contains("-in-neither")
    );
}
