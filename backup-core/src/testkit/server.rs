//! [`Supervised`]: what every private server of a test has in common.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use crate::Secret;

/// The part that all servers share, in front of the part that starts one of them.
const SUPERVISOR: &str = include_str!("supervisor.sh");

/// The address of every private server.
pub(super) const HOST: &str = "127.0.0.1";

/// How often another port is tried, as somebody may take the free one that was found.
const TRIES: u32 = 5;

/// A server under a supervisor of its own, which ends it and removes its directory when this is dropped, or soon
/// after this process is gone.
#[derive(Debug)]
pub(super) struct Supervised {
    supervisor: Child,
    /// The server runs until this is closed.
    alive: Option<ChildStdin>,
    server: Pid,
    directory: PathBuf,
    pub(super) port: u16,
    pub(super) password: Secret,
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _cleaned = self.supervisor.wait();
    }
}

/// How to start one kind of server.
pub(super) struct Recipe {
    /// Its name, in the names of directories and in messages.
    pub(super) name: &'static str,
    /// What follows the supervisor's common part.
    pub(super) script: &'static str,
    /// The users that it may run as when this process is root's, the best first.
    pub(super) users: &'static [&'static str],
    /// What its log says when another program has the port.
    pub(super) port_taken: &'static str,
    /// The arguments of the script.
    pub(super) arguments: fn(u16) -> Vec<OsString>,
}

impl Recipe {
    /// Starts a server, on another port where somebody was faster.
    pub(super) async fn start(self) -> Supervised {
        let started = spawn_blocking(move || {
            let mut log = String::new();
            for attempt in 0..TRIES {
                match self.try_start() {
                    Ok(server) => return server,
                    Err(failed) => log = failed,
                }
                // A machine under load may fail a start once for reasons of its own.
                if attempt > 0 && !log.contains(self.port_taken) {
                    break;
                }
            }
            panic!("{} did not start:\n{log}", self.name);
        });
        match started.await {
            Ok(server) => server,
            Err(err) => std::panic::resume_unwind(err.into_panic()),
        }
    }

    /// Starts the supervisor, which does the rest; its output, if the server does not start.
    fn try_start(&self) -> Result<Supervised, String> {
        let password = random_password();
        let port =
            TcpListener::bind((HOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
        let prefix = format!("backup-test-{}-", self.name);
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a directory").keep();
        // Outside of any runtime, and it has to outlive this process.
        #[allow(clippy::disallowed_methods)]
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{SUPERVISOR}{}", self.script)).arg(format!("private-{}", self.name));
        command.arg(&directory).args((self.arguments)(port));
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH")).env("LC_ALL", "C");
        // A group of its own: an interrupt at the terminal ends the test, and not the cleaning.
        command.current_dir(&directory).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = unprivileged_user(self.users);
            chown(&directory, Some(uid), Some(gid)).expect("the directory is given away");
            command.uid(uid).gid(gid);
        }
        let mut supervisor = command.spawn().expect("sh starts");
        let mut alive = supervisor.stdin.take().expect("a pipe");
        writeln!(alive, "{}", password.expose()).expect("the supervisor reads");
        let mut said = BufReader::new(supervisor.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the supervisor answers");
        let server = line.strip_prefix("ready ").and_then(|pid| Pid::from_raw(pid.trim().parse().ok()?));
        let Some(server) = server else {
            said.read_to_string(&mut line).expect("the supervisor explains");
            let _ended = supervisor.wait();
            return Err(line);
        };
        Ok(Supervised { supervisor, alive: Some(alive), server, directory, port, password })
    }
}

impl Supervised {
    /// The directory that holds all of it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The process id of the server.
    pub(super) fn pid(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills (`SIGKILL`) the server.
    pub(super) fn kill(&self) {
        kill_process(self.server, Signal::KILL).expect("the server runs");
    }

    /// What the server logged so far.
    #[allow(clippy::disallowed_methods)] // A small file, in a test.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).expect("a log")
    }
}

/// User and group of the first of `users` that there is, else of `nobody`.
#[allow(clippy::disallowed_methods)] // A small file, on a blocking thread.
fn unprivileged_user(users: &[&str]) -> (u32, u32) {
    let listed = fs::read_to_string("/etc/passwd").expect("a list of users");
    let find = |name: &str| {
        let mut fields =
            listed.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users
        .iter()
        .copied()
        .chain(["nobody"])
        .find_map(find)
        .expect("the server refuses root; there must be a user `nobody`")
}

/// A password that needs care in URLs, option files and shells, and none in a quoted string of the supervisor's SQL.
fn random_password() -> Secret {
    let mut random = [0; 12];
    getrandom::fill(&mut random).expect("random bytes");
    Secret::new(format!("p@ss:w/r%d '\"\\é-{}", hex::encode(random)))
}

/// A text as a part of a URL.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string grows");
        }
        encoded
    })
}
