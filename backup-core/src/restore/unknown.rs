//! What is said of a table that a dump does not hold.

use crate::{Error, ErrorKind};

/// The most names that are suggested.
const SUGGESTED: usize = 5;

/// The error for a chosen table that a dump does not hold; it names those that may have been meant.
///
/// # Examples
///
/// ```
/// use backup_core::restore::unknown_table;
///
/// let err = unknown_table("Orders", ["public.orders", "public.customers"]);
/// assert_eq!(err.suggestions(), ["did you mean public.orders?"]);
/// ```
pub fn unknown_table<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let mut count = 0_u64;
    let near = near(name, known.into_iter().inspect(|_| count += 1));
    let err = Error::new(ErrorKind::InvalidInput, "the backup does not hold this table")
        .with_context("table", name);
    if near.is_empty() {
        return err
            .with_context("tables", count)
            .with_suggestion("name the table as the backup's inventory does");
    }
    err.with_suggestion(format!("did you mean {}?", near.join(" or ")))
}

/// Those of the known names that may have been meant, the nearest first.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> =
        known.into_iter().filter_map(|other| Some((distance(name, other)?, other))).collect();
    near.sort_unstable();
    near.truncate(SUGGESTED);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How far apart two names are, or nothing where nobody would mistake one for the other.
fn distance(asked: &str, known: &str) -> Option<usize> {
    let (asked, known) = (asked.to_lowercase(), known.to_lowercase());
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned();
    if asked == known {
        return Some(0);
    }
    if bare(&asked) == bare(&known) {
        return Some(1);
    }
    let apart = edits(&asked, &known).min(edits(&bare(&asked), &bare(&known)) + 1);
    (apart <= 1 + asked.chars().count() / 4).then_some(apart + 1)
}

/// The letters that have to be added, left out or changed to make one word of the other.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, ch) in one.chars().enumerate() {
        let mut last = at;
        let mut next = vec![at + 1];
        for (with, above) in other.iter().zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((last + usize::from(ch != *with)).min(left + 1).min(above + 1));
            last = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_named_that_may_have_been_meant() {
        let known =
            ["public.orders", "shop.orders", "public.order_lines", "public.customers", "public.\"Odd.Name\""];
        let suggested = |name: &str| unknown_table(name, known).suggestions().join("; ");
        assert_eq!(suggested("orders"), "did you mean public.orders or shop.orders?");
        assert_eq!(suggested("public.ordrs"), "did you mean public.orders or shop.orders?");
        assert_eq!(suggested("PUBLIC.CUSTOMERS"), "did you mean public.customers?");
        assert_eq!(suggested("invoices"), "name the table as the backup's inventory does");
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
