//! Claims about single statements; whole dumps are in `tests/scanner.rs`.

use super::*;
use crate::inventory::Inspector;

const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// The inventory as `(name, rows, bytes)`, read in chunks of `size`.
fn scan_by(dump: &[u8], size: usize) -> Result<Vec<(String, u64, u64)>> {
    let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", "plain");
    for chunk in dump.chunks(size) {
        tap.update(chunk)?;
    }
    tap.finish()?;
    let inventory = inventory.take().unwrap().unwrap();
    Ok(inventory.tables.into_iter().map(|table| (table.name, table.rows, table.bytes)).collect())
}

/// The tables of `statements`, which must not depend on how they are cut.
fn tables(statements: &str) -> Vec<(String, u64, u64)> {
    let dump = format!("{statements}{END}");
    let whole = scan_by(dump.as_bytes(), usize::MAX).unwrap();
    let sizes = if dump.len() < 10_000 { 1..40 } else { 999..1000 };
    for size in sizes {
        assert_eq!(scan_by(dump.as_bytes(), size).unwrap(), whole, "chunks of {size}");
    }
    whole
}

/// The same without bytes.
fn rows(statements: &str) -> Vec<(String, u64)> {
    tables(statements).into_iter().map(|(name, rows, _)| (name, rows)).collect()
}

/// The error of a dump that has its end mark, whatever the cuts.
fn refusal(statements: &str) -> (ErrorKind, String) {
    let dump = format!("{statements}{END}");
    let err = scan_by(dump.as_bytes(), usize::MAX).unwrap_err();
    for size in 1..20 {
        let other = scan_by(dump.as_bytes(), size).unwrap_err();
        assert_eq!((other.kind(), other.message()), (err.kind(), err.message()), "chunks of {size}");
    }
    (err.kind(), err.to_string())
}

fn one(name: &str, rows: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), rows)]
}

#[test]
fn tables_without_rows_are_listed() {
    let found = rows(
        "CREATE TABLE public.a (id integer);\nCREATE UNLOGGED TABLE public.b ();\n\
         CREATE FOREIGN TABLE public.c (x text)\nSERVER s;\n\
         CREATE TABLE public.d (at date)\nPARTITION BY RANGE (at);\n\
         CREATE TABLE IF NOT EXISTS public.e (a int);\nCREATE TABLE \"if\" (a int);\nCREATE TABLE if (a int);\n",
    );
    let names: Vec<_> = found.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    assert_eq!(
        names,
        ["if", "public.a", "public.b", "public.c", "public.d", "public.e"].map(|name| (name, 0))
    );
}

#[test]
fn what_is_no_table_is_not_listed() {
    for other in [
        "CREATE VIEW public.v AS SELECT 1;",
        "CREATE MATERIALIZED VIEW public.v AS SELECT 1 WITH NO DATA;\nREFRESH MATERIALIZED VIEW public.v;",
        "CREATE SEQUENCE public.s;\nSELECT pg_catalog.setval('public.s', 7, true);",
        "CREATE FOREIGN DATA WRAPPER w;",
        "CREATE INDEX i ON public.t USING btree (a);",
        "COMMENT ON TABLE public.t IS 'CREATE TABLE x ();';",
        "CREATE TABLE public.v (a int);\nCREATE RULE \"_RETURN\" AS\n    ON SELECT TO public.v DO INSTEAD  SELECT 1;",
        "BEGIN;\nSELECT pg_catalog.lo_open('1', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00');\nCOMMIT;",
    ] {
        assert_eq!(rows(other), [], "{other}");
    }
}

