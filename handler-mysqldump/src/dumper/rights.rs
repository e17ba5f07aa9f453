//! What the user has to be allowed, asked before the first byte: what a user may not see, a dump leaves out in
//! silence.

use backup_core::{Error, ErrorKind, Result};

use crate::{
    command::DumpSettings,
    format::{Consistency, Stored},
    server::{Facts, QUESTION_LIMIT, Server, quote_identifier},
    version::Flavour,
};

/// Refuses a dump that the user's rights do not suffice for, and warns of what they may not suffice for.
pub(super) async fn check(server: &Server, facts: &Facts, settings: &DumpSettings) -> Result<Vec<String>> {
    let rights = Rights::ask(server, facts).await?;
    let database = server.config.database();
    let wanted = |kind: &str| {
        settings.stored().iter().any(|(name, stored)| *name == kind && *stored == Stored::Include)
    };
    let mut needed = vec!["SELECT"];
    if facts.views > 0 && settings.tables.is_empty() {
        needed.push("SHOW VIEW");
    }
    if wanted("triggers") {
        needed.push("TRIGGER");
    }
    if wanted("events") {
        needed.push("EVENT");
    }
    if settings.consistency != Consistency::SingleTransaction {
        needed.push("LOCK TABLES");
    }
    let mut warnings = Vec::new();
    let missing: Vec<&str> = needed.into_iter().filter(|right| !rights.has(right)).collect();
    // Rights on single tables suffice where all that is dumped has them, which the tool finds out.
    let (maybe, missing): (Vec<&str>, Vec<&str>) =
        missing.into_iter().partition(|right| rights.has_on_tables(right));
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "the user lacks rights without which the dump is not whole",
        )
        .with_context("missing", missing.join(", "))
        .with_context("database", database)
        .with_suggestion(format!(
            "as an administrator: GRANT {} ON {}.* TO {}",
            missing.join(", "),
            quote_identifier(database),
            rights.user
        ))
        .with_suggestion("or leave out what they are for, such as triggers (MysqlDump::triggers)"));
    }
    if maybe.contains(&"TRIGGER") {
        warnings.push(format!(
            "the user has TRIGGER on single tables of {database} only; triggers of other tables are not in the dump"
        ));
    }
    let sees_routines = ["CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"];
    let sees_routines =
        sees_routines.iter().any(|right| rights.has(right)) || rights.has_everywhere("SELECT");
    if wanted("routines") && !sees_routines {
        warnings.push(format!(
            "the user may not see routines of other users, which are not in the dump if there are any; grant {} or \
             leave routines out",
            match server.version.flavour {
                Flavour::MySql => "SHOW_ROUTINE,".to_owned(),
                Flavour::MariaDb => format!("EXECUTE on {database} and SELECT on mysql.proc,"),
            }
        ));
    }
    Ok(warnings)
}

/// What `SHOW GRANTS` tells.
#[derive(Debug, Default)]
struct Rights {
    user: String,
    everywhere: Vec<String>,
    on_database: Vec<String>,
    on_tables: Vec<String>,
}

impl Rights {
    async fn ask(server: &Server, facts: &Facts) -> Result<Self> {
        let mut grants = facts.grants.clone();
        if facts.role != "NONE" {
            // The rights of active roles are not among the user's own.
            let sql = match server.version.flavour {
                Flavour::MySql => format!("SHOW GRANTS FOR CURRENT_USER() USING {};\n", facts.role),
                Flavour::MariaDb => format!("SHOW GRANTS FOR {};\n", quote_identifier(&facts.role)),
            };
            let rows = server.ask(&sql, QUESTION_LIMIT).await?;
            grants.extend(rows.iter().filter_map(|row| row.first().cloned()));
        }
        let mut rights = Self { user: account(&facts.user), ..Self::default() };
        for grant in &grants {
            rights.read(grant, server.config.database());
        }
        Ok(rights)
    }

    /// Reads `GRANT SELECT, SHOW VIEW ON `shop`.* TO …`.
    fn read(&mut self, line: &str, database: &str) {
        let Some((list, rest)) = line.strip_prefix("GRANT ").and_then(|line| line.split_once(" ON ")) else {
            return;
        };
        let Some((scope, _)) = rest.split_once(" TO ") else { return };
        let list = list.split(',').map(|right| right.trim().to_ascii_uppercase());
        let Some((schema, object)) = scope.rsplit_once('.') else { return };
        let schema = schema.trim_matches('`').replace("``", "`");
        let place = match (schema.as_str(), object) {
            ("*", "*") => &mut self.everywhere,
            (pattern, "*") if like(pattern, database) => &mut self.on_database,
            (name, _) if name == database => &mut self.on_tables,
            _ => return,
        };
        place.extend(list);
    }

    fn has(&self, right: &str) -> bool {
        granted(&self.everywhere, right) || granted(&self.on_database, right)
    }

    fn has_everywhere(&self, right: &str) -> bool {
        granted(&self.everywhere, right)
    }

    fn has_on_tables(&self, right: &str) -> bool {
        granted(&self.on_tables, right)
    }
}

fn granted(list: &[String], right: &str) -> bool {
    list.iter().any(|granted| granted == right || granted == "ALL PRIVILEGES" || granted == "ALL")
}

/// `user@host` as SQL writes it.
fn account(user: &str) -> String {
    match user.rsplit_once('@') {
        Some((name, host)) => format!("{}@{}", quote_identifier(name), quote_identifier(host)),
        None => quote_identifier(user),
    }
}

/// Whether the pattern of a grant, in which `_` and `%` stand for letters, fits the database's name.
fn like(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    match pattern.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = pattern.as_str();
            name.char_indices()
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| name.get(at..).is_some_and(|tail| like(rest, tail)))
        }
        Some(ch) => {
            let (literal, any) = match ch {
                '\\' => (pattern.next().unwrap_or('\\'), false),
                '_' => ('_', true),
                other => (other, false),
            };
            let mut chars = name.chars();
            chars.next().is_some_and(|first| any || first == literal)
                && like(pattern.as_str(), chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_servers_print_them() {
        let mut rights = Rights::default();
        for line in [
            "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*x'",
            "GRANT SELECT, SHOW VIEW, LOCK TABLES ON `shop\\_one`.* TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON `other`.* TO `u`@`%`",
            "GRANT TRIGGER ON `shop_one`.`orders` TO `u`@`%`",
            "GRANT `role`@`%` TO `u`@`%`",
        ] {
            rights.read(line, "shop_one");
        }
        assert!(rights.has("SELECT") && rights.has("SHOW VIEW") && rights.has("LOCK TABLES"));
        assert!(!rights.has("TRIGGER") && rights.has_on_tables("TRIGGER") && !rights.has("EVENT"));
        rights.read("GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION", "shop_one");
        assert!(rights.has("EVENT") && rights.has_everywhere("SELECT"));
    }

    #[test]
    fn a_pattern_covers_what_the_server_lets_it_cover() {
        for (pattern, name, fits) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("shop\\_one", "shop_one", true),
            ("shop\\_one", "shopxone", false),
            ("shop_one", "shopxone", true),
            ("sh%", "shop", true),
            ("%", "anything", true),
            ("", "x", false),
        ] {
            assert_eq!(like(pattern, name), fits, "{pattern} {name}");
        }
    }
}
