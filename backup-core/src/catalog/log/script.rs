//! The statements of a log. Each script has one statement at most that changes rows: it can be repeated where that
//! one failed.

use super::{
    Dialect, LogStatus, check_time,
    row::{Row, RowStanding, printable},
};
use crate::{Annotation, BackupRef, Entry, Filter, Result};

/// Writes the scripts for the tables of one log.
pub(super) struct Script {
    dialect: Dialect,
    /// What makes the tables where they are missing.
    create: String,
    log: String,
    note: String,
}

impl Script {
    pub(super) fn new(dialect: Dialect, schema: Option<&str>, table: &str) -> Self {
        let types = dialect.types();
        let (id, name, text, json, time, end) =
            (types.id, types.name, types.text, types.json, types.time, types.table);
        let note = format!("{table}_note");
        let log_body = format!(
            "(id {id}, backup {name}, environment {text} NOT NULL, database_name {text} NOT NULL, type {text}, \
             path {text}, size bigint, started {time} NOT NULL, completed {time}, deleted {time}, \
             status {name} NOT NULL, level {text}, details {text} NOT NULL, manifest {json}, noted bigint NOT NULL, \
             live smallint, CONSTRAINT {table}_live UNIQUE (backup, live)){end}"
        );
        let note_body = format!(
            "(id {id}, entry bigint NOT NULL, at {time} NOT NULL, note {text} NOT NULL, record {json} NOT NULL, \
             CONSTRAINT {note}_entry UNIQUE (entry, id)){end}"
        );
        Self {
            dialect,
            log: dialect.table(schema, table),
            note: dialect.table(schema, &note),
            create: dialect.create_missing(schema, &[(table.to_owned(), log_body), (note, note_body)]),
        }
    }

    pub(super) fn insert(&self, row: &Row) -> Result<String> {
        row.check()?;
        let dialect = self.dialect;
        let text = |text: &str| dialect.literal(text);
        let maybe = |value: Option<&str>| value.map_or_else(|| "NULL".to_owned(), text);
        let RowStanding { status, level, details, notes } = &row.standing;
        let live = *status != LogStatus::Failed;
        let values = [
            row.backup.as_deref().map_or_else(|| "NULL".to_owned(), |name| dialect.name(name)),
            text(&row.environment),
            text(&row.database),
            maybe(row.kind.map(crate::Kind::name)),
            maybe(row.path.as_deref()),
            // What no signed number holds is no size of anything.
            row.size.map_or_else(
                || "NULL".to_owned(),
                |size| i64::try_from(size).unwrap_or(i64::MAX).to_string(),
            ),
            dialect.time(row.started),
            dialect.time(row.completed),
            dialect.name(status.name()),
            maybe(level.as_deref()),
            text(details),
            row.manifest.as_deref().map_or_else(|| "NULL".to_owned(), |json| dialect.json(json)),
            notes.to_string(),
            if live { "1" } else { "NULL" }.to_owned(),
        ];
        let insert = format!(
            "INSERT INTO {} (backup, environment, database_name, type, path, size, started, completed, status, \
             level, details, manifest, noted, live) VALUES ({}){}",
            self.log,
            values.join(", "),
            dialect.keep_first()
        );
        Ok(format!("{}{}", self.create, dialect.counted(&insert)))
    }

    /// Adds a note, and reads the backup with all of them.
    pub(super) fn annotate(&self, backup: &BackupRef, annotation: &Annotation, json: &str) -> Result<String> {
        check_time(annotation.at)?;
        let dialect = self.dialect;
        let insert = format!(
            "INSERT INTO {} (entry, at, note, record) SELECT id, {}, {}, {} FROM {} WHERE {}",
            self.note,
            dialect.time(annotation.at),
            dialect.literal(&printable(annotation.note.name().to_owned())),
            dialect.json(json),
            self.log,
            self.named(backup)
        );
        Ok(format!("{}{}{}", self.create, dialect.counted(&insert), self.entries(&self.named(backup))))
    }

    /// Sets what the notes say together. Two that annotate at once both come here after their own note, so that the
    /// later of them saw both; the one that saw fewer changes nothing.
    pub(super) fn refresh(&self, id: u64, entry: &Entry) -> String {
        let RowStanding { status, level, details, notes } = RowStanding::of(entry);
        let level = level.map_or_else(|| "NULL".to_owned(), |level| self.dialect.literal(&level));
        format!(
            "{}UPDATE {} SET status = {}, level = {level}, details = {}, noted = {notes} WHERE live = 1 AND id = {id} AND noted < {notes};\n",
            self.create,
            self.log,
            self.dialect.name(status.name()),
            self.dialect.literal(&details),
        )
    }

    pub(super) fn remove(&self, backup: &BackupRef) -> String {
        format!(
            "{}UPDATE {} SET live = NULL, status = {}, deleted = {} WHERE {};\n",
            self.create,
            self.log,
            self.dialect.name(LogStatus::Deleted.name()),
            self.dialect.now(),
            self.named(backup)
        )
    }

    pub(super) fn by_name(&self, backup: &BackupRef) -> String {
        format!("{}{}", self.create, self.entries(&self.named(backup)))
    }

    pub(super) fn by_ids(&self, ids: &[u64]) -> String {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        self.entries(&format!("live = 1 AND id IN ({})", ids.join(", ")))
    }

    /// The number and the bytes of each backup that the filter selects.
    pub(super) fn sizes(&self, filter: &Filter) -> String {
        format!("{}{} ORDER BY id;\n", self.create, self.select_sizes(filter))
    }

    pub(super) fn last_good(&self, filter: &Filter) -> String {
        format!(
            "{}{} AND status = {} ORDER BY started DESC, id DESC LIMIT 1;\n",
            self.create,
            self.select_sizes(filter),
            self.dialect.name(LogStatus::Verified.name())
        )
    }

    fn select_sizes(&self, filter: &Filter) -> String {
        let mut conditions = String::new();
        let kind = filter.kind.map(|kind| kind.name().to_owned());
        let wanted =
            [("environment", &filter.environment), ("database_name", &filter.database), ("type", &kind)];
        for (column, value) in wanted {
            if let Some(value) = value {
                // By the bytes: MySQL takes `shop` and `shop ` for one.
                let digits = hex::encode(value);
                conditions.push_str(&format!(" AND {} = '{digits}'", self.dialect.hex(column)));
            }
        }
        let length = self.dialect.length("manifest");
        format!("SELECT 'size', id, {length} FROM {} WHERE live = 1{conditions}", self.log)
    }

    fn named(&self, backup: &BackupRef) -> String {
        format!("live = 1 AND backup = {}", self.dialect.name(&backup.to_string()))
    }

    /// Reads backups, then their notes in the order in which they were added.
    fn entries(&self, condition: &str) -> String {
        let hex = |column| self.dialect.hex(column);
        format!(
            "SELECT 'entry', id, backup, {} FROM {log} WHERE {condition} ORDER BY id;\n\
             SELECT 'note', entry, {} FROM {} WHERE entry IN (SELECT id FROM {log} WHERE {condition}) ORDER BY id;\n",
            hex("manifest"),
            hex("record"),
            self.note,
            log = self.log,
        )
    }
}
