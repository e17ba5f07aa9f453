//! Makes databases, fills them, and empties them again.

use std::time::Duration;

use backup_core::{ByteStream, Error, ErrorKind, Inventory, Result, restore::Beside};

use super::{beside::name_beside, count, definers, events, filter::Wanted, run::Run, swap::chosen};
use crate::{
    scratch::TemporaryDatabase,
    server::{Facts, QUESTION_LIMIT, Server, quote_identifier, quote_literal},
};

/// The table that says that a restore has not ended.
pub(super) const UNFINISHED: &str = "_backup_restore_unfinished";

/// The longest that making or dropping a database may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(600);

/// The statement that marks a database, or else the current one, as being restored; `token` says by whom.
pub(super) fn marker(database: Option<&str>, token: &str) -> String {
    let place = database.map(|name| format!("{}.", quote_identifier(name))).unwrap_or_default();
    let table = quote_identifier(UNFINISHED);
    format!("CREATE TABLE {place}{table} (since timestamp DEFAULT CURRENT_TIMESTAMP) COMMENT '{token}';\n")
}

/// The statement that takes the mark away.
pub(super) fn unmark(database: &str) -> String {
    format!("DROP TABLE {}.{};\n", quote_identifier(database), quote_identifier(UNFINISHED))
}

/// Whether a database has the mark of this restore.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(crate) async fn is_marked(server: &Server, database: &str, token: &str) -> Result<bool> {
    let question = format!(
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = '{UNFINISHED}' \
         AND TABLE_COMMENT = {};\n",
        quote_literal(database),
        quote_literal(token)
    );
    Ok(server.run(None, &question, QUESTION_LIMIT).await?.cell(0, 0)? == "1")
}

/// Whether a database has the mark of any restore.
pub(super) async fn is_unfinished(server: &Server) -> bool {
    let question = format!("SELECT COUNT(*) FROM {};\n", quote_identifier(UNFINISHED));
    server.ask(&question, QUESTION_LIMIT).await.is_ok()
}

/// A word that no other restore has.
pub(super) fn token() -> Result<String> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
    })?;
    Ok(hex::encode(random))
}

/// The refusal of a target that holds something.
pub(super) async fn not_empty(server: &Server, facts: &Facts) -> Error {
    let err = Error::new(ErrorKind::TargetNotEmpty, "the target database is not empty")
        .with_context("database", server.config.database())
        .with_context("tables", facts.tables)
        .with_context("objects", facts.objects);
    if is_unfinished(server).await {
        return err.with_suggestion(
            "an earlier restore into it was cut off: what it holds is not whole; ask for it to be replaced",
        );
    }
    err
}

/// Restores into a database that is not there, or empty; on a failure it is so again.
pub(super) async fn fill(
    run: &Run<'_>,
    exists: bool,
    encoding: Option<&str>,
    wanted: &Wanted,
    body: ByteStream,
    warnings: &mut Vec<String>,
) -> Result<Inventory> {
    let name = run.server.config.database();
    let token = token()?;
    // Armed before it is made: a call that is dropped meanwhile leaves nothing. The mark keeps what somebody else made
    // of that name from being taken for ours.
    let again = exists.then(|| encoding.map(clauses).unwrap_or_default());
    let database = TemporaryDatabase::marked(run.server.clone(), name.to_owned(), token.clone(), again);
    let filled = async {
        if exists {
            run.server.run(None, &marker(Some(name), &token), CHANGE_LIMIT).await?;
        } else {
            create(run.server, name, encoding, Some(&token), warnings).await?;
        }
        let inventory = fill_made(run, name, wanted, body, warnings).await?;
        if matches!(wanted, Wanted::Tables(_)) {
            // Without the tables that they refer to.
            chosen::drop_dangling(run.server, name).await?;
        }
        run.server.run(None, &unmark(name), CHANGE_LIMIT).await?;
        Ok(inventory)
    };
    match filled.await {
        Ok(inventory) => {
            database.keep();
            Ok(inventory)
        }
        Err(err) => Err(drop_after(database, err).await),
    }
}

/// Restores into an empty database, and looks at what it holds then.
pub(super) async fn fill_made(
    run: &Run<'_>,
    name: &str,
    wanted: &Wanted,
    body: ByteStream,
    warnings: &mut Vec<String>,
) -> Result<Inventory> {
    run.restore(name, wanted, body).await?;
    let server = run.server.at(name);
    definers::check(&server, run.settings.definers, warnings).await?;
    events::warn(&server, warnings).await?;
    count::rows(&server).await
}

/// Makes an empty database beside the target, named after it.
pub(super) async fn create_beside(
    server: &Server,
    purpose: Beside,
    encoding: Option<&str>,
) -> Result<TemporaryDatabase> {
    let database = TemporaryDatabase::new(server.clone(), name_beside(server.config.database(), purpose)?);
    let mut warnings = Vec::new();
    match create(server, database.name(), encoding, None, &mut warnings).await {
        Ok(()) => Ok(database),
        Err(err) => {
            let err = err.with_suggestion(
                "give the user the right to make databases beside the target, or restore into an empty one",
            );
            Err(drop_after(database, err).await)
        }
    }
}

/// Makes a database, with its mark; one whose character set or collation the server does not know gets its own.
pub(crate) async fn create(
    server: &Server,
    name: &str,
    encoding: Option<&str>,
    token: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let mark = token.map(|token| marker(Some(name), token)).unwrap_or_default();
    let sql = |clauses: &str| format!("CREATE DATABASE {}{clauses};\n{mark}", quote_identifier(name));
    let encoding = encoding.map(clauses).filter(|clauses| !clauses.is_empty());
    if let Some(clauses) = encoding {
        match server.run(None, &sql(&clauses), CHANGE_LIMIT).await {
            Ok(_) => return Ok(()),
            Err(err) if err.kind() == ErrorKind::Unsupported => {
                warnings.push(format!(
                    "the target does not know{clauses}; the database has the server's default"
                ));
            }
            Err(err) => return Err(err),
        }
    }
    server.run(None, &sql(""), CHANGE_LIMIT).await.map(drop)
}

/// ` CHARACTER SET x COLLATE y` of an encoding as a manifest says it; nothing that is not made of words.
pub(super) fn clauses(encoding: &str) -> String {
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let words: Vec<&str> = encoding.split(' ').filter(|word| !word.is_empty()).filter(is_word).collect();
    match words.as_slice() {
        [charset, collation] => format!(" CHARACTER SET {charset} COLLATE {collation}"),
        _ => String::new(),
    }
}

/// Drops or empties what was begun, and returns why; says so where that fails too.
pub(super) async fn drop_after(database: TemporaryDatabase, err: Error) -> Error {
    let name = database.name().to_owned();
    match database.close().await {
        Ok(()) => err,
        Err(_) => err
            .with_context("left_behind", &name)
            .with_suggestion("drop the database that was left behind, once the server can be reached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_words_or_nothing() {
        assert_eq!(clauses("utf8mb4 utf8mb4_bin"), " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        for odd in ["UTF8", "", "utf8mb4 x; DROP DATABASE y", "a b c", "utf8mb4 'x'"] {
            assert_eq!(clauses(odd), "", "{odd}");
        }
    }
}
