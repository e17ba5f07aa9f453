use super::*;
use crate::format::{Consistency, Content, Position, Stored};

fn mariadb() -> Version {
    Version::new(Flavour::MariaDb, 10, 11, 19)
}

fn mysql(major: u32, minor: u32, patch: u32) -> Version {
    Version::new(Flavour::MySql, major, minor, patch)
}

fn args(settings: &DumpSettings, client: Version) -> Vec<Vec<String>> {
    let settings = settings.clone().fitted(client);
    settings.runs().iter().map(|run| settings.args(run, "shop", client)).collect()
}

fn has(args: &[String], wanted: &str) -> bool {
    args.iter().any(|arg| arg == wanted)
}

#[test]
fn everything_is_dumped_in_one_transaction_unless_said_otherwise() {
    for client in [mariadb(), mysql(9, 7, 4), mysql(5, 7, 44)] {
        let runs = args(&DumpSettings::default(), client);
        assert_eq!(runs.len(), 1);
        let args = &runs[0];
        for wanted in [
            "--single-transaction",
            "--quick",
            "--routines",
            "--triggers",
            "--events",
            "--hex-blob",
            "--default-character-set=utf8mb4",
            "--no-tablespaces",
        ] {
            assert!(has(args, wanted), "{wanted}: {args:?}");
        }
        assert!(args.ends_with(&["--".to_owned(), "shop".to_owned()]));
        assert!(!args.iter().any(|arg| arg.contains("comments") || arg.contains("compact")));
    }
}

#[test]
fn each_flavour_gets_the_options_that_it_knows() {
    let position = DumpSettings { position: Position::Record, ..DumpSettings::default() };
    let maria = args(&position, mariadb()).remove(0);
    assert!(
        has(&maria, "--master-data=2")
            && has(&maria, "--gtid")
            && !maria.iter().any(|arg| arg.contains("purged"))
    );
    let new = args(&position, mysql(8, 0, 36)).remove(0);
    assert!(has(&new, "--source-data=2") && has(&new, "--set-gtid-purged=COMMENTED"));
    assert!(has(&new, "--skip-column-statistics"));
    let old = args(&position, mysql(5, 7, 44)).remove(0);
    assert!(has(&old, "--master-data=2") && has(&old, "--set-gtid-purged=OFF"));
    assert!(!old.iter().any(|arg| arg.contains("column-statistics")));
    let plain = args(&DumpSettings::default(), mysql(9, 7, 4)).remove(0);
    assert!(has(&plain, "--set-gtid-purged=OFF") && !plain.iter().any(|arg| arg.contains("data=")));
}

#[test]
fn tables_with_conditions_are_runs_of_their_own_before_the_rest() {
    let mut settings = DumpSettings { without_rows: vec!["sessions".to_owned()], ..DumpSettings::default() };
    settings.conditions.insert("log".to_owned(), "at > 1".to_owned());
    let maria = args(&settings, mariadb());
    assert_eq!(maria.len(), 2);
    assert!(maria[0].ends_with(&["--where=at > 1", "--", "shop", "log"].map(str::to_owned)), "{maria:?}");
    assert!(
        has(&maria[0], "--skip-routines") && has(&maria[0], "--skip-events") && has(&maria[0], "--triggers")
    );
    assert!(has(&maria[1], "--ignore-table=shop.log") && has(&maria[1], "--ignore-table-data=shop.sessions"));
    let my = args(&settings, mysql(9, 7, 4));
    assert_eq!(my.len(), 3, "a client without --ignore-table-data");
    assert!(my[1].ends_with(&["--where=FALSE", "--", "shop", "sessions"].map(str::to_owned)), "{my:?}");
    assert!(has(&my[2], "--ignore-table=shop.sessions") && has(&my[2], "--routines"));
}

#[test]
fn contents_and_locks_are_told() {
    let schema = DumpSettings { content: Content::SchemaOnly, ..DumpSettings::default() };
    assert!(has(&args(&schema, mariadb())[0], "--no-data"));
    let data = DumpSettings { content: Content::DataOnly, ..DumpSettings::default() };
    let data = args(&data, mariadb()).remove(0);
    for wanted in ["--no-create-info", "--skip-triggers", "--skip-routines", "--skip-events"] {
        assert!(has(&data, wanted), "{wanted}");
    }
    let locked = DumpSettings {
        consistency: Consistency::LockTables,
        events: Stored::Omit,
        ..DumpSettings::default()
    };
    let locked = args(&locked, mariadb()).remove(0);
    assert!(
        has(&locked, "--lock-tables")
            && !has(&locked, "--single-transaction")
            && has(&locked, "--skip-events")
    );
    let chosen = DumpSettings { tables: vec!["-a".to_owned()], ..DumpSettings::default() };
    let chosen = args(&chosen, mariadb()).remove(0);
    assert!(chosen.ends_with(&["--", "shop", "-a"].map(str::to_owned)) && has(&chosen, "--skip-routines"));
}

#[test]
fn arguments_that_would_break_a_promise_are_refused() {
    for arg in [
        "--skip-comments",
        "--compact",
        "--comp",
        "--result-file=/tmp/x",
        "--force",
        "--databases",
        "--host=x",
        "--ssl-mode=DISABLED",
        "--skip-ssl",
        "--where=1",
        "--loose-skip-comments",
        "--skip_comments",
        "-f",
        "positional",
        "--",
    ] {
        let err = check_extra(arg).unwrap_err();
        assert_eq!(err.kind(), backup_core::ErrorKind::InvalidInput, "{arg}");
        assert!(!err.suggestions().is_empty(), "{arg}");
    }
    for arg in [
        "--net-buffer-length=16384",
        "--order-by-primary",
        "--skip-extended-insert",
        "--complete-insert",
        "--skip-tz-utc",
    ] {
        check_extra(arg).unwrap();
    }
}

#[test]
fn the_option_file_holds_the_connection_and_survives_every_letter() {
    let config = MysqlConfig::new("db")
        .host("db.example")
        .port(3307)
        .user("o'user")
        .password("p@\"s\\s;# '\n\té")
        .tls(Tls::Required)
        .tls_ca("/etc/ca.pem");
    let my = option_file(&config, mysql(8, 0, 36));
    assert_eq!(
        my.expose(),
        "[client]\nprotocol=\"tcp\"\nhost=\"db.example\"\nport=\"3307\"\nuser=\"o'user\"\n\
         password=\"p@\\\"s\\\\s;# '\\n\\té\"\nssl-ca=\"/etc/ca.pem\"\nssl-mode=REQUIRED\n[mysql]\nconnect-timeout=15\n"
    );
    let maria = option_file(&config, mariadb());
    assert!(
        maria.expose().contains("\nssl\nskip-ssl-verify-server-cert\n"),
        "no word that MariaDB does not know"
    );
    assert!(!maria.expose().contains("ssl-mode"));
    let own = option_file(&MysqlConfig::new("db").option_file("/home/u/.my.cnf"), mariadb());
    assert!(own.expose().starts_with("!include /home/u/.my.cnf\n[client]\n"));
}
