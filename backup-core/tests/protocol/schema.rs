//! The published schema, and a validator for the few words that it uses.

use serde_json::{Value, json};

use super::setup::golden;

const PUBLISHED: &str = include_str!("../../docs/protocol.schema.json");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.schema.json");

#[test]
fn the_published_schema_is_that_of_the_types() {
    let now = format!("{:#}\n", backup_core::protocol::schema());
    if std::env::var_os("RENEW_GOLDEN").is_some() {
        return std::fs::write(FILE, &now).unwrap();
    }
    assert!(
        now == PUBLISHED,
        "{FILE} is not current; renew it with RENEW_GOLDEN=1 cargo test -p backup-core --features schema --test protocol"
    );
}

#[test]
fn golden_requests_are_valid_and_use_each_field_of_the_schema() {
    let schema = backup_core::protocol::schema();
    for variant in schema["$defs"]["Request"]["oneOf"].as_array().unwrap() {
        let operation = &variant["properties"]["operation"]["const"];
        let of_it: Vec<Value> = golden().into_iter().filter(|sent| sent["operation"] == *operation).collect();
        for sent in &of_it {
            check("Request", sent).unwrap();
        }
        let definition = variant.get("$ref").map_or(variant, |reference| resolve(&schema, reference));
        for field in definition["properties"].as_object().unwrap().keys() {
            assert!(of_it.iter().any(|sent| sent.get(field).is_some()), "{operation} {field}");
        }
    }
}

/// What the schema refuses, the service refuses too, and the other way round.
#[test]
fn schema_and_reader_refuse_the_same() {
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!({ "x": "y" }),
    ];
    for sent in golden() {
        let mut all = Vec::new();
        for field in sent.as_object().unwrap().keys().map(String::as_str).chain(["force"]) {
            let mut without = sent.clone();
            without.as_object_mut().unwrap().remove(field);
            all.push(without);
            for value in &values {
                let mut with = sent.clone();
                with[field] = value.clone();
                // To the schema, a time is a text.
                if field != "expires_at" || !value.is_string() {
                    all.push(with);
                }
            }
        }
        for sent in all {
            let read = backup_core::protocol::Request::from_json(sent.to_string().as_bytes());
            let checked = check("Request", &sent);
            assert_eq!(read.is_ok(), checked.is_ok(), "{sent}: {read:?} {checked:?}");
        }
    }
}

/// Fails where `value` is not what the definition of the schema says.
pub(crate) fn check(definition: &str, value: &Value) -> Result<(), String> {
    let schema = backup_core::protocol::schema();
    validate(&schema, &schema["$defs"][definition], value)
}

fn resolve<'a>(root: &'a Value, reference: &Value) -> &'a Value {
    let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
    root.pointer(path).unwrap()
}

fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(words) = schema.as_object() else {
        return if schema == &Value::Bool(true) { Ok(()) } else { Err(format!("{value} has no place")) };
    };
    let unmet = |why: String| Err(format!("{why}: {value}"));
    for (word, says) in words {
        let members = || says.as_array().unwrap().iter();
        match word.as_str() {
            "description" | "title" | "default" | "format" | "$schema" => {}
            "$ref" => validate(root, resolve(root, says), value)?,
            "const" if says != value => return unmet(format!("not {says}")),
            "enum" if !members().any(|one| one == value) => return unmet(format!("not one of {says}")),
            "minimum" if value.as_f64().is_some_and(|value| value < says.as_f64().unwrap()) => {
                return unmet(format!("less than {says}"));
            }
            "maximum" if value.as_f64().is_some_and(|value| value > says.as_f64().unwrap()) => {
                return unmet(format!("more than {says}"));
            }
            "const" | "enum" | "minimum" | "maximum" | "additionalProperties" => {}
            "type" => {
                let is = |name: &str| match name {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "number" => value.is_number(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("{other} is no type"),
                };
                let fits = match says {
                    Value::Array(_) => members().any(|one| is(one.as_str().unwrap())),
                    one => is(one.as_str().unwrap()),
                };
                if !fits {
                    return unmet(format!("no {says}"));
                }
            }
            "oneOf" | "anyOf" => {
                let fitting = members().filter(|one| validate(root, one, value).is_ok()).count();
                if fitting == 0 || (word == "oneOf" && fitting > 1) {
                    return unmet(format!("{fitting} of {word} fit"));
                }
            }
            "allOf" => members().try_for_each(|one| validate(root, one, value))?,
            "required" => {
                if let Some(missing) = members().find(|name| value.get(name.as_str().unwrap()).is_none()) {
                    return unmet(format!("{missing} is missing"));
                }
            }
            "properties" => {
                for (name, property) in says.as_object().unwrap() {
                    value.get(name).map_or(Ok(()), |value| validate(root, property, value))?;
                }
            }
            "prefixItems" => {
                for (one, item) in members().zip(value.as_array().into_iter().flatten()) {
                    validate(root, one, item)?;
                }
            }
            "minItems" | "maxItems" => {}
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|item| validate(root, says, item))?
            }
            other => panic!("the schema uses {other}, which this validator does not know"),
        }
    }
    if let (Some(more), Some(fields)) = (words.get("additionalProperties"), value.as_object()) {
        let known = words.get("properties").and_then(Value::as_object);
        for (_, value) in
            fields.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)))
        {
            validate(root, more, value)?;
        }
    }
    Ok(())
}
