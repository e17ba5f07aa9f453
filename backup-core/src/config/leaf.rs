//! Values that serde reads, with the exact place of what it refuses.

use serde::de::DeserializeOwned;
use toml::de::{Error as TomlError, ValueDeserializer};

use super::{
    document::{Node, nodes_of},
    place::below,
    table::{Value, unknown},
};
use crate::ErrorKind;

/// What may stand under keys whose types refuse a text in words of their own.
const ALLOWED: &[(&str, &str)] = &[
    ("time_zone", "a name of the tz database, such as Europe/Berlin or UTC"),
    ("keep_within", "a length of time, such as 12h, 30d, 2w, 6m (months) or 1y6m"),
    ("today_by", "a time of day in quotes, such as \"12:00:00\""),
    (".kinds.", "a number, or \"forever\""),
];

impl Value<'_, '_> {
    /// What serde makes of it.
    pub(super) fn deserialized<T: DeserializeOwned>(self) -> Option<T> {
        let mut nodes = Vec::new();
        nodes_of(&self.place.key, &self.raw, &mut nodes);
        let (document, place) = (self.document, self.place);
        match T::deserialize(ValueDeserializer::from(self.raw)) {
            Ok(value) => Some(value),
            Err(err) => {
                let at = err.span().map_or(usize::MAX, |span| span.start);
                let node = nodes.iter().rev().find(|node| node.starts_at(at));
                let key = node.map_or(place.key.clone(), |node| node.key.clone());
                let (key, message, allowed) = explain(&err, key);
                let place =
                    if node.is_some() { document.place(key, at) } else { super::Place { key, ..place } };
                document.add(place, ErrorKind::InvalidInput, &message, &allowed);
                None
            }
        }
    }
}

impl Node {
    fn starts_at(&self, at: usize) -> bool {
        self.key_at.start == at || self.value_at.start == at
    }
}

/// The key, what is wrong, and what is allowed; never with the value, which serde's own words repeat.
fn explain(err: &TomlError, key: String) -> (String, String, String) {
    let message = err.message();
    let last = key.rsplit('.').next().unwrap_or_default();
    let own = ALLOWED.iter().find(|(part, _)| last.starts_with(part) || key.contains(part));
    let own = own.map(|(_, allowed)| (*allowed).to_owned());
    // Names in backquotes after the last `expected` are those of the type, and not of the file.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let names: Vec<&str> = expected.unwrap_or_default().split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        let (message, allowed) = unknown(last, &names);
        return (key, message, allowed);
    }
    if message.starts_with("unknown variant") {
        return (
            key,
            "not one of the words that may stand here".to_owned(),
            format!("choose one of {}", names.join(", ")),
        );
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (below(&key, name), "a key is missing".to_owned(), format!("add {name}"));
    }
    let of_type =
        ["invalid type", "invalid value", "invalid length"].iter().any(|start| message.starts_with(start));
    let allowed = own.or_else(|| expected.filter(|_| of_type).map(|expected| kind_of(expected).to_owned()));
    let allowed = allowed.unwrap_or_else(|| "see what the setting's documentation allows".to_owned());
    (key, "this value may not stand here".to_owned(), format!("write {allowed}"))
}

/// A type of Rust in words of the file.
fn kind_of(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "a string" => "text in quotes",
        "a sequence" => "an array",
        expected if expected.starts_with("struct ") || expected == "a map" => "a table",
        expected => expected,
    }
}
