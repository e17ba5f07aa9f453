//! Which tables a dump holds, as one query of the catalog that writes a question about each.

use backup_core::{Error, ErrorKind, Result};

use super::pattern::Pattern;
use crate::{command::DumpSettings, format::Content};

/// Long options of `pg_dump` that change neither which rows are dumped nor what is seen of them.
const HARMLESS: &[&str] = &[
    "disable-dollar-quoting",
    "disable-triggers",
    "encoding",
    "lock-wait-timeout",
    "no-comments",
    "no-publications",
    "no-security-labels",
    "no-subscriptions",
    "no-sync",
    "no-table-access-method",
    "no-tablespaces",
    "no-toast-compression",
    "no-unlogged-table-data",
    "on-conflict-do-nothing",
    "quote-all-identifiers",
    "rows-per-insert",
    "strict-names",
    "use-set-session-authorization",
    "verbose",
];

const NO_UNLOGGED: &str = "no-unlogged-table-data";

/// Whose rows a dump holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    schemas: Vec<Pattern>,
    exclude_schemas: Vec<Pattern>,
    tables: Vec<Pattern>,
    exclude_tables: Vec<Pattern>,
    exclude_data: Vec<Pattern>,
    content: Content,
    unlogged: Unlogged,
}

/// What becomes of the rows of unlogged tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Unlogged {
    /// As `pg_dump` does: a standby has none.
    #[default]
    Dumped,
    LeftOut,
}

impl Scope {
    /// Those of a dump with these settings.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for raw options that may change which rows are dumped, and
    /// [`InvalidInput`](ErrorKind::InvalidInput) for patterns with too many parts.
    pub(crate) fn of(settings: &DumpSettings) -> Result<Self> {
        let mut unlogged = Unlogged::Dumped;
        for arg in &settings.extra {
            let name = arg.trim_start_matches('-').split('=').next().unwrap_or_default();
            if !HARMLESS.contains(&name) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "with this option of pg_dump it is not known which rows are dumped",
                )
                .with_context("option", name)
                .with_suggestion("leave out the option, or the source checksums"));
            }
            if name == NO_UNLOGGED {
                unlogged = Unlogged::LeftOut;
            }
        }
        Ok(Self {
            schemas: read(&settings.schemas, Pattern::schema)?,
            exclude_schemas: read(&settings.exclude_schemas, Pattern::schema)?,
            tables: read(&settings.tables, Pattern::table)?,
            exclude_tables: read(&settings.exclude_tables, Pattern::table)?,
            exclude_data: read(&settings.exclude_table_data, Pattern::table)?,
            content: settings.content,
            unlogged,
        })
    }

    /// What `psql` has to run: it prints one line a table.
    pub(super) fn script(&self) -> String {
        let patterns = [&self.tables, &self.exclude_tables, &self.exclude_data];
        let mut script = String::new();
        if patterns.into_iter().flatten().any(Pattern::is_of_search_path) {
            script.push_str(VISIBLE);
        }
        let any = |conditions: Vec<String>| {
            if conditions.is_empty() { "false".to_owned() } else { format!("({})", conditions.join(" OR ")) }
        };
        let of_schema = |patterns: &[Pattern]| any(patterns.iter().map(Pattern::of_schema).collect());
        let of_table =
            |patterns: &[Pattern]| any(patterns.iter().map(|pattern| pattern.of_table(IS_VISIBLE)).collect());
        let chosen = match (self.tables.is_empty(), self.schemas.is_empty()) {
            // Schemas do not matter then.
            (false, _) => of_table(&self.tables),
            (true, schemas_empty) => {
                let chosen = if schemas_empty { NOT_OF_SYSTEM.to_owned() } else { of_schema(&self.schemas) };
                format!("{chosen} AND NOT {}", of_schema(&self.exclude_schemas))
            }
        };
        let unlogged = match self.unlogged {
            Unlogged::Dumped => "c.relpersistence = 'u' AND pg_is_in_recovery()",
            Unlogged::LeftOut => "c.relpersistence = 'u'",
        };
        let (rows, definitions) = match self.content {
            Content::All => ("true", "true"),
            Content::SchemaOnly => ("false", "true"),
            Content::DataOnly => ("true", "false"),
        };
        let filled = [
            (":chosen", format!("{chosen} AND NOT {}", of_table(&self.exclude_tables))),
            (":rows", format!("{rows} AND NOT ({unlogged}) AND NOT {}", of_table(&self.exclude_data))),
            (":definitions", definitions.to_owned()),
        ];
        script.push_str(&fill(TABLES, &filled));
        script
    }
}

