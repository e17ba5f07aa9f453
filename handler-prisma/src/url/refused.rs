//! What cannot be dumped, with what to do instead.

use backup_core::{Error, ErrorKind, Result};

/// The URLs that lead to a service and to no database.
const DIRECT: &str =
    "give the direct URL of the database: postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require";

fn unsupported(message: impl Into<String>, instead: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message).with_suggestion(instead)
}

/// Refuses a provider without a dump here.
pub(super) fn provider(provider: &str) -> Result<()> {
    let (message, instead) = match provider {
        "postgresql" | "postgres" | "mysql" | "sqlite" => return Ok(()),
        "sqlserver" => (
            "SQL Server has no dump that this library makes",
            "back it up on the server: BACKUP DATABASE … TO DISK, or export it by SqlPackage",
        ),
        "mongodb" => (
            "MongoDB is not dumped here, and Prisma has no migrations for it",
            "back it up with mongodump --archive --gzip",
        ),
        "cockroachdb" => (
            "CockroachDB is not dumped here: pg_dump does not fit it",
            "back it up on the server: BACKUP INTO 's3://…' or 'nodelocal://…'",
        ),
        "mariadb" => ("Prisma has no provider mariadb", "write provider = \"mysql\", which is MariaDB's too"),
        _ => (
            "the datasource's provider is not known",
            "this library dumps postgresql, mysql (MariaDB too) and sqlite",
        ),
    };
    Err(unsupported(message, instead).with_context("provider", provider.escape_debug()))
}

/// Refuses a URL that does not lead to a database of the provider, or to one that cannot be dumped.
pub(super) fn scheme(provider: &str, url: &str) -> Result<()> {
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let after = url.get(scheme.len()..).unwrap_or_default();
    let local = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| after.strip_prefix("://").is_some_and(|rest| rest.starts_with(host)));
    Err(match (provider, scheme.as_str()) {
        (_, "prisma") => unsupported("a prisma:// URL leads to Accelerate, and to no database", DIRECT),
        (_, "prisma+postgres") if local => unsupported(
            "a prisma+postgres:// URL of `prisma dev` leads to Prisma's own local server",
            "give the postgres:// URL that `prisma dev` prints beside it",
        ),
        (_, "prisma+postgres") => unsupported(
            "a prisma+postgres:// URL leads to Accelerate, and to no database",
            "give the direct URL of Prisma Postgres: postgres://USER:PASSWORD@db.prisma.io:5432/?sslmode=require with \
             the database's name, and use pg_dump 17 or later",
        ),
        (_, "libsql" | "wss" | "ws") => unsupported(
            "a libsql:// URL leads to Turso, and to no file here",
            "dump it by turso db shell NAME .dump, or give the file: URL of a local replica",
        ),
        (_, "d1") | ("sqlite", "http" | "https") => unsupported(
            "the URL leads to SQLite over the network (D1, Turso), and to no file here",
            "export D1 by wrangler d1 export NAME --output dump.sql, Turso by turso db shell NAME .dump",
        ),
        (_, "sqlserver" | "jdbc") => return self::provider("sqlserver"),
        (_, "mongodb" | "mongodb+srv") => return self::provider("mongodb"),
        (_, "cockroachdb") => return self::provider("cockroachdb"),
        ("postgresql" | "postgres", "postgresql" | "postgres")
        | ("mysql", "mysql")
        | ("sqlite", "file" | "sqlite") => return Ok(()),
        // The scheme of something that is no URL may be a password.
        (provider, _) => {
            let form = match provider {
                "mysql" => "mysql://USER:PASSWORD@HOST:3306/DATABASE",
                "sqlite" => "file:./name.db",
                _ => "postgresql://USER:PASSWORD@HOST:5432/DATABASE",
            };
            Error::new(ErrorKind::InvalidInput, "the URL is not one of the datasource's provider")
                .with_context("provider", provider)
                .with_suggestion(format!("write it as {form}, or mend the provider"))
        }
    })
}
