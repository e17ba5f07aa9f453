//! How long a plan of retention takes.
//!
//! `cargo bench --package benches --bench retention`; `BACKUP_BENCH_ENTRIES` is the number of backups (100,000 unless
//! said), `BACKUP_BENCH_SERIES` that of the series they are of (10), `BACKUP_BENCH_ROUNDS` the rounds (7).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use backup_core::{
    Annotation, BackupId, BackupRef, Entry, Evidence, Kind, Manifest, Note, Retention,
    manifest::Layout,
    retention::{Period, Span},
    testkit::sample_manifest,
};
use benches::{median, setting};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// Backups of each hour, proven once, with every hundredth restored too.
fn entries(count: u64, series: u64) -> Vec<Entry> {
    let start: DateTime<Utc> = "2016-01-01T00:30:00Z".parse().unwrap();
    let sample = sample_manifest("production", "shop", start);
    let evidence = |level: &str| -> Evidence {
        let json = format!(
            r#"{{"level":"{level}","result":"passed","started_at":"{start:?}","duration_ms":1,"bytes_read":1,"library_version":"0"}}"#
        );
        serde_json::from_str(&json).unwrap()
    };
    let (digest, restored) = (evidence("digest"), evidence("restored"));
    let entry = |number: u64| {
        let at = start + TimeDelta::hours((number / series).cast_signed());
        let id = BackupId::generate(at, None, 1).unwrap();
        let backup = BackupRef::new("production", format!("shop_{}", number % series), id);
        let mut artifact = sample.artifact.clone();
        artifact.key = Layout::of(&backup).artifact(&["sql", "zst"]).unwrap();
        let mut manifest = Manifest::new(backup, at, sample.source.clone(), artifact, sample.plain.clone());
        manifest.kind = if number.is_multiple_of(7) { Kind::Weekly } else { Kind::Daily };
        manifest.inventory.clone_from(&sample.inventory);
        let mut notes = vec![Annotation::new(at, Note::Verified(digest.clone()))];
        if number.is_multiple_of(100) {
            notes.push(Annotation::new(at, Note::Verified(restored.clone())));
        }
        Entry::new(manifest, notes)
    };
    (0..count).map(entry).collect()
}

fn main() {
    let count = setting("BACKUP_BENCH_ENTRIES", 100_000);
    let entries = entries(count, setting("BACKUP_BENCH_SERIES", 10).max(1));
    let now = "2040-01-01T00:00:00Z".parse().unwrap();
    let every_rule = Period::ALL.into_iter().fold(Retention::recommended(), |policy, period| {
        policy.keep_last_of(period, 20).keep_within(period, Span::days(30))
    });
    let policies = [
        ("recommended", Retention::recommended()),
        ("every rule, UTC", every_rule.clone()),
        ("every rule, Berlin", every_rule.in_time_zone(Tz::Europe__Berlin)),
    ];
    println!("| policy | backups | deleted | ms | the fastest |\n|---|---|---|---|---|");
    for (name, policy) in policies {
        let mut took = Vec::new();
        let mut deleted = 0;
        for _ in 0..setting("BACKUP_BENCH_ROUNDS", 7) {
            let started = Instant::now();
            let plan = policy.plan(&entries, now).unwrap();
            took.push(started.elapsed().as_secs_f64() * 1e3);
            deleted = plan.deletions().count();
        }
        let fastest = took.iter().copied().fold(f64::INFINITY, f64::min);
        println!("| {name} | {count} | {deleted} | {:.1} | {fastest:.1} |", median(took));
    }
}
