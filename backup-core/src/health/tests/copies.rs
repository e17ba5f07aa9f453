use super::*;
use crate::BackupRef;

/// The newest backup, and what stores at these locations hold of it.
fn held(places: &[(&str, Option<bool>)]) -> (HealthFacts, BackupRef) {
    let entries = sound();
    let newest = entries[0].manifest.backup_ref();
    let all: BTreeSet<_> = entries.iter().map(|entry| entry.manifest.backup_ref()).collect();
    let copies = places.iter().map(|(location, held)| {
        let mut whole = all.clone();
        match held {
            Some(true) => CopyFacts::new(*location, Ok(whole)),
            Some(false) => {
                whole.remove(&newest);
                CopyFacts::new(*location, Ok(whole))
            }
            None => CopyFacts::new(*location, Err("away".to_owned())),
        }
    });
    (facts(entries).with_copies(copies.collect()), newest)
}

fn rule() -> HealthPolicy {
    HealthPolicy::new().with_copies(CopyRule::three_two_one(vec!["s3://far".to_owned()]))
}

#[test]
fn three_copies_of_two_kinds_one_off_site_are_well_and_each_lack_is_told() {
    let (yes, no) = (Some(true), Some(false));
    let cases = [
        (
            [("file:///a", yes), ("file:///b", yes), ("s3://far", yes)],
            CheckStatus::Ok,
            "in 3 stores, of 2 kinds, 1 of them",
        ),
        (
            [("file:///a", yes), ("file:///b", no), ("s3://far", yes)],
            CheckStatus::Warning,
            "has 2 of 3 copies",
        ),
        (
            [("file:///a", yes), ("file:///b", yes), ("file:///c", yes)],
            CheckStatus::Warning,
            "1 of 2 kinds of stores, 0 of 1 copy off-site",
        ),
        (
            [("file:///a", yes), ("s3://near", yes), ("s3://other", yes)],
            CheckStatus::Warning,
            "has 0 of 1 copy off-site",
        ),
        (
            [("file:///a", yes), ("file:///b", yes), ("s3://far", None)],
            CheckStatus::Unknown,
            "and 1 store could not be asked",
        ),
    ];
    for (places, expected, message) in cases {
        let (facts, _) = held(&places);
        let report = looked_at(&facts, &rule());
        let check = found(&report, "copy-rule");
        assert_eq!(check.status, expected, "{places:?}: {report}");
        assert!(check.message.contains(message), "{places:?}: {}", check.message);
    }
}

#[test]
fn a_copy_that_vanished_is_missing_whatever_the_manifest_recorded() {
    let (facts, newest) = held(&[("file:///a", Some(true)), ("s3://far", Some(false))]);
    assert_eq!(facts.missing_copies, Fact::Known(vec![MissingCopy::new(newest, "s3://far")]));
    assert_eq!(found(&looked_at(&facts, &HealthPolicy::new()), "copies").status, CheckStatus::Warning);
    let (facts, _) = held(&[("file:///a", Some(true)), ("s3://far", None)]);
    assert_eq!(found(&looked_at(&facts, &HealthPolicy::new()), "copies").status, CheckStatus::Unknown);
}

#[test]
fn a_rule_without_a_look_into_the_stores_is_never_well() {
    let report = looked_at(&facts(sound()), &rule());
    assert_eq!(found(&report, "copy-rule").status, CheckStatus::Unknown);
    assert!(
        looked_at(&facts(sound()), &HealthPolicy::new()).checks.iter().all(|check| check.name != "copy-rule")
    );
}
