//! Several databases in one backup.

use backup_core::{
    ByteStream, Dumper, Error, ErrorKind, OnExisting, RestoreOptions, Restorer, inventory::Inspector,
};
use bytes::Bytes;
use handler_mysqldump::Definers;

use crate::{round_trip::whole, server::Server};

fn options() -> RestoreOptions {
    RestoreOptions::new("databases")
}

async fn restore(server: &Server, body: ByteStream) -> backup_core::Result<backup_core::RestoreOutcome> {
    server.restore("several_none").definers(Definers::Strip).restore(body, options()).await
}

#[tokio::test]
async fn several_databases_come_back_under_their_names_and_touch_no_other() {
    let server = Server::start().await;
    server.fill("several_a", 20).await;
    server.fill("several_b", 7).await;
    server.create_database("several_none").await;
    let sums = [server.checksums("several_a").await, server.checksums("several_b").await];
    let dump = server.dump("several_a").also("several_b");
    assert_eq!(dump.info().format, "databases");
    let bytes = whole(&dump).await;
    let mut inspector = Inspector::for_format("mysql", "databases");
    inspector.tap.update(&bytes).unwrap();
    inspector.tap.finish().unwrap();
    let inventory = inspector.inventory.take().flatten().unwrap();
    assert_eq!(inventory.table("several_a.orders").unwrap().rows, 20);
    assert_eq!(inventory.table("several_b.orders").unwrap().rows, 7);

    // One of them is still there: it stays, and the one that was made already goes again.
    server.sql("", "DROP DATABASE several_a;").await;
    let err = restore(&server, ByteStream::from(bytes.clone())).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{err:?}");
    assert!(!server.databases().await.contains(&"several_a".to_owned()));
    assert_eq!(server.checksums("several_b").await, sums[1]);

    server.sql("", "DROP DATABASE several_b;").await;
    let outcome = restore(&server, ByteStream::from(bytes.clone())).await.unwrap();
    assert_eq!(inventory.differences(&outcome.inventory), Vec::<String>::new());
    assert_eq!([server.checksums("several_a").await, server.checksums("several_b").await], sums);
    assert_eq!(server.sql("several_b", "SELECT twice(2);").await, "4");

    let replace = options().with_on_existing(OnExisting::Replace);
    let err = server.restore("several_none").restore(ByteStream::from(bytes), replace).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_dump_of_several_that_fails_or_reaches_elsewhere_leaves_nothing() {
    let server = Server::shared().await;
    server.create_database("several_victim").await;
    let begin = "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `several_new` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n\
        USE `several_new`;\nCREATE TABLE t (a int);\n";
    let cut = ByteStream::new(futures::stream::iter([
        Ok(Bytes::from_static(begin.as_bytes())),
        Err(Error::new(ErrorKind::Corrupt, "digest does not match")),
    ]));
    assert_eq!(restore(&server, cut).await.unwrap_err().kind(), ErrorKind::Corrupt);
    for elsewhere in
        ["USE `several_victim`;\nDROP DATABASE several_victim;\n", "DROP DATABASE `several_victim`;\n"]
    {
        let body = ByteStream::from(Bytes::from(format!("{begin}{elsewhere}")));
        let err = restore(&server, body).await.unwrap_err();
        assert!(matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{err:?}");
    }
    let databases = server.databases().await;
    assert!(
        !databases.contains(&"several_new".to_owned()) && databases.contains(&"several_victim".to_owned())
    );
}

#[tokio::test]
async fn tables_are_not_chosen_among_several_databases() {
    let server = Server::shared().await;
    for dump in [
        server.dump("mysql").also("sys").table("user"),
        server.dump("mysql").also("sys").rows_where("user", "1"),
        server.dump("mysql").also("mysql"),
        server.dump("mysql").also(""),
    ] {
        assert_eq!(dump.dump().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn definers_that_do_not_exist_leave_none_of_the_databases() {
    let server = Server::shared().await;
    let dump = "CREATE DATABASE `several_owned`;\nUSE `several_owned`;\nCREATE TABLE t (a int);\n\
        CREATE DEFINER=`nobody_at_all`@`localhost` VIEW v AS SELECT a FROM t;\n";
    let restore = server.restore("several_none");
    let err =
        restore.restore(ByteStream::from(Bytes::from_static(dump.as_bytes())), options()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err:?}");
    assert!(!server.databases().await.contains(&"several_owned".to_owned()));
}
