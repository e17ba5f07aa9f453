//! Runs a project's config file, as the Prisma CLI does, where that was asked for.

use std::{path::PathBuf, time::Duration};

use backup_core::{Error, ErrorKind, Result, Secret, process::Tool};
use serde::Deserialize;

use super::Discovery;

/// Prints what Prisma itself would use, by the project's own `@prisma/config`.
const SCRIPT: &str = r"
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
const [root, file] = process.argv.slice(1)
process.chdir(root)
const project = createRequire(root + '/package.json')
const prisma = createRequire(project.resolve('prisma/package.json'))
const { loadConfigFromFile } = await import(pathToFileURL(prisma.resolve('@prisma/config')))
const log = console.log
console.log = console.error
const found = await loadConfigFromFile({ configRoot: root, configFile: file || undefined })
if (found.error) { console.error(found.error._tag, found.error.error?.message); process.exit(1) }
const { schema, migrations, datasource } = found.config ?? {}
log(JSON.stringify({ schema, migrations: migrations?.path, url: datasource?.url, directUrl: datasource?.directUrl }))
";

/// The most that it may print, in bytes.
const PRINTED: usize = 1024 * 1024;

/// The longest that it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a config file that was run says.
#[derive(Deserialize)]
pub(super) struct Probed {
    pub(super) schema: Option<PathBuf>,
    pub(super) migrations: Option<PathBuf>,
    #[serde(default)]
    pub(super) url: Option<Text>,
    #[serde(default, rename = "directUrl")]
    pub(super) direct_url: Option<Text>,
}

/// A text that may be a secret.
pub(super) struct Text(Secret);

impl Text {
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

pub(super) async fn run(asked: &Discovery) -> Result<Probed> {
    let root = tokio::fs::canonicalize(&asked.root)
        .await
        .map_err(|err| Error::from(err).with_context("project", asked.root.display()))?;
    let mut tool = Tool::new("node", "node")
        .args(["--input-type=module", "--eval", SCRIPT])
        .arg(&root)
        .total_timeout(LIMIT);
    if let Some(config) = &asked.config {
        tool = tool.arg(config);
    }
    for (name, value) in asked.environment.iter().flatten() {
        tool = tool.secret_env(name, value.clone());
    }
    let output = tool.output(PRINTED).await.map_err(|err| {
        err.with_suggestion(
            "give the URL, schema and migrations yourself where the config file cannot be run",
        )
    })?;
    // The parser's message may show a piece of what it read, which holds the URL.
    serde_json::from_slice(&output.stdout)
        .map_err(|_| Error::new(ErrorKind::Unexpected, "what the config file says cannot be read"))
}
