use std::time::Duration;

use super::{Place, Value};
use crate::{Error, ErrorKind, Kind, Level, Pipeline, Schedule, pipeline::BackupRequest, scheduler::Job};

/// A backup that is made again and again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobSettings {
    /// When it is due.
    pub schedule: Schedule,
    /// The kind of all of its backups; unless said, daily, weekly or monthly as fits the time.
    pub kind: Option<Kind>,
    /// How deep each backup is verified afterwards.
    pub verify: Option<Level>,
    /// The longest delay, which spreads jobs of the same time.
    pub jitter: Duration,
    /// Where it stands in the file.
    pub place: Place,
}

impl JobSettings {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let zone = table.take("time_zone").map(Value::text);
        let at = table.required("at", "write when it runs, such as at = \"daily at 02:00\"");
        let schedule = at.and_then(|at| match zone {
            None => at.parsed(str::parse::<Schedule>),
            Some(zone) => {
                let zone = zone?;
                at.parsed(|text| in_zone(text, &zone))
            }
        });
        let kinds = [("daily", Kind::Daily), ("weekly", Kind::Weekly), ("monthly", Kind::Monthly)];
        let kind = table.take("kind").and_then(|value| value.one_of(&kinds));
        let verify = table.take("verify").and_then(Value::level);
        let jitter = table.take("jitter_minutes");
        let jitter: Option<u32> =
            jitter.map_or(Some(0), |value| value.number("write a number of minutes from 0 on"));
        let place = table.place().clone();
        table.finish();
        let jitter = Duration::from_secs(u64::from(jitter?) * 60);
        Some(Self { schedule: schedule?, kind, verify, jitter, place })
    }

    /// The job, which `pipeline` carries out.
    pub(super) fn job(&self, name: &str, pipeline: &Pipeline) -> Job {
        let request = self.kind.map_or_else(BackupRequest::new, |kind| BackupRequest::new().with_kind(kind));
        let job = Job::new(name, pipeline.clone(), self.schedule.clone());
        let job = job.with_request(request).with_jitter(self.jitter);
        match self.verify {
            Some(level) => job.with_verify(level),
            None => job,
        }
    }
}

/// A schedule whose time zone is said beside it.
fn in_zone(text: &str, zone: &str) -> crate::Result<Schedule> {
    if text.split_whitespace().any(|word| word.eq_ignore_ascii_case("in")) {
        return Err(Error::new(ErrorKind::InvalidInput, "the time zone is said twice")
            .with_suggestion("leave time_zone out, or ` in …` at the end of the schedule"));
    }
    // Without the zone first, so that it is told which of both is wrong.
    text.parse::<Schedule>()?;
    format!("{text} in {zone}").parse()
}
