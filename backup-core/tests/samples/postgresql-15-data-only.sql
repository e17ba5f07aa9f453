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
-- PostgreSQL database dump complete
--

\unrestrict sample

