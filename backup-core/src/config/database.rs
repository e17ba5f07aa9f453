use super::{
    Options, Place, SecretRef, Value,
    url::{Refused, engine, is_host},
};
use crate::{Error, ErrorKind, Result, Secret};

/// What a missing source is answered with.
const SOURCE: &str =
    "write url = \"postgresql://user@host/database\", or engine, host, port, user and database";

/// Where a database is: by a URL without password, or by engine, host, port, user and name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Database {
    /// The engine: `postgresql`, `mysql`, `mariadb`, `sqlite`, … With a URL it is its scheme.
    pub engine: String,
    /// The URL, without password.
    pub url: Option<String>,
    /// The host's name or address, or the folder of a socket.
    pub host: Option<String>,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// The database's name, or the path of its file.
    pub database: Option<String>,
    /// Where the password is.
    pub password: Option<SecretRef>,
    /// What only the part that reads or writes it knows.
    pub options: Options,
    /// Where it stands in the file.
    pub place: Place,
}

impl Database {
    pub(super) fn read(value: Value<'_, '_>) -> Option<Self> {
        let mut table = value.table()?;
        let url_value = table.take("url");
        let has_url = url_value.is_some();
        let url = url_value.and_then(|value| {
            let (document, place) = (value.document, value.place.clone());
            let url = value.text()?;
            let engine = engine(&url).map(str::to_owned);
            let refused = |refused: Refused| {
                document.add(place, ErrorKind::InvalidInput, refused.message(), refused.allowed());
            };
            engine.map_err(refused).ok().map(|engine| (url, engine))
        });
        let engine = table.take("engine").and_then(Value::text);
        let host = table.take("host").and_then(|value| value.parsed(host));
        let port = table.take("port").and_then(|value| value.number("write a port from 0 to 65535"));
        let user = table.take("user").and_then(Value::text);
        let database = table.take("database").and_then(Value::text);
        let password = table.take("password").and_then(SecretRef::read);
        let options = Options::read(&mut table);
        let place = table.place().clone();
        let has_fields =
            engine.is_some() || host.is_some() || port.is_some() || user.is_some() || database.is_some();
        if has_url && has_fields {
            table.problem(
                ErrorKind::InvalidInput,
                "the database is named twice",
                "write either url, or engine, host, port, user and database",
            );
        } else if !has_url && (engine.is_none() || database.is_none()) {
            table.problem(ErrorKind::InvalidInput, "no database is named", SOURCE);
        }
        table.finish();
        let (url, engine) = match url {
            Some((url, engine)) => (Some(url), engine),
            None => (None, engine?),
        };
        Some(Self { engine, url, host, port, user, database, password, options, place })
    }

    /// The password, read now from where it is; `None` where none is named.
    ///
    /// # Errors
    ///
    /// As [`SecretRef::resolve`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn password(&self) -> Result<Option<Secret>> {
        match &self.password {
            None => Ok(None),
            Some(password) => password.resolve().await.map(Some),
        }
    }

    /// An error that names the place of these settings; `allowed` says what could stand here instead.
    #[must_use]
    pub fn refuse(&self, message: &str, allowed: &str) -> Error {
        self.place.refuse(ErrorKind::InvalidInput, message, allowed)
    }
}

/// The name or address of one host, or the folder of a socket.
fn host(text: &str) -> Result<String> {
    let is_address = text.chars().all(|char| char.is_ascii_hexdigit() || matches!(char, ':' | '.'));
    if text.starts_with('/') || is_address || !text.contains(':') && is_host(text) {
        return Ok(text.to_owned());
    }
    Err(Error::new(ErrorKind::InvalidInput, "not the name of a host").with_suggestion(
        "write a name, an address, or the folder of a socket; the port has a key of its own",
    ))
}
