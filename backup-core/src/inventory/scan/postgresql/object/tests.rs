use std::collections::BTreeMap;

use crate::inventory::{Inspector, Inventory};

const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// What is in the statements, which must not depend on how they are cut.
fn scan(statements: &str) -> Inventory {
    let dump = format!("{statements}{END}");
    let scan = |size: usize| {
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", "plain");
        for chunk in dump.as_bytes().chunks(size) {
            tap.update(chunk).unwrap();
        }
        tap.finish().unwrap();
        inventory.take().unwrap().unwrap()
    };
    let whole = scan(usize::MAX);
    for size in 1..40 {
        assert_eq!(scan(size), whole, "chunks of {size}");
    }
    whole
}

fn objects(statements: &str) -> BTreeMap<String, u64> {
    scan(statements).objects
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect()
}

fn definition(statements: &str) -> String {
    scan(statements).table("public.t").unwrap().definition.clone().unwrap()
}

const TABLE: &str = "CREATE TABLE public.t (\n    id integer DEFAULT nextval('public.t_id_seq'::regclass),\n    \
    b text,\n    CONSTRAINT b_check CHECK ((b <> 'x'::text))\n);\n";
const PARTS: [&str; 9] = [
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_fkey FOREIGN KEY (b) REFERENCES public.u(b) ON DELETE CASCADE;\n",
    "CREATE INDEX t_b_idx ON public.t USING btree (b, lower(b)) WHERE (b = 'y'::text);\n",
    "CREATE UNIQUE INDEX \"t on\" ON ONLY public.t USING btree (id);\n",
    "CREATE TRIGGER tr BEFORE INSERT OR UPDATE OF b ON public.t FOR EACH ROW EXECUTE FUNCTION public.f('a;''b');\n",
    "CREATE POLICY p ON public.t FOR SELECT TO reader USING ((b = 'mine'::text));\n",
    "CREATE RULE r AS\n    ON INSERT TO public.t DO INSTEAD NOTHING;\n",
    "ALTER SEQUENCE public.t_id_seq OWNED BY public.t.id;\n",
    "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;\n",
];

#[test]
fn objects_are_counted_by_what_makes_them() {
    let parts = PARTS.concat();
    assert_eq!(
        objects(&format!("{TABLE}{parts}")),
        counts([
            ("constraint", 2),
            ("foreign-key", 1),
            ("index", 2),
            ("policy", 1),
            ("rule", 1),
            ("table", 1),
            ("trigger", 1),
        ])
    );
    let others = "CREATE SCHEMA s;\nCREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n\
        CREATE TYPE public.base;\nCREATE TYPE public.base (\n    INPUT = f\n);\n\
        CREATE TYPE public.mood AS ENUM (\n    'a;',\n    'b'\n);\nCREATE DOMAIN public.d AS text\n\tCONSTRAINT c CHECK ((VALUE <> ''::text));\n\
        CREATE FUNCTION public.f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $_$ CREATE TABLE x (a int); CREATE VIEW y AS SELECT 1; $_$;\n\
        CREATE PROCEDURE public.p()\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\nEND;\n\
        CREATE AGGREGATE public.a(integer) (\n    SFUNC = int4_sum\n);\n\
        CREATE VIEW public.v AS\n SELECT 1 AS \"table\";\nCREATE MATERIALIZED VIEW public.m AS\n SELECT 1\n  WITH NO DATA;\n\
        CREATE UNIQUE INDEX m_idx ON public.m USING btree (a);\n\
        CREATE SEQUENCE public.s\n    START WITH 1\n    CACHE 1;\nCREATE UNLOGGED TABLE public.u (\n    a integer\n);\n\
        CREATE FOREIGN TABLE public.ft (\n    a integer\n)\nSERVER s;\nCREATE FOREIGN DATA WRAPPER w;\nCREATE SERVER s FOREIGN DATA WRAPPER w;\n\
        CREATE EVENT TRIGGER et ON ddl_command_start\n   EXECUTE FUNCTION public.e();\n\
        CREATE OPERATOR public.+ (\n    FUNCTION = f\n);\nCREATE OPERATOR CLASS public.oc\n    FOR TYPE integer USING btree AS\n    FUNCTION 1 f(a,b);\n\
        CREATE TEXT SEARCH CONFIGURATION public.c (\n    PARSER = x );\nCREATE PUBLICATION pub FOR ALL TABLES WITH (publish = 'insert');\n\
        CREATE STATISTICS public.st (ndistinct) ON a, b FROM public.u;\nCREATE COLLATION public.co (provider = icu);\n\
        CREATE CAST (a AS b) WITH FUNCTION f(a);\nCREATE CONSTRAINT TRIGGER ct AFTER INSERT ON public.u FOR EACH ROW EXECUTE FUNCTION f();\n\
        CREATE DATABASE x;\nCREATE ROLE r;\n";
    assert_eq!(
        objects(others),
        counts([
            ("aggregate", 1),
            ("cast", 1),
            ("collation", 1),
            ("domain", 1),
            ("event-trigger", 1),
            ("extension", 1),
            ("foreign-data-wrapper", 1),
            ("foreign-table", 1),
            ("function", 1),
            ("index", 1),
            ("materialized-view", 1),
            ("operator", 1),
            ("operator-class", 1),
            ("procedure", 1),
            ("publication", 1),
            ("schema", 1),
            ("sequence", 1),
            ("server", 1),
            ("statistics", 1),
            ("table", 1),
            ("text-search-configuration", 1),
            ("trigger", 1),
            ("type", 2),
            ("view", 1),
        ])
    );
}

