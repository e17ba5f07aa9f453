//! [`Programs`]: what of a database is no table, and cannot be moved.

use std::{fmt::Write as _, time::Duration};

use backup_core::{Error, ErrorKind, Result};
use bytes::Bytes;

use crate::{
    command,
    error::classify,
    server::{QUESTION_LIMIT, Server, quote_identifier},
};

/// The longest that writing the definitions may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The most bytes of definitions that are kept in memory.
const DEFINITIONS_LIMIT: usize = 256 * 1024 * 1024;

const OBJECTS: &str = r"
SELECT 'TABLE', TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE NOT LIKE '%VIEW' ORDER BY 2;
SELECT 'VIEW', TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE LIKE '%VIEW' ORDER BY 2;
SELECT 'TRIGGER', TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 2;
SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1 DESC, 2;
SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 2;
";

/// The tables of a database, and the definitions of everything else in it.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) tables: Vec<String>,
    triggers: Vec<String>,
    /// Views, routines and events, by what `DROP` calls them.
    others: Vec<(String, String)>,
    /// Triggers, routines and events, as SQL.
    pub(super) definitions: Bytes,
    /// Views, as SQL; after the routines that they may use.
    pub(super) views: Bytes,
}

impl Programs {
    /// Reads them from the database that `server` is set to.
    pub(super) async fn read(server: &Server) -> Result<Self> {
        let rows = server.ask(OBJECTS, QUESTION_LIMIT).await?;
        let (mut tables, mut triggers, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows.iter() {
            match row {
                [kind, name] if kind == "TABLE" => tables.push(name.clone()),
                [kind, name] if kind == "TRIGGER" => triggers.push(name.clone()),
                [kind, name] => others.push((kind.clone(), name.clone())),
                _ => return Err(Error::new(ErrorKind::Unexpected, "the client's answer cannot be read")),
            }
        }
        let views: Vec<String> =
            others.iter().filter(|(kind, _)| kind == "VIEW").map(|(_, name)| name.clone()).collect();
        let without_views = views.len() == others.len() && triggers.is_empty();
        let definitions = if without_views {
            Bytes::new()
        } else {
            let args = ["--no-create-info", "--routines", "--triggers", "--events"];
            dump(server, &args, &[]).await?
        };
        let views =
            if views.is_empty() { Bytes::new() } else { dump(server, &["--skip-triggers"], &views).await? };
        Ok(Self { tables, triggers, others, definitions, views })
    }

    /// The triggers of some tables alone.
    pub(super) async fn of_tables(server: &Server, tables: Vec<String>) -> Result<Self> {
        let question = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS \
                        WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1;\n";
        let rows = server.ask(question, QUESTION_LIMIT).await?;
        let triggers: Vec<String> = rows
            .iter()
            .filter_map(|row| match row {
                [trigger, table] if tables.contains(table) => Some(trigger.clone()),
                _ => None,
            })
            .collect();
        let definitions = if triggers.is_empty() {
            Bytes::new()
        } else {
            dump(server, &["--no-create-info", "--triggers"], &tables).await?
        };
        Ok(Self { tables, triggers, others: Vec::new(), definitions, views: Bytes::new() })
    }

    pub(super) fn drop_triggers(&self, database: &str) -> String {
        let triggers = self.triggers.iter().map(|name| ("TRIGGER", name.as_str()));
        drops(database, triggers)
    }

    pub(super) fn drop_others(&self, database: &str) -> String {
        drops(database, self.others.iter().map(|(kind, name)| (kind.as_str(), name.as_str())))
    }
}

fn drops<'a>(database: &str, objects: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut sql = String::new();
    for (kind, name) in objects {
        // A package goes with its body. Writing into a string cannot fail.
        let _written =
            writeln!(sql, "DROP {kind} IF EXISTS {}.{};", quote_identifier(database), quote_identifier(name));
    }
    sql
}

/// Definitions without rows.
async fn dump(server: &Server, args: &[&str], names: &[String]) -> Result<Bytes> {
    let client = server.dumping_client()?;
    let mut all: Vec<String> = vec![
        "--no-data".to_owned(),
        "--no-tablespaces".to_owned(),
        "--skip-lock-tables".to_owned(),
        "--default-character-set=utf8mb4".to_owned(),
    ];
    if client.version.flavour == crate::Flavour::MySql {
        all.push("--set-gtid-purged=OFF".to_owned());
    }
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    all.extend(["--".to_owned(), server.config.database().to_owned()]);
    all.extend(names.iter().cloned());
    let tool = command::client("mysqldump", &client, &server.host, &server.config, all).await?;
    let output = tool.total_timeout(LIMIT).output(DEFINITIONS_LIMIT).await.map_err(classify)?;
    Ok(output.stdout)
}
