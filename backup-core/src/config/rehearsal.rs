use super::{Database, Place, Value};
use crate::{Assertion, ErrorKind};

/// How backups are rehearsed, at the levels that ask for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RehearsalSettings {
    /// A database on whose server the throw-away ones are made; unless said, on a private server of the source's engine.
    pub server: Option<Database>,
    /// What the restored database must answer.
    pub assertions: Vec<Assertion>,
    /// Where it stands in the file.
    pub place: Place,
}

impl RehearsalSettings {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let server = table.take("server").map(Database::read);
        let assertions = table.take("assertions").map_or(Some(Vec::new()), |value| {
            Some(value.array()?.into_iter().filter_map(assertion).collect())
        });
        let place = table.place().clone();
        table.finish();
        Some(Self {
            server: server.map_or(Some(None), |server| server.map(Some))?,
            assertions: assertions?,
            place,
        })
    }
}

/// A question, and what its answer must be: true, unless a text or bounds are given.
fn assertion(value: Value<'_, '_>) -> Option<Assertion> {
    let mut table = value.table()?;
    let name = table.required("name", "give it a name").and_then(Value::text);
    let sql = table.required("sql", "write a query with one answer").and_then(Value::text);
    let text = table.take("is").map(Value::text);
    let bounds = table.take("between").map(|value| {
        let (document, place) = (value.document, value.place.clone());
        let bounds: Vec<f64> = value.array()?.into_iter().filter_map(Value::float).collect();
        let bounds = <[f64; 2]>::try_from(bounds).ok();
        if bounds.is_none() {
            let allowed = "write the smallest and the largest answer: [1, 1000]";
            document.add(place, ErrorKind::InvalidInput, "two bounds are expected", allowed);
        }
        bounds
    });
    if text.is_some() && bounds.is_some() {
        table.problem(
            ErrorKind::InvalidInput,
            "two answers are expected at once",
            "write either is or between",
        );
    }
    let checked = (name.zip(sql), text, bounds);
    let found = match checked {
        (Some((name, sql)), None, None) => Some(Assertion::holds(name, sql)),
        (Some((name, sql)), Some(Some(text)), None) => Some(Assertion::is(name, sql, text)),
        (Some((name, sql)), None, Some(Some([low, high]))) => Some(Assertion::between(name, sql, low, high)),
        _ => None,
    };
    if let Some(Err(err)) = found.as_ref().map(Assertion::check) {
        table.problem(err.kind(), err.message(), &err.suggestions().join("; "));
    }
    table.finish();
    found
}
