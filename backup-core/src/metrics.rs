//! [`MetricsObserver`]: counters and durations of operations, by the facade of the `metrics` crate.

use std::sync::Arc;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{BackupRef, Clock, Error, Event, Observer, Operation, SystemClock, event::Running};

/// What stands for a name that is not known.
const UNKNOWN: &str = "unknown";

/// An [`Observer`] that counts operations, for Prometheus or whatever the installed recorder exports to.
///
/// | metric | kind | labels beside `environment` and `database` |
/// |---|---|---|
/// | `backup_operations_total` | counter | `operation`, `result`: `success`, `failure` or `refused` |
/// | `backup_operation_duration_seconds` | histogram | `operation` |
/// | `backup_failures_total` | counter | `operation`, `code`: an [error code](crate::ErrorKind::code) |
/// | `backup_warnings_total` | counter | `operation` |
/// | `backup_deleted_total`, `backup_freed_bytes_total` | counter | `operation`: `delete` or `prune` |
/// | `backup_stored_bytes` | gauge: of the newest backup | |
/// | `backup_plain_bytes_total` | counter: of all backups made | |
/// | `backup_last_success_timestamp_seconds` | gauge: Unix time | `operation` |
///
/// No label holds a backup's id, so that there are as many series as environments and databases, times the few
/// operations and codes. Install the recorder before [`new`](Self::new), which describes the metrics to it.
///
/// # Examples
///
/// ```
/// use backup_core::{MemoryStore, Pipeline, metrics::MetricsObserver, testkit::fake::FakeDumper};
///
/// let metrics = MetricsObserver::new().with_names("production", "shop");
/// let pipeline = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new())
///     .with_environment("production")
///     .with_observer(metrics);
/// ```
#[derive(Debug)]
pub struct MetricsObserver {
    environment: String,
    database: String,
    clock: Arc<dyn Clock>,
    running: Running,
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricsObserver {
    /// Describes the metrics to the recorder that is installed.
    #[must_use]
    pub fn new() -> Self {
        describe_counter!("backup_operations_total", Unit::Count, "Operations that ended, by result");
        describe_histogram!("backup_operation_duration_seconds", Unit::Seconds, "How long operations took");
        describe_counter!(
            "backup_failures_total",
            Unit::Count,
            "Operations that failed or were refused, by error code"
        );
        describe_counter!("backup_warnings_total", Unit::Count, "Warnings of operations");
        describe_counter!("backup_deleted_total", Unit::Count, "Backups deleted");
        describe_counter!("backup_freed_bytes_total", Unit::Bytes, "Stored bytes of the backups deleted");
        describe_gauge!("backup_stored_bytes", Unit::Bytes, "Stored size of the newest backup");
        describe_counter!("backup_plain_bytes_total", Unit::Bytes, "Bytes dumped by all backups made");
        describe_gauge!(
            "backup_last_success_timestamp_seconds",
            Unit::Seconds,
            "Unix time of the last operation that ended well"
        );
        Self {
            environment: UNKNOWN.to_owned(),
            database: UNKNOWN.to_owned(),
            clock: Arc::new(SystemClock),
            running: Running::default(),
        }
    }

    /// Says what to write where an event names no backup: a warning, or a failure before the backup had a name, because
    /// the server is down for instance. `unknown` unless said.
    #[must_use]
    pub fn with_names(mut self, environment: impl Into<String>, database: impl Into<String>) -> Self {
        self.environment = environment.into();
        self.database = database.into();
        self
    }

    /// Takes the time from elsewhere than the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn names(&self, backup: Option<&BackupRef>) -> [(&'static str, String); 2] {
        let (environment, database) = match backup {
            Some(backup) => (&backup.environment, &backup.database),
            None => (&self.environment, &self.database),
        };
        [("environment", environment.clone()), ("database", database.clone())]
    }

    fn ended(&self, operation: Operation, backup: Option<&BackupRef>, error: Option<&Error>) {
        let [environment, database] = self.names(backup);
        let named = [environment.clone(), database.clone(), ("operation", operation.name().to_owned())];
        let result = match error {
            None => "success",
            Some(error) if error.kind().is_refusal() => "refused",
            Some(_) => "failure",
        };
        let [first, second, third] = named.clone();
        counter!("backup_operations_total", &[first, second, third, ("result", result.to_owned())])
            .increment(1);
        if let Some(run) = backup.and_then(|backup| self.running.end(operation, backup)) {
            histogram!("backup_operation_duration_seconds", &named).record(run.elapsed());
        }
        match error {
            Some(error) => {
                let [first, second, third] = named;
                counter!("backup_failures_total", &[first, second, third, ("code", error.code().to_owned())])
                    .increment(1);
            }
            None => gauge!("backup_last_success_timestamp_seconds", &named).set(self.unix_seconds()),
        }
    }

    fn committed(&self, backup: &BackupRef) {
        let Some(run) = self.running.get(Operation::Backup, backup) else { return };
        let names = self.names(Some(backup));
        gauge!("backup_stored_bytes", &names).set(as_float(run.progress.stored_bytes));
        counter!("backup_plain_bytes_total", &names).increment(run.progress.plain_bytes);
    }

