//! Out of PostgreSQL, by `psql`.

use backup_core::{Result, catalog::log::LogDatabase};
use handler_pgdump::PgLogDatabase;

use super::{Content, LOG_LETTERS, printed};
use crate::{PrismaProject, url::PostgreSqlUrl};

/// One question to one database.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    database: PgLogDatabase,
    script: String,
}

impl Question {
    pub(super) fn new(project: &PrismaProject, url: &PostgreSqlUrl) -> Result<Self> {
        let database = PgLogDatabase::new(url.config()?);
        let database = project.client_dir.iter().fold(database, PgLogDatabase::client_dir);
        Ok(Self { database, script: script(&url.schema, &project.schemas) })
    }

    pub(super) async fn ask(&self) -> Result<Content> {
        printed(&self.database.run(&self.script).await?)
    }
}

/// Prisma makes its table in the schema of the URL, and calls a database empty by all schemas of the datasource.
fn script(schema: &str, schemas: &[String]) -> String {
    let literal = |text: &str| {
        // By the bytes: whatever is in a name, and whatever the server takes a backslash for.
        format!("convert_from(decode('{}', 'hex'), 'UTF8')", hex::encode(text))
    };
    let all: Vec<String> =
        std::iter::once(schema).chain(schemas.iter().map(String::as_str)).map(literal).collect();
    let table = format!("\"{}\".\"_prisma_migrations\"", schema.replace('"', "\"\""));
    let own = literal(schema);
    let text = |column: &str| format!("encode(convert_to({column}, 'UTF8'), 'hex')");
    let time = |column: &str| format!("(extract(epoch FROM {column}) * 1000)::bigint");
    format!(
        "SELECT 'objects', (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ({all})) \
         + (SELECT count(*) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
           WHERE t.typtype = 'e' AND n.nspname IN ({all}));\n\
         SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
           WHERE c.relname = '_prisma_migrations' AND n.nspname = {own}) AS found \\gset\n\
         \\if :found\n\
         SELECT 'table';\n\
         SELECT 'row', {id}, {checksum}, {name}, {started}, {finished}, {rolled_back}, applied_steps_count, {logs} \
           FROM {table} ORDER BY started_at, id;\n\
         \\endif\n",
        all = all.join(", "),
        id = text("id"),
        checksum = text("checksum"),
        name = text("migration_name"),
        started = time("started_at"),
        finished = time("finished_at"),
        rolled_back = time("rolled_back_at"),
        logs = text(&format!("left(coalesce(logs, ''), {LOG_LETTERS})")),
    )
}
