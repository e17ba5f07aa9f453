use std::{collections::BTreeMap, sync::Arc};

use super::{
    Request, Response,
    read::{self, Rejected},
    response::Answer,
};
use crate::{Clock, Entry, Error, ErrorKind, Filter, Result, SystemClock, catalog::find_selected};

mod backups;
mod environment;
mod health;
mod prune;
mod restore;

pub use environment::{Environment, Protection};

/// Answers requests about the environments that it knows.
///
/// A request reaches the backups of the environment that it names and no others, also where several share a store.
/// Cheap to clone; clones share everything.
///
/// # Contract
///
/// - Each request has one answer, whatever it is: [`handle_json`](Self::handle_json) answers garbage too.
/// - An answer holds no secret, and nothing of a request that could not be read but its id.
/// - Requests may be answered at the same time, by one service or several. Only one restore at a time goes into a
///   target: a second one is [`Unavailable`](ErrorKind::Unavailable).
///
/// # Examples
///
/// ```
/// # async fn example() -> backup_core::Result<()> {
/// use backup_core::{
///     MemoryStore, Pipeline,
///     protocol::{Environment, Service, Status},
///     testkit::fake::FakeDumper,
/// };
///
/// let pipeline = Pipeline::new(FakeDumper::new("all the rows"), MemoryStore::new());
/// let service = Service::new().with_environment("production", Environment::new(pipeline));
///
/// let answer = service.handle_json(r#"{"operation":"create-backup","environment":"production"}"#).await;
/// assert!(answer.starts_with(r#"{"status":"ok","operation":"create-backup","environment":"production","#));
/// let answer = service.handle_json("make a backup").await;
/// assert!(answer.contains(r#""code":"invalid_input""#));
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Service {
    environments: Arc<BTreeMap<String, Environment>>,
    clock: Arc<dyn Clock>,
}

impl Default for Service {
    fn default() -> Self {
        Self { environments: Arc::default(), clock: Arc::new(SystemClock) }
    }
}

impl Service {
    /// A service that knows no environment yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an environment; its new backups get this name. A second one of the same name takes the place of the first.
    #[must_use]
    pub fn with_environment(mut self, name: impl Into<String>, environment: Environment) -> Self {
        let name = name.into();
        Arc::make_mut(&mut self.environments).insert(name.clone(), environment.named(&name));
        self
    }

    /// Takes the time for checks of health from elsewhere than the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Answers a request.
    ///
    /// # Cancel safety
    ///
    /// That of the operation: a restore is not cancel-safe; of the others a dropped call leaves what a later one
    /// completes, or nothing.
    pub async fn handle(&self, request: Request) -> Response {
        let (id, operation) = (request.id().map(str::to_owned), request.operation());
        let name = request.environment().to_owned();
        let Some(environment) = self.environments.get(&name) else {
            return Response::new(id, Some(operation), None, Err(self.unknown("environment")));
        };
        // Boxed, so that the futures of callers stay small.
        let answer = Box::pin(self.answer(&name, environment, request)).await;
        Response::new(id, Some(operation), Some(name), answer)
    }

    /// Answers a request in JSON by one line of JSON, without a line break; also one that cannot be read.
    ///
    /// # Cancel safety
    ///
    /// As [`handle`](Self::handle).
    pub async fn handle_json(&self, request: impl AsRef<[u8]> + Send) -> String {
        let response = match read::request(request.as_ref()) {
            Ok(request) => self.handle(request).await,
            Err(rejected) => self.reject(rejected),
        };
        response.to_json()
    }

    /// Waits until what dropped operations stored has been removed; for a graceful shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn settle(&self) {
        for environment in self.environments.values() {
            environment.pipeline.settle().await;
        }
    }

    /// The answer to a request that could not be read.
    pub(super) fn reject(&self, rejected: Rejected) -> Response {
        let Rejected { id, operation, environment, error } = rejected;
        // What may be anything is not repeated.
        let environment = environment.filter(|name| self.environments.contains_key(name));
        Response::new(id, operation, environment, Err(error))
    }

    async fn answer(&self, name: &str, environment: &Environment, request: Request) -> Result<Answer> {
        let asked = Asked { name, environment };
        match request {
            Request::CreateBackup(request) => asked.create(request).await,
            Request::ListBackups(request) => asked.list(&request).await,
            Request::VerifyBackup(request) => asked.verify(&request).await,
            Request::RestoreBackup(request) => self.restore(&asked, request).await,
            Request::DeleteBackup(request) => asked.delete(&request).await,
            Request::PruneBackups(request) => asked.prune(&request).await,
            Request::CheckHealth(_) => asked.health(self.clock.now()).await,
        }
    }

    /// What is said of an environment that is not there.
    fn unknown(&self, field: &'static str) -> Error {
        not_there("no such environment", field, self.environments.keys())
    }
}

/// The environment that a request is about.
struct Asked<'a> {
    name: &'a str,
    environment: &'a Environment,
}

impl Asked<'_> {
    /// Those of its backups that a database's name selects.
    fn filter(&self, database: Option<&String>) -> Filter {
        let filter = Filter::all().with_environment(self.name);
        match database {
            Some(database) => filter.with_database(database),
            None => filter,
        }
    }

    /// The backup that a request names, if it is one of this environment.
    async fn find(&self, named: &str) -> Result<Entry> {
        find_selected(&**self.environment.pipeline.catalog(), named, &self.filter(None))
            .await
            .map_err(|err| err.with_context("environment", self.name))
    }
}

/// What is said of a name that the service does not know; the name itself may be anything and is not repeated.
fn not_there<'a>(message: &str, field: &'static str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let err = Error::new(ErrorKind::NotFound, message).with_context("field", field);
    if known.is_empty() {
        return err.with_suggestion("none is configured where the service runs");
    }
    err.with_context("known", known.join(", ")).with_suggestion(format!("choose one of {}", known.join(", ")))
}
