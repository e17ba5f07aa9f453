//! Makes databases beside the target, and lets one take the target's place.

use std::time::Duration;

use backup_core::{Error, ErrorKind, Result, restore::Beside};

use super::beside::name_beside;
use crate::{
    scratch::TemporaryDatabase,
    server::{Facts, QUESTION_LIMIT, Server, quote_identifier, quote_literal},
};

/// Databases that nearly every server has, from which others can be made and renamed.
const MAINTENANCE: &[&str] = &["postgres", "template1"];

/// The settings that are lists of quoted names, by the server's source (`GUC_LIST_QUOTE`).
const LISTS: &str = "'local_preload_libraries', 'search_path', 'session_preload_libraries', \
                     'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories'";

/// How often the renaming is tried while clients reconnect to the old database.
const RENAME_TRIES: u32 = 5;

/// A session in another database than the target.
pub(super) async fn maintenance(server: &Server) -> Result<(Server, Facts)> {
    let mut last = None;
    for name in MAINTENANCE.iter().filter(|name| **name != server.config.database()) {
        let elsewhere = server.at(name);
        match elsewhere.facts().await {
            Ok(facts) => return Ok((elsewhere, facts)),
            Err(err) if err.kind() == ErrorKind::DatabaseNotFound => last = Some(err),
            Err(err) => return Err(err),
        }
    }
    let err = Error::new(ErrorKind::DatabaseNotFound, "the server has no database to make others from")
        .with_suggestion("create an empty database named postgres, or the target itself");
    Err(match last {
        Some(source) => err.with_source(source),
        None => err,
    })
}

/// Makes an empty database named after `name`, with the encoding, locale and settings of `like` where that is given;
/// `clauses` asks for what else is to be said of it.
pub(super) async fn create(
    maintenance: &Server,
    name: &str,
    purpose: Beside,
    like: Option<&str>,
    clauses: Option<String>,
) -> Result<TemporaryDatabase> {
    let new = name_beside(name, purpose)?;
    let mut sql = format!("CREATE DATABASE {} TEMPLATE template0", quote_identifier(&new));
    for clauses in like.map(like_clauses).into_iter().chain(clauses) {
        sql.push_str(&maintenance.ask(&clauses, QUESTION_LIMIT).await?);
    }
    sql.push_str(";\n");
    // Armed before it is made: a call that is dropped meanwhile leaves nothing either.
    let database = TemporaryDatabase::new(maintenance.clone(), new);
    let made = async {
        maintenance.ask(&sql, Duration::from_secs(600)).await?;
        if let Some(like) = like {
            let settings = maintenance.ask(&settings_of(like, database.name()), QUESTION_LIMIT).await?;
            maintenance.ask(&settings, QUESTION_LIMIT).await?;
        }
        Ok(())
    };
    match made.await {
        Ok(()) => Ok(database),
        Err(err) => Err(drop_after(database, may_not_make(err)).await),
    }
}

/// Says which right is missing: that of making databases has nothing to do with reading tables.
fn may_not_make(err: Error) -> Error {
    if err.kind() != ErrorKind::PermissionDenied {
        return err;
    }
    let mut clear = Error::new(ErrorKind::PermissionDenied, "the user may not make a database");
    for key in ["server", "stderr"] {
        if let Some((_, value)) = err.context().find(|(name, _)| *name == key) {
            clear = clear.with_context(key, value);
        }
    }
    clear
        .with_suggestion("give the user CREATEDB, or create the database empty and restore into it")
        .with_source(err)
}

/// The owner, encoding and locale of a database, as clauses of `CREATE DATABASE`.
///
/// Provider and ICU locale are read as JSON, because older servers do not have the columns.
fn like_clauses(like: &str) -> String {
    format!(
        r"SELECT format(' OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_get_userbyid(datdba),
    pg_encoding_to_char(encoding), datcollate, datctype)
  || CASE WHEN d->>'datlocprovider' = 'i' THEN
       format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(d->>'datlocale', d->>'daticulocale'))
       || CASE WHEN d->>'daticurules' IS NULL THEN '' ELSE format(' ICU_RULES %L', d->>'daticurules') END
     WHEN d->>'datlocprovider' = 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d->>'datlocale')
     WHEN d->>'datlocprovider' = 'c' THEN ' LOCALE_PROVIDER libc'
     ELSE '' END
  || CASE WHEN datconnlimit < 0 THEN '' ELSE format(' CONNECTION LIMIT %s', datconnlimit) END
