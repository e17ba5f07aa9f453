//! The search for a project, by the rules of its version of Prisma.

use std::{
    fs,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result};

use super::{
    Discovery, Finding, PrismaProject, PrismaVersion,
    config::{self, ConfigFile},
    files,
    package::Package,
    probe::Probed,
    schema_files::SchemaFiles,
    variables::Variables,
    version,
};
use crate::schema::Value;

mod url;

/// The extensions that a config file may have, in the order in which they are tried.
const EXTENSIONS: [&str; 6] = ["js", "ts", "mjs", "cjs", "mts", "cts"];

/// What to do where something is only known to the project's code.
const HIDDEN: &str = "give the database's URL, or allow the config file to be run";

pub(super) fn run(asked: Discovery, probed: Option<Probed>) -> Result<PrismaProject> {
    let root = fs::canonicalize(&asked.root)
        .map_err(|err| Error::from(err).with_context("project", asked.root.display()))?;
    let package = Package::nearest(&root)?;
    let mut search = Search { root, package, probed, findings: Vec::new(), warnings: Vec::new(), asked };
    let known = search.version()?;
    let config = search.config(known)?;
    let (version, path, schema) = match known {
        Some(version) => {
            let path = search.schema(version, config.as_ref())?;
            let schema = SchemaFiles::read(&path)?;
            (version, path, schema)
        }
        None => search.by_shape(config.as_ref())?,
    };
    let provider = match &schema.datasource.provider {
        Some(Value::Literal(provider)) => provider.clone(),
        _ => {
            return Err(Error::new(ErrorKind::InvalidInput, "the datasource names no provider")
                .with_context("schema", schema.file.display()));
        }
    };
    let variables = search.variables(version, config.as_ref())?;
    let (url, parsed, given) = search.connection(version, config.as_ref(), &schema, &provider, &variables)?;
    let migrations = search.migrations(version, config.as_ref(), &path, &schema)?;
    search.findings.push(url);
    search.warnings.extend(variables.warnings);
    search.warnings.extend(parsed.warnings);
    Ok(PrismaProject {
        root: search.root,
        version: known.or(Some(version)),
        schema: path,
        provider,
        schemas: schema.datasource.schemas,
        connection: parsed.connection,
        given,
        migrations,
        findings: search.findings,
        notes: parsed.notes,
        warnings: search.warnings,
        client_dir: None,
    })
}

struct Search {
    asked: Discovery,
    root: PathBuf,
    package: Option<Package>,
    probed: Option<Probed>,
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

/// A config file, and what was read in it.
struct Config {
    path: PathBuf,
    read: ConfigFile,
}

impl Config {
    /// What is relative in it is relative to this.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl Search {
    fn found(&mut self, what: &'static str, found: &dyn std::fmt::Display, because: impl Into<String>) {
        self.findings.push(Finding { what, found: found.to_string(), because: because.into() });
    }

    fn version(&mut self) -> Result<Option<PrismaVersion>> {
        if let Some(version) = self.asked.version {
            self.found("version", &"the caller", format!("Prisma {version} was given"));
            return version.check().map(Some);
        }
        let Some((version, path, because)) = version::find(&self.root, self.package.as_ref())? else {
            return Ok(None);
        };
        self.found("version", &path, because);
        version.check().map(Some)
    }

    /// The config file; `None` where there is none, or the version knows none.
    fn config(&mut self, version: Option<PrismaVersion>) -> Result<Option<Config>> {
        // Where nobody knows the version, it is found out by what there is.
        let version = version.unwrap_or(PrismaVersion::new(7, u32::MAX));
        let path = if let Some(path) = &self.asked.config {
            Some((files::at(&self.root, path), "it was given".to_owned()))
        } else {
            let mut names = config_names(version).into_iter();
            names.find(|name| self.root.join(name).is_file()).map(|name| {
                (self.root.join(&name), format!("Prisma looks for {name} in the project's folder"))
            })
        };
        let Some((path, because)) = path else { return Ok(None) };
        let Some(text) = files::read_if_there(&path)? else {
            return Err(Error::new(ErrorKind::InvalidInput, "there is no such config file")
                .with_context("config", path.display()));
        };
        self.found("config", &path.display(), because);
        Ok(Some(Config { path, read: config::read(&text) }))
    }

    /// The schema's file or folder.
    fn schema(&mut self, version: PrismaVersion, config: Option<&Config>) -> Result<PathBuf> {
        let (path, because) = self.locate_schema(version, config)?;
        self.found("schema", &path.display(), because);
        Ok(path)
    }

    fn locate_schema(&self, version: PrismaVersion, config: Option<&Config>) -> Result<(PathBuf, String)> {
        if let Some(path) = &self.asked.schema {
            return Ok((files::at(&self.root, path), "it was given".to_owned()));
        }
        if let Some(path) = self.probed.as_ref().and_then(|probed| probed.schema.as_ref()) {
            return Ok((files::at(&self.root, path), "the config file sets it".to_owned()));
        }
        if let Some(config) = config {
            match &config.read.schema {
                Some(Value::Literal(path)) => {
                    return Ok((files::at(config.folder(), path), "the config file sets it".to_owned()));
                }
                Some(_) => return Err(hidden("the schema's path", config)),
                None => {}
            }
        }
        let is_seven = version.major >= 7;
        if let Some(path) = self.package.as_ref().and_then(Package::schema).filter(|_| !is_seven) {
            return Ok((files::at(&self.root, path), "package.json sets it in prisma.schema".to_owned()));
        }
        let base = config.filter(|_| is_seven).map_or(self.root.as_path(), Config::folder);
        let mut places = vec!["schema.prisma", "prisma/schema.prisma"];
        // By a preview feature, between the two releases.
        if (5, 15) <= (version.major, version.minor) && (version.major, version.minor) < (6, 6) {
            places.push("prisma/schema");
        }
        for place in &places {
            let path = base.join(place);
            if path.exists() {
                return Ok((path, format!("Prisma {version} looks for {}", places.join(", then "))));
            }
        }
        Err(Error::new(ErrorKind::InvalidInput, "no Prisma schema was found")
            .with_context("looked_for", places.join(", "))
            .with_context("in", base.display())
            .with_suggestion("name the folder in which the Prisma CLI is run, or the schema itself"))
    }