#[test]
fn names_are_shown_unquoted_and_never_alike() {
    for (written, shown) in [
        ("public.t", "public.t"),
        ("Public.T", "public.t"),
        ("public.\"T\"", "public.T"),
        ("\"a b\".\"c\"\"d\"", "a b.\"c\"\"d\""),
        ("\"a.b\".c", "\"a.b\".c"),
        ("a.\"b.c\"", "a.\"b.c\""),
        ("\"línea\nzwei\".\"数据\"", "línea\nzwei.数据"),
        ("\"\"\"\".\".\"", "\"\"\"\".\".\""),
        ("public . /* here */ \"t\" -- there\n", "public.t"),
        ("public.\"CREATE TABLE x (\"", "public.CREATE TABLE x ("),
        ("\"--\".\"/*\"", "--./*"),
        ("\"$$\".a$$b", "$$.a$$b"),
    ] {
        assert_eq!(rows(&format!("CREATE TABLE {written} (a int);\n")), one(shown, 0), "{written}");
        assert_eq!(rows(&format!("COPY {written} (a) FROM stdin;\n1\n\\.\n")), one(shown, 1), "{written}");
        assert_eq!(rows(&format!("INSERT INTO {written} VALUES (1);\n")), one(shown, 1), "{written}");
    }
}

#[test]
fn names_that_are_not_utf8_are_escaped() {
    let dump = [b"CREATE TABLE public.\"caf\xe9\" ();\n", END.as_bytes()].concat();
    assert_eq!(scan_by(&dump, 3).unwrap(), [("public.caf\\xe9".to_owned(), 0, 0)]);
}

#[test]
fn an_unqualified_name_is_in_the_schema_of_the_search_path() {
    let path = "SET search_path = \"My app\", pg_catalog;\n";
    assert_eq!(rows(&format!("{path}CREATE TABLE t ();\n")), one("My app.t", 0));
    assert_eq!(rows(&format!("{path}COPY t (a) FROM stdin;\n\\.\n")), one("My app.t", 0));
    assert_eq!(rows(&format!("{path}CREATE TABLE public.t ();\n")), one("public.t", 0));
    let two =
        "SET search_path = a;\nINSERT INTO t VALUES (1);\nSET search_path = b;\nINSERT INTO t VALUES (1);\n";
    assert_eq!(rows(two), [("a.t".to_owned(), 1), ("b.t".to_owned(), 1)]);
}

#[test]
fn copy_data_is_counted_up_to_its_end_line() {
    for (data, rows) in [
        ("", 0),
        ("\n", 1),
        ("\n\n\n", 3),
        ("1\ta\n2\tb\n", 2),
        ("\\N\n", 1),
        ("\\\\.\n", 1),
        ("x\\.\n", 1),
        (" \\.\n", 1),
        ("\\.x\n\\..\n\\. \n", 3),
        ("\\\n\\.\\.\n", 2),
        ("-- PostgreSQL database dump complete\n", 1),
        ("CREATE TABLE x ();\nCOPY y FROM stdin;\n'\n\"\n$$\n/*\n", 6),
    ] {
        let copy = format!("COPY public.t (a, b) FROM stdin;\n{data}\\.\n\n\nCREATE TABLE public.u ();\n");
        let expected = [("public.t".to_owned(), rows, data.len() as u64), ("public.u".to_owned(), 0, 0)];
        assert_eq!(tables(&copy), expected, "{data:?}");
        let windows = format!("COPY public.t FROM stdin;\r\n{data}\\.\r\nCREATE TABLE public.u ();\r\n");
        assert_eq!(tables(&windows), expected, "{data:?}");
    }
}

#[test]
fn copies_of_one_table_add_up() {
    let copy = "COPY public.t  FROM stdin;\n\n\\.\n";
    assert_eq!(tables(&[copy, copy].concat()), [("public.t".to_owned(), 2, 2)]);
    assert_eq!(rows("COPY t (\"from\", \"stdin;\") WITH OIDS FROM stdin;\n1\n\\.\n"), one("t", 1));
    assert_eq!(rows("COPY t FROM stdin WITH DELIMITER ',' NULL AS '';\n1\n\\.\n"), one("t", 1));
}

