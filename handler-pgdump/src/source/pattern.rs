//! The patterns by which `pg_dump` chooses schemas and tables, as SQL.

use backup_core::{Error, ErrorKind, Result};

use crate::server::quote_literal;

/// What has a meaning of its own in a regular expression.
const SPECIAL: &str = "|*+?()[]{}.^$\\";

/// A pattern of `pg_dump`, as regular expressions of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    schema: Option<String>,
    name: String,
}

impl Pattern {
    /// Reads the pattern of a table: `name`, which has to be in the search path, or `schema.name`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for one with more parts.
    pub(super) fn table(pattern: &str) -> Result<Self> {
        let mut parts = parts(pattern);
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        if parts.is_empty() { Ok(Self { schema, name }) } else { Err(too_many(pattern)) }
    }

    /// Reads the pattern of a schema.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for one with more parts.
    pub(super) fn schema(pattern: &str) -> Result<Self> {
        match parts(pattern).as_slice() {
            [name] => Ok(Self { schema: None, name: name.clone() }),
            _ => Err(too_many(pattern)),
        }
    }

    /// Whether only what the search path shows is meant.
    pub(super) fn is_of_search_path(&self) -> bool {
        self.schema.is_none()
    }

    /// A condition on the schema `n`.
    pub(super) fn of_schema(&self) -> String {
        matches("n.nspname", &self.name)
    }

    /// A condition on the table `c` in the schema `n`; `visible` is that on what the search path shows.
    pub(super) fn of_table(&self, visible: &str) -> String {
        let name = matches("c.relname", &self.name);
        match &self.schema {
            Some(schema) => format!("({name} AND {})", matches("n.nspname", schema)),
            None => format!("({name} AND {visible})"),
        }
    }
}

fn matches(column: &str, expression: &str) -> String {
    format!("{column}::text ~ {}", quote_literal(&format!("^({expression})$")))
}

fn too_many(pattern: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "a pattern has more parts than source checksums understand")
        .with_context("pattern", pattern)
        .with_suggestion("write tables as schema.table, and dots within a name in double quotes")
}

/// The parts between dots, by the rules of `psql` and `pg_dump`: `*` and `?` are wildcards, capitals are small,
/// but not in double quotes; the rest outside of quotes is a regular expression.
fn parts(pattern: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = pattern.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '$' => part.push_str("\\$"),
            ch if quoted => {
                if SPECIAL.contains(ch) {
                    part.push('\\');
                }
                part.push(ch);
            }
            '*' => part.push_str(".*"),
            '?' => part.push('.'),
            '.' => parts.push(std::mem::take(&mut part)),
            // The name of a type of arrays, and no set of characters.
            '[' if chars.peek() == Some(&']') => part.push_str("\\["),
            ch => part.push(ch.to_ascii_lowercase()),
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_pg_dump_reads_them() {
        for (pattern, expected) in [
            ("orders", &["orders"][..]),
            ("Orders", &["orders"]),
            ("\"Orders\"", &["Orders"]),
            ("pub*.o?", &["pub.*", "o."]),
            ("\"we.ird \"\"s\"\"\".\"t*\"", &["we\\.ird \"s\"", "t\\*"]),
            ("a$b", &["a\\$b"]),
            ("(a|b)[0-9]", &["(a|b)[0-9]"]),
            ("int[]", &["int\\[]"]),
        ] {
            assert_eq!(parts(pattern), expected, "{pattern}");
        }
        assert!(Pattern::table("a.b.c").is_err() && Pattern::schema("a.b").is_err());
    }

    #[test]
    fn conditions_are_quoted() {
        let pattern = Pattern::table("it's.\"a.b\"").unwrap();
        assert_eq!(
            pattern.of_table("true"),
            r"(c.relname::text ~ E'^(a\\.b)$' AND n.nspname::text ~ '^(it''s)$')"
        );
        let pattern = Pattern::table("t").unwrap();
        assert_eq!(pattern.of_table("c.oid = 1"), "(c.relname::text ~ '^(t)$' AND c.oid = 1)");
    }
}
