//! [`Present`]: what the target has of chosen tables, and around them.

use std::collections::BTreeSet;

use backup_core::{Error, ErrorKind, Result};

use super::{
    statement::{Kind, global_key},
    tokens::tokens,
    words::{Name, Words, arguments, shown},
};
use crate::server::{QUESTION_LIMIT, Server, quote_literal};

/// One line of JSON for each fact; `:chosen` stands for the tables.
///
/// `doomed` are the tables that would be dropped, `theirs` the relations that go with them.
const FACTS: &str = r"
WITH RECURSIVE chosen (schema, name) AS (VALUES :chosen),
mine AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
named AS (
  SELECT c.oid, nspname, relname, relkind FROM pg_class c JOIN mine ON mine.oid = relnamespace
  JOIN chosen ON nspname = schema AND relname = name
), doomed AS (
  SELECT oid FROM named WHERE relkind IN ('r', 'p', 'f')
  UNION SELECT inhrelid FROM pg_inherits JOIN doomed ON inhparent = doomed.oid
    JOIN pg_class k ON k.oid = inhrelid AND k.relispartition
), theirs AS (
  SELECT oid FROM doomed
  UNION SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM doomed)
  UNION SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
    AND refobjid IN (SELECT oid FROM doomed) AND deptype IN ('a', 'i')
), rowtypes AS (
  SELECT oid FROM pg_type WHERE typrelid IN (SELECT oid FROM doomed)
  UNION SELECT typarray FROM pg_type WHERE typrelid IN (SELECT oid FROM doomed)
), facts AS (
  SELECT json_build_array('existing', nspname, relname, relkind = 'f') AS fact FROM named WHERE relkind IN ('r', 'p', 'f')
  UNION ALL SELECT json_build_array('obstacle', pg_describe_object('pg_class'::regclass, oid, 0) || ' has the name of a chosen table')
    FROM named WHERE relkind NOT IN ('r', 'p', 'f')
  UNION ALL SELECT json_build_array('table', nspname, relname) FROM pg_class c JOIN mine ON mine.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f') AND c.oid NOT IN (SELECT oid FROM theirs)
  UNION ALL SELECT json_build_array('name', nspname, relname) FROM pg_class c JOIN mine ON mine.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c', 'i', 'I') AND c.oid NOT IN (SELECT oid FROM theirs)
  UNION ALL SELECT json_build_array('name', nspname, typname) FROM pg_type t JOIN mine ON mine.oid = typnamespace
    WHERE typrelid = 0 AND typcategory <> 'A'
  UNION ALL SELECT json_build_array('function', nspname, proname, pg_get_function_identity_arguments(p.oid))
    FROM pg_proc p JOIN mine ON mine.oid = pronamespace
  UNION ALL SELECT json_build_array('operator', nspname, oprname) FROM pg_operator JOIN mine ON mine.oid = oprnamespace
  UNION ALL SELECT json_build_array('name', nspname, name) FROM mine JOIN (
    SELECT collnamespace AS schema, collname AS name FROM pg_collation
    UNION ALL SELECT connamespace, conname FROM pg_conversion
    UNION ALL SELECT opcnamespace, opcname FROM pg_opclass UNION ALL SELECT opfnamespace, opfname FROM pg_opfamily
    UNION ALL SELECT cfgnamespace, cfgname FROM pg_ts_config UNION ALL SELECT dictnamespace, dictname FROM pg_ts_dict
    UNION ALL SELECT prsnamespace, prsname FROM pg_ts_parser UNION ALL SELECT tmplnamespace, tmplname FROM pg_ts_template
  ) helpers ON mine.oid = schema
  UNION ALL SELECT json_build_array('cast', format('(%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL)))
    FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT json_build_array('schema', nspname) FROM mine
  UNION ALL SELECT json_build_array('extension', extname) FROM pg_extension
  UNION ALL SELECT json_build_array('language', lanname) FROM pg_language
  UNION ALL SELECT json_build_array('server', srvname) FROM pg_foreign_server
  UNION ALL SELECT json_build_array('wrapper', fdwname) FROM pg_foreign_data_wrapper
  UNION ALL SELECT json_build_array('foreign',
      format('ALTER TABLE %s DROP CONSTRAINT %I;', conrelid::regclass, conname),
      format('ALTER TABLE %s ADD CONSTRAINT %I %s;', conrelid::regclass, conname, pg_get_constraintdef(x.oid))
        || coalesce(format(' COMMENT ON CONSTRAINT %I ON %s IS %L;', conname, conrelid::regclass,
          obj_description(x.oid, 'pg_constraint')), ''))
    FROM pg_constraint x JOIN pg_class r ON r.oid = conrelid WHERE contype = 'f' AND conparentid = 0
      AND confrelid IN (SELECT oid FROM doomed) AND conrelid NOT IN (SELECT oid FROM doomed) AND pg_has_role(relowner, 'USAGE')
  UNION ALL SELECT json_build_array('obstacle', pg_describe_object('pg_constraint'::regclass, x.oid, 0) || ', which only the owner of that table can drop and put back')
    FROM pg_constraint x JOIN pg_class r ON r.oid = conrelid WHERE contype = 'f' AND conparentid = 0
      AND confrelid IN (SELECT oid FROM doomed) AND conrelid NOT IN (SELECT oid FROM doomed) AND NOT pg_has_role(relowner, 'USAGE')
  UNION ALL SELECT CASE WHEN row_to_json(p)->>'prqual' IS NULL AND row_to_json(p)->>'prattrs' IS NULL
      THEN json_build_array('foreign', '', format('ALTER PUBLICATION %I ADD TABLE ONLY %s;', pubname, prrelid::regclass))
      ELSE json_build_array('obstacle', pg_describe_object('pg_publication_rel'::regclass, p.oid, 0)) END
    FROM pg_publication_rel p JOIN pg_publication b ON b.oid = prpubid WHERE prrelid IN (SELECT oid FROM named)
  UNION ALL SELECT json_build_array('obstacle', described) FROM (
    SELECT DISTINCT CASE WHEN w.oid IS NULL THEN pg_describe_object(d.classid, d.objid, d.objsubid)
        ELSE pg_describe_object('pg_class'::regclass, ev_class, 0) END AS described
      FROM pg_depend d LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
      WHERE deptype = 'n' AND ((refclassid = 'pg_class'::regclass AND refobjid IN (SELECT oid FROM theirs))
          OR (refclassid = 'pg_type'::regclass AND refobjid IN (SELECT oid FROM rowtypes)))
        AND NOT (classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM theirs))
        AND NOT (classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint x WHERE x.oid = objid AND contype = 'f'))
        AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid
          AND o.deptype IN ('a', 'i', 'P', 'S') AND o.refclassid = 'pg_class'::regclass AND o.refobjid IN (SELECT oid FROM theirs))
  ) described
) SELECT fact FROM facts;
";

