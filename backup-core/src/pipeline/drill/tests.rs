use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{Annotation, Evidence, Note, Verdict, testkit::sample_manifest};

fn time(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn verified(at: i64, level: Level, result: Verdict) -> Annotation {
    let evidence = Evidence {
        level,
        result,
        at: time(at),
        duration_ms: 1,
        bytes_read: 1,
        findings: Vec::new(),
        rehearsed: None,
        library_version: "0.1.0".to_owned(),
    };
    Annotation::new(time(at), Note::Verified(evidence))
}

/// A backup made at that hour.
fn entry(hour: i64, annotations: Vec<Annotation>) -> Entry {
    Entry::new(sample_manifest("production", "shop", time(hour)), annotations)
}

fn hours(picked: &[BackupRef]) -> Vec<String> {
    picked.iter().map(|backup| backup.id.to_string()[16..18].to_owned()).collect()
}

#[test]
fn the_newest_comes_first_then_the_least_recently_proven() {
    use Verdict::{Failed, Passed};
    let entries = [
        entry(1, vec![verified(30, Level::Equal, Passed)]),
        entry(2, vec![]),
        entry(3, vec![verified(20, Level::Restored, Passed)]),
        // Proven less deep than asked for.
        entry(4, vec![verified(90, Level::Digest, Passed)]),
        // A proof that a later failure took back.
        entry(5, vec![verified(10, Level::Equal, Passed), verified(95, Level::Digest, Failed)]),
        entry(6, vec![]),
    ];
    let all = DrillRequest::new(Level::Restored).at_most(10);
    assert_eq!(hours(&all.pick(&entries)), ["06", "05", "04", "02", "03", "01"]);
    assert_eq!(hours(&DrillRequest::new(Level::Restored).pick(&entries)), ["06"]);
    // A newest one that is proven waits for its turn.
    let mut entries = entries;
    entries[5] = entry(6, vec![verified(25, Level::Equal, Passed)]);
    assert_eq!(hours(&all.pick(&entries)), ["05", "04", "02", "03", "06", "01"]);
}

#[test]
fn what_is_being_deleted_is_left_out() {
    let pruning = Annotation::new(time(3), Note::Pruning { reason: "old".to_owned() });
    let entries = [entry(1, vec![]), entry(2, vec![pruning])];
    assert_eq!(hours(&DrillRequest::new(Level::Digest).at_most(9).pick(&entries)), ["01"]);
}

#[test]
fn the_parts_together_are_all_and_no_two_share_one() {
    let entries: Vec<Entry> = (0..24).map(|hour| entry(hour, vec![])).collect();
    let mut seen = Vec::new();
    for number in 1..=5 {
        let part = DrillRequest::new(Level::Digest).part(number, 5).unwrap();
        assert_eq!(part.pick(&entries), part.pick(&entries));
        seen.extend(hours(&part.pick(&entries)));
    }
    seen.sort();
    assert_eq!(seen, hours(&entries.iter().map(|entry| entry.manifest.backup_ref()).collect::<Vec<_>>()));
    for wrong in [(0, 5), (6, 5), (1, 0)] {
        assert!(DrillRequest::new(Level::Digest).part(wrong.0, wrong.1).is_err(), "{wrong:?}");
    }
}
