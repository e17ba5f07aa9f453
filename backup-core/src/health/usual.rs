//! Whether the newest backup is like those before it.

use super::{
    Check, CheckStatus, HealthPolicy,
    backups::{Backups, COMPARED, has_failed, rows},
    words::{self, bytes, median, percent},
};
use crate::Entry;

/// With fewer earlier backups, nothing is usual yet.
const LEAST_COMPARED: usize = 3;

pub(super) fn checks(backups: &Backups<'_>, policy: &HealthPolicy) -> Vec<Check> {
    vec![emptied(backups), size(backups, policy), duration(backups, policy)]
}

fn emptied(backups: &Backups<'_>) -> Check {
    const NAME: &str = "rows";
    let Some(newest) = backups.all.first() else {
        return backups.check(NAME, CheckStatus::NotChecked, "there is no backup");
    };
    match (rows(newest), backups.emptied()) {
        (None, _) => backups.check(NAME, CheckStatus::NotChecked, "the format does not show the rows"),
        (Some(rows), None) => {
            let message = format!("the newest backup holds {rows} rows");
            backups.check(NAME, CheckStatus::Ok, message)
        }
        (Some(_), Some(emptied)) => {
            let before = backups.all.iter().filter_map(|entry| rows(entry)).find(|rows| *rows > 0);
            backups
                .check(NAME, CheckStatus::Critical, "the newest backup holds no rows, others before it do")
                .with_detail("backup", emptied.manifest.backup_ref())
                .with_detail("rows before", before.unwrap_or_default())
                .with_action("check that the database is the right one, and not empty")
                .with_action("hold the last backup that has rows, so that nothing deletes it")
        }
    }
}

fn size(backups: &Backups<'_>, policy: &HealthPolicy) -> Check {
    const NAME: &str = "size";
    // A custom archive is compressed already: only dumps of one format compare.
    let alike = |newest: &Entry, entry: &Entry| {
        let (newest, entry) = (&newest.manifest, &entry.manifest);
        (&newest.engine, &newest.format) == (&entry.engine, &entry.format)
    };
    let compared = match compare(backups, alike, |entry| entry.manifest.plain.size) {
        Ok(compared) => compared,
        Err(why) => return backups.check(NAME, CheckStatus::NotChecked, why),
    };
    let share = percent(compared.newest, compared.median);
    let (status, message) = if share < u64::from(policy.min_size_percent) {
        (CheckStatus::Warning, "the newest dump is much smaller than usual")
    } else if share > u64::from(policy.max_size_percent) {
        (CheckStatus::Warning, "the newest dump is much larger than usual")
    } else {
        (CheckStatus::Ok, "the newest dump is as large as usual")
    };
    backups
        .check(
            NAME,
            status,
            format!("{message}: {}, usually {}", bytes(compared.newest), bytes(compared.median)),
        )
        .with_action("compare it with the backup before it: which tables have lost or gained rows?")
}

fn duration(backups: &Backups<'_>, policy: &HealthPolicy) -> Check {
    const NAME: &str = "duration";
    let seconds = |entry: &Entry| {
        u64::try_from((entry.manifest.finished_at - entry.manifest.created_at).num_seconds()).unwrap_or(0)
    };
    let compared = match compare(backups, |_, _| true, seconds) {
        Ok(compared) => compared,
        Err(why) => return backups.check(NAME, CheckStatus::NotChecked, why),
    };
    let is_slow = percent(compared.newest, compared.median) > u64::from(policy.max_duration_percent)
        && compared.newest - compared.median.min(compared.newest) >= 60;
    let (status, message) = if is_slow {
        (CheckStatus::Warning, "the newest backup took much longer than usual")
    } else {
        (CheckStatus::Ok, "the newest backup took no longer than usual")
    };
    let [newest, usual] = [compared.newest, compared.median].map(words::seconds);
    backups
        .check(NAME, status, format!("{message}: {newest}, usually {usual}"))
        .with_action("look at the load of the database, of the network and of the store at that time")
}

struct Compared {
    newest: u64,
    median: u64,
}

/// The newest backup beside the median of those before it.
fn compare(
    backups: &Backups<'_>,
    alike: impl Fn(&Entry, &Entry) -> bool,
    amount: impl Fn(&Entry) -> u64,
) -> Result<Compared, String> {
    let mut sound = backups.all.iter().filter(|entry| !has_failed(entry));
    let Some(newest) = sound.next() else {
        return Err("there is no backup that passed its checks".to_owned());
    };
    let earlier: Vec<u64> =
        sound.filter(|entry| alike(newest, entry)).take(COMPARED).map(|entry| amount(entry)).collect();
    let known = earlier.len();
    match median(earlier) {
        Some(median) if known >= LEAST_COMPARED => Ok(Compared { newest: amount(newest), median }),
        _ => Err(format!("only {known} earlier backups to compare with")),
    }
}
