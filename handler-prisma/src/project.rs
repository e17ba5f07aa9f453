//! [`PrismaProject`]: what a project's own files say of its database, found as the Prisma CLI of its version finds it.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result, Secret};
use serde::Serialize;

use crate::url::Connection;

mod config;
mod dotenv;
pub(crate) mod files;
mod given;
mod package;
mod probe;
mod schema_files;
mod search;
mod variables;
mod version;

pub use given::GivenUrl;
pub use version::PrismaVersion;

/// A project that uses Prisma, and its database.
///
/// # Examples
///
/// ```no_run
/// use handler_prisma::PrismaProject;
///
/// # async fn example() -> backup_core::Result<()> {
/// let project = PrismaProject::discover("/srv/shop").await?;
/// for finding in project.findings() {
///     eprintln!("{finding}"); // url from DATABASE_URL, because …
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PrismaProject {
    pub(crate) root: PathBuf,
    pub(crate) version: Option<PrismaVersion>,
    pub(crate) schema: PathBuf,
    pub(crate) provider: String,
    #[cfg_attr(not(feature = "postgresql"), allow(dead_code))]
    pub(crate) schemas: Vec<String>,
    pub(crate) connection: Connection,
    pub(crate) given: GivenUrl,
    pub(crate) migrations: PathBuf,
    pub(crate) findings: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    #[cfg_attr(not(any(feature = "postgresql", feature = "mysql")), allow(dead_code))]
    pub(crate) client_dir: Option<PathBuf>,
}

/// One thing that was found, where, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked for: `version`, `schema`, `url`, …
    pub what: &'static str,
    /// Where it was found, or what it is; never a secret.
    pub found: String,
    /// The rule.
    pub because: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}, because {}", self.what, self.found, self.because)
    }
}

impl PrismaProject {
    /// Finds the project in a folder, the one in which the Prisma CLI is run.
    ///
    /// # Errors
    ///
    /// As [`Discovery::run`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn discover(root: impl Into<PathBuf>) -> Result<Self> {
        Discovery::new(root).run().await
    }

    /// Uses the client programs in this folder and no others.
    #[must_use]
    pub fn with_client_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.client_dir = Some(folder.into());
        self
    }

    /// The folder in which the Prisma CLI is run.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The version of Prisma, where it could be found out.
    #[must_use]
    pub fn version(&self) -> Option<PrismaVersion> {
        self.version
    }

    /// The schema's file or folder.
    #[must_use]
    pub fn schema(&self) -> &Path {
        &self.schema
    }

    /// The datasource's provider: `postgresql`, `mysql`, `sqlite`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where the database is.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What became of a URL that was [given](Discovery::with_url): the Prisma CLI does not know it.
    #[must_use]
    pub fn given_url(&self) -> &GivenUrl {
        &self.given
    }

    /// The folder of the migrations, which need not exist.
    #[must_use]
    pub fn migrations(&self) -> &Path {
        &self.migrations
    }

    /// Everything that was found, and by which rule.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What of the URL does not reach the client programs, one sentence each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What needs a look: a pooler, for example; one sentence each. They are warnings of every backup.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// How to find a project; everything that is not said is looked for.
#[derive(Clone)]
pub struct Discovery {
    pub(crate) root: PathBuf,
    pub(crate) schema: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) version: Option<PrismaVersion>,
    pub(crate) url: Option<Secret>,
    pub(crate) environment: Option<BTreeMap<String, Secret>>,
    pub(crate) config_code: ConfigCode,
}

/// Whether the project's `prisma.config.*` may be run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigCode {
    /// It is read, and never run; what cannot be read so has to be said.
    #[default]
    Read,
    /// It is run by `node`, with the project's own `@prisma/config`: whatever it does besides is done too.
    Run,
}

impl Discovery {
    /// Looks in this folder, the one in which the Prisma CLI is run.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            schema: None,
            config: None,
            version: None,
            url: None,
            environment: None,
            config_code: ConfigCode::Read,
        }
    }

    /// Uses this schema file or folder, as `--schema` does.
    #[must_use]
    pub fn with_schema(mut self, path: impl Into<PathBuf>) -> Self {
        self.schema = Some(path.into());
        self
    }

    /// Uses this config file, as `--config` does.
    #[must_use]
    pub fn with_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// Follows the rules of this version, whatever is installed.
    #[must_use]
    pub fn with_version(mut self, version: PrismaVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Uses this URL, whatever schema and config say; whether they say another is in [`PrismaProject::given_url`].
    #[must_use]
    pub fn with_url(mut self, url: impl Into<Secret>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Takes environment variables from here instead of this process.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<Secret>)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment = Some(variables.collect());
        self
    }

    /// Says whether the project's config file may be run.
    #[must_use]
    pub fn with_config_code(mut self, code: ConfigCode) -> Self {
        self.config_code = code;
        self
    }

    /// Finds the project.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) where something is missing, ambiguous, or hidden in code;
    /// [`Unsupported`](ErrorKind::Unsupported) for a provider or a URL that cannot be dumped, and for Prisma 8 and later.
    /// No URL is ever in it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn run(self) -> Result<PrismaProject> {
        let probed = match self.config_code {
            ConfigCode::Read => None,
            ConfigCode::Run => Some(probe::run(&self).await?),
        };
        let found = tokio::task::spawn_blocking(move || search::run(self, probed)).await.map_err(|err| {
            Error::new(ErrorKind::Unexpected, "the search for the project was cut off").with_source(err)
        })?;
        found.map_err(|err| err.with_operation("discover"))
    }
}

/// Without the environment, which is full of secrets.
impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("root", &self.root)
            .field("schema", &self.schema)
            .field("config", &self.config)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