FROM (SELECT *, row_to_json(pg_database)::jsonb AS d FROM pg_database) x WHERE datname = {};",
        quote_literal(like)
    )
}

/// The encoding as a clause of `CREATE DATABASE`; the locale stays where the server's own has that encoding.
pub(super) fn in_encoding(encoding: &str) -> String {
    let encoding = quote_literal(encoding);
    // The locale that goes with every encoding.
    format!(
        "SELECT format(' ENCODING %L LC_COLLATE ''C'' LC_CTYPE ''C''', {encoding}::text) FROM pg_database \
         WHERE datname = 'template0' AND pg_encoding_to_char(encoding) <> {encoding};"
    )
}

/// Statements that give `new` the grants, settings and comment of `like`.
///
/// Lists such as `search_path` are stored as SQL writes them, quoted, and must not be quoted a second time.
fn settings_of(like: &str, new: &str) -> String {
    let (old, new) = (quote_literal(like), quote_literal(new));
    format!(
        r"SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', {new}::text) FROM pg_database
  WHERE datname = {old} AND datacl IS NOT NULL;
SELECT format('GRANT %s ON DATABASE %I TO %s%s;', privilege_type, {new}::text,
    CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database, aclexplode(datacl) WHERE datname = {old} AND grantee <> datdba;
SELECT format('COMMENT ON DATABASE %I IS %L;', {new}::text, shobj_description(oid, 'pg_database')) FROM pg_database
  WHERE datname = {old} AND shobj_description(oid, 'pg_database') IS NOT NULL;
SELECT format('ALTER %s SET %s TO %s;', place,
    (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(name, '.')) part),
    CASE WHEN name IN ({LISTS}) THEN value ELSE quote_literal(value) END)
  FROM (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value,
      CASE WHEN setrole = 0 THEN format('DATABASE %I', {new}::text)
        ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), {new}::text) END AS place
    FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = {old})) x;",
    )
}

/// Renames `new` to `name`; the database that had the name is returned, to be dropped.
///
/// Both renamings are one transaction: there is no moment at which the name is gone.
pub(super) async fn take_place(
    maintenance: &Server,
    name: &str,
    new: &str,
    exists: bool,
) -> Result<Option<TemporaryDatabase>> {
    let rename = |from: &str, to: &str| {
        format!("ALTER DATABASE {} RENAME TO {};\n", quote_identifier(from), quote_identifier(to))
    };
    if !exists {
        maintenance.ask(&rename(new, name), QUESTION_LIMIT).await?;
        return Ok(None);
    }
    let old = name_beside(name, Beside::Replaced)?;
    let sql = format!(
        "BEGIN;\nSELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> \
         pg_backend_pid();\n{}{}COMMIT;\n",
        quote_literal(name),
        rename(name, &old),
        rename(new, name)
    );
    let mut tries = 1;
    loop {
        match maintenance.ask(&sql, QUESTION_LIMIT).await {
            Ok(_) => return Ok(Some(TemporaryDatabase::new(maintenance.clone(), old))),
            // 55006: a client came back between the two statements.
            Err(err) if tries < RENAME_TRIES && names_sqlstate(&err, "55006") => tries += 1,
            Err(err) => {
                return Err(err.with_suggestion(
                    "the target is as it was; stop the clients that use it, and check that the user owns \
                     it and may end their sessions (pg_signal_backend)",
                ));
            }
        }
    }
}

fn names_sqlstate(err: &Error, state: &str) -> bool {
    err.context().any(|(key, value)| key == "stderr" && value.contains(state))
}

/// Drops what was begun, and returns why; says so where that fails too.
pub(super) async fn drop_after(database: TemporaryDatabase, err: Error) -> Error {
    let name = database.name().to_owned();
    match database.close().await {
        Ok(()) => err,
        Err(_) => err
            .with_context("left_behind", &name)
            .with_suggestion("drop the database that was left behind, once the server can be reached"),
    }
}
