//! The one place that starts programs.

use std::{
    io,
    process::{Child, Command, Stdio},
};

use tokio::runtime::Handle;

use super::Tool;
use crate::{Error, ErrorKind, Result, Retryable};

/// Starts the program of a tool, in a process group of its own.
pub(super) fn spawn(tool: &Tool, stdin: Stdio) -> Result<Child> {
    // Here, and not after the start: without a runtime nothing must be started.
    let _or_panic = Handle::current();
    // The one place that starts programs. It is not tokio's, because that reaps when it likes.
    #[allow(clippy::disallowed_methods)]
    let mut command = if tool.opened.is_empty() {
        Command::new(&tool.program)
    } else {
        runnable(&tool.program).map_err(|err| not_started(tool, err))?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(OPEN).arg(tool.name).arg(tool.opened.len().to_string());
        shell.args(&tool.opened).arg(&tool.program);
        shell
    };
    command.args(&tool.args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    for name in &tool.env_remove {
        command.env_remove(name);
    }
    for (name, value) in &tool.env {
        command.env(name, value.expose());
    }
    command.spawn().map_err(|err| not_started(tool, err))
}

/// Opens files as descriptors, removes them with their folders, and becomes the tool.
///
/// Only the tool itself can do so: a descriptor that this process let its children have would be had by all of them.
const OPEN: &str = r#"
count=$1
shift
take() { rm -f -- "$1" && rmdir -- "${1%/*}"; }
[ "$count" -lt 1 ] || { exec 3<"$1" && take "$1" && shift; } || exit 126
[ "$count" -lt 2 ] || { exec 4<"$1" && take "$1" && shift; } || exit 126
[ "$count" -lt 3 ] || { exec 5<"$1" && take "$1" && shift; } || exit 126
[ "$count" -lt 4 ] || { exec 6<"$1" && take "$1" && shift; } || exit 126
exec "$@"
"#;

/// Says what a start would say: behind a shell a missing program is just another exit status.
fn runnable(program: &std::path::Path) -> io::Result<()> {
    let meta = program.metadata()?;
    #[cfg(unix)]
    if !meta.is_file() || std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

fn not_started(tool: &Tool, err: io::Error) -> Error {
    let program = tool.program.display();
    let err = match err.kind() {
        // A script whose interpreter is missing fails in the same way.
        io::ErrorKind::NotFound if tool.program.is_file() => {
            Error::new(ErrorKind::ToolNotFound, "its interpreter or loader is not installed")
                .with_suggestion(format!("check the first line of {program}, or reinstall it"))
        }
        io::ErrorKind::NotFound => Error::new(ErrorKind::ToolNotFound, "the program is not installed")
            .with_suggestion(format!("install {}, or say where it is", tool.name)),
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::PermissionDenied, "the program may not be run")
                .with_suggestion(format!("check owner and mode of {program} (chmod +x)"))
        }
        io::ErrorKind::InvalidInput => {
            Error::new(ErrorKind::InvalidInput, "an argument or variable holds a NUL byte")
        }
        io::ErrorKind::ArgumentListTooLong => {
            Error::new(ErrorKind::InvalidInput, "the arguments and variables are too long")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => {
            Error::new(ErrorKind::Unavailable, "the system has no room for another process")
                .with_retryable(Retryable::Yes)
        }
        _ => Error::new(ErrorKind::ToolFailed, "the program cannot be started")
            .with_suggestion(format!("check that {program} is a program for this machine")),
    }
    .with_source(err);
    err.with_context("tool", tool.name).with_context("program", program)
}
