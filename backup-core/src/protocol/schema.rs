use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{Request, Response};

/// What goes over the line: requests one way, responses the other.
#[derive(JsonSchema)]
#[schemars(title = "backup protocol")]
#[allow(dead_code)]
struct Protocol {
    request: Request,
    response: Response,
}

/// The JSON Schema (draft 2020-12) of requests and responses: `#/$defs/Request` and `#/$defs/Response`.
///
/// It is published as `docs/protocol.schema.json`.
#[must_use]
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Protocol>().to_value()
}
