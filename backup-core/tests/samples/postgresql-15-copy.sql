--
-- PostgreSQL database dump
--

\restrict sample

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: My "odd".schema; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA "My ""odd"".schema";


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: empty; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.empty (
    a integer
);


--
-- Name: TABLE empty; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.empty IS '
-- PostgreSQL database dump complete
\! touch x
\.
';


--
-- Name: atomic_body(integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.atomic_body(a integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO public.empty (a)  SELECT 1
           WHERE false;
 INSERT INTO public.empty (a)
   VALUES (5);
 SELECT
         CASE
             WHEN (a > 1) THEN
             CASE
                 WHEN (a > 2) THEN 3
                 ELSE 2
             END
             ELSE 1
         END AS "case";
END;


--
-- Name: circ; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.circ AS
SELECT
    NULL::integer AS a;


--
-- Name: circf(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.circf() RETURNS SETOF public.circ
    LANGUAGE sql
    AS $$SELECT 1$$;


--
-- Name: pr(); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.pr()
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO public.empty (a)
   VALUES (7);
END;


--
-- Name: trap(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.trap() RETURNS void
    LANGUAGE plpgsql
    AS $$ BEGIN
-- PostgreSQL database dump complete
COPY public.x FROM stdin;
INSERT INTO public.y VALUES (1);
END $$;


--
-- Name: a.b c; Type: TABLE; Schema: My "odd".schema; Owner: -
--

CREATE TABLE "My ""odd"".schema"."a.b
c" (
    id integer NOT NULL,
    "VALUES (" text,
    "it's;" bytea
);


--
-- Name: a.b c_id_seq; Type: SEQUENCE; Schema: My "odd".schema; Owner: -
--

ALTER TABLE "My ""odd"".schema"."a.b
c" ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME "My ""odd"".schema"."a.b
c_id_seq"
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: v; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.v AS
 SELECT 'a\'::text AS x,
        CASE
            WHEN true THEN ';'::text
            ELSE ''''::text
        END AS y;


--
-- Name: mv; Type: MATERIALIZED VIEW; Schema: public; Owner: -
--

CREATE MATERIALIZED VIEW public.mv AS
 SELECT v.x,
    v.y
   FROM public.v
  WITH NO DATA;


--
-- Name: nocols; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.nocols (
);


--
-- Name: parted; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parted (
    d date,
    v integer
)
PARTITION BY RANGE (d);


--
-- Name: parted_1; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parted_1 (
    d date,
    v integer
);


--
-- Name: parted_2; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parted_2 (
    d date,
    v integer
);


--
-- Name: types; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.types (
    j jsonb,
    n numeric,
    f double precision,
    b bit(3),
    i interval,
    m money,
    c character(3),
    x xml
);


--
-- Name: unlogged; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.unlogged (
    a integer[]
);


--
-- Name: parted_1; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parted ATTACH PARTITION public.parted_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');


--
-- Name: parted_2; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parted ATTACH PARTITION public.parted_2 DEFAULT;


--
-- Name: 17027; Type: BLOB; Schema: -; Owner: -
--

SELECT pg_catalog.lo_create('17027');


--
-- Data for Name: a.b c; Type: TABLE DATA; Schema: My "odd".schema; Owner: -
--

COPY "My ""odd"".schema"."a.b
c" (id, "VALUES (", "it's;") FROM stdin;
1	\\.	\\x00ff
2	a\nb\t\\N	\N
3	-- PostgreSQL database dump complete	\N
4	\n-- PostgreSQL database dump complete\n	\N
5	'), ('	\N
6	$$ " /* */ \\	\N
7		\N
\.


--
-- Data for Name: empty; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.empty (a) FROM stdin;
\.


--
-- Data for Name: nocols; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.nocols  FROM stdin;


\.


--
-- Data for Name: parted_1; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.parted_1 (d, v) FROM stdin;
2020-05-05	-1
\.


--
-- Data for Name: parted_2; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.parted_2 (d, v) FROM stdin;
2022-02-02	-2
\N	3
\.


--
-- Data for Name: types; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.types (j, n, f, b, i, m, c, x) FROM stdin;
{"a": "\\\\\\"b"}	-1.5	NaN	101	1 day -02:00:00	-$5.00	x  	<a>'</a>
"$$"	1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000	-Infinity	000	\N	\N	   	\N
\.


--
-- Data for Name: unlogged; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.unlogged (a) FROM stdin;
{1,2}
\N
\.


--
-- Name: a.b c_id_seq; Type: SEQUENCE SET; Schema: My "odd".schema; Owner: -
--

SELECT pg_catalog.setval('"My ""odd"".schema"."a.b
c_id_seq"', 7, true);


--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
--

BEGIN;

SELECT pg_catalog.lo_open('17027', 131072);
SELECT pg_catalog.lowrite(0, '\x5c2e0a27');
SELECT pg_catalog.lo_close(0);

COMMIT;

--
-- Name: circ _RETURN; Type: RULE; Schema: public; Owner: -
--

CREATE OR REPLACE VIEW public.circ AS
 SELECT circf.a
   FROM public.circf() circf(a);


--
-- Name: unlogged r; Type: RULE; Schema: public; Owner: -
--

CREATE RULE r AS
    ON INSERT TO public.unlogged
   WHERE false DO ( INSERT INTO public.empty (a)
  VALUES (1);
 INSERT INTO public.empty (a)
  VALUES (2);
);


--
-- Name: mv; Type: MATERIALIZED VIEW DATA; Schema: public; Owner: -
--

REFRESH MATERIALIZED VIEW public.mv;


--
-- PostgreSQL database dump complete
--

\unrestrict sample

