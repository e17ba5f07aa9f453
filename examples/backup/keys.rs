//! What opens encrypted backups: `backup keys` and `backup new-key`, and `--identity` of the others.

use std::path::{Path, PathBuf};

use backup_core::{
    Encryptor, Error, Filter, Pipeline, Result, Secret,
    encrypt::Age,
    pipeline::{KeyTest, KeyTestResult},
};
use clap::Args;
use examples::output::{self, Style};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{Where, code, open};

/// The identity that a command line names.
#[derive(Debug, Args)]
pub(crate) struct KeyFile {
    /// A file with the identities of age that open encrypted backups.
    #[arg(long, env = "BACKUP_IDENTITY_FILE")]
    identity: Option<PathBuf>,
}

impl KeyFile {
    /// Gives a pipeline what opens its backups.
    pub(crate) async fn open(self, pipeline: Pipeline) -> Result<Pipeline> {
        let Some(path) = self.identity else { return Ok(pipeline) };
        let read = tokio::fs::read_to_string(&path).await.map(Secret::new);
        let identities = read.map_err(|err| Error::from(err).with_context("path", path.display()))?;
        Ok(pipeline.with_encryptor(Age::for_identities(&identities)?))
    }
}

pub(crate) async fn test(at: Where, keys: KeyFile, style: Style) -> Result<u8> {
    let pipeline = keys.open(open(at).await?).await?;
    let report = pipeline.test_keys(&Filter::all()).await?.ensure_opened()?;
    let lines: Vec<_> = report.tests.iter().map(line).collect();
    style.result(code(&report.warnings), "test-keys", None, &lines.join("\n"), &report)
}

fn line(KeyTest { backup, bytes_read, result, .. }: &KeyTest) -> String {
    match result {
        KeyTestResult::NotEncrypted => format!("{backup} is not encrypted"),
        _ => format!("{backup} can be opened ({bytes_read} bytes read)"),
    }
}

pub(crate) async fn make(path: &Path, style: Style) -> Result<u8> {
    let identity = Age::generate_identity();
    let recipients = Age::for_identities(&identity)?.recipients();
    let write = async {
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(path).await?;
        file.write_all(identity.expose().as_bytes()).await?;
        file.sync_all().await
    };
    write.await.map_err(|err| Error::from(err).with_context("path", path.display()))?;
    let recipient = recipients.join(" ");
    let message = format!(
        "made an identity in {}\n  encrypt for it by  --recipient {recipient}\n  keep two copies of the file, away from the \
         hosts that back up: without it what is encrypted is lost",
        path.display()
    );
    style.result(output::DONE, "new-key", None, &message, &json!({ "recipient": recipient }))
}
