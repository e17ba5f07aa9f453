//! What a database is called that a backup is restored into, beside the one that it came from.

use chrono::{DateTime, Utc};

/// The longest name that every engine takes, in bytes: PostgreSQL takes 63 bytes, MySQL 64 characters.
const NAME_BYTES: usize = 63;

/// The name of a new database for a backup of `database`, `<database>_backup_<date>_<time>` in UTC.
///
/// A long name of a database is cut at the end of a character, so that the whole is one that every engine takes.
///
/// # Examples
///
/// ```
/// let at = "2026-11-21T14:00:00Z".parse()?;
/// assert_eq!(backup_core::restore::clone_name("shop", at), "shop_backup_20261121_140000");
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[must_use]
pub fn clone_name(database: &str, at: DateTime<Utc>) -> String {
    let suffix = at.format("_backup_%Y%m%d_%H%M%S").to_string();
    let mut end = database.len().min(NAME_BYTES.saturating_sub(suffix.len()));
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", database.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for name in ["x".repeat(63), "ü".repeat(40), "数据库".repeat(20)] {
            let clone = clone_name(&name, at);
            assert!(clone.len() <= NAME_BYTES && clone.len() > NAME_BYTES - 4, "{clone}");
            assert!(clone.ends_with("_backup_20270115_080000"), "{clone}");
            assert!(name.starts_with(clone.trim_end_matches("_backup_20270115_080000")));
        }
    }
}
