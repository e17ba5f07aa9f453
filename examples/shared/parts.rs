//! Databases and stores named in a configuration file.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use backup_core::{
    Dumper, Error, ErrorKind, Restorer, Result, Store,
    config::{Database, Options, Parts, StoreSettings},
};
use handler_mysqldump::{MysqlConfig, MysqlDump, MysqlRestore};
use handler_pgdump::{Format, PgConfig, PgDump, PgRestore};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

use crate::database::{pg_format, rehearsing};

/// The handlers and stores of this project.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everything;

/// What settings name.
enum Connection {
    PostgreSql(PgConfig),
    MySql(MysqlConfig),
    Sqlite(PathBuf),
}

#[async_trait]
impl Parts for Everything {
    async fn dumper(&self, source: &Database, options: &mut Options) -> Result<Arc<dyn Dumper>> {
        Ok(match connection(source).await? {
            Connection::PostgreSql(config) => {
                let format = options.parsed("format", |name| pg_format(Some(name)))?;
                Arc::new(PgDump::new(config).format(format.unwrap_or(Format::Plain)))
            }
            Connection::MySql(config) => Arc::new(MysqlDump::new(config)),
            Connection::Sqlite(path) => Arc::new(SqliteDump::new(path).with_checksums()),
        })
    }

    async fn restorer(&self, target: &Database, _: &mut Options) -> Result<Arc<dyn Restorer>> {
        Ok(match connection(target).await? {
            Connection::PostgreSql(config) => Arc::new(PgRestore::new(config)),
            Connection::MySql(config) => Arc::new(MysqlRestore::new(config)),
            Connection::Sqlite(path) => Arc::new(SqliteRestore::new(path)),
        })
    }

    async fn rehearser(&self, engine: &str) -> Result<Arc<dyn Restorer>> {
        rehearsing(engine, None)
    }

    async fn store(&self, store: &StoreSettings, _: &mut Options) -> Result<Arc<dyn Store>> {
        let Some(path) = store.path.as_ref().filter(|_| store.kind == "local") else {
            let allowed = "write { kind = \"local\", path = \"/var/backups\" }";
            return Err(store.refuse("no store of this kind, or one without a path", allowed));
        };
        Ok(Arc::new(LocalStore::open(path).await?))
    }
}

async fn connection(database: &Database) -> Result<Connection> {
    let password = database.password().await?;
    let url = database.url.as_deref();
    let name = database.database.clone().unwrap_or_default();
    match database.engine.as_str() {
        "postgresql" => {
            let config = url.map_or_else(|| Ok(PgConfig::new(name)), PgConfig::from_url)?;
            let config = database.host.iter().fold(config, PgConfig::host);
            let config = database.port.iter().fold(config, |config, port| config.port(*port));
            let config = database.user.iter().fold(config, PgConfig::user);
            Ok(Connection::PostgreSql(password.into_iter().fold(config, PgConfig::password)))
        }
        "mysql" | "mariadb" => {
            let config = url.map_or_else(|| Ok(MysqlConfig::new(name)), MysqlConfig::from_url)?;
            let config = database.host.iter().fold(config, |config, host| match host.strip_prefix('/') {
                Some(_) => config.socket(host),
                None => config.host(host),
            });
            if database.port.is_some() && database.host.as_ref().is_some_and(|host| host.starts_with('/')) {
                return Err(database.refuse("a socket has no port", "leave the port out"));
            }
            let config = database.port.iter().fold(config, |config, port| config.port(*port));
            let config = database.user.iter().fold(config, MysqlConfig::user);
            Ok(Connection::MySql(password.into_iter().fold(config, MysqlConfig::password)))
        }
        "sqlite" => {
            let is_served = database.host.is_some() || database.port.is_some() || database.user.is_some();
            if is_served || password.is_some() {
                return Err(
                    database.refuse("SQLite has no server", "write engine and database alone, or url")
                );
            }
            let path = url.and_then(|url| url.split_once(':')).map_or(name.as_str(), |(_, path)| path);
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            if path.is_relative() {
                let message = "the path depends on where the process is started";
                return Err(
                    database.refuse(message, "write an absolute path, such as sqlite:/var/lib/shop.sqlite")
                );
            }
            Ok(Connection::Sqlite(path))
        }
        _ => Err(Error::new(ErrorKind::InvalidInput, "no handler for this engine")
            .with_context("engine", database.engine.escape_debug())
            .with_suggestion("choose one of postgresql, mysql, mariadb, sqlite")),
    }
}
