//! The Prisma CLI at work, and what it did to the database.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use backup_core::{Error, ErrorKind, Result, Secret, pipeline::gate::GateReport, process::Tool};
use examples::signal::Interrupted;
use handler_prisma::{History, NextDeploy, PrismaGuard};

use crate::{Cli, way_back::WayBack};

/// What the CLI says of a deploy that is done.
const DONE: [&str; 3] = [
    "The following migration(s) have been applied:",
    "All migrations have been successfully applied.",
    "No pending migrations to apply.",
];

/// The most that the CLI may print, in bytes.
const PRINTED: usize = 16 * 1024 * 1024;

/// How long the CLI may take to end after it was told to; whoever cancels a job of CI waits some ten seconds in all.
const GRACE: Duration = Duration::from_secs(4);

/// A deploy that the guard let through.
pub(crate) struct Deploy<'a> {
    pub(crate) cli: &'a Cli,
    pub(crate) guard: &'a PrismaGuard,
    pub(crate) interrupted: &'a Interrupted,
    pub(crate) way_back: &'a WayBack,
}

/// A deploy that is not done.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Why.
    pub(crate) error: Error,
    /// What it did by then.
    pub(crate) deployed: Deployed,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// What a deploy that failed did, as the history of migrations tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deployed {
    /// Nothing: a rollback would undo what others wrote, and nothing else.
    Nothing,
    /// Something, and it can be undone.
    InPart,
    /// Everything, whatever the CLI said.
    Everything,
    /// It was interrupted, and the server may still be at work.
    Interrupted,
    /// The history cannot be read.
    Unknown(String),
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::InPart => f.write_str("in part"),
            Self::Everything => f.write_str("everything, as the history of migrations has it"),
            Self::Interrupted => f.write_str("unknown, it was interrupted"),
            Self::Unknown(err) => write!(f, "unknown ({err})"),
        }
    }
}

impl Deploy<'_> {
    /// Runs the CLI; what it printed, where that says that the deploy is done.
    pub(crate) async fn run(&self, gate: &GateReport) -> Result<String, Failed> {
        let nothing = |error| Failed { error, deployed: Deployed::Nothing };
        let before = History::read(self.guard.project()).await.map_err(nothing)?;
        match self.run_cli(gate).await {
            Ok(said) => Ok(said),
            Err(error) => Err(Failed { deployed: self.deployed(before.as_ref(), &error).await, error }),
        }
    }

    async fn run_cli(&self, gate: &GateReport) -> Result<String> {
        let tool = self.tool();
        let stopped = async {
            self.interrupted.wait().await;
            // At once: who cancels may not wait for the end.
            let mut lines = vec![
                "interrupted: prisma migrate deploy is told to stop, and may have migrated a part".to_owned(),
            ];
            if let Some(backup) = &gate.backup {
                lines.push(format!("  backup: {backup}"));
                lines.push(format!("  to go back to it: {}", self.way_back.to(backup)));
            }
            let _closed = writeln!(io::stderr(), "{}", lines.join("\n"));
        };
        let output = tool.output_until(PRINTED, stopped, GRACE).await;
        let output = output.map_err(|err| err.with_operation("deploy"))?;
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some(url) = &self.cli.project.database {
            said = said.replace(url.as_str(), "***");
        }
        let failed = |message: &str| Error::new(ErrorKind::ToolFailed, message).with_operation("deploy");
        if !DONE.iter().any(|text| said.contains(text)) {
            return Err(failed("prisma migrate deploy ended without saying what it did")
                .with_context("stdout", said.trim())
                .with_context("stderr", output.stderr));
        }
        let next = History::read(self.guard.project()).await?.map(|history| history.next_deploy());
        if next != Some(NextDeploy::Nothing) {
            return Err(failed(
                "prisma migrate deploy says that it is done, and migrations are still pending",
            )
            .with_suggestion("look whether it was run on another database than the one that was backed up"));
        }
        Ok(said.trim().to_owned())
    }

    /// The CLI with its arguments; it looks where the guard looked.
    fn tool(&self) -> Tool {
        let mut tool = Tool::new("prisma", &self.cli.npx)
            .args(["prisma", "migrate", "deploy"])
            .total_timeout(Duration::from_secs(self.cli.limit.saturating_mul(60)));
        for (option, path) in [("--schema", &self.cli.project.schema), ("--config", &self.cli.project.config)]
        {
            if let Some(path) = path {
                tool = tool.arg(option).arg(path);
            }
        }
        tool = tool.args(&self.cli.arguments);
        let Some(url) = &self.cli.project.database else { return tool };
        let url = Secret::new(url.as_str());
        match self.guard.project().given_url().variable() {
            // What is migrated is what is guarded, whatever the project's own files say.
            Some(variable) => tool.secret_env(variable, url),
            // What it prints is shown.
            None => tool.redact(url),
        }
    }

    /// What the CLI did before it failed.
    async fn deployed(&self, before: Option<&History>, error: &Error) -> Deployed {
        let after = match History::read(self.guard.project()).await {
            Ok(after) => after,
            Err(err) => return Deployed::Unknown(err.to_string()),
        };
        let state = |history: Option<&History>| history.map(|history| (history.table, history.rows.clone()));
        if error.kind() == ErrorKind::Cancelled {
            Deployed::Interrupted
        } else if state(after.as_ref()) == state(before) {
            Deployed::Nothing
        } else if after.is_some_and(|after| after.next_deploy() == NextDeploy::Nothing) {
            Deployed::Everything
        } else {
            Deployed::InPart
        }
    }
}