#[test]
fn inserts_count_their_tuples() {
    for (statement, count) in [
        ("INSERT INTO public.t VALUES (1, 'a');", 1),
        ("INSERT INTO public.t (a, \"VALUES (\") VALUES (1, 2);", 1),
        ("INSERT INTO public.t DEFAULT VALUES;", 1),
        ("INSERT INTO public.t OVERRIDING SYSTEM VALUE VALUES (1), (2);", 2),
        ("INSERT INTO public.t VALUES\n\t(1, '(''),('),\n\t(-2, 'a;b'),\n\t(3, ');\n--');", 3),
        ("INSERT INTO public.t VALUES (E'\\'),(\\\\', '\\'), (E'''),(\\'', 1);", 2),
        (
            "INSERT INTO public.t VALUES ((1), (2 - 3), 4 / 2 /* ( */, -- (\n B'01', $$($$, $x$),($x$, a$b), ($1);",
            2,
        ),
        ("INSERT INTO public.t VALUES (1) ON CONFLICT (a) DO NOTHING;", 1),
        ("INSERT INTO public.t VALUES (1, E'x', e'\\\'), (');", 1),
    ] {
        let expected = [("public.t".to_owned(), count * 3, statement.len() as u64 * 3)];
        assert_eq!(tables(&format!("{statement}\n{statement}\n\n{statement}\n")), expected, "{statement}");
    }
}

#[test]
fn inserts_into_several_tables_are_kept_apart() {
    let found = rows(
        "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (1);\nINSERT INTO ab VALUES (1);\n\
         INSERT INTO a VALUES (1);\nINSERT INTO b (x) VALUES (1);\nINSERT INTO b (y) VALUES (1), (2);\n",
    );
    assert_eq!(found, [("a".to_owned(), 3), ("ab".to_owned(), 1), ("b".to_owned(), 3)]);
}

#[test]
fn function_bodies_hold_no_statements() {
    let trap = "COPY public.x FROM stdin;\nINSERT INTO public.y VALUES (1);\n\
                -- PostgreSQL database dump complete\n\\! touch x\nCREATE TABLE public.z ();\n";
    for body in [
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$\n{trap}$$;"),
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $_$\n{trap} $$ $a$ $_ $_a$ $_$;"),
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $a$\n{trap} $$a$;"),
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS '\n{trap}''';"),
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS E'\n{trap}\\'';"),
        format!("DO $do$\n{trap}$do$;"),
        format!("/* {trap} /* {trap} */ {trap} /*/ **/ {trap} */"),
        "CREATE FUNCTION public.f() RETURNS void\n    LANGUAGE sql\n    BEGIN ATOMIC\n INSERT INTO public.y VALUES (1);\n \
         SELECT CASE WHEN true THEN 1 ELSE 2 END;\n INSERT INTO public.z VALUES (1);\nEND;"
            .to_owned(),
        "CREATE OR REPLACE PROCEDURE p()\n BEGIN ATOMIC\n COPY y FROM stdin;\nEND;".to_owned(),
    ] {
        assert_eq!(rows(&format!("{body}\nCREATE TABLE t ();\n")), one("t", 0), "{body}");
    }
}

#[test]
fn names_of_functions_open_no_block() {
    for name in ["begin", "atomic", "public.begin", "\"begin\""] {
        let function = format!("CREATE FUNCTION {name}() RETURNS int LANGUAGE sql AS 'SELECT 1';\n");
        assert_eq!(rows(&format!("{function}CREATE TABLE t ();\n")), one("t", 0));
    }
}

#[test]
fn an_escape_literal_goes_on_after_a_line_break() {
    let literal = "SELECT E'a'\n  'b\\'; CREATE TABLE x ();' -- '\n'\\'';\nCREATE TABLE t ();\n";
    assert_eq!(rows(literal), one("t", 0));
    assert_eq!(rows("SELECT 'a'\n'b\\';\nCREATE TABLE t ();\n"), one("t", 0));
}

