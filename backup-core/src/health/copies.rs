//! Whether enough copies of the backups are there, of enough kinds, far enough away.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, CheckStatus, CopyFacts, CopyRule, Fact, HealthPolicy, backups::Backups, words::count};
use crate::{BackupRef, Entry};

const NAME: &str = "copy-rule";

/// The check of the newest good backup, where the policy has a rule.
pub(super) fn check(
    backups: &Backups<'_>,
    copies: &Fact<Vec<CopyFacts>>,
    policy: &HealthPolicy,
) -> Option<Check> {
    let rule = policy.copies.as_ref()?;
    let stores = match copies {
        Fact::Known(stores) => stores,
        Fact::Unasked => {
            let message = "nobody looked into the single stores";
            return Some(backups.check(NAME, CheckStatus::Unknown, message));
        }
        Fact::Unknown(why) => {
            return Some(backups.check(NAME, CheckStatus::Unknown, format!("could not be told: {why}")));
        }
    };
    let Some(newest) = backups.good.first() else {
        return Some(backups.check(NAME, CheckStatus::NotChecked, "there is no good backup"));
    };
    Some(rule_of(backups, rule, stores, newest))
}

fn rule_of(backups: &Backups<'_>, rule: &CopyRule, stores: &[CopyFacts], newest: &Entry) -> Check {
    let backup = newest.manifest.backup_ref();
    let holding: Vec<&CopyFacts> = stores.iter().filter(|store| store.holds(&backup)).collect();
    let kinds: BTreeSet<&str> = holding.iter().map(|store| kind(&store.location)).collect();
    let off_site = holding.iter().filter(|store| rule.off_site_locations.contains(&store.location)).count();
    let has = [
        (holding.len(), rule.copies as usize, "copy", "copies"),
        (kinds.len(), rule.kinds as usize, "kind of store", "kinds of stores"),
        (off_site, rule.off_site as usize, "copy off-site", "copies off-site"),
    ];
    let lacking: Vec<String> = has
        .iter()
        .filter(|(found, wanted, ..)| found < wanted)
        .map(|(found, wanted, one, many)| {
            format!("{found} of {wanted} {}", if *wanted == 1 { one } else { many })
        })
        .collect();
    let unasked = stores.iter().filter(|store| store.whole.is_err()).count();
    let (status, message) = match (lacking.is_empty(), unasked) {
        (true, _) => {
            let message = format!(
                "the newest good backup is in {}, of {}, {off_site} of them off-site",
                count(holding.len(), "store"),
                count(kinds.len(), "kind"),
            );
            (CheckStatus::Ok, message)
        }
        (false, 0) => (CheckStatus::Warning, format!("the newest good backup has {}", lacking.join(", "))),
        (false, unasked) => (
            CheckStatus::Unknown,
            format!(
                "the newest good backup has {}, and {} could not be asked",
                lacking.join(", "),
                count(unasked, "store")
            ),
        ),
    };
    let check = backups.check(NAME, status, message);
    let check = check.with_list("copy in", holding.iter().map(|store| &store.location));
    let away = stores.iter().filter_map(|store| store.whole.as_ref().err().map(|why| (&store.location, why)));
    check
        .with_list("not asked", away.map(|(location, why)| format!("{location}: {why}")))
        .with_action("sync the stores that lack it, and add a store where there are too few")
}

/// The kind of a store: the scheme of its location.
fn kind(location: &str) -> &str {
    location.split_once(':').map_or(location, |(scheme, _)| scheme)
}

/// Which backups some store lacks that another one holds, by what each store was found to hold.
pub(super) fn missing<'a>(stores: &'a [CopyFacts], entries: &[Entry]) -> BTreeMap<BackupRef, Vec<&'a str>> {
    let mut missing = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_being_deleted()) {
        let backup = entry.manifest.backup_ref();
        let lacking: Vec<&str> = stores
            .iter()
            .filter(|store| store.whole.as_ref().is_ok_and(|whole| !whole.contains(&backup)))
            .map(|store| store.location.as_str())
            .collect();
        if !lacking.is_empty() {
            missing.insert(backup, lacking);
        }
    }
    missing
}