    /// Finds out by what a project looks like which version's rules hold.
    fn by_shape(&mut self, config: Option<&Config>) -> Result<(PrismaVersion, PathBuf, SchemaFiles)> {
        let (six, seven) = (PrismaVersion::new(6, u32::MAX), PrismaVersion::new(7, u32::MAX));
        let path = match self.locate_schema(six, config) {
            Ok((path, _)) => path,
            Err(_) => self.locate_schema(seven, config)?.0,
        };
        let schema = SchemaFiles::read(&path)?;
        let (version, because) = if schema.datasource.url.is_some() {
            (six, "nothing says the version, and the schema has a url, as it had before Prisma 7")
        } else {
            (seven, "nothing says the version, and the schema has no url, as it has since Prisma 7")
        };
        self.found("version", &"the schema", because);
        let path = self.schema(version, config)?;
        let schema = SchemaFiles::read(&path)?;
        Ok((version, path, schema))
    }

    /// The environment with the `.env` files that the version loads.
    fn variables(&mut self, version: PrismaVersion, config: Option<&Config>) -> Result<Variables> {
        let mut variables = Variables::new(self.asked.environment.clone());
        let mut load = |path: PathBuf, because: &str, found: &mut Vec<Finding>| -> Result<()> {
            if variables.load(&path)? {
                let found_at = path.display().to_string();
                found.push(Finding { what: "environment", found: found_at, because: because.to_owned() });
            }
            Ok(())
        };
        if let Some(config) = config {
            let Some(names) = &config.read.env_files else {
                self.warnings.push(format!(
                    "{} loads the environment in a way that is not read; variables are taken from this process alone",
                    config.path.display()
                ));
                return Ok(variables);
            };
            for name in names {
                load(self.root.join(name), "the config file loads it by dotenv", &mut self.findings)?;
            }
        } else if version.major < 7 {
            if let Some(package) = &self.package {
                let path = package.folder().join(".env");
                load(path, "Prisma loads the .env beside package.json", &mut self.findings)?;
            }
            let asked = self.asked.schema.as_ref().map(|path| {
                let path = self.root.join(path);
                if path.is_dir() { path } else { path.parent().unwrap_or(&self.root).to_owned() }
            });
            let named = self.package.as_ref().and_then(Package::schema).filter(|_| version.major < 6);
            let named = named.and_then(|path| Some(path.parent()?.to_owned()));
            let places = asked.into_iter().chain(named).chain([self.root.join("prisma"), self.root.clone()]);
            if let Some(path) = places.map(|folder| folder.join(".env")).find(|path| path.is_file()) {
                load(path, "Prisma loads the first .env beside the schema", &mut self.findings)?;
            }
        }
        Ok(variables)
    }

    /// The folder of the migrations.
    fn migrations(
        &mut self,
        version: PrismaVersion,
        config: Option<&Config>,
        path: &Path,
        schema: &SchemaFiles,
    ) -> Result<PathBuf> {
        let by_config = match (&self.probed, config) {
            (Some(Probed { migrations: Some(path), .. }), _) => Some(files::at(&self.root, path)),
            (_, Some(config)) => match &config.read.migrations {
                None => None,
                Some(Value::Literal(path)) => Some(files::at(config.folder(), path)),
                Some(_) => return Err(hidden("the migrations' path", config)),
            },
            _ => None,
        };
        if let Some(path) = by_config {
            self.found("migrations", &path.display(), "the config file sets migrations.path");
            return Ok(path);
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        let (base, because) = if version.major >= 7 {
            let base = if schema.is_folder { path } else { parent };
            (base, "Prisma 7 keeps them in the schema's folder")
        } else if (version.major, version.minor) >= (6, 6) {
            (schema.folder(), "Prisma 6.6 and later keep them beside the file with the datasource")
        } else {
            (parent, "Prisma before 6.6 keeps them beside the schema's file or folder")
        };
        let folder = base.join("migrations");
        self.found("migrations", &folder.display(), because);
        Ok(folder)
    }
}

/// The names of a config file, in the order in which they are tried.
fn config_names(version: PrismaVersion) -> Vec<String> {
    let with = |stem: &str| EXTENSIONS.map(|extension| format!("{stem}.{extension}"));
    match (version.major, version.minor) {
        (..6, _) | (6, ..4) => Vec::new(),
        (6, 4 | 5) => vec!["prisma.config.ts".to_owned()],
        (major, minor) => {
            let stems = [
                "prisma7.config",
                ".config/prisma7",
                "prisma.config",
                ".config/prisma",
                ".config/prisma.config",
            ];
            let skipped = if (major, minor) >= (7, 10) { 0 } else { 2 };
            stems.iter().skip(skipped).flat_map(|stem| with(stem)).collect()
        }
    }
}

fn hidden(what: &str, config: &Config) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{what} is known to the code of the config file alone"))
        .with_context("config", config.path.display())
        .with_suggestion(HIDDEN)
}