#[test]
fn what_only_reads_like_statements_is_not_counted() {
    let dump = "-- Name: x; Type: INDEX; Schema: public\nCOPY public.t (a) FROM stdin;\nCREATE INDEX i ON public.t (a);\n\\.\n\
        COMMENT ON TABLE public.t IS 'CREATE INDEX i ON public.t (a);';\nINSERT INTO public.u VALUES ('CREATE VIEW v;');\n\
        INSERT INTO public.u VALUES (E'a', 'CREATE VIEW v;');\n/* CREATE VIEW x AS SELECT 1; */\nSELECT 'CREATE VIEW v';\n\
        DROP INDEX public.i;\nGRANT CREATE ON SCHEMA public TO x;\n";
    assert_eq!(objects(dump), counts([]));
}

#[test]
fn a_view_that_stands_in_for_itself_counts_once() {
    let dump = "CREATE VIEW public.v AS\nSELECT\n    NULL::integer AS a;\nCREATE OR REPLACE VIEW public.v AS\n SELECT 1 AS a;\n";
    assert_eq!(objects(dump), counts([("view", 1)]));
    let old = "CREATE TABLE public.v (\n    a integer\n);\nCREATE RULE \"_RETURN\" AS\n    ON SELECT TO public.v DO INSTEAD  SELECT 1 AS a;\n";
    let found = scan(old);
    assert_eq!((found.tables.len(), found.objects), (0, counts([("view", 1)])));
}

#[test]
fn every_part_of_a_definition_counts_and_their_order_does_not() {
    let whole = definition(&format!("{TABLE}{}", PARTS.concat()));
    let reversed: String = PARTS.into_iter().rev().collect();
    assert_eq!(definition(&format!("{TABLE}{reversed}")), whole);
    assert_eq!(whole.len(), 32);
    for (at, part) in PARTS.into_iter().enumerate() {
        let mut parts = PARTS.to_vec();
        parts.remove(at);
        assert_ne!(definition(&format!("{TABLE}{}", parts.concat())), whole, "without {part}");
        for (from, to) in [
            ("USING", "with"),
            ("public.f('a;''b')", "public.f('a;''c')"),
            ("CASCADE", "RESTRICT"),
            ("mine", "yours"),
        ] {
            if part.contains(from) {
                let other = PARTS.concat().replacen(from, to, 1);
                assert_ne!(definition(&format!("{TABLE}{other}")), whole, "{to} for {from}");
            }
        }
    }
    for (from, to) in
        [("text", "varchar"), ("'x'", "'y'"), ("b <> 'x'::text", "(b) <> 'x'::text"), ("b_check", "c_check")]
    {
        let table = TABLE.replacen(from, to, 1);
        assert_ne!(definition(&format!("{table}{}", PARTS.concat())), whole, "{to} for {from}");
    }
}

#[test]
fn what_does_not_define_a_table_does_not_count() {
    let whole = definition(TABLE);
    let spaced = TABLE.replace("    ", "\t-- a comment\n ").replace(" (", "\n(/* another */");
    let around = "SET default_tablespace = '';\nALTER TABLE IF EXISTS ONLY public.t DROP CONSTRAINT t_pkey;\nDROP TABLE public.t;\n";
    let behind = "ALTER TABLE public.t OWNER TO somebody;\nALTER TABLE public.t DISABLE TRIGGER ALL;\nALTER TABLE public.t ENABLE TRIGGER ALL;\n\
        ALTER TABLE public.t ALTER COLUMN id DROP DEFAULT;\nCOPY public.t (id, b) FROM stdin;\n1\tx\n\\.\nGRANT SELECT ON TABLE public.t TO x;\n\
        COMMENT ON TABLE public.t IS 'x';\nCREATE INDEX i ON public.other USING btree (a);\nCREATE SEQUENCE public.s;\nALTER SEQUENCE public.s OWNER TO x;\n";
    assert_eq!(definition(&spaced), whole);
    assert_eq!(definition(&format!("{around}{TABLE}{behind}")), whole);
    let old = format!(
        "SET search_path = public, pg_catalog;\n{}",
        format!("{TABLE}{}", PARTS[2]).replace("public.t ", "t ")
    );
    assert_eq!(scan(&old).table("public.t").unwrap().rows, 0);
    let without_index =
        format!("SET search_path = public, pg_catalog;\n{}", TABLE.replace("public.t ", "t "));
    assert_ne!(definition(&old), definition(&without_index), "an index on a name without schema counts");
}

#[test]
fn a_list_that_the_server_shows_in_other_words_after_a_restore_is_the_same() {
    let table = |check: &str| format!("CREATE TABLE public.t (\n    CONSTRAINT c CHECK ({check})\n);\n");
    let before = "((s)::text = ANY ((ARRAY['a'::character varying, 'b)'::character varying])::text[]))";
    let after = "((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b)'::character varying)::text]))";
    assert_eq!(definition(&table(before)), definition(&table(after)));
    for (from, to) in [("'a'", "'c'"), ("(s)::text", "(t)::text"), ("(s)::text", "(s)::name"), ("ANY", "ALL")]
    {
        assert_ne!(definition(&table(before)), definition(&table(&before.replacen(from, to, 1))), "{to}");
    }
    let two = |cast: &str| table(&format!("({before} AND ((t){cast} = 'x'::text))"));
    assert_ne!(definition(&two("::text")), definition(&two("")));
}
