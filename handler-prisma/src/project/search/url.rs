//! Where the URL of the database is, and where it leads.

use std::path::Path;

use backup_core::{Error, ErrorKind, Result, Secret};

use super::{
    super::{Finding, PrismaVersion, schema_files::SchemaFiles, variables::Variables},
    Config, Search, hidden,
};
use crate::{
    schema::Value,
    url::{Connection, ParsedUrl},
};

impl Search {
    /// The database, and how its URL was found.
    pub(super) fn connection(
        &self,
        version: PrismaVersion,
        config: Option<&Config>,
        schema: &SchemaFiles,
        provider: &str,
        variables: &Variables,
    ) -> Result<(Finding, ParsedUrl)> {
        let (url, found, because) = self.url(version, config, schema, variables)?;
        let base = match config {
            Some(config) if version.major >= 7 => config.folder(),
            None if version.major >= 7 => &self.root,
            _ => schema.folder(),
        };
        let parsed = Connection::parse(provider, &url, base)
            .map_err(|err| err.with_context("url_from", &found).with_context("provider", provider))?;
        let mut because = because;
        if let Connection::Sqlite(path) = &parsed.connection {
            because.push_str(&format!(
                "; a relative path starts at {} in Prisma {version}, which makes it {}",
                if version.major >= 7 { "the config file's folder" } else { "the folder of the schema file" },
                path.display()
            ));
        }
        Ok((Finding { what: "url", found, because }, parsed))
    }

    /// The URL, where it was found, and by which rule.
    fn url(
        &self,
        version: PrismaVersion,
        config: Option<&Config>,
        schema: &SchemaFiles,
        variables: &Variables,
    ) -> Result<(Secret, String, String)> {
        if let Some(url) = &self.asked.url {
            return Ok((url.clone(), "the caller".to_owned(), "it was given".to_owned()));
        }
        if let Some(probed) = &self.probed
            && let Some(url) =
                probed.direct_url.as_ref().filter(|_| version.major < 7).or(probed.url.as_ref())
        {
            let url = Secret::new(url.expose());
            return Ok((url, "the config file".to_owned(), "it was run".to_owned()));
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
                if let Some((value, key)) = direct.map(|value| (value, "datasource.directUrl")).or(config
                    .read
                    .url
                    .as_ref()
                    .map(|url| (url, "datasource.url")))
                {
                    return named(value, key, &config.path, variables, || {
                        hidden("the database's URL", config)
                    });
                }
                if !config.read.is_readable {
                    return Err(hidden("the database's URL", config));
                }
            }
        }
        let direct = block.direct_url.as_ref().map(|value| (value, "directUrl"));
        match direct.or(block.url.as_ref().map(|value| (value, "url"))) {
            Some((value, key)) => named(value, key, &schema.file, variables, || {
                Error::new(ErrorKind::InvalidInput, "the url of the datasource cannot be read")
                    .with_context("schema", schema.file.display())
            }),
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

/// A value with where it was found.
fn named(
    value: &Value,
    key: &str,
    file: &Path,
    variables: &Variables,
    computed: impl FnOnce() -> Error,
) -> Result<(Secret, String, String)> {
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
        Value::Computed => Err(computed()),
    }
}
