use std::{path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{Options, Place, Value, document::Document};
use crate::{Error, ErrorKind, store::CopyPolicy};

/// Where backups are stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreSettings {
    /// What kind of store it is: `local`, …
    pub kind: String,
    /// The folder, of a store in a file system.
    pub path: Option<PathBuf>,
    /// How long it may stand still, of several; `stall_seconds` in the file.
    pub stall_timeout: Option<Duration>,
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
        let stall_timeout =
            table.take("stall_seconds").and_then(|value| value.number::<u32>("write whole seconds"));
        let stall_timeout = stall_timeout.map(|seconds| Duration::from_secs(seconds.into()));
        let options = Options::read(&mut table);
        let place = table.place().clone();
        table.finish();
        Some(Self { kind: kind?, path, stall_timeout, options, place })
    }

    /// The stores of an environment, of which the first is the primary one.
    pub(super) fn read_all(value: Value<'_, '_>) -> Option<Vec<Self>> {
        let (document, place) = (value.document, value.place.clone());
        let elements = value.array()?;
        if elements.is_empty() {
            let allowed = "write stores = [{ kind = \"local\", path = \"/var/backups\" }]";
            document.add(place, ErrorKind::InvalidInput, "no store is named", allowed);
            return None;
        }
        let number = elements.len();
        let stores: Vec<Self> = elements.into_iter().filter_map(Self::read).collect();
        // What is wrong with one of them is noted, and no reason to go on with the others.
        (stores.len() == number).then_some(stores)
    }

    /// An error that names the place of these settings; `allowed` says what could stand here instead.
    #[must_use]
    pub fn refuse(&self, message: &str, allowed: &str) -> Error {
        self.place.refuse(ErrorKind::InvalidInput, message, allowed)
    }
}

/// How many of the stores must hold a backup, and where that is said.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    pub(super) policy: CopyPolicy,
    place: Place,
}

impl Copies {
    /// `"all"`, `"primary"`, or a number of stores.
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        const ALLOWED: &str = "write copies = \"all\", \"primary\", or how many stores must hold each backup";
        let place = value.place.clone();
        let policy = if matches!(value.raw.get_ref(), DeValue::Integer(_)) {
            CopyPolicy::AtLeast(value.number::<u16>(ALLOWED)?.into())
        } else {
            value.one_of(&[("all", CopyPolicy::All), ("primary", CopyPolicy::Primary)])?
        };
        Some(Self { policy, place })
    }

    /// Notes a number of stores that there are not.
    pub(super) fn check(&self, stores: usize, document: &Document<'_>) {
        if let CopyPolicy::AtLeast(number) = self.policy
            && !(1..=stores).contains(&number)
        {
            let allowed = format!("write a number from 1 to {stores}, or name more stores");
            let message = "the backups cannot be in so many of the stores";
            document.add(self.place.clone(), ErrorKind::InvalidInput, message, &allowed);
        }
    }
}
