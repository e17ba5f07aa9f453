//! Adds encrypted backups whose manifests hide what is computed from plain bytes; the head of `golden_write.rs` says how.

use std::path::PathBuf;

use backup_core::{
    Encryptor, Kind, Level,
    compress::{Gzip, Identity, Zstd},
    encrypt::Age,
    pipeline::BackupRequest,
};
use handler_mysqldump::{MysqlDump, MysqlRestore, Position};
use handler_pgdump::{Format, Globals, PgDump, PgRestore};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};

use super::{
    golden_facts::PASSPHRASE,
    golden_write::{SHOP, Writer, filled_mariadb, filled_postgresql, filled_sqlite, made, rehearsal},
};

#[tokio::test]
#[ignore = "writes golden backups: see the head of `golden_write.rs`"]
async fn sealed_manifests() {
    let writer = Writer::open().await;
    postgresql(&writer).await;
    mariadb(&writer).await;
    sqlite(&writer).await;
    writer.keep().await;
}

async fn postgresql(writer: &Writer) {
    let server = filled_postgresql("shop", include_str!("golden_postgresql.sql")).await;
    let dump = || PgDump::from_url(&server.url("shop")).unwrap();
    let pipeline = |dump: PgDump| writer.pipeline(dump, "production").with_encryptor(writer.key.clone());
    let rehearsed = |dump: PgDump| pipeline(dump).with_rehearsal(rehearsal(PgRestore::rehearsals()));

    writer.at("28T02:00");
    let with_companion = pipeline(dump().globals(Globals::WithoutPasswords));
    made(&with_companion, BackupRequest::new().with_kind(Kind::Daily), Level::Decoded).await;
    writer.at("29T02:00");
    let custom = rehearsed(dump().format(Format::Custom).source_checksums()).with_compressor(Identity);
    made(&custom, BackupRequest::new(), Level::Equal).await;
    // Its tables are shown by the evidence alone.
    writer.at("30T02:00");
    let directory = rehearsed(dump().format(Format::Directory { jobs: 1 }));
    made(&directory, BackupRequest::new(), Level::Restored).await;
    writer.at("31T02:00");
    let by_word = pipeline(dump())
        .with_compressor(Identity)
        .with_encryptor(Age::for_passphrase(&PASSPHRASE.into()).unwrap());
    made(&by_word, BackupRequest::new(), Level::Digest).await;

    let server = filled_postgresql("archive", include_str!("golden_archive.sql")).await;
    let dump = || PgDump::from_url(&server.url("archive")).unwrap();
    writer.at("28T03:30");
    made(&pipeline(dump()).with_compressor(Zstd::default()), BackupRequest::new(), Level::Decoded).await;
}

async fn mariadb(writer: &Writer) {
    let server = filled_mariadb().await;
    let dump = || MysqlDump::from_url(&server.url("my shop")).unwrap();
    let pipeline = |dump: MysqlDump| writer.pipeline(dump, "production").with_encryptor(writer.key.clone());
    writer.at("28T02:30");
    let plain = pipeline(dump().position(Position::Record)).with_compressor(Identity);
    let plain = plain.with_rehearsal(rehearsal(MysqlRestore::rehearsals()));
    made(&plain, BackupRequest::new(), Level::Equal).await;
    writer.at("29T02:30");
    made(&pipeline(dump().also("my stock")), BackupRequest::new(), Level::Decoded).await;
}

async fn sqlite(writer: &Writer) {
    let path = PathBuf::from(SHOP).join("notes.sqlite");
    filled_sqlite(&path);
    let dump = || SqliteDump::new(&path).with_checksums();
    writer.at("29T04:00");
    let sealed = writer.pipeline(dump(), "production").with_compressor(Gzip::default());
    made(&sealed.with_encryptor(writer.key.clone()), BackupRequest::new(), Level::Decoded).await;
    // For one more than can open it here.
    writer.at("30T04:00");
    let other = Age::for_identities(&Age::generate_identity()).unwrap();
    let both = Age::for_recipients([other.recipients(), writer.key.recipients()].concat()).unwrap();
    let key = std::fs::read_to_string(super::golden_facts::release().join("identity.txt")).unwrap();
    let sealed = writer
        .pipeline(dump(), "production")
        .with_compressor(Identity)
        .with_encryptor(both.with_identities(&key.into()).unwrap())
        .with_rehearsal(rehearsal(SqliteRestore::new("/srv/shop/rehearsal.sqlite")));
    made(&sealed, BackupRequest::new(), Level::Equal).await;
}
