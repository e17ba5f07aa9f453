//! The one connection of an [`Ssh`](super::Ssh) and its clones, shared by all tools.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{process::ChildStdin, sync::Mutex};

use super::{
    super::{Tool, files::private_folder, spawn::Running},
    Ssh, lost,
};
use crate::{Error, ErrorKind, Result};

/// The longest path of a socket, less what `ssh` adds to it while it makes one.
const SOCKET_PATH_BYTES: usize = 90;

/// Keeps the connection for as long as standard input is open, then ends it and removes the socket's folder.
///
/// The watcher does so also when this process was killed; the folder goes too when the connection ends by itself.
const KEEPER: &str = r#"
dir=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- &
ssh=$!
{ while read -r l; do :; done; kill "$ssh"; rm -rf "$dir"; } <&3 3<&- >/dev/null 2>&1 &
exec 3<&-
wait "$ssh"
status=$?
rm -rf "$dir"
exit "$status"
"#;

/// What `ssh` prints once tools can use the connection.
const READY: &str = "ready";

/// The connection, made by the first who asks, and again by the next one after it broke.
#[derive(Default)]
pub(super) struct Connection(Mutex<Option<Arc<Master>>>);

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// The connection, alive a moment ago.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a connection under way is given up, and the next who asks makes one.
    pub(super) async fn get(&self, ssh: &Ssh) -> Result<Arc<Master>> {
        let mut current = self.0.lock().await;
        if let Some(master) = current.as_ref().filter(|master| master.is_alive()) {
            return Ok(Arc::clone(master));
        }
        *current = None;
        let master = Arc::new(Master::start(ssh).await?);
        *current = Some(Arc::clone(&master));
        Ok(master)
    }
}

/// A connection at work; ended when the last who holds it lets it go.
pub(in crate::process) struct Master {
    socket: PathBuf,
    /// The keeper works until this is closed.
    lifeline: Option<ChildStdin>,
    running: Option<Running>,
}

impl Drop for Master {
    fn drop(&mut self) {
        // The keeper, not we, ends the connection: it cleans up also where this process ends now.
        drop(self.lifeline.take());
        if let Some(running) = self.running.take() {
            running.let_go();
        }
    }
}

impl Master {
    async fn start(ssh: &Ssh) -> Result<Self> {
        if cfg!(not(unix)) {
            return Err(Error::new(ErrorKind::Unsupported, "tools on other hosts need a Unix system here"));
        }
        let folder = tokio::task::spawn_blocking(|| private_folder("bssh-")).await.map_err(|err| {
            Error::new(ErrorKind::Unexpected, "a background task did not end").with_source(err)
        })??;
        let socket = folder.path().join("s");
        if socket.as_os_str().len() > SOCKET_PATH_BYTES {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the path of the temporary folder is too long for a socket",
            )
            .with_context("path", folder.path().display())
            .with_context("limit_bytes", SOCKET_PATH_BYTES)
            .with_suggestion("set TMPDIR to a short path"));
        }
        let mut args: Vec<OsString> = vec!["-c".into(), KEEPER.into(), "sh".into(), folder.path().into()];
        args.push(ssh.program.clone().into());
        for option in ["PermitLocalCommand=yes", "LocalCommand=echo ready"] {
            args.extend(["-o".into(), option.into()]);
        }
        args.extend(ssh.arguments());
        args.extend(["-M".into(), "-N".into(), "-T".into(), "-S".into(), escaped(&socket)]);
        args.extend(["--".into(), ssh.destination.clone().into()]);
        let keeper = Tool::new("ssh", "/bin/sh")
            .args(args)
            // `ssh` runs the local command by the user's shell.
            .env("SHELL", "/bin/sh")
            .env_remove("SSH_ASKPASS")
            .env_remove("SSH_ASKPASS_REQUIRE")
            .keep(folder);
        let (mut running, lifeline, _) = Running::start_fed(keeper)?;
        let ready = async {
            let mut said = Vec::new();
            while let Some(chunk) = running.next_however_long().await? {
                said.extend_from_slice(&chunk);
                if said.ends_with(b"\n") {
                    return Ok(String::from_utf8_lossy(&said).trim() == READY);
                }
            }
            Ok::<_, Error>(false)
        };
        // `ConnectTimeout` of ssh does not cover everything that comes behind the first answer.
        let connected = match tokio::time::timeout(ssh.connect_timeout * 2, ready).await {
            Ok(connected) => connected,
            Err(_) => Err(running.fail(ErrorKind::Timeout, "timed out").await),
        };
        match connected {
            Ok(true) => Ok(Self { socket, lifeline: Some(lifeline), running: Some(running) }),
            Ok(false) => Err(lost::before_the_tool(ssh, &running.stderr())),
            Err(err) => Err(Self::not_connected(ssh, &running.stderr(), err)),
        }
    }

    fn not_connected(ssh: &Ssh, said: &str, err: Error) -> Error {
        if err.kind() == ErrorKind::Timeout {
            return Error::new(ErrorKind::Timeout, "the host did not answer in time")
                .with_context("host", ssh.destination())
                .with_source(err);
        }
        // The keeper's shell says it of a program that it cannot start.
        let missing = err.context().any(|(key, value)| key == "status" && value == "exit 127");
        if missing {
            return Error::new(ErrorKind::ToolNotFound, "the program is not installed")
                .with_context("tool", "ssh")
                .with_context("program", ssh.program.display())
                .with_suggestion("install the OpenSSH client (openssh-client), or say where it is");
        }
        lost::before_the_tool(ssh, said).with_source(err)
    }

    fn is_alive(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.has_ended())
    }

    pub(super) fn socket(&self) -> OsString {
        escaped(&self.socket)
    }
}

/// `ssh` replaces what follows a `%` in the path of a socket.
fn escaped(socket: &Path) -> OsString {
    match socket.to_str() {
        Some(path) => path.replace('%', "%%").into(),
        None => socket.into(),
    }
}
