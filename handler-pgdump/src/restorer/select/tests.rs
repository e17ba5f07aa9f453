use backup_core::{ErrorKind, Selected};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict abc

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA lib;
CREATE TYPE public.mood AS ENUM (
    'sad;'
);
ALTER TYPE public.mood OWNER TO me;
CREATE FUNCTION lib.twice(a integer DEFAULT 3, OUT b text) RETURNS text
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN true THEN 1 ELSE 2 END;
 SELECT 2;
END;
ALTER FUNCTION lib.twice(a integer, OUT b text) OWNER TO me;
SET default_tablespace = '';
CREATE TABLE public.orders (
    id integer NOT NULL,
    mood public.mood
);
ALTER TABLE public.orders OWNER TO me;
ALTER TABLE public.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ids
    START WITH 1
);
CREATE TABLE public.others (
    id integer DEFAULT nextval('lib."S q"'::regclass) NOT NULL
);
CREATE SEQUENCE lib."S q"
    START WITH 1;
ALTER SEQUENCE lib."S q" OWNED BY public.others.id;
COPY public.orders (id, mood) FROM stdin;
1	CREATE TABLE public.others;
\.
COPY public.others (id) FROM stdin;
7
\.
INSERT INTO public.orders VALUES (2, ';
CREATE TABLE x;');
INSERT INTO public.others VALUES (8);
SELECT pg_catalog.setval('public.ids', 5, true);
SELECT pg_catalog.setval('lib."S q"', 6, true);
BEGIN;
SELECT pg_catalog.lo_create('1');
COMMIT;
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.others
    ADD CONSTRAINT others_fkey FOREIGN KEY (id) REFERENCES public.orders(id);
CREATE RULE keep AS
    ON DELETE TO public.orders DO INSTEAD ( SELECT 1;
 SELECT 2;
);
COMMENT ON INDEX public.orders_pkey IS 'x;';
REVOKE ALL ON FUNCTION lib.twice(a integer, OUT b text) FROM PUBLIC;
GRANT SELECT(id),UPDATE(mood) ON TABLE public.orders TO you;
--
-- PostgreSQL database dump complete
--

\unrestrict abc

"#;

fn stream(text: &str, size: usize) -> ByteStream {
    let chunks: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).map(Ok).collect();
    ByteStream::new(futures::stream::iter(chunks))
}

async fn chosen(tables: &[&str], size: usize) -> Result<Selected> {
    let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
    select(stream(DUMP, size), &tables).await
}

async fn passed(wanted: Wanted, size: usize) -> String {
    let bytes = filtered(stream(DUMP, size), wanted).collect_bytes(1 << 20).await.unwrap();
    String::from_utf8(bytes.into()).unwrap()
}

fn shown_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("--")).collect()
}

#[tokio::test]
async fn a_table_passes_with_its_parts_and_what_it_needs_and_nothing_else() {
    let selected = chosen(&["public.orders"], 1000).await.unwrap();
    assert_eq!(
        selected.objects,
        [
            "constraint orders_pkey ON public.orders",
            "sequence public.ids",
            "type public.mood",
            "table public.orders",
            "index public.orders_pkey",
            "rule keep ON public.orders",
        ]
    );
    assert_eq!(
        selected.notes,
        [
            "public.others refers to public.orders (foreign key others_fkey ON public.others), and is not chosen"
        ]
    );
    let text = passed(Wanted::Objects(Objects::of(&selected)), 1000).await;
    let left_out = [
        "CREATE SCHEMA lib;",
        "CREATE FUNCTION lib.twice(a integer DEFAULT 3, OUT b text) RETURNS text",
        "    LANGUAGE sql",
        "    BEGIN ATOMIC",
        " SELECT CASE WHEN true THEN 1 ELSE 2 END;",
        "END;",
        "ALTER FUNCTION lib.twice(a integer, OUT b text) OWNER TO me;",
        "CREATE TABLE public.others (",
        "    id integer DEFAULT nextval('lib.\"S q\"'::regclass) NOT NULL",
        "CREATE SEQUENCE lib.\"S q\"",
        "    START WITH 1;",
        "ALTER SEQUENCE lib.\"S q\" OWNED BY public.others.id;",
        "COPY public.others (id) FROM stdin;",
        "7",
        "INSERT INTO public.others VALUES (8);",
        "SELECT pg_catalog.setval('lib.\"S q\"', 6, true);",
        "BEGIN;",
        "SELECT pg_catalog.lo_create('1');",
        "COMMIT;",
        "ALTER TABLE ONLY public.others",
        "    ADD CONSTRAINT others_fkey FOREIGN KEY (id) REFERENCES public.orders(id);",
        "REVOKE ALL ON FUNCTION lib.twice(a integer, OUT b text) FROM PUBLIC;",
    ];
    let expected: Vec<_> = shown_lines(DUMP).into_iter().filter(|line| !left_out.contains(line)).collect();
    let found: Vec<_> = shown_lines(&text);
    // What ends like a line that stays, and is left out with its statement.
    let twice = |lines: &[&str], line: &str| lines.iter().filter(|found| **found == line).count();
    for line in &expected {
        let less = match *line {
            ");" | "\\." | " SELECT 2;" => 1,
            _ => 0,
        };
        assert_eq!(twice(&found, line), twice(&expected, line) - less, "{line}: {text}");
    }
    for line in &found {
        assert!(expected.contains(line), "{line}");
    }
}

