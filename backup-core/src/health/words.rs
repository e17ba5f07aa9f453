//! Amounts in the words of people.

use chrono::TimeDelta;

/// About how long: `45 s`, `12 min`, `5 h 20 min`, `3 days 4 h`.
pub(super) fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "days", seconds % 86_400 / 3600, "h"),
    }
}

/// [`span`] of seconds.
pub(super) fn seconds(seconds: u64) -> String {
    span(i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX))
}

/// About how many bytes, by thousands: `812 B`, `1.5 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000_u64)];
    match units.into_iter().find(|(_, size)| bytes >= *size) {
        None => format!("{bytes} B"),
        Some((unit, size)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
    }
}

/// `1 backup`, `2 backups`.
pub(super) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// The middle one, the lower of two; `None` of nothing.
pub(super) fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// `part` in percent of `whole`; what is anything of nothing is as much as there can be.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    match (part, whole) {
        (0, 0) => 100,
        (_, 0) => u64::MAX,
        _ => u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_as_people_do() {
        for (number, expected) in
            [(0, "0 s"), (60, "1 min"), (3660, "1 h 1 min"), (93_600, "26 h"), (270_000, "3 days 3 h")]
        {
            assert_eq!(seconds(number), expected);
        }
        assert!(seconds(u64::MAX).ends_with("days 7 h"), "{}", seconds(u64::MAX));
        for (number, expected) in [(0, "0 B"), (1500, "1.5 kB"), (10_000_000_000, "10.0 GB")] {
            assert_eq!(bytes(number), expected);
        }
        assert_eq!((median(vec![]), median(vec![3, 1, 2]), median(vec![4, 1])), (None, Some(2), Some(1)));
        assert_eq!((percent(1, 2), percent(0, 0), percent(u64::MAX, 1)), (50, 100, u64::MAX));
    }
}
