//! From bytes to a [`Request`], with errors that name the field and show no value.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{MAX_REQUEST_BYTES, Request};
use crate::{Error, ErrorKind, Result};

mod document;
mod fault;
mod field;

pub(super) use document::Document;
use fault::Fault;
use field::Field;

/// The longest id of a request, in bytes.
const MAX_ID_BYTES: usize = 200;

/// A request that is none, and what could be read of it all the same.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) id: Option<String>,
    pub(super) operation: Option<&'static str>,
    pub(super) environment: Option<String>,
    pub(super) error: Error,
}

impl Rejected {
    pub(super) fn new(error: Error) -> Self {
        Self { id: None, operation: None, environment: None, error }
    }
}

/// What is said of a request that is longer than is read.
pub(super) fn too_long() -> Error {
    invalid("the request is too long").with_context("limit_bytes", MAX_REQUEST_BYTES)
}

pub(super) fn request(json: &[u8]) -> Result<Request, Rejected> {
    if json.len() > MAX_REQUEST_BYTES {
        return Err(Rejected::new(too_long()));
    }
    let document = std::str::from_utf8(json)
        .map_err(|err| invalid("the request is not UTF-8").with_context("byte", err.valid_up_to()))
        .and_then(|text| serde_json::from_str(text).map_err(|err| not_json(&err)));
    typed(document.map_err(Rejected::new)?)
}

/// The request that a document is.
pub(super) fn typed(Document(value): Document) -> Result<Request, Rejected> {
    let Value::Object(mut fields) = value else {
        return Err(Rejected::new(invalid("the request is no JSON object").with_suggestion(
            "send {\"operation\": …, \"environment\": …} with the fields of the operation",
        )));
    };
    let id = fields.get("id").and_then(Value::as_str);
    let id = id.filter(|id| id.len() <= MAX_ID_BYTES && !field::holds_password(id)).map(str::to_owned);
    let environment = fields.get("environment").and_then(Value::as_str).map(str::to_owned);
    let asked = fields.remove("operation");
    let asked = asked.as_ref().and_then(Value::as_str);
    let operation = Request::OPERATIONS.into_iter().find(|name| Some(*name) == asked);
    let rejected = |error| Rejected { id: id.clone(), operation, environment: environment.clone(), error };
    if fields.get("id").is_some_and(|given| !given.is_null()) && id.is_none() {
        return Err(rejected(
            invalid("no id of a request")
                .with_context("field", "id")
                .with_suggestion(format!("send a text of at most {MAX_ID_BYTES} bytes, or none")),
        ));
    }
    let read = match operation {
        Some("create-backup") => read(fields).map(Request::CreateBackup),
        Some("list-backups") => read(fields).map(Request::ListBackups),
        Some("verify-backup") => read(fields).map(Request::VerifyBackup),
        Some("restore-backup") => read(fields).map(Request::RestoreBackup),
        Some("delete-backup") => read(fields).map(Request::DeleteBackup),
        Some("prune-backups") => read(fields).map(Request::PruneBackups),
        Some("check-health") => read(fields).map(Request::CheckHealth),
        _ => {
            let message = if asked.is_some() { "no such operation" } else { "no operation is named" };
            Err(invalid(message)
                .with_context("field", "operation")
                .with_suggestion(format!("choose one of {}", Request::OPERATIONS.join(", "))))
        }
    };
    read.map_err(rejected)
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    T::deserialize(Field(Value::Object(fields))).map_err(Fault::into_error)
}

fn not_json(err: &serde_json::Error) -> Error {
    // Of syntax the parser says only what it misses; what a document itself refuses, it words itself.
    invalid("the request is not JSON").with_context("reason", err)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