/// What the target has of chosen tables, and around them.
#[derive(Debug, Default)]
pub(in super::super) struct Present {
    /// The chosen tables that it has; true is that of a foreign table.
    existing: Vec<(Name, bool)>,
    /// What would be lost with them.
    pub(in super::super) obstacles: Vec<String>,
    /// What it has besides, by its keys.
    pub(in super::super) keys: BTreeSet<String>,
    /// The other tables.
    pub(in super::super) tables: BTreeSet<Name>,
    /// What is taken away before the chosen tables are dropped, and put back after they were restored.
    around: Vec<(String, String)>,
}

impl Present {
    /// Asks for the chosen tables, named as the inventory names them.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(in super::super) async fn ask(server: &Server, tables: &[String]) -> Result<Self> {
        let names: Vec<Name> = tables.iter().map(|table| split(table)).collect::<Result<_>>()?;
        let rows = names.iter().map(|(schema, name)| {
            format!("({}::text, {}::text)", quote_literal(schema), quote_literal(name))
        });
        let chosen = rows.collect::<Vec<_>>().join(", ");
        let answer = server.ask(&FACTS.replace(":chosen", &chosen), QUESTION_LIMIT).await?;
        let mut present = Self::default();
        for line in answer.lines().filter(|line| !line.is_empty()) {
            let fact: Vec<serde_json::Value> = crate::server::parse(line)?;
            present.add(&fact);
        }
        Ok(present)
    }

    fn add(&mut self, fact: &[serde_json::Value]) {
        let text = |at: usize| fact.get(at).and_then(serde_json::Value::as_str).unwrap_or_default();
        let name = || (text(1).to_owned(), text(2).to_owned());
        match text(0) {
            "existing" => {
                let foreign = fact.get(3).and_then(serde_json::Value::as_bool).unwrap_or_default();
                self.existing.push((name(), foreign));
            }
            "obstacle" => self.obstacles.push(text(1).to_owned()),
            "table" => {
                self.tables.insert(name());
            }
            "name" | "operator" => {
                self.keys.insert(shown(&name()));
            }
            "function" => {
                self.keys.insert(format!("{}({})", shown(&name()), arguments(&tokens(text(3)))));
            }
            "cast" => {
                let tokens = tokens(text(1));
                let inner = Words::new(&tokens).group().unwrap_or_default();
                self.keys.insert(format!("cast {}", arguments(inner)));
            }
            "foreign" => self.around.push((text(1).to_owned(), text(2).to_owned())),
            word => {
                let kinds = [Kind::Schema, Kind::Extension, Kind::Language, Kind::Server, Kind::Wrapper];
                let kind = kinds.into_iter().find(|kind| kind.word() == word);
                self.keys.extend(kind.map(|kind| global_key(kind, text(1))));
            }
        }
    }

    /// The chosen tables that the target has, as the inventory names them.
    pub(in super::super) fn existing(&self) -> Vec<String> {
        let names = self.existing.iter();
        names
            .map(|((schema, name), _)| {
                backup_core::inventory::qualified_name([schema.as_str(), name.as_str()])
            })
            .collect()
    }

    /// Statements that take the old tables away; they fail where anything else depends on them.
    pub(in super::super) fn before(&self) -> String {
        let mut sql = String::new();
        if self.existing.is_empty() {
            return sql;
        }
        sql.push_str("SET LOCAL lock_timeout = '60s';\n");
        for (before, _) in &self.around {
            sql.extend([before, "\n"]);
        }
        for (kind, foreign) in [("TABLE", false), ("FOREIGN TABLE", true)] {
            let tables = self.existing.iter().filter(|(_, is_foreign)| *is_foreign == foreign);
            let names: Vec<String> = tables.map(|(name, _)| shown(name)).collect();
            if !names.is_empty() {
                sql.extend(["DROP ", kind, " ", &names.join(", "), ";\n"]);
            }
        }
        sql
    }

    /// Statements that put back what referred to the old tables.
    pub(in super::super) fn after(&self) -> String {
        self.around.iter().flat_map(|(_, after)| [after.as_str(), "\n"]).collect()
    }
}

