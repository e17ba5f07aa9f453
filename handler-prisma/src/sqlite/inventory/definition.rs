//! A digest of what defines each table.

use std::collections::HashMap;

use rusqlite::Connection;
use xxhash_rust::xxh3::xxh3_128;

/// What stands in the schema for a table, its indexes and its triggers; an index of a constraint has no words.
const STATEMENTS: &str = "SELECT tbl_name, sql FROM main.sqlite_schema WHERE type IN ('table', 'index', 'trigger') AND sql IS NOT NULL";

/// For each table the digest of its statement and those of its indexes and triggers, in hex, whatever their order,
/// white space and comments.
pub(super) fn digests(connection: &Connection) -> rusqlite::Result<HashMap<String, String>> {
    let mut sums: HashMap<String, u128> = HashMap::new();
    let mut statement = connection.prepare(STATEMENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let sum = sums.entry(table).or_default();
        *sum = sum.wrapping_add(xxh3_128(plain(&sql).as_bytes()));
    }
    Ok(sums.into_iter().map(|(table, sum)| (table, format!("{sum:032x}"))).collect())
}

/// The statement without comments, and with white space only where it keeps two words apart.
fn plain(sql: &str) -> String {
    let mut plain = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut apart = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => closed(rest, first, first.len_utf8()),
            '[' => closed(rest, ']', 1),
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                apart = true;
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/").map_or("", |(_, rest)| rest);
                apart = true;
                continue;
            }
            _ if first.is_ascii_whitespace() => {
                rest = rest.get(1..).unwrap_or_default();
                apart = true;
                continue;
            }
            _ => first.len_utf8(),
        };
        if apart && is_word(first) && plain.chars().next_back().is_some_and(is_word) {
            plain.push(' ');
        }
        apart = false;
        let (token, tail) = rest.split_at(length);
        plain.push_str(token);
        rest = tail;
    }
    plain
}

/// The length of what a quote begins, up to the quote that ends it.
fn closed(text: &str, end: char, from: usize) -> usize {
    let inner = text.get(from..).unwrap_or_default();
    inner.find(end).map_or(text.len(), |at| from + at + end.len_utf8())
}

/// Of a word or of what quotes one: two strings side by side are not one with a quote in it.
fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$' | '\'' | '"' | '`') || !letter.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_mean_nothing_outside_of_quotes() {
        let short = "CREATE TABLE t(a INT DEFAULT 'x  -- y',\"b /* */\"TEXT,[c  d])";
        let long =
            "CREATE\n TABLE  t ( a INT -- it's\n DEFAULT 'x  -- y' , /* \" */ \"b /* */\" TEXT, [c  d] )";
        assert_eq!(plain(short), plain(&long.replace("*/\" TEXT", "*/\"TEXT")));
        for (one, other) in [
            ("a b", "ab"),
            ("'x  y'", "'x y'"),
            ("'a' 'b'", "'a''b'"),
            ("[c  d]", "[c d]"),
            ("a -- 'b\nc", "a"),
            ("'é", "'"),
        ] {
            assert_ne!(plain(one), plain(other));
        }
        assert_eq!(plain("a/**/b"), "a b");
    }
}