#[test]
fn a_backslash_means_what_the_dump_says() {
    let off = "SET standard_conforming_strings = off;\n";
    let insert = "INSERT INTO t VALUES ('\\'), (', 1), ('\\\\');\n";
    assert_eq!(rows(&format!("{off}{insert}{insert}")), one("t", 4));
    let on = "SET standard_conforming_strings = 'on';\n";
    assert_eq!(rows(&format!("{off}{on}INSERT INTO t VALUES ('\\'), ('\\');\n")), one("t", 2));
    assert_eq!(rows(&format!("{off}\\connect a\nINSERT INTO t VALUES ('\\'), ('\\');\n")), one("t", 2));
}

#[test]
fn commands_to_psql_are_allowed_where_pg_dump_writes_them() {
    let dump = "\\restrict Ab1\n\nCREATE TABLE t ();\n\\unrestrict Ab1\n\\connect shop\n\\restrict Ab1\n";
    assert_eq!(
        refusal(dump),
        (ErrorKind::Incomplete, refusal(dump).1) // The last restriction is still open.
    );
    let found = scan_by(format!("{dump}{END}\\unrestrict Ab1\n\n").as_bytes(), 5).unwrap();
    assert_eq!(found, [("t".to_owned(), 0, 0)]);
}

#[test]
fn any_other_command_to_psql_is_refused() {
    for (dump, name) in [
        ("\\! touch x\n", "\\!"),
        ("\\copy t from 'x'\n", "\\copy"),
        ("\\o x\n", "\\o"),
        ("  \\connect a\n", "\\connect"),
        ("SELECT 1; \\connect a\n", "\\connect"),
        ("SELECT 1 \\g |touch\n;\n", "\\g"),
        ("SELECT 1 \\gexec\n", "\\gexec"),
        ("INSERT INTO t VALUES (1, \\! x\n);\n", "\\!"),
        ("CREATE TABLE t (\n\\! x\n);\n", "\\!"),
        ("\\.\n", "\\."),
        ("COPY t FROM stdin;\n\\.\n\\.\n", "\\."),
        ("\\restrict a\n\\! x\n", "\\!"),
        ("\\restrict a\n\\connect b\n", "\\connect"),
        ("\\restrict a\n\\unrestrict b\n", "\\unrestrict"),
        ("\\unrestrict b\n", "\\unrestrict"),
    ] {
        let (kind, text) = refusal(dump);
        assert_eq!(kind, ErrorKind::Corrupt, "{dump}");
        let expected = format!("psql command that pg_dump does not write, command: {name}");
        assert!(text.ends_with(&expected), "{dump}: {text}");
    }
}

#[test]
fn statements_that_cannot_be_counted_are_refused() {
    for statement in [
        "COPY t FROM '/etc/passwd';",
        "COPY t FROM PROGRAM 'x';",
        "COPY t TO stdout;",
        "COPY t FROM stdin; SELECT 1;",
        "INSERT INTO t SELECT 1;",
        "INSERT INTO t TABLE u;",
    ] {
        assert_eq!(refusal(statement).0, ErrorKind::Corrupt, "{statement}");
    }
    assert_eq!(refusal("SET client_encoding = 'SHIFT_JIS_2004';").0, ErrorKind::Unsupported);
    assert_eq!(rows("SET client_encoding = 'LATIN1';"), []);
}

#[test]
fn long_tokens_are_no_problem_and_long_names_an_error() {
    let long = "x".repeat(100_000);
    assert_eq!(refusal(&format!("CREATE TABLE {long} ();")).0, ErrorKind::Corrupt);
    assert_eq!(refusal(&format!("COPY \"{long}\" FROM stdin;\n\\.\n")).0, ErrorKind::Corrupt);
    assert_eq!(refusal("CREATE TABLE a.b.c.d ();").0, ErrorKind::Corrupt);
    assert_eq!(refusal(&format!("DO ${long}$ ${long}$;")).0, ErrorKind::Corrupt);
    let fine = format!("--{long}\n/*{long}*/ SELECT {long}, \"{long}\", '{long}', $${long}$$;\n");
    assert_eq!(rows(&format!("{fine}INSERT INTO t VALUES ({long}, '{long}');\n")), one("t", 1));
}