/// A name of the inventory's, in its two parts.
pub(in super::super) fn split(table: &str) -> Result<Name> {
    let wrong = || {
        Error::new(ErrorKind::InvalidInput, "a table is named by its schema and its name")
            .with_context("table", table)
            .with_suggestion("name the table as the backup's inventory does")
    };
    let (schema, rest) = part(table).ok_or_else(wrong)?;
    let (name, rest) = rest.strip_prefix('.').and_then(part).ok_or_else(wrong)?;
    if rest.is_empty() { Ok((schema, name)) } else { Err(wrong()) }
}

/// The first part of a name: in quotes, with quotes inside doubled, or up to a dot.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return Some((text.get(..end)?.to_owned(), text.get(end..)?));
    };
    let mut end = 0;
    loop {
        end += inner.get(end..)?.find('"')?;
        let after = inner.get(end + 1..)?;
        if !after.starts_with('"') {
            return Some((inner.get(..end)?.replace("\"\"", "\""), after));
        }
        end += 2;
    }
}

#[cfg(test)]
mod split_tests {
    use backup_core::inventory::qualified_name;

    use super::*;

    #[test]
    fn names_of_the_inventory_are_read_back() {
        for (schema, name) in
            [("public", "orders"), ("we.ird \"schema", "t.able"), ("a", "\"\""), ("Ü", "x y")]
        {
            let (found, table) = split(&qualified_name([schema, name])).unwrap();
            assert_eq!((found.as_str(), table.as_str()), (schema, name));
        }
        for wrong in ["orders", "a.b.c", "\"a", "a.\"b\"c"] {
            assert_eq!(split(wrong).unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong}");
        }
    }
}
