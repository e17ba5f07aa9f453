use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use crate::{Annotation, BackupRef, Digest, ErrorKind, Manifest, protocol::Request};

/// What stands for a secret in a request.
const SECRET: &str = "hunter2-Zq9";

/// Manifests.
pub fn manifest(input: &[u8]) {
    let manifest = match Manifest::from_json(input) {
        Ok(manifest) => manifest,
        Err(err) => {
            return assert!(matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{err}");
        }
    };
    let json = manifest.to_json().unwrap();
    let again = Manifest::from_json(&json).unwrap();
    assert_eq!(again, manifest, "it does not read back as it is");
    assert_eq!(again.to_json().unwrap(), json, "it does not come to rest");
    assert_kept("", &serde_json::from_slice(input).unwrap(), &serde_json::from_slice(&json).unwrap());
    if manifest.check_layout().is_ok() {
        let name = manifest.backup_ref();
        assert_eq!(name.to_string().parse::<BackupRef>().unwrap(), name);
    }
}

/// Annotations of backups.
pub fn annotation(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let Ok(annotation) = serde_json::from_str::<Annotation>(input) else { return };
    let json = serde_json::to_vec(&annotation).unwrap();
    let again: Annotation = serde_json::from_slice(&json).unwrap();
    assert_eq!(again, annotation, "it does not read back as it is");
    assert_kept("", &serde_json::from_str(input).unwrap(), &serde_json::from_slice(&json).unwrap());
}

/// Requests.
pub fn protocol(input: &[u8]) {
    let read = Request::from_json(input);
    if let Ok(request) = &read {
        let json = serde_json::to_vec(request).unwrap();
        let again = Request::from_json(&json).unwrap();
        assert_eq!(&again, request, "it does not read back as it is");
        let text = String::from_utf8(json).unwrap().to_lowercase();
        assert!(!text.contains("password="), "a password was taken: {text}");
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(input) else {
        return assert!(read.is_err(), "it is no object");
    };
    // Where it is a request, only its own field may be wrong with it.
    fields.insert("never_a_field".to_owned(), Value::Null);
    let err = Request::from_json(&serde_json::to_vec(&fields).unwrap()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    if read.is_ok() {
        assert!(err.to_string().contains("never_a_field"), "{err}");
    }
    fields.remove("never_a_field");
    for value in fields.iter_mut().filter(|(name, _)| *name != "operation").map(|(_, value)| value) {
        conceal(value);
    }
    if let Err(err) = Request::from_json(&serde_json::to_vec(&fields).unwrap()) {
        let shown = format!("{err} {err:?} {:?}", err.suggestions());
        assert!(!shown.contains(SECRET), "a value is shown: {shown}");
    }
}

/// Puts a secret into the place of every text.
fn conceal(value: &mut Value) {
    match value {
        Value::String(text) => SECRET.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(conceal),
        Value::Object(fields) => fields.values_mut().for_each(conceal),
        _ => {}
    }
}

/// Whatever the input says is in the output: unknown fields too.
///
/// What is absent and what is `null` or empty is the same, and so are ways to write a time or a digest. Of single frames and
/// rows of an index, of which there are thousands, only the known fields are kept.
fn assert_kept(path: &str, input: &Value, output: &Value) {
    match (input, output) {
        (Value::Object(input), Value::Object(output)) => {
            for (name, value) in input {
                let path = format!("{path}/{name}");
                match output.get(name) {
                    Some(kept) => assert_kept(&path, value, kept),
                    None if path.starts_with("/frames/frames/") || path.starts_with("/frames/rows/") => {}
                    None => assert!(is_nothing(value), "{path} is lost: {value}"),
                }
            }
        }
        (Value::Array(input), Value::Array(output)) => {
            assert_eq!(input.len(), output.len(), "{path}");
            for (index, (input, output)) in input.iter().zip(output).enumerate() {
                assert_kept(&format!("{path}/{index}"), input, output);
            }
        }
        (Value::String(input), Value::String(output)) if input != output => {
            let time = |text: &str| text.parse::<DateTime<FixedOffset>>().ok();
            let digest = |text: &str| text.parse::<Digest>().ok();
            let same = time(input).is_some_and(|input| time(output) == Some(input))
                || digest(input).is_some_and(|input| digest(output) == Some(input));
            assert!(same, "{path} was {input:?} and is {output:?}");
        }
        _ => assert_eq!(input, output, "{path}"),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