#[test]
fn the_end_mark_counts_only_where_pg_dump_writes_it() {
    let mark = "-- PostgreSQL database dump complete\n";
    for dump in [
        String::new(),
        "CREATE TABLE t ();\n".to_owned(),
        format!("CREATE TABLE t ();\n {mark}"),
        format!("SELECT 1; {mark}"),
        format!("-{mark}"),
        mark.replace("complete", "complete "),
        mark.replace("complete", "completed"),
        mark.replace("complete\n", "complete"),
        mark.replace("database", "database cluster"),
        format!("CREATE TABLE t\n{mark}"),
        format!("CREATE TABLE t ();\n'\n{mark}"),
        format!("/*\n{mark}"),
        format!("SELECT 1 \n{mark};"),
        format!("{mark}CREATE TABLE t ();\n"),
        format!("{mark}CREATE TABLE t ();\n{mark}"),
        format!("{mark}INSERT INTO t VALUES (1);\n{mark}"),
        format!("{mark}\\connect x\n{mark}"),
        format!("{mark};"),
        format!("{mark}x"),
        format!("{mark}\\unrestrict"),
        format!("\\restrict a\n{mark}"),
        format!("\\restrict a\n{mark}\\unrestrict a"),
        format!("COPY t FROM stdin;\n{mark}"),
        format!("COPY t FROM stdin;\n{mark}\\."),
        format!("COPY t FROM stdin;{mark}").replace("--", "  "),
    ] {
        for size in [1, 2, 7, 1000] {
            let kind = scan_by(dump.as_bytes(), size).unwrap_err().kind();
            assert!(matches!(kind, ErrorKind::Incomplete | ErrorKind::Corrupt), "{dump}");
        }
    }
    for dump in [
        mark.to_owned(),
        format!("{mark}--\n\n"),
        format!("{mark}--"),
        mark.replace('\n', "\r\n"),
        format!("-- x\n{mark}"),
        format!("\\restrict a\n{mark}--\n\n\\unrestrict a\n\n"),
    ] {
        assert_eq!(scan_by(dump.as_bytes(), 1).unwrap(), [], "{dump}");
    }
}

#[test]
fn a_dump_that_ends_in_data_says_in_which_table() {
    for dump in ["COPY public.t FROM stdin;\n1\n", "INSERT INTO public.t VALUES (1, 'a"] {
        let err = scan_by(dump.as_bytes(), 3).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Incomplete);
        assert!(err.context().any(|field| field == ("table", "public.t")), "{err}");
    }
}

#[test]
fn a_dump_of_globals_has_a_mark_of_its_own_and_no_inventory() {
    let globals = |text: &str| {
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", "globals");
        tap.update(text.as_bytes()).unwrap();
        tap.finish().map_err(|err| err.kind()).map(|()| inventory.take())
    };
    let dump = "CREATE ROLE a;\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    assert_eq!(globals(dump), Ok(Some(None)));
    assert_eq!(globals(END), Err(ErrorKind::Incomplete));
}

#[test]
fn a_dump_that_was_refused_does_not_end_well() {
    let Inspector { mut tap, .. } = Inspector::for_format("postgresql", "plain");
    assert!(tap.update(b"\\! x\n").is_err());
    assert!(tap.update(END.as_bytes()).is_ok());
    assert_eq!(tap.finish().unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_literal_between_rows_is_no_row_wherever_a_chunk_ends_in_it() {
    for rows in ["(1)'(2),(3)'", "(1)'),(2),'", "(1)'x'),(2)", "'x'(1)"] {
        let dump = format!("INSERT INTO t VALUES {rows};\n{END}");
        let by = |size| scan_by(dump.as_bytes(), size).map_err(|err| err.message().to_owned());
        for size in 1..20 {
            assert_eq!(by(size), by(usize::MAX), "{rows} in chunks of {size}");
        }
    }
}
