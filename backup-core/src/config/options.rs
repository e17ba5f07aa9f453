//! [`Options`]: settings whose names only the part knows that they are for.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{
    place::Place,
    table::{Table, Value, unknown},
    url::names_a_secret,
};
use crate::{ErrorKind, Result};

/// Settings of a database's or a store's own, such as the format of a dump: text, whole numbers, true or false.
///
/// [`Parts`](super::Parts) takes those that it knows; what it does not ask for is refused after it, so that no setting is
/// ever ignored.
#[derive(Debug, Clone, Default)]
pub struct Options {
    values: BTreeMap<String, (Place, Setting)>,
    asked: Vec<&'static str>,
}

#[derive(Debug, Clone)]
enum Setting {
    Text(String),
    Number(i64),
    Switch(bool),
}

impl Options {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let Some(mut options) = table.take("options").and_then(Value::table) else { return Self::default() };
        let values = options.named().into_iter().filter_map(|(name, value)| {
            let place = value.place.clone();
            if names_a_secret(&name) {
                return value.refuse(
                    ErrorKind::InvalidInput,
                    "an option that holds a secret cannot be read",
                    "give the secret as password = { env = \"NAME\" }, outside of the options",
                );
            }
            let setting = match value.raw.get_ref() {
                DeValue::Integer(_) => Setting::Number(value.number("write a smaller number")?),
                DeValue::Boolean(_) => Setting::Switch(value.boolean()?),
                _ => Setting::Text(value.text()?),
            };
            Some((name, (place, setting)))
        });
        Self { values: values.collect(), asked: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<(Place, Setting)> {
        self.asked.push(name);
        self.values.remove(name)
    }

    /// What the text of an option means to `parse`.
    ///
    /// # Errors
    ///
    /// That of `parse` with its place in the file, but without its context, which may repeat the text;
    /// [`InvalidInput`](ErrorKind::InvalidInput) where it is no text.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some((place, setting)) = self.take(name) else { return Ok(None) };
        match setting {
            Setting::Text(text) => parse(&text)
                .map(Some)
                .map_err(|err| place.refuse(err.kind(), err.message(), &err.suggestions().join("; "))),
            _ => Err(place.refuse(ErrorKind::InvalidInput, "text is expected", "write text in quotes")),
        }
    }

    /// The text of an option.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where it is no text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        self.parsed(name, |text| Ok(text.to_owned()))
    }

    /// The number of an option.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where it is no whole number that `T` can hold.
    pub fn number<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<Option<T>> {
        let Some((place, setting)) = self.take(name) else { return Ok(None) };
        let number = match setting {
            Setting::Number(number) => T::try_from(number).ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| {
            place.refuse(ErrorKind::InvalidInput, "not a number that may stand here", "write a whole number")
        })
    }

    /// Whether an option is `true`; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where it is neither `true` nor `false`.
    pub fn switch(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some((_, Setting::Switch(switch))) => Ok(Some(switch)),
            Some((place, _)) => {
                Err(place.refuse(ErrorKind::InvalidInput, "true or false is expected", "write true or false"))
            }
        }
    }

    /// What was made of `settings`; fails where there is an option that nobody asked for.
    pub(super) fn close<T>(self, made: Result<T>, settings: &Place) -> Result<T> {
        let made = made.map_err(|err| settings.locate(err))?;
        let Some((name, (place, _))) = self.values.first_key_value() else { return Ok(made) };
        if self.asked.is_empty() {
            let allowed = "leave the options out";
            return Err(place.refuse(ErrorKind::InvalidInput, "there are no options here", allowed));
        }
        let (message, allowed) = unknown(name, &self.asked);
        Err(place.refuse(ErrorKind::InvalidInput, &message, &allowed))
    }
}
