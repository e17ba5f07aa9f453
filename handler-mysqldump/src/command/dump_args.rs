//! The arguments of `mysqldump` and `mariadb-dump`.

use std::collections::BTreeMap;

use backup_core::{Error, ErrorKind, Result};

use super::MAX_ALLOWED_PACKET;
use crate::{
    format::{Consistency, Content, Position, Stored},
    version::{Flavour, Version},
};

/// What a dump holds and how it is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DumpSettings {
    /// Further databases.
    pub(crate) also: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) ignored: Vec<String>,
    pub(crate) without_rows: Vec<String>,
    /// Conditions by table.
    pub(crate) conditions: BTreeMap<String, String>,
    pub(crate) content: Content,
    pub(crate) routines: Stored,
    pub(crate) triggers: Stored,
    pub(crate) events: Stored,
    pub(crate) consistency: Consistency,
    pub(crate) position: Position,
    pub(crate) extra: Vec<String>,
}

/// One run of the program; a dump is several where tables are treated differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// One table, with the rows that meet a condition.
    Filtered { table: String, condition: String },
    /// Everything that no other run holds.
    Rest,
}

impl DumpSettings {
    /// The same for a client that cannot leave rows out by table: none of them meets the condition.
    pub(crate) fn fitted(mut self, client: Version) -> Self {
        if client.flavour == Flavour::MySql {
            let without_rows = std::mem::take(&mut self.without_rows).into_iter();
            self.conditions.extend(without_rows.map(|table| (table, "FALSE".to_owned())));
        }
        self
    }

    /// The runs of a dump; the last one is [`Run::Rest`], so that views find their tables on restore.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let filtered = |(table, condition): (&String, &String)| Run::Filtered {
            table: table.clone(),
            condition: condition.clone(),
        };
        let wanted = |run: &Run| match run {
            Run::Filtered { table, .. } => self.tables.is_empty() || self.tables.contains(table),
            Run::Rest => true,
        };
        let mut runs: Vec<Run> = self.conditions.iter().map(filtered).filter(wanted).collect();
        runs.push(Run::Rest);
        runs
    }

    /// Whether rows are dumped at all.
    pub(crate) fn has_rows(&self) -> bool {
        self.content != Content::SchemaOnly
    }

    /// Which kinds of stored programs are dumped: those of chosen tables alone, or all.
    pub(crate) fn stored(&self) -> [(&'static str, Stored); 3] {
        let whole = |stored| if self.tables.is_empty() { stored } else { Stored::Omit };
        let [routines, triggers, events] = [whole(self.routines), self.triggers, whole(self.events)];
        match self.content {
            Content::DataOnly => ["routines", "triggers", "events"].map(|kind| (kind, Stored::Omit)),
            _ => [("routines", routines), ("triggers", triggers), ("events", events)],
        }
    }

    /// The argument list of one run, behind the option file.
    pub(crate) fn args(&self, run: &Run, database: &str, client: Version) -> Vec<String> {
        let mut args = vec![
            "--quick".to_owned(),
            "--hex-blob".to_owned(),
            "--default-character-set=utf8mb4".to_owned(),
            // PROCESS would be needed for the tablespaces of a cluster, which almost nobody has.
            "--no-tablespaces".to_owned(),
            MAX_ALLOWED_PACKET.to_owned(),
        ];
        args.push(
            match self.consistency {
                Consistency::SingleTransaction => "--single-transaction",
                Consistency::LockTables => "--lock-tables",
                Consistency::LockServer => "--lock-all-tables",
            }
            .to_owned(),
        );
        if self.consistency != Consistency::LockTables {
            args.push("--skip-lock-tables".to_owned());
        }
        match self.content {
            Content::All => {}
            Content::SchemaOnly => args.push("--no-data".to_owned()),
            Content::DataOnly => args.push("--no-create-info".to_owned()),
        }
        for (kind, stored) in self.stored() {
            let stored = if *run == Run::Rest || kind == "triggers" { stored } else { Stored::Omit };
            let skip = if stored == Stored::Include { "" } else { "skip-" };
            args.push(format!("--{skip}{kind}"));
        }
        self.flavoured(run, database, client, &mut args);
        args.extend(self.extra.iter().cloned());
        match run {
            Run::Filtered { table, condition } => {
                args.push(format!("--where={condition}"));
                args.extend(["--".to_owned(), database.to_owned(), table.clone()]);
            }
            Run::Rest => {
                let elsewhere = self.conditions.keys();
                let ignored = self.ignored.iter().chain(elsewhere);
                args.extend(ignored.map(|table| format!("--ignore-table={database}.{table}")));
                if !self.also.is_empty() {
                    args.push("--databases".to_owned());
                }
                args.extend(["--".to_owned(), database.to_owned()]);
                args.extend(self.also.iter().cloned());
                args.extend(
                    self.tables.iter().filter(|table| !self.conditions.contains_key(*table)).cloned(),
                );
            }
        }
        args
    }

    /// What the two flavours call differently, or need.
    fn flavoured(&self, run: &Run, database: &str, client: Version, args: &mut Vec<String>) {
        let position = self.position == Position::Record && *run == Run::Rest;
        match client.flavour {
            Flavour::MariaDb => {
                let without_rows = self.without_rows.iter().filter(|_| *run == Run::Rest);
                args.extend(without_rows.map(|table| format!("--ignore-table-data={database}.{table}")));
                if position {
                    args.extend(["--master-data=2".to_owned(), "--gtid".to_owned()]);
                }
            }
            Flavour::MySql => {
                if client.is_at_least(Flavour::MySql, 8, 0, 0) {
                    // Asks tables that no other server has, to add statements that nobody needs.
                    args.push("--skip-column-statistics".to_owned());
                }
                let commented = position && client.is_at_least(Flavour::MySql, 8, 0, 17);
                // Else a restore would need the right to change the server's own history.
                args.push(format!("--set-gtid-purged={}", if commented { "COMMENTED" } else { "OFF" }));
                if position {
                    let named_anew = client.is_at_least(Flavour::MySql, 8, 0, 26);
                    args.push(format!("--{}-data=2", if named_anew { "source" } else { "master" }));
                }
            }
        }
    }
}

