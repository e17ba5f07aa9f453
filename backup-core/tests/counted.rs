//! What was counted at the source while a dump ran has to be what the dump holds.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dump, Dumper, DumperInfo, ErrorKind, Inventory, MemoryStore, Pipeline, Result, SourceInfo,
    TableInventory, digest::Outcome, pipeline::BackupRequest,
};
use futures::StreamExt;

const PLAIN: &str = "CREATE TABLE public.t (\n    a integer\n);\n\nCOPY public.t (a) FROM stdin;\n1\n2\n\\.\n\n\
                     --\n-- PostgreSQL database dump complete\n--\n\n";

/// Counts `rows` while its body passes; says nothing where there are none.
#[derive(Debug)]
struct Counting {
    info: DumperInfo,
    rows: Option<u64>,
}

#[async_trait]
impl Dumper for Counting {
    fn info(&self) -> DumperInfo {
        self.info.clone()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        Ok(SourceInfo::new("shop"))
    }

    async fn dump(&self) -> Result<Dump> {
        let counted = Outcome::pending();
        let (rows, outcome) = (self.rows, counted.clone());
        let last = futures::stream::once(async move {
            if let Some(rows) = rows {
                let mut table = TableInventory::new("public.t", rows, 0);
                table.source_checksum = Some("sql:07".to_owned());
                outcome.set(Inventory::new(vec![table]));
            }
            Ok(bytes::Bytes::new())
        });
        let body = ByteStream::new(futures::stream::iter([Ok(PLAIN.into())]).chain(last));
        let mut dump = Dump::new(SourceInfo::new("shop"), body);
        dump.counted = Some(counted);
        Ok(dump)
    }
}

async fn backup(format: &str, rows: Option<u64>) -> Result<Inventory> {
    let info = DumperInfo::new("postgresql", format, "sql");
    let pipeline = Pipeline::new(Counting { info, rows }, MemoryStore::new());
    let made = pipeline.backup(BackupRequest::new()).await;
    // Nothing is there of one that failed.
    assert_eq!(
        pipeline.list(&backup_core::Filter::all()).await.unwrap().entries.len(),
        usize::from(made.is_ok())
    );
    Ok(made?.manifest.inventory.unwrap())
}

#[tokio::test]
async fn what_was_counted_is_recorded_with_what_was_seen() {
    let inventory = backup("plain", Some(2)).await.unwrap();
    let table = inventory.table("public.t").unwrap();
    assert_eq!((table.rows, table.bytes, table.source_checksum.as_deref()), (2, 4, Some("sql:07")));
}

#[tokio::test]
async fn a_format_that_shows_no_rows_has_those_that_were_counted() {
    let inventory = backup("blob", Some(3)).await.unwrap();
    let table = inventory.table("public.t").unwrap();
    assert_eq!((table.rows, table.source_checksum.as_deref()), (3, Some("sql:07")));
    let json = serde_json::to_value(&inventory).unwrap();
    assert_eq!(json["tables"][0]["source_checksum"], "sql:07");
    assert!(serde_json::to_value(TableInventory::new("t", 1, 1)).unwrap().get("source_checksum").is_none());
}

#[tokio::test]
async fn a_row_that_was_counted_and_not_dumped_is_no_backup() {
    let err = backup("plain", Some(3)).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Incomplete, "{err:?}");
    assert!(err.to_string().contains("public.t has 2 rows, 3 expected"), "{err}");
}

#[tokio::test]
async fn a_dump_that_ends_before_it_was_counted_is_no_backup() {
    let err = backup("plain", None).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unexpected, "{err:?}");
}
