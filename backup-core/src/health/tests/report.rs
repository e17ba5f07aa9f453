//! What people, monitors and alerts get of a report.

use super::*;
use crate::Severity;

#[test]
fn the_report_is_read_by_people_monitors_and_programs() {
    let mut facts = facts(sound());
    fail(&mut facts.entries[0]);
    facts.space = Fact::Known(Space::new(100, 0));
    let report = looked_at(&facts, &HealthPolicy::new());
    let text = report.to_string();
    assert!(text.starts_with("critical at 2026-11-20 06:00:00 UTC: 2 critical, 1 warning, "), "{text}");
    assert!(text.contains("\n[critical] store space: the next backups do not fit: 0 B free\n"), "{text}");
    assert!(
        text.contains("\n    -> free space on the store, make it larger, or keep fewer backups\n"),
        "{text}"
    );
    let summary = report.summary();
    assert!(summary.ends_with(" (and 2 more)") && !summary.contains(['\n', '|']), "{summary}");
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<HealthReport>(&json).unwrap(), report);
    assert!(json.starts_with(r#"{"status":"critical","at":"2026-11-20T06:00:00Z","checks":[{"name":"failed-backups","series":{"environment":"production","database":"shop"},"status":"critical","#), "{json}");
}

#[test]
fn troubles_are_alerts_what_is_well_is_resolved_and_what_is_unknown_is_neither() {
    let mut facts = facts(sound());
    fail(&mut facts.entries[0]);
    facts.space = Fact::Unasked;
    facts.orphans = Fact::Unknown("refused".to_owned());
    let alerts = looked_at(&facts, &HealthPolicy::new()).alerts();
    let of = |key: &str| alerts.iter().find(|alert| alert.key == key);
    let failed = of("production/shop/health/failed-backups").unwrap();
    assert_eq!((failed.state, failed.severity), (crate::AlertState::Firing, Severity::Critical));
    assert_eq!(failed.summary, "1 backup failed a check, the newest among them");
    assert_eq!(of("production/shop/health/rows").unwrap().state, crate::AlertState::Resolved);
    assert_eq!(of("store/health/space"), None);
    assert_eq!(of("store/health/orphans").unwrap().severity, Severity::Warning);
}

#[test]
fn a_policy_with_a_word_that_is_none_is_refused() {
    assert!(serde_json::from_str::<HealthPolicy>(r#"{ "critical_age_hours": 3 }"#).is_err());
    let series = r#"{ "series": [{ "environment": "a", "database": "b", "evry_minutes": 3 }] }"#;
    assert!(serde_json::from_str::<HealthPolicy>(series).is_err());
    let json = serde_json::to_string(&HealthPolicy::new()).unwrap();
    assert_eq!(serde_json::from_str::<HealthPolicy>(&json).unwrap(), HealthPolicy::new());
}
