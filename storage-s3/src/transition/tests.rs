use backup_core::Key;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::StorageClass;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn rules() -> Rules {
    // In any order.
    Rules::new().archive_after(180, StorageClass::Glacier).cool_after(30, StorageClass::StandardIa)
}

fn candidate(name: &str, days: i64, bytes: u64, class: StorageClass) -> Candidate {
    Candidate::new(Key::parse(name).unwrap(), bytes, now() - TimeDelta::days(days), class)
}

#[test]
fn the_rule_with_the_most_days_that_the_age_reaches_decides() {
    use StorageClass::{DeepArchive, Glacier, IntelligentTiering, Standard, StandardIa};
    const LARGE: u64 = 1_000_000;
    let cases = [
        (29, LARGE, Standard, Err(KeepReason::TooYoung)),
        (30, LARGE, Standard, Ok(StandardIa)),
        (179, LARGE, Standard, Ok(StandardIa)),
        (179, LARGE, StandardIa, Err(KeepReason::InPlace)),
        (180, LARGE, StandardIa, Ok(Glacier)),
        (180, LARGE, Standard, Ok(Glacier)),
        (900, LARGE, DeepArchive, Err(KeepReason::Colder)),
        (900, LARGE, IntelligentTiering, Err(KeepReason::MovedByService)),
        (900, LARGE, StorageClass::Other("SNOW".into()), Err(KeepReason::UnknownClass)),
        (900, 1000, Standard, Err(KeepReason::TooSmall)),
        (-5, LARGE, Standard, Err(KeepReason::TooYoung)),
    ];
    for (days, bytes, class, expected) in cases {
        let planned = plan([candidate("a/b/c.zst", days, bytes, class.clone())], &rules(), now());
        let decided = match planned.objects[0].decision.clone() {
            Decision::Move { to, .. } => Ok(to),
            Decision::Keep { reason } => Err(reason),
        };
        assert_eq!(decided, expected, "{days} days, {bytes} bytes, {class}");
    }
}

#[test]
fn manifests_notes_and_claims_never_move() {
    for name in
        ["a/b/c.manifest.json", "a/b/c.notes/x.json", "a/b/c.notes/x", "a/b/c.claim.json", "backups.json"]
    {
        let planned = plan([candidate(name, 900, 1_000_000, StorageClass::Standard)], &rules(), now());
        assert_eq!(planned.moves().count(), 0, "{name}");
        assert_eq!(planned.objects[0].decision, Decision::Keep { reason: KeepReason::Record });
    }
}

#[test]
fn a_plan_is_read_as_a_table_and_as_json() {
    let planned = plan(
        [
            candidate("a/b/old.zst", 45, 2_000_000, StorageClass::Standard),
            candidate("a/b/new.zst", 1, 1_000_000, StorageClass::Standard),
        ],
        &rules(),
        now(),
    );
    let table = planned.to_string();
    assert!(table.starts_with("1 of 2 objects would move, 2000000 bytes\n"), "{table}");
    assert!(table.contains("a/b/old.zst  to STANDARD_IA: older than 30 days"), "{table}");
    assert!(table.contains("a/b/new.zst  no rule is for its age"), "{table}");
    assert!(!format!("{planned:#}").contains("new.zst"));
    let json = serde_json::to_string(&planned).unwrap();
    assert!(json.contains(r#""decision":"move","to":"STANDARD_IA","after_days":30"#), "{json}");
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), planned);
}

proptest! {
    /// Once carried out, a plan has nothing left to do, and later plans only go colder.
    #[test]
    fn carrying_a_plan_out_twice_moves_nothing_more(
        objects in proptest::collection::vec((0_i64..1000, 0_u64..1_000_000, 0_usize..5), 0..20),
        later in 0_i64..500,
    ) {
        let classes = [
            StorageClass::Standard, StorageClass::StandardIa, StorageClass::Glacier, StorageClass::DeepArchive,
            StorageClass::IntelligentTiering,
        ];
        let objects = objects.into_iter().enumerate().map(|(number, (days, bytes, class))| {
            candidate(&format!("a/b/{number}"), days, bytes, classes[class].clone())
        });
        let first = plan(objects, &rules(), now());
        let moved = || first.objects.iter().map(|planned| {
            let mut object = planned.object.clone();
            if let Decision::Move { to, .. } = &planned.decision {
                object.class = to.clone();
            }
            object
        });
        prop_assert_eq!(plan(moved(), &rules(), now()).moves().count(), 0);
        for (object, to) in plan(moved(), &rules(), now() + TimeDelta::days(later)).moves() {
            prop_assert!(object.class < *to);
        }
    }
}
