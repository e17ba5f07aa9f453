use chrono::{DateTime, Utc};

/// The SQL that a database speaks, as far as a log needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL 10 and later.
    PostgreSql,
    /// MySQL 5.7 and MariaDB 10.2, and later.
    MySql,
    /// SQLite 3.43 and later.
    Sqlite,
}

/// The types of columns.
pub(super) struct Types {
    /// The number of a row, chosen by the database.
    pub(super) id: &'static str,
    /// A text in ASCII that is compared byte by byte, short enough for an index.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) json: &'static str,
    pub(super) time: &'static str,
    /// What stands behind the columns.
    pub(super) table: &'static str,
}

impl Dialect {
    /// A text, whatever is in it, as digits that no mode of any server or client reads otherwise.
    pub(super) fn literal(self, text: &str) -> String {
        let digits = hex::encode(text);
        match self {
            Self::PostgreSql => format!("convert_from(decode('{digits}', 'hex'), 'UTF8')"),
            Self::MySql => format!("CONVERT(X'{digits}' USING utf8mb4)"),
            Self::Sqlite => format!("CAST(X'{digits}' AS TEXT)"),
        }
    }

    /// A text in ASCII, to be compared with a column of names by its index.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::MySql => format!("_ascii X'{}'", hex::encode(name)),
            Self::PostgreSql | Self::Sqlite => self.literal(name),
        }
    }

    /// A JSON document, in ASCII, so that it fits into a database of any encoding.
    pub(super) fn json(self, json: &str) -> String {
        let mut ascii = String::with_capacity(json.len());
        for letter in json.chars() {
            if letter.is_ascii() {
                ascii.push(letter);
            } else {
                // Outside ASCII there are only letters of strings, which may be escaped.
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        match self {
            Self::PostgreSql => format!("{}::json", self.literal(&ascii)),
            _ => self.literal(&ascii),
        }
    }

    /// A moment, to the millisecond.
    pub(super) fn time(self, at: DateTime<Utc>) -> String {
        match self {
            Self::PostgreSql => format!("timestamptz '{}+00'", at.format("%Y-%m-%d %H:%M:%S%.3f")),
            Self::MySql => format!("'{}'", at.format("%Y-%m-%d %H:%M:%S%.3f")),
            Self::Sqlite => format!("'{}'", at.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
        }
    }

    /// The time now, by the clock of the database.
    pub(super) fn now(self) -> &'static str {
        match self {
            Self::PostgreSql => "now()",
            Self::MySql => "UTC_TIMESTAMP(3)",
            Self::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }

    /// The bytes of a column as lower-case digits.
    pub(super) fn hex(self, column: &str) -> String {
        match self {
            Self::PostgreSql => format!("encode(convert_to({column}::text, 'UTF8'), 'hex')"),
            Self::MySql | Self::Sqlite => format!("lower(hex({column}))"),
        }
    }

    /// How many bytes a column has.
    pub(super) fn length(self, column: &str) -> String {
        match self {
            Self::PostgreSql => format!("octet_length({column}::text)"),
            Self::MySql | Self::Sqlite => format!("octet_length({column})"),
        }
    }

    /// What stands behind an `INSERT` that does nothing where the backup has a live row.
    pub(super) fn keep_first(self) -> &'static str {
        match self {
            Self::PostgreSql | Self::Sqlite => " ON CONFLICT (backup, live) DO NOTHING",
            // Not `IGNORE`, which makes warnings of all errors.
            Self::MySql => " ON DUPLICATE KEY UPDATE id = id",
        }
    }

    /// An `INSERT`, and a row that says how many rows it added.
    pub(super) fn counted(self, insert: &str) -> String {
        match self {
            Self::PostgreSql => {
                format!("WITH added AS ({insert} RETURNING 1) SELECT 'done', count(*) FROM added;\n")
            }
            Self::MySql => format!("{insert};\nSELECT 'done', ROW_COUNT();\n"),
            Self::Sqlite => format!("{insert};\nSELECT 'done', changes();\n"),
        }
    }

    /// The name of a table, in a schema where there is one.
    pub(super) fn table(self, schema: Option<&str>, name: &str) -> String {
        // Both were checked to be words.
        match (self, schema) {
            (Self::MySql, None) => format!("`{name}`"),
            (Self::MySql, Some(schema)) => format!("`{schema}`.`{name}`"),
            (_, None) => format!("\"{name}\""),
            (_, Some(schema)) => format!("\"{schema}\".\"{name}\""),
        }
    }

    pub(super) fn types(self) -> Types {
        match self {
            Self::PostgreSql => Types {
                id: "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                name: "text",
                text: "text",
                json: "json",
                time: "timestamptz(3)",
                table: "",
            },
            Self::MySql => Types {
                id: "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
                name: "VARCHAR(900) CHARACTER SET ascii COLLATE ascii_bin",
                text: "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                json: "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                time: "DATETIME(3)",
                table: " ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
            },
            Self::Sqlite => Types {
                id: "INTEGER PRIMARY KEY AUTOINCREMENT",
                name: "TEXT",
                text: "TEXT",
                json: "TEXT",
                time: "TEXT",
                table: "",
            },
        }
    }

    /// Statements that make the tables, the last of which is the one that shows that all are there.
    pub(super) fn create_missing(self, schema: Option<&str>, tables: &[(String, String)]) -> String {
        let create = |(name, body): &(String, String)| {
            format!("CREATE TABLE IF NOT EXISTS {} {body};\n", self.table(schema, name))
        };
        match self {
            // In its own lock, as two that create at once meet in the catalog else; and only where something is
            // missing, as a user who may write rows need not be one who may make tables.
            Self::PostgreSql => {
                let missing: Vec<String> = tables
                    .iter()
                    .map(|(name, _)| format!("to_regclass('{}') IS NULL", self.table(schema, name)))
                    .collect();
                let create: String = tables.iter().map(create).collect();
                format!(
                    "SET default_transaction_isolation = 'read committed';\n\
                     DO $create$ BEGIN IF {} THEN\nPERFORM pg_advisory_xact_lock({ADVISORY_LOCK});\n{create}END IF; END $create$;\n",
                    missing.join(" OR ")
                )
            }
            // Prepared, as MySQL has no other way to run a statement on a condition.
            Self::MySql => {
                let mut script =
                    "SET SESSION sql_mode = 'STRICT_ALL_TABLES', SESSION autocommit = 1;\n".to_owned();
                for table in tables {
                    let (name, _) = table;
                    script.push_str(&format!(
                        "SET @backup_log = IF(EXISTS(SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = \
                         DATABASE() AND TABLE_NAME = '{name}'), 'DO 0', {});\nPREPARE backup_log FROM @backup_log;\n\
                         EXECUTE backup_log;\nDEALLOCATE PREPARE backup_log;\n",
                        self.literal(&create(table))
                    ));
                }
                script
            }
            Self::Sqlite => tables.iter().map(create).collect(),
        }
    }
}

/// A number of our own among the advisory locks of a database: `backuplo` in ASCII.
const ADVISORY_LOCK: i64 = 0x6261_636b_7570_6c6f;
