//! Where the URL of the database is, and where it leads.

use std::path::Path;

use backup_core::{Error, ErrorKind, Result, Secret};

use super::{
    super::{Finding, GivenUrl, PrismaVersion, schema_files::SchemaFiles, variables::Variables},
    Config, Search, hidden,
};
use crate::{
    schema::Value,
    url::{Connection, ParsedUrl},
};

impl Search {
    /// The database, how its URL was found, and what became of a URL that was given.
    pub(super) fn connection(
        &self,
        version: PrismaVersion,
        config: Option<&Config>,
        schema: &SchemaFiles,
        provider: &str,
        variables: &Variables,
    ) -> Result<(Finding, ParsedUrl, GivenUrl)> {
        let base = match config {
            Some(config) if version.major >= 7 => config.folder(),
            None if version.major >= 7 => &self.root,
            _ => schema.folder(),
        };
        let located = self.locate_url(version, config, schema);
        let variable = located.as_ref().ok().and_then(Located::variable);
        let own = located.and_then(|located| located.read(variables)).and_then(|(url, found, because)| {
            let parsed = Connection::parse(provider, &url, base)
                .map_err(|err| err.with_context("url_from", &found).with_context("provider", provider))?;
            Ok((parsed, found, because))
        });
        let (parsed, found, mut because, given) = match &self.asked.url {
            None => {
                let (parsed, found, because) = own?;
                (parsed, found, because, GivenUrl::NotGiven)
            }
            Some(url) => {
                let found = "the caller".to_owned();
                let parsed = Connection::parse(provider, url, base)
                    .map_err(|err| err.with_context("url_from", &found).with_context("provider", provider))?;
                let given = match own {
                    Ok((own, ..)) if own.connection.is_same(&parsed.connection) => GivenUrl::Same,
                    Ok((own, from, _)) => GivenUrl::Other { own: own.connection.shown(), from, variable },
                    Err(err) => GivenUrl::Unknown { because: err.to_string(), variable },
                };
                (parsed, found, "it was given".to_owned(), given)
            }
        };
        if let Connection::Sqlite(path) = &parsed.connection {
            because.push_str(&format!(
                "; a relative path starts at {} in Prisma {version}, which makes it {}",
                if version.major >= 7 { "the config file's folder" } else { "the folder of the schema file" },
                path.display()
            ));
        }
        Ok((Finding { what: "url", found, because }, parsed, given))
    }

    /// Where the project itself says its URL.
    fn locate_url<'a>(
        &self,
        version: PrismaVersion,
        config: Option<&'a Config>,
        schema: &'a SchemaFiles,
    ) -> Result<Located<'a>> {
        if let Some(probed) = &self.probed
            && let Some(url) =
                probed.direct_url.as_ref().filter(|_| version.major < 7).or(probed.url.as_ref())
        {
            return Ok(Located::Run(Secret::new(url.expose())));
        }
        let block = &schema.datasource;
        if version.major >= 7 && (block.url.is_some() || block.direct_url.is_some()) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the schema has a url, which Prisma 7 refuses (P1012)",
            )
            .with_context("schema", schema.file.display())
            .with_suggestion(
                "move it to datasource.url of prisma.config.ts, or give the version of Prisma",
            ));
        }
        if let Some(config) = config {
            let takes_url = (version.major, version.minor) >= (6, 18);
            if config.read.by_code && self.probed.is_none() {
                return Err(hidden("the database's URL", config));
            }
            if takes_url {
                let direct = config.read.direct_url.as_ref().filter(|_| version.major < 7);
                let direct = direct.map(|value| (value, "datasource.directUrl"));
                if let Some((value, key)) =
                    direct.or(config.read.url.as_ref().map(|url| (url, "datasource.url")))
                {
                    if matches!(value, Value::Computed) {
                        return Err(hidden("the database's URL", config));
                    }
                    return Ok(Located::Written { value, key, file: &config.path });
                }
                if !config.read.is_readable {
                    return Err(hidden("the database's URL", config));
                }
            }
        }
        let direct = block.direct_url.as_ref().map(|value| (value, "directUrl"));
        match direct.or(block.url.as_ref().map(|value| (value, "url"))) {
            Some((value, key)) => Ok(Located::Written { value, key, file: &schema.file }),
            None => Err(Error::new(ErrorKind::InvalidInput, "nothing says the database's URL")
                .with_context("prisma", version)
                .with_suggestion(if version.major >= 7 {
                    "set datasource.url in prisma.config.ts, or give the URL"
                } else {
                    "set url in the schema's datasource, or give the URL"
                })),
        }
    }
}

/// Where a project says its URL.
enum Located<'a> {
    /// The config file, which was run, said it.
    Run(Secret),
    /// It is written there.
    Written { value: &'a Value, key: &'static str, file: &'a Path },
}

impl Located<'_> {
    /// The environment variable that holds it.
    fn variable(&self) -> Option<String> {
        match self {
            Self::Written { value: Value::Env(name) | Value::EnvOr(name, _), .. } => Some(name.clone()),
            _ => None,
        }
    }

    /// The URL, where it was found, and by which rule.
    fn read(self, variables: &Variables) -> Result<(Secret, String, String)> {
        match self {
            Self::Run(url) => Ok((url, "the config file".to_owned(), "it was run".to_owned())),
            Self::Written { value, key, file } => named(value, key, file, variables),
        }
    }
}

/// A value with where it was found.
fn named(value: &Value, key: &str, file: &Path, variables: &Variables) -> Result<(Secret, String, String)> {
    let because = format!("{key} in {} says so", file.display());
    let unset = |name: &str| {
        Error::new(ErrorKind::InvalidInput, "the variable with the database's URL is not set, or empty")
            .with_context("variable", name)
            .with_context("named_in", file.display())
            .with_suggestion("set it, write it into the .env that Prisma loads, or give the URL")
    };
    let set = |name: &str| variables.get(name).filter(|(value, _)| !value.expose().trim().is_empty());
    match value {
        Value::Literal(text) => Ok((Secret::new(text.as_str()), file.display().to_string(), because)),
        Value::Env(name) => {
            let (value, place) = set(name).ok_or_else(|| unset(name))?;
            Ok((value, format!("{name} of {place}"), because))
        }
        Value::EnvOr(name, text) => Ok(match set(name) {
            Some((value, place)) => (value, format!("{name} of {place}"), because),
            None => (
                Secret::new(text.as_str()),
                file.display().to_string(),
                format!("{because}, and {name} is not set"),
            ),
        }),
        Value::Computed => {
            Err(Error::new(ErrorKind::InvalidInput, "the url of the datasource cannot be read")
                .with_context("schema", file.display()))
        }
    }
}
