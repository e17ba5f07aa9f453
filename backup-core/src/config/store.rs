use std::path::PathBuf;

use super::{Options, Place, Value};
use crate::{Error, ErrorKind};

/// Where backups are stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreSettings {
    /// What kind of store it is: `local`, …
    pub kind: String,
    /// The folder, of a store in a file system.
    pub path: Option<PathBuf>,
    /// What only the store knows.
    pub options: Options,
    /// Where it stands in the file.
    pub place: Place,
}

impl StoreSettings {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let kind =
            table.required("kind", "write the kind of the store, such as \"local\"").and_then(Value::text);
        let path = table.take("path").and_then(Value::path);
        let options = Options::read(&mut table);
        let place = table.place().clone();
        table.finish();
        Some(Self { kind: kind?, path, options, place })
    }

    /// The stores of an environment, of which one is supported.
    pub(super) fn read_all(value: Value<'_, '_>) -> Option<Vec<Self>> {
        let (document, place) = (value.document, value.place.clone());
        let mut elements = value.array()?.into_iter();
        let Some(first) = elements.next() else {
            let allowed = "write stores = [{ kind = \"local\", path = \"/var/backups\" }]";
            document.add(place, ErrorKind::InvalidInput, "no store is named", allowed);
            return None;
        };
        for other in elements {
            let message = "several stores are not supported yet";
            other.refuse::<()>(ErrorKind::Unsupported, message, "name one store");
        }
        Some(vec![Self::read(first)?])
    }

    /// An error that names the place of these settings; `allowed` says what could stand here instead.
    #[must_use]
    pub fn refuse(&self, message: &str, allowed: &str) -> Error {
        self.place.refuse(ErrorKind::InvalidInput, message, allowed)
    }
}
