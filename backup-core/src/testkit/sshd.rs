//! [`PrivateSshd`]: an SSH server that a test starts for itself, and that is gone afterwards.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use crate::process::Ssh;

const SUPERVISOR: &str = include_str!("sshd.sh");
const HOST: &str = "127.0.0.1";
const NOT_INSTALLED: &str = "the test needs an OpenSSH server and client: run `apt-get install openssh-server \
    openssh-client` (its service need not run), or set BACKUP_TEST_SSHD to the path of `sshd`";

/// How often another port is tried, as somebody may take the free one that was found.
const TRIES: u32 = 5;

/// An SSH server of a test's own: private directory and keys, free port of 127.0.0.1, this process's user.
///
/// # Contract
///
/// Neither a process nor a file of it is left when this is dropped (the drop waits for that), when the test
/// panics, and soon after the test's process is killed. Nothing of the user's configuration is read or written.
/// As root, OpenSSH wants the system's directory `/run/sshd`, which is made if it is missing, and stays.
///
/// # Examples
///
/// ```no_run
/// use backup_core::{process::{Host, Tool}, testkit::sshd::PrivateSshd};
///
/// # async fn example() {
/// let server = PrivateSshd::start().await;
/// let host = Host::ssh(server.ssh());
/// let said = Tool::new("echo", "echo").arg("hello").on(&host).output(100).await.unwrap();
/// assert_eq!(said.stdout, "hello\n");
/// # }
/// ```
#[derive(Debug)]
pub struct PrivateSshd {
    supervisor: Child,
    /// The server runs until this is closed.
    alive: Option<ChildStdin>,
    server: Pid,
    directory: PathBuf,
    port: u16,
}

impl Drop for PrivateSshd {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _cleaned = self.supervisor.wait();
    }
}

impl PrivateSshd {
    /// Starts a server, in a fraction of a second.
    ///
    /// # Panics
    ///
    /// When no server is installed, saying what to install, or when it does not start, with its log.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a server whose start was dropped is stopped once it runs.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with more lines in its `sshd_config`, such as `MaxSessions 1`.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// Like [`start`](Self::start).
    pub async fn start_with(lines: &[&str]) -> Self {
        let lines = lines.join("\n");
        let started = spawn_blocking(move || {
            let mut log = String::new();
            for _ in 0..TRIES {
                match Self::try_start(&lines) {
                    Ok(server) => return server,
                    Err(failed) => log = failed,
                }
                if !log.contains("Address already in use") {
                    break;
                }
            }
            panic!("sshd did not start:\n{log}");
        });
        match started.await {
            Ok(server) => server,
            Err(err) => std::panic::resume_unwind(err.into_panic()),
        }
    }

    /// A new connection to the server, with everything that it takes.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn ssh(&self) -> Ssh {
        Ssh::new(HOST)
            .expect("a name")
            .config_file(self.directory.join("ssh_config"))
            .known_hosts(self.directory.join("known_hosts"))
            .identity(self.directory.join("user_key"))
            .port(self.port)
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds all of it: keys (`user_key`, `host_key`), `ssh_config`, `known_hosts`, the log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The process id of the server that listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// How many connections were accepted so far.
    ///
    /// # Panics
    ///
    /// When the log cannot be read.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// Kills (`SIGKILL`) the processes that serve connections, and returns how many there were.
    ///
    /// # Panics
    ///
    /// Where there is no `/proc`.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // A small file, in a test.
    pub fn kill9_sessions(&self) -> usize {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(children).expect("the children of the server");
        let pids = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
    }

    /// What the server logged so far.
    ///
    /// # Panics
    ///
    /// When the log cannot be read.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // A small file, in a test.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).expect("a log")
    }

    /// Starts the supervisor, which does the rest; its output, if the server does not start.
    fn try_start(lines: &str) -> Result<Self, String> {
        let sshd = find_sshd();
        let port =
            TcpListener::bind((HOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
        let directory = tempfile::Builder::new().prefix("bsshd-").tempdir().expect("a directory").keep();
        configure(&directory, port, lines);
        // Outside of any runtime, and it has to outlive this process.
        #[allow(clippy::disallowed_methods)]
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SUPERVISOR).arg("private-sshd");
        command.arg(&directory).arg(&sshd).arg("ssh-keygen");
        command.env_remove("SSH_AUTH_SOCK").env("LC_ALL", "C");
        // A group of its own: an interrupt at the terminal ends the test, and not the cleaning.
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = command.spawn().expect("sh starts");
        let alive = supervisor.stdin.take().expect("a pipe");
        let mut said = BufReader::new(supervisor.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the supervisor answers");
        let server = line.strip_prefix("ready ").and_then(|pid| Pid::from_raw(pid.trim().parse().ok()?));
        let Some(server) = server else {
            said.read_to_string(&mut line).expect("the supervisor explains");
            let _ended = supervisor.wait();
            return Err(line);
        };
        let server = Self { supervisor, alive: Some(alive), server, directory, port };
        server.trust_host_key();
        Ok(server)
    }

    #[allow(clippy::disallowed_methods)] // A small file, in a test.
    fn trust_host_key(&self) {
        let key = fs::read_to_string(self.directory.join("host_key.pub")).expect("the host's key");
        let known = format!("[{HOST}]:{} {key}", self.port);
        fs::write(self.directory.join("known_hosts"), known).expect("a file is written");
    }
}

fn configure(directory: &Path, port: u16, lines: &str) {
    let at = directory.display();
    let mut config = format!(
        "Port {port}\nListenAddress {HOST}\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
         PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nUseDNS no\nLogLevel INFO\n"
    );
    // The first value of an option is the one that counts.
    config.insert_str(0, &format!("{lines}\n"));
    fs::write(directory.join("sshd_config"), config).expect("a file is written");
    let mut client = String::new();
    writeln!(client, "User {}", user()).expect("a string grows");
    fs::write(directory.join("ssh_config"), client).expect("a file is written");
}

/// The name of this process's user.
#[allow(clippy::disallowed_methods)] // A small file, on a blocking thread.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let of_uid = |line: &&str| line.split(':').nth(2) == Some(uid.as_str());
    let name = users.lines().find(of_uid).and_then(|line| line.split(':').next()).map(str::to_owned);
    name.or_else(|| std::env::var("USER").ok()).expect("a user's name")
}

/// sshd wants to be called by its absolute path.
fn find_sshd() -> PathBuf {
    if let Some(sshd) = std::env::var_os("BACKUP_TEST_SSHD") {
        assert!(Path::new(&sshd).is_file(), "no server at BACKUP_TEST_SSHD; {NOT_INSTALLED}");
        return sshd.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let sshd = folders.map(|folder| folder.join("sshd")).find(|sshd| sshd.is_file() && sshd.is_absolute());
    let clients = ["ssh", "ssh-keygen"];
    let has = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    assert!(clients.iter().all(has), "{NOT_INSTALLED}");
    sshd.expect(NOT_INSTALLED)
}
