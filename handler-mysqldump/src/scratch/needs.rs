//! [`Needs`]: the accounts and databases that a dump names, as it passes.

use std::collections::BTreeSet;

use memchr::memmem;

/// What stands before an account.
const DEFINER: &[u8] = b"DEFINER=";

/// What stands before a database in a dump of several; the condition between them is skipped.
const DATABASE: &[u8] = b"CREATE DATABASE ";

/// The longest text that names one, in bytes: two quoted names of 64 letters and what is between.
const LONGEST: usize = 1024;

/// More than any dump names; the rest is left out.
const MOST: usize = 10_000;

/// Something that has to be there before the statement that names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// User and host; a role has no host.
    Account(String, Option<String>),
    Database(String),
}

/// Finds them, however the dump is cut. What a row says is found too, and does no harm.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The end of what passed, in which a name may have begun.
    carried: Vec<u8>,
    known: BTreeSet<Need>,
}

impl Needs {
    /// What the chunk names for the first time.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Vec<Need> {
        self.carried.extend_from_slice(chunk);
        let mut found = Vec::new();
        for (mark, read) in [(DEFINER, account as fn(&[u8]) -> Option<Need>), (DATABASE, database)] {
            for at in memmem::find_iter(&self.carried, mark) {
                let rest = self.carried.get(at + mark.len()..).unwrap_or_default();
                if let Some(need) = read(rest.get(..LONGEST).unwrap_or(rest))
                    && self.known.len() < MOST
                    && self.known.insert(need.clone())
                {
                    found.push(need);
                }
            }
        }
        let kept = self.carried.len().saturating_sub(LONGEST);
        self.carried.drain(..kept);
        found
    }
}

/// `` `user`@`host` `` or `` `role` ``.
fn account(text: &[u8]) -> Option<Need> {
    let (user, rest) = quoted(text)?;
    // Where the text ends here, more of it may come.
    let host = match rest.split_first()? {
        (b'@', rest) => Some(quoted(rest)?.0).filter(|host| !host.is_empty()),
        _ => None,
    };
    Some(Need::Account(user, host))
}

/// `` /*!32312 IF NOT EXISTS*/ `name` ``.
fn database(text: &[u8]) -> Option<Need> {
    let text = match text.strip_prefix(b"/*") {
        Some(comment) => comment.get(memmem::find(comment, b"*/")? + 2..)?.trim_ascii_start(),
        None => text,
    };
    quoted(text).map(|(name, _)| Need::Database(name))
}

/// A name in back quotes, and what follows.
fn quoted(text: &[u8]) -> Option<(String, &[u8])> {
    let mut rest = text.strip_prefix(b"`")?;
    let mut name = Vec::new();
    loop {
        let (before, after) = rest.split_at(memchr::memchr(b'`', rest)?);
        name.extend_from_slice(before);
        rest = after.get(1..)?;
        // Where the text ends here, the quote may be the first of two.
        match rest.split_first()? {
            (b'`', more) => {
                name.push(b'`');
                rest = more;
            }
            _ => return Some((String::from_utf8(name).ok()?, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &[u8] = b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `sh``op` /*!40100 */;\n\
        /*!50017 DEFINER=`app`@`%`*/ /*!50003 TRIGGER x */\nCREATE DEFINER=`odd``one`@`10.0.0.%` PROCEDURE\n\
        CREATE DEFINER=`clerks` FUNCTION f()\nCREATE DEFINER=`app`@`%` VIEW\nCREATE DATABASE `x`;\n";

    fn expected() -> Vec<Need> {
        let account =
            |user: &str, host: Option<&str>| Need::Account(user.to_owned(), host.map(str::to_owned));
        let mut all = vec![
            account("app", Some("%")),
            account("odd`one", Some("10.0.0.%")),
            account("clerks", None),
            Need::Database("sh`op".to_owned()),
            Need::Database("x".to_owned()),
        ];
        all.sort();
        all
    }

    #[test]
    fn everything_is_found_once_however_the_dump_is_cut() {
        for length in [1, 2, 3, 7, 50, DUMP.len()] {
            let mut needs = Needs::default();
            let mut found: Vec<_> = DUMP.chunks(length).flat_map(|chunk| needs.update(chunk)).collect();
            found.sort();
            assert_eq!(found, expected(), "{length}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut needs = Needs::default();
        for at in 0..20_000 {
            needs.update(format!("DEFINER=`user{at}`@`h` ").as_bytes());
        }
        assert_eq!(needs.known.len(), MOST);
        assert!(needs.carried.len() <= LONGEST);
    }
}
