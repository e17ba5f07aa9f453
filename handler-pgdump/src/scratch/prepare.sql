-- In template0 of a private server, so that every database that is made there has it; see tidy.sql.
-- {user} restores, {owners} is a group of every role that the dump names, {rights} are what such a role gets besides,
-- {read_all} is a statement or nothing.

-- A table changes owners only if the new one may create in its schema.
GRANT USAGE, CREATE ON SCHEMA public TO {owners};
ALTER DEFAULT PRIVILEGES FOR ROLE {user} GRANT USAGE, CREATE ON SCHEMAS TO {owners};

-- Roles belong to a server and are no part of a dump. Those that a statement names are made before it runs, whatever
-- the format of the dump. Extensions that only a superuser may make are made here, by name and schema alone.
CREATE FUNCTION pg_catalog.backup_rehearsal() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  statement text := current_query();
  name CONSTANT text := '("(?:[^"]|"")+"|[a-z_][a-z0-9_]*)';
  pattern text;
  list text;
  word text;
  part text[];
  relation regclass;
BEGIN
  IF tg_tag = 'CREATE EXTENSION' THEN
    part := regexp_match(statement, '(?:^|\n)CREATE EXTENSION IF NOT EXISTS ' || name || ' WITH SCHEMA ' || name || ';?\s*$');
    -- What this makes fires the same trigger, in the same query.
    IF part IS NULL OR current_setting('backup.making', true) = 'yes' THEN
      RETURN;
    END IF;
    part := ARRAY[(parse_ident(part[1]))[1], (parse_ident(part[2]))[1]];
    IF EXISTS (SELECT FROM pg_extension WHERE extname = part[1]) THEN
      RETURN;
    END IF;
    PERFORM set_config('backup.making', 'yes', true);
    EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I', part[1], part[2]);
    PERFORM set_config('backup.making', '', true);
    -- As if the restoring user had made it: it gets comments, and rows in its tables.
    UPDATE pg_extension SET extowner = '{user}'::regrole WHERE extname = part[1];
    FOR relation IN
      SELECT c.oid FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
      WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relkind = 'r'
        AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = part[1])
    LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO {user}', relation);
    END LOOP;
    RETURN;
  END IF;
  pattern := CASE
    WHEN tg_tag IN ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES') THEN '\m(?:TO|FROM|ROLE|BY) '
    WHEN tg_tag = 'CREATE POLICY' THEN '\mTO '
    WHEN tg_tag = 'CREATE USER MAPPING' THEN '\mFOR '
    WHEN tg_tag = 'CREATE SCHEMA' THEN '\mAUTHORIZATION '
    WHEN tg_tag LIKE 'ALTER %' THEN '\mOWNER TO '
  END;
  IF pattern IS NULL THEN
    RETURN;
  END IF;
  FOR list IN SELECT (regexp_matches(statement, pattern || '(' || name || '(?:, ' || name || ')*)', 'g'))[1] LOOP
    FOR word IN SELECT (parse_ident((regexp_matches(list, name, 'g'))[1]))[1] LOOP
      CONTINUE WHEN word LIKE 'pg\_%' OR word IN ('public', 'none') OR EXISTS (SELECT FROM pg_roles WHERE rolname = word);
      -- Several jobs may miss the same role.
      PERFORM pg_advisory_xact_lock(4711);
      CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = word);
      -- Views are filled with the rights of their owners, who may have been superusers.
      EXECUTE format('CREATE ROLE %I NOLOGIN {rights}', word);
      EXECUTE format('GRANT %I TO {user}; GRANT {owners} TO %I', word, word);
      {read_all}
    END LOOP;
  END LOOP;
END
$function$;
REVOKE ALL ON FUNCTION pg_catalog.backup_rehearsal() FROM PUBLIC;
CREATE EVENT TRIGGER backup_rehearsal ON ddl_command_start EXECUTE FUNCTION pg_catalog.backup_rehearsal();
