//! Whether the users that own views, triggers, routines and events exist.

use backup_core::{Error, ErrorKind, Result};

use crate::{
    format::Definers,
    server::{QUESTION_LIMIT, Server},
};

/// The definers that no account has; roles are definers too.
const MISSING: &str = r"
SELECT DISTINCT d.DEFINER FROM (
  SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
  UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
  UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
  UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
) d
WHERE NOT EXISTS (SELECT 1 FROM mysql.user u WHERE CONVERT(CONCAT(u.User, '@', u.Host) USING utf8mb4) COLLATE utf8mb4_bin
  = CONVERT(d.DEFINER USING utf8mb4) COLLATE utf8mb4_bin)
  AND NOT EXISTS (SELECT 1 FROM mysql.user u WHERE CONVERT(u.User USING utf8mb4) COLLATE utf8mb4_bin
  = CONVERT(TRIM(TRAILING '@' FROM d.DEFINER) USING utf8mb4) COLLATE utf8mb4_bin AND u.Host = '')
ORDER BY 1;
";

/// Refuses a restored database whose programs belong to users that do not exist: they would fail when they run.
pub(super) async fn check(server: &Server, policy: Definers, warnings: &mut Vec<String>) -> Result<()> {
    if policy == Definers::Strip {
        return Ok(());
    }
    let missing = match server.ask(MISSING, QUESTION_LIMIT).await {
        Ok(rows) => rows.iter().filter_map(|row| row.first().cloned()).collect::<Vec<_>>(),
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            warnings.push(
                "whether the definers of views, triggers, routines and events exist is unknown: the user may not \
                 read mysql.user"
                    .to_owned(),
            );
            return Ok(());
        }
        Err(err) => return Err(err),
    };
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "the dump's views, triggers, routines or events belong to users that the target does not have",
    )
    .with_context("definers", missing.join(", "))
    .with_suggestion("make these users first, for example from the backup's grants")
    .with_suggestion("or strip the definers (Definers::Strip), so that all belongs to the restoring user"))
}
