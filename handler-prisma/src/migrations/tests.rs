use super::*;

fn at(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(1_795_211_508 + seconds, 0)
}

fn row(name: &str, state: MigrationState) -> MigrationRow {
    let script = LocalMigration::new(name, Some(name.as_bytes()));
    MigrationRow {
        id: format!("{name}-{state:?}"),
        checksum: script.checksum().unwrap().to_owned(),
        name: name.to_owned(),
        started_at: at(0),
        finished_at: at(1).filter(|_| state == MigrationState::Applied),
        rolled_back_at: at(2).filter(|_| state == MigrationState::RolledBack),
        logs: None,
        applied_steps: u64::from(state == MigrationState::Applied),
    }
}

fn history(rows: Vec<MigrationRow>, local: &[&str]) -> History {
    History {
        table: MigrationsTable::Present,
        rows,
        local: local.iter().map(|name| LocalMigration::new(*name, Some(name.as_bytes()))).collect(),
        folder: MigrationsFolder::Present,
        lock_provider: Some("postgresql".to_owned()),
        provider: "postgresql".to_owned(),
    }
}

fn applies(names: &[&str]) -> NextDeploy {
    NextDeploy::Applies { migrations: names.iter().map(|name| (*name).to_owned()).collect() }
}

use MigrationState::{Applied, Failed, RolledBack};

#[test]
fn the_next_deploy_is_what_migrate_deploy_does() {
    let cases = [
        (history(vec![row("a", Applied), row("b", Applied)], &["a", "b"]), NextDeploy::Nothing),
        (history(vec![row("a", Applied)], &["a", "b", "c"]), applies(&["b", "c"])),
        // Out of order, and with a row that the folder does not have.
        (history(vec![row("z", Applied), row("b", Applied)], &["a", "b"]), applies(&["a"])),
        // `migrate status` calls this up to date.
        (history(vec![row("a", Applied), row("b", RolledBack)], &["a", "b"]), applies(&["b"])),
        (history(vec![row("a", RolledBack), row("a", Applied)], &["a"]), NextDeploy::Nothing),
        (
            history(vec![row("a", RolledBack), row("a", Failed)], &["a"]),
            NextDeploy::Stops(Obstacle::Failed { migrations: vec!["a".to_owned()] }),
        ),
        // Also of a migration that the folder does not have.
        (
            history(vec![row("x", Failed)], &[]),
            NextDeploy::Stops(Obstacle::Failed { migrations: vec!["x".to_owned()] }),
        ),
        (history(vec![], &[]), NextDeploy::Nothing),
    ];
    for (history, expected) in cases {
        assert_eq!(history.next_deploy(), expected, "{history:?}");
    }
}

#[test]
fn a_database_with_tables_and_no_history_needs_a_baseline() {
    let with = |table, local: &[&str]| History { table, ..history(vec![], local) }.next_deploy();
    assert_eq!(with(MigrationsTable::MissingInEmpty, &["a"]), applies(&["a"]));
    assert_eq!(with(MigrationsTable::MissingBesideOthers, &["a"]), NextDeploy::Stops(Obstacle::NoBaseline));
}

#[test]
fn what_stops_a_deploy_says_the_way_out() {
    let other = History { lock_provider: Some("mysql".to_owned()), ..history(vec![], &["a"]) };
    let NextDeploy::Stops(other) = other.next_deploy() else { panic!("{other:?}") };
    let mut bare = history(vec![row("a", Applied)], &["a"]);
    bare.local.push(LocalMigration::new("b", None));
    let NextDeploy::Stops(bare) = bare.next_deploy() else { panic!("{bare:?}") };
    let failed = Obstacle::Failed { migrations: vec!["a".to_owned()] };
    for (obstacle, code, way_out) in [
        (other, "P3019", "migrate dev"),
        (bare, "P3015", "bring the file back"),
        (failed, "P3009", "resolve --rolled-back"),
        (Obstacle::NoBaseline, "P3005", "resolve --applied"),
    ] {
        let err = obstacle.to_error();
        assert_eq!(obstacle.code(), code);
        assert!(err.to_string().contains(code) && err.kind().is_refusal(), "{err}");
        assert!(err.suggestions().join(" ").contains(way_out), "{err}");
    }
}

#[test]
fn edits_and_strangers_are_told_and_stop_nothing() {
    let mut history =
        history(vec![row("a", Applied), row("gone", Applied), row("gone2", RolledBack)], &["a"]);
    history.local[0] = LocalMigration::new("a", Some(b"another script"));
    assert_eq!((history.edited(), history.missing_locally()), (vec!["a"], vec!["gone"]));
    assert_eq!(history.next_deploy(), NextDeploy::Nothing);
}

#[test]
fn a_fingerprint_changes_with_every_row() {
    let one = history(vec![row("a", Applied)], &["a"]);
    let local = history(vec![row("a", Applied)], &["a", "b"]);
    assert_eq!(one.fingerprint(), local.fingerprint());
    for other in [vec![], vec![row("a", Failed)], vec![row("a", Applied), row("b", Applied)]] {
        assert_ne!(one.fingerprint(), history(other, &["a"]).fingerprint());
    }
}
