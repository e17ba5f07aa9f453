//! One tool on the other host: the call of `ssh` that starts it, and what its end means.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::ExitStatus,
    sync::{Arc, atomic::AtomicBool},
};

use tokio::process::ChildStdin;
use zeroize::Zeroizing;

use super::{
    super::{Tool, spawn::Running},
    Ssh, WireCompression, lost,
    marks::{self, Report, Stdout, Trouble},
    script::{self, Use},
};
use crate::{Error, ErrorKind, Result};

/// A call of `ssh` that was not made yet.
pub(in crate::process) struct Session {
    /// `ssh`, with what concerns the tool: name, secrets, limits, guards.
    pub(in crate::process) client: Tool,
    /// What it has to read before anything else.
    pub(in crate::process) header: Zeroizing<Vec<u8>>,
    pub(in crate::process) token: String,
    pub(in crate::process) has_ended: Arc<AtomicBool>,
    pub(in crate::process) remote: Remote,
}

/// What has to be known of a tool on another host while it runs.
pub(in crate::process) struct Remote {
    ssh: Ssh,
    program: PathBuf,
    how: Use,
    pub(in crate::process) stdout: Stdout,
    /// The tool there is ended when this is closed.
    pub(in crate::process) lifeline: Option<ChildStdin>,
}

impl Session {
    /// Connects, if nobody did yet, and prepares the call.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(in crate::process) async fn prepare(tool: Tool, ssh: Ssh, how: Use) -> Result<Self> {
        let token = marks::new_token()?;
        let header = script::header(&tool, how, &token)?;
        let master = ssh.connection.get(&ssh).await?;
        let mut args = vec!["-S".into(), master.socket()];
        for option in ["ControlMaster=no", "PermitLocalCommand=no"] {
            args.extend(["-o".into(), OsString::from(option)]);
        }
        args.extend(ssh.arguments());
        args.extend(["-T".into(), "--".into(), ssh.destination.clone().into(), script::BOOTSTRAP.into()]);
        let client = Tool {
            program: ssh.program.clone(),
            args,
            env: Vec::new(),
            env_remove: Vec::new(),
            files: Vec::new(),
            host: super::super::Host::local(),
            ..tool.clone()
        };
        let stdout = Stdout::new(&token);
        let stdout = if how == Use::Feed { stdout.with_beats(&token) } else { stdout };
        let remote = Remote { ssh, program: tool.program, how, stdout, lifeline: None };
        Ok(Self { client: client.keep(master), header, token, has_ended: Arc::default(), remote })
    }
}

impl Remote {
    pub(in crate::process) fn host(&self) -> &str {
        self.ssh.destination()
    }

    /// What the end of the local `ssh`, and what the host reported, say of the tool.
    pub(in crate::process) fn judge(
        &self,
        running: &Running,
        report: &Report,
        client: ExitStatus,
        held_open: bool,
    ) -> Result<()> {
        let failed = |kind, message| running.error(kind, message);
        match report.trouble {
            Some(Trouble::Missing) => {
                return Err(failed(ErrorKind::ToolNotFound, "the program is not installed on the host")
                    .with_context("program", self.program.display())
                    .with_suggestion(format!("install {} on {}", running.name(), self.host()))
                    .with_suggestion("or say where it is there: PATH may be another than in a login"));
            }
            Some(Trouble::Refused) => {
                return Err(failed(ErrorKind::PermissionDenied, "the program may not be run on the host")
                    .with_context("program", self.program.display())
                    .with_suggestion("check its owner and mode on the host (chmod +x)"));
            }
            Some(Trouble::NoCompressor) => {
                let name = match self.how {
                    Use::Compressed(WireCompression::Gzip) => "gzip",
                    _ => "zstd",
                };
                return Err(failed(ErrorKind::ToolNotFound, "the compressor is not installed on the host")
                    .with_context("program", name)
                    .with_suggestion(format!("install {name} on {}, or send uncompressed", self.host())));
            }
            Some(Trouble::NoGroup) => {
                return Err(failed(
                    ErrorKind::Unsupported,
                    "the SSH server gives commands no process group of their own",
                )
                .with_suggestion("install setsid (util-linux) on the host"));
            }
            Some(Trouble::NoPrintf) => {
                return Err(failed(ErrorKind::Unsupported, "the shell on the host has no printf of its own")
                    .with_suggestion("make dash, bash or busybox the host's sh"));
            }
            Some(Trouble::InputLeft) | None => {}
        }
        for status in [report.tool, report.end].into_iter().flatten() {
            if status != 0 {
                return Err(Self::ended_with(running, status, report));
            }
        }
        if report.trouble == Some(Trouble::InputLeft) {
            return Err(failed(ErrorKind::ToolFailed, "stopped reading before the end of its input")
                .with_context("status", "exit 0"));
        }
        if held_open && report.end.is_some() {
            return Err(failed(
                ErrorKind::ToolFailed,
                "ended while something that it started kept its output open",
            )
            .with_suggestion("do not let the program leave background processes behind"));
        }
        let whole =
            report.end.is_some() && matches!(self.how, Use::Stream | Use::Feed) || report.tool.is_some();
        if whole && client.success() && !held_open {
            return Ok(());
        }
        if report.ready {
            let err = lost::amid_the_tool(self.host()).with_context("tool", running.name());
            let said = running.stderr();
            return Err(if said.is_empty() { err } else { err.with_context("stderr", said) });
        }
        Err(lost::before_the_tool(&self.ssh, &running.stderr()).with_context("tool", running.name()))
    }

    /// A shell says 128 and the number of the signal by which a tool was ended.
    fn ended_with(running: &Running, status: i32, report: &Report) -> Error {
        let compressor = report.tool == Some(0);
        let message = if compressor { "the compressor on the host failed" } else { "failed" };
        match status {
            137 => running
                .error_with(ErrorKind::ToolFailed, "was killed", "signal 9")
                .with_suggestion("look in the kernel's log of the host whether memory ran out"),
            129..=159 => {
                let signal = format!("signal {}", status - 128);
                running.error_with(ErrorKind::ToolFailed, "was killed", &signal)
            }
            _ => running.error_with(ErrorKind::ToolFailed, message, &format!("exit {status}")),
        }
    }
}