#[tokio::test]
async fn a_default_brings_its_sequence_with_where_it_stands() {
    let selected = chosen(&["public.others"], 50).await.unwrap();
    for object in ["sequence lib.\"S q\"", "schema lib", "owner OF lib.\"S q\""] {
        assert!(selected.objects.iter().any(|found| found == object), "{object}: {selected:?}");
    }
    assert_eq!(
        selected.notes,
        [
            "foreign key others_fkey ON public.others refers to public.orders, which is not chosen: it is left out unless \
          the target has that table"
        ]
    );
    let objects = Objects::of(&selected);
    let text = passed(Wanted::Objects(objects.clone()), 50).await;
    assert!(text.contains("setval('lib.\"S q\"'") && text.contains("OWNED BY"), "{text}");
    assert!(!text.contains("others_fkey") && !text.contains("public.ids"), "{text}");

    // Into a target that has the other table and the sequence.
    let present = ["lib.\"S q\"", "schema lib"].map(str::to_owned).into();
    let tables = [("public".to_owned(), "orders".to_owned())].into();
    let objects = objects.beside(present, tables);
    assert_eq!(objects.left_as_they_are(), ["lib.\"S q\"", "schema lib"]);
    let text = passed(Wanted::Objects(objects), 50).await;
    assert!(
        text.contains("others_fkey") && !text.contains("SCHEMA") && !text.contains("\"S q\" OWNED"),
        "{text}"
    );
    assert!(!text.contains("setval"), "a sequence that others use stays where it is: {text}");
}

#[tokio::test]
async fn functions_are_told_apart_by_their_arguments() {
    let read = |text: &str| match statement::read(text) {
        statement::Statement::Part(part) => part.key,
        other => panic!("{other:?}"),
    };
    let made = read(
        "CREATE FUNCTION lib.twice(a integer DEFAULT (1, 2), VARIADIC \"B b\" public.mood[] = '{}') RETURNS x;",
    );
    assert_eq!(
        made,
        read("GRANT ALL ON FUNCTION lib.twice(a integer, VARIADIC \"B b\" public.mood[]) TO y;")
    );
    assert_ne!(made, read("COMMENT ON FUNCTION lib.twice(a integer) IS 'x';"));
}

#[tokio::test]
async fn definitions_pass_without_rows_positions_and_large_objects() {
    let text = passed(Wanted::Definitions, 77).await;
    for gone in ["COPY", "INSERT", "setval", "lo_create", "BEGIN;", "7\n", "CREATE TABLE x"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    for kept in
        ["BEGIN ATOMIC", "others_fkey", "SET default", "set_config", "\\unrestrict abc", "SELECT 2;\n);"]
    {
        assert!(text.contains(kept), "{kept}: {text}");
    }
}

#[tokio::test]
async fn what_is_cut_off_or_commands_psql_is_refused() {
    for (text, kind) in [
        ("CREATE TABLE public.a (a text", ErrorKind::Corrupt),
        ("SELECT 1 \\gexec\n", ErrorKind::Corrupt),
        ("CREATE TABLE public.\"\u{fe}\" ();\n", ErrorKind::InvalidInput),
    ] {
        let err = select(stream(text, 5), &["public.b".to_owned()]).await.unwrap_err();
        assert_eq!(err.kind(), kind, "{text}: {err}");
    }
    let latin: Vec<u8> = b"CREATE TABLE public.\"\xe4\" ();\n".to_vec();
    let err = select(ByteStream::from(Bytes::from(latin)), &["public.b".to_owned()]).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err}");
    // A command at the start of a line passes, for the filter that judges it.
    let body = filtered(stream("\\! id\n", 2), Wanted::Definitions).collect_bytes(99).await.unwrap();
    assert_eq!(body.as_ref(), b"\\! id\n");
}

#[tokio::test]
async fn rows_of_any_length_and_encoding_pass_with_their_table() {
    let mut dump = b"INSERT INTO public.orders VALUES ('".to_vec();
    dump.extend([0xe4].repeat(300_000));
    dump.extend(b"');\nINSERT INTO public.others VALUES ('\xe4');\n");
    let wanted = Objects::of(&Selected::new(vec!["public.orders".to_owned()]));
    let body = ByteStream::from(Bytes::from(dump.clone()));
    let passed = filtered(body, Wanted::Objects(wanted)).collect_bytes(1 << 20).await.unwrap();
    let end = dump.iter().position(|byte| *byte == b';').unwrap();
    assert_eq!(passed.trim_ascii_end(), &dump[..=end]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_depends_on_how_the_bytes_are_cut(size in 1_usize..60) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let selected = chosen(&["public.others"], size).await.unwrap();
            assert_eq!(selected, chosen(&["public.others"], usize::MAX).await.unwrap());
            let wanted = Wanted::Objects(Objects::of(&selected));
            assert_eq!(passed(wanted.clone(), size).await, passed(wanted, usize::MAX).await);
        });
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[-/*'\"$a;.(),\n E]{0,80}") {
        for start in ["", "CREATE ", "ALTER TABLE ", "GRANT x ON ", "COMMENT ON ", "CREATE FUNCTION a.b("] {
            let _ = statement::read(&format!("{start}{text}"));
        }
    }
}
