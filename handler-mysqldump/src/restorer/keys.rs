//! [`ForeignKey`]: the foreign keys of a database, which are dropped and made again where tables move.

use std::{collections::BTreeMap, fmt::Write as _};

use backup_core::{Error, ErrorKind, Result};

use crate::server::{QUESTION_LIMIT, Server, quote_identifier, quote_literal};

/// The keys that belong to tables of one database, or refer to them; a row for each column.
const KEYS: &str = r"
SELECT 'key', k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA,
  k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.UPDATE_RULE, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND (k.TABLE_SCHEMA = :name OR k.REFERENCED_TABLE_SCHEMA = :name)
ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION;
";

/// A foreign key.
#[derive(Debug, Clone, Default)]
pub(super) struct ForeignKey {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) name: String,
    columns: Vec<String>,
    pub(super) to_schema: String,
    pub(super) to_table: String,
    to_columns: Vec<String>,
    rules: [String; 2],
}

impl ForeignKey {
    /// Those that belong to tables of the database `name`, or refer to them.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(super) async fn of(server: &Server, name: &str) -> Result<Vec<Self>> {
        let rows = server.run(None, &KEYS.replace(":name", &quote_literal(name)), QUESTION_LIMIT).await?;
        let mut keys: BTreeMap<[String; 3], Self> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.first().is_some_and(|kind| kind == "key")) {
            let [_, schema, table, name, column, to_schema, to_table, to_column, update, delete] = row else {
                return Err(Error::new(ErrorKind::Unexpected, "the client's answer cannot be read"));
            };
            let place = [schema.clone(), table.clone(), name.clone()];
            let key = keys.entry(place).or_insert_with(|| Self {
                schema: schema.clone(),
                table: table.clone(),
                name: name.clone(),
                to_schema: to_schema.clone(),
                to_table: to_table.clone(),
                rules: [update.clone(), delete.clone()],
                ..Self::default()
            });
            key.columns.push(column.clone());
            key.to_columns.push(to_column.clone());
        }
        Ok(keys.into_values().collect())
    }

    /// The statement that takes it away.
    pub(super) fn drop(&self) -> String {
        format!("ALTER TABLE {} DROP FOREIGN KEY {};\n", self.place(), quote_identifier(&self.name))
    }

    /// The statement that makes it again.
    pub(super) fn add(&self) -> String {
        let list =
            |names: &[String]| names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let mut sql = format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {}.{} ({})",
            self.place(),
            quote_identifier(&self.name),
            list(&self.columns),
            quote_identifier(&self.to_schema),
            quote_identifier(&self.to_table),
            list(&self.to_columns)
        );
        let [update, delete] = &self.rules;
        for (event, rule) in [("UPDATE", update), ("DELETE", delete)] {
            // A rule by default is not written, so that the definition stays as it was. Writing cannot fail.
            if !matches!(rule.as_str(), "NO ACTION" | "RESTRICT")
                || rule == "RESTRICT" && self.writes_restrict()
            {
                let _written = write!(sql, " ON {event} {rule}");
            }
        }
        sql + ";\n"
    }

    /// The same for tables that are elsewhere now.
    pub(super) fn moved(mut self, from: &str, to: &str) -> Self {
        for schema in [&mut self.schema, &mut self.to_schema] {
            if schema == from {
                to.clone_into(schema);
            }
        }
        self
    }

    /// Servers that tell the two apart say `NO ACTION` where nothing was written.
    fn writes_restrict(&self) -> bool {
        self.rules.iter().any(|rule| rule == "NO ACTION")
    }

    fn place(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table))
    }
}

/// Statements of all keys.
pub(super) fn all<'a>(
    keys: impl IntoIterator<Item = &'a ForeignKey>,
    sql: fn(&ForeignKey) -> String,
) -> String {
    keys.into_iter().map(sql).collect()
}
