use proptest::prelude::*;

use super::*;

const ALL: Route = Route { least: Severity::Warning, reach: Reach::All };
const PAGER: Route = Route { least: Severity::Critical, reach: Reach::All };
const BOSS: Route = Route { least: Severity::Warning, reach: Reach::Escalated };

fn alert(minute: i64, severity: Severity, state: AlertState) -> Alert {
    let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
    Alert::new("production/shop/backup", severity, "tool_failed", "pg_dump failed", at).in_state(state)
}

fn firing(minute: i64, severity: Severity) -> Alert {
    alert(minute, severity, AlertState::Firing)
}

fn over(minute: i64) -> Alert {
    alert(minute, Severity::Info, AlertState::Resolved)
}

/// Observes, delivers everything, and says to which routes in which state.
fn told(troubles: &mut Troubles, alert: &Alert, routes: &[Route]) -> Vec<(usize, AlertState)> {
    let due = troubles.observe(alert, routes);
    for due in &due {
        troubles.delivered(due);
    }
    due.into_iter().map(|due| (due.route, due.alert.state)).collect()
}

fn never_escalating() -> AlertPolicy {
    AlertPolicy { repeat_after_minutes: 60, escalate_after_minutes: None, escalate_after_times: None }
}

#[test]
fn the_same_trouble_is_told_again_only_after_the_interval() {
    let mut troubles = Troubles::new(never_escalating());
    let mut at = |minute, severity| told(&mut troubles, &firing(minute, severity), &[ALL]).len();
    assert_eq!(at(0, Severity::Warning), 1);
    assert_eq!(at(59, Severity::Warning), 0);
    // Another severity is news; back and forth is not.
    assert_eq!(at(59, Severity::Critical), 1);
    assert_eq!(at(59, Severity::Warning), 0);
    assert_eq!(at(60, Severity::Warning), 1);
    assert_eq!(at(60, Severity::Info), 0);
    assert_eq!(at(119, Severity::Critical), 1);
    // A clock that was set back two days does not silence it.
    assert_eq!(at(-2880, Severity::Critical), 1);
}

#[test]
fn the_end_is_told_once_and_only_to_those_who_know_of_the_trouble() {
    let mut troubles = Troubles::new(never_escalating());
    let routes = [ALL, PAGER];
    assert_eq!(told(&mut troubles, &over(0), &routes), []);
    assert_eq!(told(&mut troubles, &firing(1, Severity::Warning), &routes), [(0, AlertState::Firing)]);
    let due = troubles.observe(&over(2), &routes);
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].route, due[0].alert.severity), (0, Severity::Warning));
    troubles.delivered(&due[0]);
    assert_eq!(told(&mut troubles, &over(3), &routes), []);
    assert!(troubles.known.is_empty());
    // The next one is a new one.
    assert_eq!(told(&mut troubles, &firing(4, Severity::Warning), &routes).len(), 1);
}

#[test]
fn what_was_not_delivered_is_due_again() {
    let mut troubles = Troubles::new(never_escalating());
    for minute in 0..3 {
        let due = troubles.observe(&firing(minute, Severity::Critical), &[ALL]);
        assert_eq!(due.len(), 1, "{minute}");
        troubles.failed(&due[0]);
    }
    // Who never heard of it is not told that it is over.
    assert_eq!(told(&mut troubles, &over(3), &[ALL]), []);
    assert_eq!(told(&mut troubles, &firing(4, Severity::Critical), &[ALL]).len(), 1);
    for minute in 5..8 {
        let due = troubles.observe(&over(minute), &[ALL]);
        assert_eq!(due.len(), 1, "{minute}");
        troubles.failed(&due[0]);
    }
    assert_eq!(told(&mut troubles, &over(9), &[ALL]), [(0, AlertState::Resolved)]);
    assert!(troubles.known.is_empty());
}

