use proptest::prelude::*;

use super::*;

fn run(script: &str, major: u32, cut: usize) -> Result<String> {
    let mut filter = ScriptFilter::new(major, Atomic::OneTransaction);
    let mut out = Vec::new();
    for chunk in script.as_bytes().chunks(cut) {
        out.extend_from_slice(&filter.update(chunk)?);
    }
    out.extend_from_slice(&filter.finish()?);
    Ok(String::from_utf8(out).unwrap())
}

const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict Uo5RtYcsxF

SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
CREATE FUNCTION f() RETURNS text AS $_$
BEGIN;
\restrict not me
COMMIT;
COPY x FROM stdin;
$_$ LANGUAGE sql;
CREATE FUNCTION g() RETURNS text AS '
BEGIN;
it''s
COMMIT;
' LANGUAGE sql;
COMMENT ON TABLE t IS E'a\\b''
COMMIT;
';
/* BEGIN;
/* nested */
COMMIT;
*/
CREATE TABLE public."a
BEGIN;
b" (x text);
COPY public.t (a) FROM stdin;
BEGIN;
COMMIT;
$$ ' " /* --
\\.
\restrict data
\.
COPY public.e (a) FROM stdin;
\.

SELECT 1 - 2 / 3, $1;
BEGIN;

SELECT pg_catalog.lo_open('16390', 131072);

COMMIT;

\unrestrict Uo5RtYcsxF

"#;

fn expected(major: u32) -> String {
    let mut text = DUMP
        .replace("\\restrict Uo5RtYcsxF\n", "\n")
        .replace("\\unrestrict Uo5RtYcsxF\n", "\n")
        .replace("\nBEGIN;\n\nSELECT pg_catalog", "\n\n\nSELECT pg_catalog")
        .replace("131072);\n\nCOMMIT;\n", "131072);\n\n\n");
    if major < 17 {
        text = text.replace("SET transaction_timeout = 0;", "");
    }
    text
}

#[test]
fn only_top_level_lines_are_left_out() {
    for major in [15, 17] {
        assert_eq!(run(DUMP, major, usize::MAX).unwrap(), expected(major));
    }
}

#[test]
fn large_objects_keep_their_own_transaction_where_there_is_no_other() {
    let mut filter = ScriptFilter::new(17, Atomic::NotNeeded);
    let out = filter.update(DUMP.as_bytes()).unwrap();
    let out = String::from_utf8(out.into()).unwrap();
    assert_eq!(out.lines().filter(|line| *line == "BEGIN;").count(), 5);
    assert!(!out.contains("Uo5RtYcsxF"));
}

#[test]
fn lines_keep_their_numbers() {
    let out = run(DUMP, 15, 7).unwrap();
    assert_eq!(out.lines().count(), DUMP.lines().count());
}

#[test]
fn commands_to_psql_are_refused() {
    for hostile in [
        "\\! touch /tmp/x\n",
        "SELECT 1 \\gexec\n",
        "SELECT 1;\n  \\! id\n",
        "SELECT 1; \\! id\n",
        "COPY t FROM stdin;\n\\.\n\\! id\n",
        "SELECT 'a'; -- x\n\\i /etc/passwd",
        "SELECT $a$ $b$ $a$ \\! id\n",
        "/* */ \\! id\n",
    ] {
        let err = run(hostile, 17, 3).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{hostile}");
    }
}

#[test]
fn a_dump_that_ends_inside_a_statement_is_refused() {
    for cut in
        ["SELECT 'a\n", "COPY t FROM stdin;\n1\n", "CREATE FUNCTION f() AS $$ x;\n", "SELECT 1\n", "/* x"]
    {
        assert_eq!(run(cut, 17, 100).unwrap_err().kind(), ErrorKind::Corrupt, "{cut}");
    }
}

proptest! {
    #[test]
    fn nothing_depends_on_how_the_bytes_are_cut(cut in 1_usize..60) {
        prop_assert_eq!(run(DUMP, 15, cut).unwrap(), expected(15));
    }

    #[test]
    fn any_text_is_taken_without_a_panic(text in "[-/*'\"$a;\\\\\n E.]{0,60}", cut in 1_usize..9) {
        let _ = run(&text, 15, cut);
    }
}
