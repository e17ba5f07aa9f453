//! [`Environment`]: what is said of one environment, with the defaults of all.

use std::collections::BTreeMap;

use super::{
    Database, EncryptionSettings, JobSettings, NotifierSettings, Place, RehearsalSettings, StoreSettings,
    Value, document::Document, store::Copies, table::Table,
};
use crate::{
    ErrorKind, Level, Retention, compress, health::HealthPolicy, notify::AlertPolicy, store::CopyPolicy,
};

/// An environment: a database, where its backups go, and everything that is done with them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Environment {
    /// Its name, as it stands in keys of backups.
    pub name: String,
    /// The database.
    pub source: Database,
    /// Where backups are stored, the primary store first.
    pub stores: Vec<StoreSettings>,
    /// How many of the stores must hold each backup; all unless said.
    pub copies: CopyPolicy,
    /// How they are compressed, as [`compress::parse`](crate::compress::parse) reads it; as the pipeline does unless said.
    pub compression: Option<String>,
    /// Whom they are encrypted for; not at all unless said.
    pub encryption: Option<EncryptionSettings>,
    /// How deep a backup is checked before it exists.
    pub level: Option<Level>,
    /// By which rules backups are kept.
    pub retention: Option<Retention>,
    /// When backups are made, by name.
    pub schedules: BTreeMap<String, JobSettings>,
    /// What the backups should be like.
    pub health: Option<HealthPolicy>,
    /// When people are told again, and when somebody else is.
    pub alerts: AlertPolicy,
    /// Who is told.
    pub notifiers: Vec<NotifierSettings>,
    /// Databases to restore into, by name.
    pub targets: BTreeMap<String, Database>,
    /// How backups are rehearsed.
    pub rehearsal: Option<RehearsalSettings>,
    /// Where it stands in the file.
    pub place: Place,
}

/// What environments may say, and defaults for all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    stores: Option<Vec<StoreSettings>>,
    copies: Option<Copies>,
    compression: Option<String>,
    encryption: Option<EncryptionSettings>,
    level: Option<Level>,
    retention: Option<Retention>,
    schedules: Option<BTreeMap<String, JobSettings>>,
    health: Option<HealthPolicy>,
    alerts: Option<AlertPolicy>,
    notifiers: Option<Vec<NotifierSettings>>,
    rehearsal: Option<RehearsalSettings>,
    /// Whether something that stands there is wrong, so that what is missing is no problem of its own.
    has_stores: bool,
}

impl Settings {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let stores = table.take("stores");
        let has_stores = stores.is_some();
        let copies = table.take("copies").and_then(Copies::read);
        Self {
            stores: stores.and_then(StoreSettings::read_all),
            copies,
            compression: table
                .take("compression")
                .and_then(|value| value.parsed(|text| compress::parse(text).map(|_| text.to_owned()))),
            encryption: table.take("encryption").and_then(EncryptionSettings::read),
            level: table.take("level").and_then(Value::level),
            retention: table.take("retention").and_then(retention),
            schedules: table.take("schedules").and_then(|value| named(value, JobSettings::read)),
            health: table.take("health").and_then(Value::deserialized),
            alerts: table.take("alerts").and_then(Value::deserialized),
            notifiers: table.take("notifiers").and_then(|value| {
                Some(value.array()?.into_iter().filter_map(NotifierSettings::read).collect())
            }),
            rehearsal: table.take("rehearsal").and_then(RehearsalSettings::read),
            has_stores,
        }
    }

    /// Each setting of these, and where there is none that of `defaults`, as a whole.
    fn or(self, defaults: &Self) -> Self {
        Self {
            stores: self.stores.or_else(|| defaults.stores.clone()),
            copies: self.copies.or_else(|| defaults.copies.clone()),
            compression: self.compression.or_else(|| defaults.compression.clone()),
            encryption: self.encryption.or_else(|| defaults.encryption.clone()),
            level: self.level.or(defaults.level),
            retention: self.retention.or_else(|| defaults.retention.clone()),
            schedules: self.schedules.or_else(|| defaults.schedules.clone()),
            health: self.health.or_else(|| defaults.health.clone()),
            alerts: self.alerts.or_else(|| defaults.alerts.clone()),
            notifiers: self.notifiers.or_else(|| defaults.notifiers.clone()),
            rehearsal: self.rehearsal.or_else(|| defaults.rehearsal.clone()),
            has_stores: self.has_stores || defaults.has_stores,
        }
    }
}

impl Environment {
    pub(super) fn read(name: String, value: Value<'_, '_>, defaults: &Settings) -> Option<Self> {
        let document = value.document;
        let mut table = value.table()?;
        let place = table.place().clone();
        let source = table.required("source", "write where the database is: source = { url = \"…\" }");
        let source = source.and_then(Database::read);
        let settings = Settings::read(&mut table).or(defaults);
        let targets =
            table.take("targets").map_or(Some(BTreeMap::new()), |value| named(value, Database::read));
        if !settings.has_stores {
            table.problem(
                ErrorKind::InvalidInput,
                "no store is named",
                "write stores = [{ kind = \"local\", path = \"/var/backups\" }], here or under defaults",
            );
        }
        if let (Some(copies), Some(stores)) = (&settings.copies, &settings.stores) {
            copies.check(stores.len(), document);
        }
        table.finish();
        let environment = Self {
            name,
            source: source?,
            stores: settings.stores?,
            copies: settings.copies.as_ref().map_or(CopyPolicy::All, |copies| copies.policy),
            compression: settings.compression,
            encryption: settings.encryption,
            level: settings.level,
            retention: settings.retention,
            schedules: settings.schedules.unwrap_or_default(),
            health: settings.health,
            alerts: settings.alerts.unwrap_or_default(),
            notifiers: settings.notifiers.unwrap_or_default(),
            targets: targets?,
            rehearsal: settings.rehearsal,
            place,
        };
        environment.check(document);
        Some(environment)
    }

    /// Refuses levels that nothing here can reach.
    fn check(&self, document: &Document<'_>) {
        let opens = self.encryption.as_ref().is_none_or(EncryptionSettings::opens);
        let of_jobs = self.schedules.values().map(|job| (&job.place, job.verify));
        for (place, level) in of_jobs.chain([(&self.place, self.level)]) {
            if self.rehearsal.is_none() && level.is_some_and(Level::is_rehearsed) {
                let allowed = "add an empty table for a private server: rehearsal = {}";
                let message = "the level restores backups, and no rehearsal is named";
                document.add(place.clone(), ErrorKind::InvalidInput, message, allowed);
            }
            if !opens && level.is_some_and(|level| level > Level::Digest) {
                let allowed =
                    "add identities = [{ file = \"/path\" }] to encryption, or check no deeper than digest";
                let message = "the level opens encrypted backups, and no identity is named";
                document.add(place.clone(), ErrorKind::InvalidInput, message, allowed);
            }
        }
    }
}

impl Value<'_, '_> {
    pub(super) fn level(self) -> Option<Level> {
        self.parsed(str::parse)
    }
}

/// Settings under names that the user chose.
fn named<'a, 'd, T>(
    value: Value<'a, 'd>,
    read: impl Fn(Value<'a, 'd>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let entries = value.table()?.named().into_iter();
    Some(entries.filter_map(|(name, value)| Some((name, read(value)?))).collect())
}

/// A policy that has rules.
fn retention(value: Value<'_, '_>) -> Option<Retention> {
    let (document, place) = (value.document, value.place.clone());
    let policy: Retention = value.deserialized()?;
    policy.check().map_err(|err| document.add_error(place, &err)).ok()?;
    Some(policy)
}