    #[allow(clippy::cast_precision_loss)] // Exact for some hundred thousand years.
    fn unix_seconds(&self) -> f64 {
        self.clock.now().timestamp_millis() as f64 / 1000.0
    }
}

/// A gauge is a float: exact up to 9 PB.
#[allow(clippy::cast_precision_loss)]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::Started { operation, backup } => self.running.begin(operation, backup),
            Event::Progress { operation, backup, progress } => {
                self.running.progress(operation, backup, progress);
            }
            Event::Committed { backup } => self.committed(backup),
            Event::Deleted { operation, backup, bytes } => {
                let [environment, database] = self.names(Some(backup));
                let labels = [environment, database, ("operation", operation.name().to_owned())];
                counter!("backup_deleted_total", &labels).increment(1);
                counter!("backup_freed_bytes_total", &labels).increment(bytes);
            }
            Event::Warning { operation, .. } => {
                let [environment, database] = self.names(None);
                let labels = [environment, database, ("operation", operation.name().to_owned())];
                counter!("backup_warnings_total", &labels).increment(1);
            }
            Event::Finished { operation, backup } => self.ended(operation, Some(backup), None),
            Event::Failed { operation, backup, error } => self.ended(operation, backup, Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::{
        ErrorKind, Level, MemoryStore, Pipeline,
        pipeline::BackupRequest,
        testkit::{clock::ManualClock, fake::FakeDumper},
    };

    /// What Prometheus is told after `act`, on this thread.
    fn rendered(act: impl AsyncFnOnce()) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        metrics::with_local_recorder(&recorder, || runtime.block_on(act()));
        handle.render()
    }

    fn assert_line(text: &str, name: &str, labels: &[&str], value: &str) {
        let fits = |line: &&str| {
            line.starts_with(&format!("{name}{{"))
                && labels.iter().all(|label| line.contains(label))
                && line.matches('=').count() == labels.len()
        };
        let line = text.lines().find(fits).unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
        assert_eq!(line.rsplit_once(' ').unwrap().1, value, "{line}");
    }

    #[test]
    fn a_backup_is_counted_with_its_bytes_its_time_and_never_its_id() {
        let rows = "all the rows\n".repeat(1000);
        let size = Mutex::new(0);
        let text = rendered(async || {
            let clock = ManualClock::at("2026-11-20T02:00:00Z");
            let pipeline = Pipeline::new(FakeDumper::new(rows.clone()), MemoryStore::new())
                .with_environment("production")
                .with_clock(clock.clone())
                .with_level(Level::Decoded)
                .with_observer(MetricsObserver::new().with_clock(clock));
            let report = pipeline.backup(BackupRequest::new()).await.unwrap();
            *size.lock().unwrap() = report.manifest.artifact.size;
            pipeline.backup(BackupRequest::new()).await.unwrap();
            pipeline.verify(&report.backup, Level::Digest).await.unwrap();
        });
        let (production, backup) = ("environment=\"production\"", "operation=\"backup\"");
        let database = text.split("database=\"").nth(1).unwrap().split('"').next().unwrap();
        let database = format!("database=\"{database}\"");
        let named = [production, &database];
        let success = [production, &database, backup, "result=\"success\""];
        assert_line(&text, "backup_operations_total", &success, "2");
        assert_line(&text, "backup_stored_bytes", &named, &size.lock().unwrap().to_string());
        assert_line(&text, "backup_plain_bytes_total", &named, &(2 * rows.len()).to_string());
        let backups = [production, &database, backup];
        assert_line(&text, "backup_operation_duration_seconds_count", &backups, "2");
        assert_line(&text, "backup_last_success_timestamp_seconds", &backups, "1795140000");
        let verified = [production, &database, "operation=\"verify\"", "result=\"success\""];
        assert_line(&text, "backup_operations_total", &verified, "1");
        assert!(text.contains("# HELP backup_stored_bytes Stored size"), "{text}");
        assert!(!text.contains("backup-2026"), "{text}");
    }

    #[test]
    fn failures_are_counted_by_code_also_before_the_backup_has_a_name() {
        let text = rendered(async || {
            let metrics = MetricsObserver::new().with_names("staging", "shop");
            let down = Error::new(ErrorKind::ConnectionFailed, "down");
            let refused = Error::new(ErrorKind::InvalidInput, "wrong");
            let operation = Operation::Backup;
            for error in [&down, &down, &refused] {
                metrics.observe(&Event::Failed { operation, backup: None, error });
            }
            metrics.observe(&Event::Warning { operation, message: "look" });
        });
        let labels = ["environment=\"staging\"", "database=\"shop\"", "operation=\"backup\""];
        let with = |label| [labels.as_slice(), &[label]].concat();
        assert_line(&text, "backup_operations_total", &with("result=\"failure\""), "2");
        assert_line(&text, "backup_operations_total", &with("result=\"refused\""), "1");
        assert_line(&text, "backup_failures_total", &with("code=\"database_connection_failed\""), "2");
        assert_line(&text, "backup_warnings_total", &labels, "1");
        assert!(!text.contains("backup_last_success"), "{text}");
    }
}