/// What would change something that this crate relies on, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("result-file", "the dump is streamed"),
    ("tab", "the dump is streamed"),
    ("dir", "the dump is streamed"),
    ("databases", "a dump is of one database"),
    ("all-databases", "a dump is of one database"),
    ("add-drop-database", "the restore chooses the database"),
    ("skip-comments", "without its last comment a dump cannot be told from one that was cut off"),
    ("comments", "without its last comment a dump cannot be told from one that was cut off"),
    ("compact", "without its last comment a dump cannot be told from one that was cut off"),
    ("xml", "the dump is SQL"),
    ("force", "an error must end the dump"),
    ("ignore-error", "an error must end the dump"),
    ("host", "use MysqlConfig"),
    ("port", "use MysqlConfig"),
    ("socket", "use MysqlConfig"),
    ("user", "use MysqlConfig"),
    ("password", "use MysqlConfig"),
    ("protocol", "use MysqlConfig"),
    ("ssl", "use MysqlConfig"),
    ("defaults-file", "use MysqlConfig::option_file"),
    ("defaults-extra-file", "use MysqlConfig::option_file"),
    ("login-path", "use MysqlConfig"),
    ("tables", "use MysqlDump::table"),
    ("where", "use MysqlDump::rows_where"),
    ("no-data", "use MysqlDump::content"),
    ("no-create-info", "use MysqlDump::content"),
    ("single-transaction", "use MysqlDump::consistency"),
    ("lock-tables", "use MysqlDump::consistency"),
    ("lock-all-tables", "use MysqlDump::consistency"),
    ("help", "nothing would be dumped"),
    ("version", "nothing would be dumped"),
    ("debug", "nothing but the dump may be printed"),
    ("verbose", "the messages would hide the last ones"),
    ("fields-terminated-by", "the dump is SQL"),
    ("log-error", "the messages are read"),
    ("default-character-set", "the dump is read as UTF-8"),
];

/// Refuses a raw argument that is no long option, or one that must not be changed.
pub(crate) fn check_extra(arg: &str) -> Result<()> {
    let refuse = |name: &str, why: &str| {
        Err(Error::new(ErrorKind::InvalidInput, "the argument cannot be passed to mysqldump")
            .with_context("argument", name)
            .with_suggestion(why))
    };
    let Some(option) = arg.strip_prefix("--").filter(|option| !option.is_empty()) else {
        return refuse("(not shown)", "write it as one long option: `--name=value`");
    };
    let name = option.split('=').next().unwrap_or(option).replace('_', "-").to_ascii_lowercase();
    // The prefixes that turn an option round or make it optional.
    let mut bare = name.as_str();
    while let Some(rest) =
        ["loose-", "skip-", "disable-", "enable-"].iter().find_map(|prefix| bare.strip_prefix(prefix))
    {
        if REFUSED.iter().any(|(refused, _)| *refused == bare) {
            break;
        }
        bare = rest;
    }
    // The programs take any unambiguous beginning of an option's name for the option.
    match REFUSED.iter().find(|(refused, _)| refused.starts_with(bare) || bare.starts_with("ssl-")) {
        Some((refused, why)) => refuse(refused, why),
        None if arg.contains('\0') => refuse(&name, "remove the zero byte"),
        None => Ok(()),
    }
}
