//! [`Supervisor`]: the shell that ends a server when the pipe to us is closed.
// Blocking by design: it is called on the blocking pool and, bounded, in drops.
#![allow(clippy::disallowed_methods)]

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::ServerRecipe;
use crate::{Error, ErrorKind, Result, Secret};

/// The part that all servers share, in front of the part that starts one of them.
const COMMON: &str = include_str!("supervisor.sh");

/// The longest that a drop waits.
const DROP_LIMIT: Duration = Duration::from_secs(10);

/// The most of a log that is read, in bytes.
const LOG_BYTES: u64 = 8 * 1024;

/// A running supervisor; ends it when it is dropped.
#[derive(Debug)]
pub(super) struct Supervisor {
    process: Child,
    /// The server runs until this is closed.
    alive: Option<ChildStdin>,
    directory: PathBuf,
    password: Secret,
    ended: bool,
}

/// What the supervisor says at the start.
pub(super) struct Answer(BufReader<io::Take<ChildStdout>>);

impl Supervisor {
    /// Starts the shell, which does the rest.
    pub(super) fn spawn(recipe: &ServerRecipe, fallback_users: &[&str]) -> Result<(Self, Answer)> {
        let within = recipe.within.clone().unwrap_or_else(std::env::temp_dir);
        let directory = tempfile::Builder::new()
            .prefix(&format!("backup-{}-", recipe.name))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(within)?;
        let password = random_password()?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{COMMON}{}", recipe.script)).arg(format!("private-{}", recipe.name));
        command.arg(directory.path()).args(&recipe.args);
        let kept = |name: &std::ffi::OsString| name == "PATH";
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| kept(name))).env("LC_ALL", "C");
        // A group of its own: an interrupt at the terminal ends us, and not the cleaning.
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = unprivileged_user(fallback_users)?;
            chown(directory.path(), Some(uid), Some(gid))?;
            command.uid(uid).gid(gid);
        }
        let mut process = command.spawn()?;
        let (alive, said) = (process.stdin.take(), process.stdout.take());
        // From here on the supervisor removes the directory, or a drop of this.
        let directory = directory.keep();
        let mut supervisor = Self { process, alive, directory, password, ended: false };
        let line = format!("{}\n", supervisor.password.expose());
        let piped = |what| Error::new(ErrorKind::Unexpected, what);
        let alive = supervisor.alive.as_mut().ok_or_else(|| piped("the supervisor has no input"))?;
        alive.write_all(line.as_bytes())?;
        let said = said.ok_or_else(|| piped("the supervisor has no output"))?;
        Ok((supervisor, Answer(BufReader::new(said.take(2 * LOG_BYTES)))))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn password(&self) -> &Secret {
        &self.password
    }

    /// A message without the password.
    pub(super) fn redacted(&self, text: &str) -> String {
        text.replace(self.password.expose(), "***")
    }

    /// Ends the server, and waits until it is gone.
    pub(super) fn end(&mut self, limit: Duration) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        drop(self.alive.take());
        let until = Instant::now() + limit;
        let mut pause = Duration::from_millis(2);
        while self.process.try_wait()?.is_none() {
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        // Where the server's user may not change the folder above, its directory is left to us.
        match fs::remove_dir_all(&self.directory) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => {
                self.ended = true;
                Ok(())
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Err(err) = self.end(DROP_LIMIT) {
            tracing::warn!(directory = %self.directory.display(), %err, "a private server may be left behind");
        }
    }
}

impl Answer {
    /// Waits until the server runs; the end of its log, when it does not.
    pub(super) fn read(mut self) -> std::result::Result<(), String> {
        let mut line = Vec::new();
        let read = self
            .0
            .read_until(b'\n', &mut line)
            .and_then(|_| if line.starts_with(b"ready ") { Ok(0) } else { self.0.read_to_end(&mut line) });
        match read {
            Ok(_) if line.starts_with(b"ready ") => Ok(()),
            Ok(_) => {
                Err(String::from_utf8_lossy(line.strip_prefix(b"failed\n").unwrap_or(&line)).into_owned())
            }
            Err(err) => Err(err.to_string()),
        }
    }
}

/// The end of a log; nothing where it cannot be read.
pub(super) fn tail(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
        let mut end = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut end)?;
        Ok(end)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// User and group of `nobody`, else of the first of `others` that there is.
fn unprivileged_user(others: &[&str]) -> Result<(u32, u32)> {
    let listed = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let mut fields =
            listed.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ["nobody"].iter().chain(others).copied().find_map(find).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "there is no user for a private server, which refuses to be root")
            .with_suggestion("run as an unprivileged user, or create the user nobody")
    })
}

fn random_password() -> Result<Secret> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the system has no random numbers").with_source(err)
    })?;
    Ok(Secret::new(hex::encode(random)))
}