#[test]
fn a_trouble_that_lasts_goes_to_somebody_else_and_everybody_is_told_so() {
    let policy = AlertPolicy { escalate_after_minutes: Some(30), ..never_escalating() };
    let mut troubles = Troubles::new(policy);
    let routes = [ALL, BOSS];
    assert_eq!(told(&mut troubles, &firing(0, Severity::Warning), &routes), [(0, AlertState::Firing)]);
    assert_eq!(told(&mut troubles, &firing(29, Severity::Warning), &routes), []);
    let escalated = [(0, AlertState::Escalated), (1, AlertState::Escalated)];
    assert_eq!(told(&mut troubles, &firing(30, Severity::Warning), &routes), escalated);
    assert_eq!(told(&mut troubles, &firing(31, Severity::Warning), &routes), []);
    let over_for_both = [(0, AlertState::Resolved), (1, AlertState::Resolved)];
    assert_eq!(told(&mut troubles, &over(40), &routes), over_for_both);
    // A new one begins from the start.
    assert_eq!(told(&mut troubles, &firing(41, Severity::Warning), &routes), [(0, AlertState::Firing)]);
}

#[test]
fn a_trouble_that_is_met_too_often_escalates_and_news_does_not() {
    let policy = AlertPolicy { escalate_after_times: Some(3), ..never_escalating() };
    let mut troubles = Troubles::new(policy.clone());
    for minute in [0, 1] {
        assert_eq!(told(&mut troubles, &firing(minute, Severity::Critical), &[BOSS]), []);
    }
    let due = troubles.observe(&firing(2, Severity::Critical), &[BOSS]);
    let details = [("met", "3 times"), ("since", "1970-01-01 00:00:00 UTC")];
    assert_eq!(due[0].alert.details, details.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let mut troubles = Troubles::new(policy);
    let everybody = Route { least: Severity::Info, reach: Reach::Escalated };
    for minute in 0..9 {
        assert_eq!(told(&mut troubles, &firing(minute, Severity::Info), &[everybody]), []);
    }
}

#[test]
fn reminders_repeat_and_escalate_what_nothing_new_came_of() {
    let policy = AlertPolicy { escalate_after_minutes: Some(90), ..never_escalating() };
    let mut troubles = Troubles::new(policy);
    let routes = [ALL, BOSS];
    told(&mut troubles, &firing(0, Severity::Warning), &routes);
    let mut remind = |minute| {
        let due = troubles.remind(&routes, DateTime::UNIX_EPOCH + TimeDelta::minutes(minute));
        for due in &due {
            troubles.delivered(due);
        }
        due.into_iter().map(|due| (due.route, due.alert.state)).collect::<Vec<_>>()
    };
    assert_eq!(remind(59), []);
    assert_eq!(remind(60), [(0, AlertState::Firing)]);
    assert_eq!(remind(90), [(0, AlertState::Escalated), (1, AlertState::Escalated)]);
    assert_eq!(remind(91), []);
    told(&mut troubles, &over(92), &routes);
    assert_eq!(troubles.remind(&routes, DateTime::UNIX_EPOCH + TimeDelta::days(9)), []);
}

#[test]
fn troubles_are_kept_in_bounded_memory() {
    let mut troubles = Troubles::new(AlertPolicy::new());
    for number in 0..3000 {
        let mut alert = firing(number, Severity::Critical);
        alert.key = number.to_string();
        assert_eq!(told(&mut troubles, &alert, &[ALL]).len(), 1);
    }
    assert_eq!(troubles.known.len(), MAX_TROUBLES);
    assert!(troubles.known.contains_key("2999") && !troubles.known.contains_key("0"));
}

proptest! {
    /// Whatever comes in whatever order: who was told of a trouble is told of its end, exactly once.
    #[test]
    fn every_trouble_that_was_told_ends_once(
        steps in prop::collection::vec((0..3_u8, 0..200_i64, any::<bool>()), 0..60)
    ) {
        let mut troubles = Troubles::new(AlertPolicy::new());
        let routes = [ALL, PAGER, BOSS];
        let mut open = [false; 3];
        let mut minute = 0;
        for (what, pause, works) in steps {
            minute += pause;
            let alert = match what {
                0 => over(minute),
                1 => firing(minute, Severity::Warning),
                _ => firing(minute, Severity::Critical),
            };
            for due in troubles.observe(&alert, &routes) {
                if due.alert.state == AlertState::Resolved {
                    prop_assert!(open[due.route]);
                }
                if works {
                    open[due.route] = due.alert.state != AlertState::Resolved;
                    troubles.delivered(&due);
                } else {
                    troubles.failed(&due);
                }
            }
        }
        for (route, _) in told(&mut troubles, &over(minute), &routes) {
            open[route] = false;
        }
        prop_assert_eq!(open, [false; 3]);
        prop_assert!(troubles.known.is_empty());
    }
}
