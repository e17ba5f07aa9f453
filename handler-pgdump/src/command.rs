//! Settings to argument lists, environments and password files; starts nothing.

use std::path::PathBuf;

use backup_core::{
    Result, Secret,
    process::{Host, Tool},
};

use crate::config::{PARAMETERS, PasswordVia, PgConfig, Route};

mod dump_args;

pub(crate) use dump_args::{DumpSettings, check_extra, globals_args};

/// The seconds that libpq waits for each host, unless the configuration says otherwise.
const CONNECT_TIMEOUT_SECONDS: &str = "15";

/// What would redirect or bend the connection if it were inherited; removed from every child.
const NEVER_INHERITED: &[&str] = &[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGCONNECT_TIMEOUT",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGREQUIREPEER",
    // Would change the encoding of a dump, and how values are written.
    "PGCLIENTENCODING",
    "PGDATESTYLE",
    "PGTZ",
    "PGGEQO",
    // Chooses another server in Debian's wrappers.
    "PGCLUSTER",
    // Would put escape sequences into the messages that are read.
    "PG_COLOR",
    "PG_COLORS",
    "LANGUAGE",
];

/// The arguments of every question put to `psql`; the SQL comes by standard input.
///
/// `-X` keeps `~/.psqlrc` out; the verbose errors carry the SQLSTATE, which no server translates.
pub(crate) const QUERY_ARGS: &[&str] = &[
    "-X",
    "-q",
    "-A",
    "-t",
    "--no-password",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=verbose",
    "--file=-",
];

/// What a child is told about the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) set: Vec<(&'static str, Secret)>,
    pub(crate) remove: Vec<&'static str>,
    pub(crate) redact: Vec<Secret>,
    /// Content of a temporary password file.
    pub(crate) pass_file: Option<Secret>,
    /// Content of a temporary service file, for parameters that have no variable.
    pub(crate) service_file: Option<Secret>,
}

impl Environment {
    pub(crate) fn of(config: &PgConfig) -> Self {
        let mut set: Vec<(&'static str, Secret)> = vec![
            // Messages are classified by their English text.
            ("LC_ALL", Secret::new("C")),
            ("LC_MESSAGES", Secret::new("C")),
            // Passed here and not as `-d`, where a name such as `a=b` would be read as a connection string.
            ("PGDATABASE", Secret::new(config.database.as_str())),
        ];
        if !config.hosts.is_empty() {
            let names: Vec<_> = config.hosts.iter().map(|host| host.name.as_str()).collect();
            if names.iter().any(|name| !name.is_empty()) {
                set.push(("PGHOST", Secret::new(names.join(","))));
            }
            if config.hosts.iter().any(|host| host.port.is_some()) {
                let ports: Vec<_> =
                    config.hosts.iter().map(|host| host.port.unwrap_or(5432).to_string()).collect();
                set.push(("PGPORT", Secret::new(ports.join(","))));
            }
        }
        if let Some(user) = &config.user {
            set.push(("PGUSER", Secret::new(user.as_str())));
        }
        let mut service_file = String::new();
        let mut redact = Vec::new();
        for (name, route) in PARAMETERS {
            match (config.parameters.get(name), route) {
                (Some(value), Route::Env(variable)) => set.push((variable, value.clone())),
                (Some(value), Route::ServiceFile) => {
                    service_file.extend([name, "=", value.expose(), "\n"]);
                    if *name == "sslpassword" {
                        redact.push(value.clone());
                    }
                }
                (None, Route::Env("PGCONNECT_TIMEOUT")) => {
                    set.push(("PGCONNECT_TIMEOUT", Secret::new(CONNECT_TIMEOUT_SECONDS)));
                }
                (None, Route::Env("PGAPPNAME")) => set.push(("PGAPPNAME", Secret::new("backup"))),
                (None, _) => {}
            }
        }
        let mut remove = Vec::new();
        let mut pass_file = None;
        match (&config.password, config.password_via) {
            (Some(password), PasswordVia::Environment) => {
                set.push(("PGPASSWORD", password.clone()));
                remove.push("PGPASSFILE");
            }
            (Some(password), PasswordVia::PassFile) => {
                pass_file = Some(Secret::new(format!("*:*:*:*:{}\n", escape_pass(password.expose()))));
                remove.push("PGPASSWORD");
            }
            (None, _) => {}
        }
        if let (Some(path), None) = (&config.pass_file, &config.password) {
            set.push(("PGPASSFILE", Secret::new(path.to_string_lossy())));
            remove.push("PGPASSWORD");
        }
        redact.extend(config.password.clone());
        remove.extend(NEVER_INHERITED.iter().filter(|name| set.iter().all(|(other, _)| other != *name)));
        let service_file =
            (!service_file.is_empty()).then(|| Secret::new(format!("[backup]\n{service_file}")));
        Self { set, remove, redact, pass_file, service_file }
    }

    /// Tells `tool`, writing the temporary files that it needs; they are removed when it has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: files that were written are removed.
    pub(crate) async fn apply(self, mut tool: Tool) -> Result<Tool> {
        for name in self.remove {
            tool = tool.env_remove(name);
        }
        for (name, value) in self.set {
            tool = tool.env(name, value);
        }
        for secret in self.redact.into_iter().filter(|secret| !secret.expose().is_empty()) {
            tool = tool.redact(secret);
        }
        if let Some(content) = self.pass_file {
            tool = tool.file_env("PGPASSFILE", content).await?;
        }
        if let Some(content) = self.service_file {
            tool = tool.file_env("PGSERVICEFILE", content).await?.env("PGSERVICE", "backup");
        }
        Ok(tool)
    }
}

/// A client program on `host` told about the connection, with `args`.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(crate) async fn client(
    name: &'static str,
    program: PathBuf,
    config: &PgConfig,
    host: &Host,
    args: impl IntoIterator<Item = impl Into<std::ffi::OsString>>,
) -> Result<Tool> {
    config.validate()?;
    let environment = if host.is_local() {
        Environment::of(config)
    } else {
        // A password file there would be a pipe, and libpq takes regular files only.
        Environment::of(&config.clone().password_via(PasswordVia::Environment))
    };
    environment.apply(Tool::new(name, program).args(args).on(host)).await
}

/// Where the server is, as seen from here.
pub(crate) fn location(config: &PgConfig, host: &Host) -> String {
    match host.name() {
        Some(name) => format!("{} from {name}", config.location()),
        None => config.location(),
    }
}

/// The rules of libpq's password file: `:` and `\` are escaped.
fn escape_pass(password: &str) -> String {
    let mut escaped = String::with_capacity(password.len());
    for ch in password.chars() {
        if matches!(ch, ':' | '\\') {
            escaped.push('\\');
        }
        escaped.push(ch);
    }
    escaped
}

#[cfg(test)]
mod tests;
