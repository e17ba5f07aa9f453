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
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Protocol>();
    let mut schema = schema.to_value();
    plain(&mut schema);
    schema
}

/// Turns descriptions from text of rustdoc into plain text.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => *text = without_links(text),
                    value => plain(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

/// `a [word](of a link)` as `a word`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (start, word) = before.rsplit_once('[').unwrap_or((before, ""));
        plain.push_str(start);
        plain.push_str(word);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}
