//! What a user may not do is an error before the first byte, never a smaller dump.

use backup_core::{Dumper, ErrorKind};
use handler_mysqldump::{Consistency, MysqlDump, Stored};

use crate::{
    round_trip::{scanned, whole},
    server::Server,
};

async fn dump_as(server: &Server, user: &str, rights: &str) -> MysqlDump {
    server
        .sql(
            "",
            &format!(
                "DROP USER IF EXISTS {user}@'127.0.0.1'; CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'pw';"
            ),
        )
        .await;
    server.sql("", &format!("GRANT {rights} ON `rights`.* TO {user}@'127.0.0.1';")).await;
    MysqlDump::new(server.config("rights").user(user).password("pw")).client_dir(server.clients())
}

#[tokio::test]
async fn each_missing_right_is_named_before_the_first_byte() {
    let server = Server::shared().await;
    server.fill("rights", 5).await;
    let all = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "LOCK TABLES", "EXECUTE"];
    for missing in all.iter().take(5) {
        let rights: Vec<&str> = all.iter().filter(|right| *right != missing).copied().collect();
        let dump = dump_as(&server, "poor", &rights.join(", ")).await;
        let dump = if *missing == "LOCK TABLES" { dump.consistency(Consistency::LockTables) } else { dump };
        let err = dump.dump().await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{missing}: {err:?}");
        assert!(err.to_string().contains(&format!("missing: {missing},")), "{missing}: {err}");
        let grant = format!("GRANT {missing} ON `rights`.* TO `poor`@`127.0.0.1`");
        assert!(err.suggestions().iter().any(|text| text.contains(&grant)), "{err:?}");
    }
    // Neither PROCESS nor RELOAD is needed, nor LOCK TABLES in one transaction.
    let rights = "SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE";
    let dump = dump_as(&server, "enough", rights).await.routines(Stored::Omit);
    let bytes = whole(&dump).await;
    assert_eq!(scanned(&bytes).table("orders").unwrap().rows, 5);
    assert!(String::from_utf8_lossy(&bytes).contains(" TRIGGER "));
}

#[tokio::test]
async fn routines_that_cannot_be_seen_are_an_error_or_a_warning() {
    let server = Server::shared().await;
    server.sql("", "DROP DATABASE IF EXISTS rights2;").await;
    server.fill("rights2", 5).await;
    for (rights, warned) in [("SELECT, SHOW VIEW, TRIGGER, EVENT", true), ("ALL PRIVILEGES", false)] {
        server
            .sql(
                "",
                &format!(
                    "DROP USER IF EXISTS half@'127.0.0.1'; CREATE USER half@'127.0.0.1' IDENTIFIED BY 'pw';
                GRANT {rights} ON `rights2`.* TO half@'127.0.0.1';"
                ),
            )
            .await;
        let dump =
            MysqlDump::new(server.config("rights2").user("half").password("pw")).client_dir(server.clients());
        let dump = dump.dump().await.unwrap();
        assert_eq!(dump.warnings.iter().any(|text| text.contains("routines")), warned, "{:?}", dump.warnings);
        let read = dump.body.collect_bytes(1 << 24).await;
        // One that may see that there are routines, but not what they do, fails.
        match read {
            Ok(_) => assert!(warned),
            Err(err) => assert_eq!((err.kind(), warned), (ErrorKind::PermissionDenied, false), "{err:?}"),
        }
    }
}
