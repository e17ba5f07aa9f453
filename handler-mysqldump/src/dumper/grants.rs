//! The users of the server and their grants, as SQL.

use std::fmt::Write as _;

use backup_core::{Error, ErrorKind, Result};

use crate::{
    error::mentions,
    server::{QUESTION_LIMIT, Rows, Server, quote_identifier, quote_literal},
    version::Flavour,
};

/// Accounts that the servers make for themselves.
const INTERNAL: &str = "'mysql.sys', 'mysql.session', 'mysql.infoschema', 'mariadb.sys', 'PUBLIC', ''";

/// Statements that make every user and role, with password hashes, and grant them what they have.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn all(server: &Server, warnings: &mut Vec<String>) -> Result<String> {
    let accounts = ask(server, &accounts_sql(server)).await?;
    // Salts are bytes that no text can hold.
    let readable = if server.version.is_at_least(Flavour::MySql, 8, 0, 17) {
        "SET SESSION print_identified_with_as_hex = ON;\n"
    } else {
        ""
    };
    // Roles, then users, then grants, which may name any of them.
    let [mut roles, mut users, mut grants] = [const { String::new() }; 3];
    for row in accounts.iter() {
        let [user, host, is_role] = row else { continue };
        let mut questions = readable.to_owned();
        let account = if is_role == "Y" {
            let role = quote_identifier(user);
            let _written = writeln!(roles, "CREATE ROLE IF NOT EXISTS {role};");
            role
        } else {
            let account = format!("{}@{}", quote_literal(user), quote_literal(host));
            let _written = writeln!(questions, "SHOW CREATE USER {account};");
            account
        };
        let _written = writeln!(questions, "SHOW GRANTS FOR {account};");
        let answer = match ask(server, &questions).await {
            Ok(answer) => answer,
            // An account of a host's name, on a server that looks up no names.
            Err(err) if mentions(&err, 1133) => {
                warnings.push(format!("the account {account} is in use by nobody, and not among the grants"));
                continue;
            }
            Err(err) => return Err(err),
        };
        for line in answer.iter().filter_map(|row| row.last()) {
            let part = if line.starts_with("GRANT") { &mut grants } else { &mut users };
            let _written = writeln!(part, "{};", line.trim_end_matches(';'));
        }
    }
    let sql =
        format!("-- Users and grants of {}\n\n{roles}{users}{grants}\n-- Dump completed\n", server.version);
    if accounts.iter().next().is_none() {
        warnings.push("the server has no users but its own".to_owned());
    }
    Ok(sql)
}

/// User, host, and whether it is a role, of which only MariaDB tells.
fn accounts_sql(server: &Server) -> String {
    let role = match server.version.flavour {
        Flavour::MariaDb => "is_role",
        Flavour::MySql => "'N'",
    };
    format!(
        "SELECT User, Host, {role} FROM mysql.user WHERE User NOT IN ({INTERNAL}) ORDER BY 3 DESC, 1, 2;\n"
    )
}

async fn ask(server: &Server, sql: &str) -> Result<Rows> {
    server.run(None, sql, QUESTION_LIMIT).await.map_err(|err| match err.kind() {
        ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::PermissionDenied, "the user may not read the server's users and grants")
                .with_suggestion("grant SELECT on the database mysql, or leave the grants out")
                .with_source(err)
        }
        _ => err,
    })
}