/// Puts each text in its place; what is in a text is no place.
fn fill(template: &str, filled: &[(&str, String)]) -> String {
    let mut script = String::new();
    let mut rest = template;
    while let Some((place, before, after)) = filled
        .iter()
        .filter_map(|(place, text)| rest.split_once(place).map(|(before, after)| (text, before, after)))
        .min_by_key(|(_, before, _)| before.len())
    {
        script.extend([before, place]);
        rest = after;
    }
    script + rest
}

fn read(patterns: &[String], read: fn(&str) -> Result<Pattern>) -> Result<Vec<Pattern>> {
    patterns.iter().map(|pattern| read(pattern)).collect()
}

/// What a dump without patterns holds; a table of an extension is judged for itself.
const NOT_OF_SYSTEM: &str =
    "((n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') OR x.condition IS NOT NULL)";

/// `pg_dump` looks patterns without a schema up in the search path that the role and the database set.
const VISIBLE: &str = r"
RESET search_path;
SELECT coalesce(pg_catalog.string_agg(c.oid::text, ','), '0') AS visible FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'p', 'f') AND pg_catalog.pg_table_is_visible(c.oid)
\gset
SET search_path = '';
";

const IS_VISIBLE: &str = "c.oid IN (SELECT unnest(string_to_array(:'visible', ',')::oid[]))";

/// One question per table, which `psql` puts to the server (`\gexec`).
///
/// Summed up is what `pg_dump` writes: no rows of children and foreign tables, no generated columns; of the tables of
/// an extension those rows that the extension asks for. The columns have the order of their names, as a restore may
/// change their places. The subquery is a fence, so that each row is made into a text once.
const TABLES: &str = r#"
SELECT CASE WHEN NOT t.has_rows THEN
  format('SELECT json_build_array(%L::text, %L::text, 0, NULL, NULL)', t.schema_bytes, t.table_bytes)
ELSE format('SELECT json_build_array(%L::text, %L::text, count(*), '
  'mod(mod(coalesce(sum(hashtextextended(t, 0)), 0), 18446744073709551616) + 18446744073709551616, 18446744073709551616)::text, '
  'mod(mod(coalesce(sum(hashtextextended(t, 1)), 0), 18446744073709551616) + 18446744073709551616, 18446744073709551616)::text) '
  'FROM (SELECT ROW(%s)::text COLLATE "C" AS t FROM ONLY %I.%I %s OFFSET 0) AS r',
  t.schema_bytes, t.table_bytes, t.columns, t.nspname, t.relname, t.condition) END
FROM (
  SELECT n.nspname, c.relname, encode(convert_to(n.nspname::text, getdatabaseencoding()), 'hex') AS schema_bytes,
    encode(convert_to(c.relname::text, getdatabaseencoding()), 'hex') AS table_bytes,
    x.condition, c.relkind = 'r' AND :rows AS has_rows, x.condition IS NULL AS is_defined,
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C") FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '') AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (SELECT extcondition[array_position(extconfig, c.oid)] AS condition
    FROM pg_extension WHERE c.oid = ANY (extconfig)) x ON true
  WHERE c.relkind IN ('r', 'p', 'f')
    AND (x.condition IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
    AND :chosen
) AS t
WHERE t.has_rows OR (:definitions AND t.is_defined)
\gexec
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_options_that_change_the_rows_are_refused() {
        for (extra, known) in [
            ("--lock-wait-timeout=30s", true),
            ("--no-unlogged-table-data", true),
            ("--filter=x", false),
            ("--no-unlogged", false),
            ("--enable-row-security", false),
            ("--snapshot=x", false),
        ] {
            let settings = DumpSettings { extra: vec![extra.to_owned()], ..DumpSettings::default() };
            assert_eq!(Scope::of(&settings).is_ok(), known, "{extra}");
        }
    }

    #[test]
    fn a_pattern_that_looks_like_a_place_is_none() {
        let settings = DumpSettings { tables: vec!["\":rows\"".to_owned()], ..DumpSettings::default() };
        let script = Scope::of(&settings).unwrap().script();
        assert!(script.contains("c.relname::text ~ '^(:rows)$'") && script.contains(VISIBLE), "{script}");
        assert!(!Scope::default().script().contains("visible"));
    }
}
