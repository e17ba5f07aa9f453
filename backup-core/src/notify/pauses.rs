use std::time::Duration;

/// Before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The longest pause that a service may ask for.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt, as long as there is one.
#[derive(Debug, Default)]
pub(super) struct Pauses(usize);

impl Pauses {
    /// The next pause: what the service asked for, if it did, else a few seconds. `None` when it is time to give up.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let pause = PAUSES.get(self.0).copied()?;
        self.0 += 1;
        let pause = asked.unwrap_or(pause);
        (pause <= LONGEST).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_end_and_nobody_is_waited_for_too_long() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.next(None), Some(Duration::from_secs(1)));
        assert_eq!(pauses.next(Some(Duration::from_secs(30))), Some(LONGEST));
        assert_eq!(pauses.next(None), None);
        assert_eq!(Pauses::default().next(Some(Duration::from_secs(31))), None);
    }
}
