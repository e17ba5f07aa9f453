//! The arguments of `pg_dump` and `pg_dumpall`.

use std::path::Path;

use backup_core::{Error, ErrorKind, Result};

use crate::format::{
    ArchiveCompression, Content, Format, Globals, LargeObjects, Ownership, Privileges, Rows,
};

/// What a dump holds and how it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct DumpSettings {
    pub(crate) format: Format,
    pub(crate) compression: ArchiveCompression,
    pub(crate) schemas: Vec<String>,
    pub(crate) exclude_schemas: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) exclude_tables: Vec<String>,
    pub(crate) exclude_table_data: Vec<String>,
    pub(crate) content: Content,
    pub(crate) ownership: Ownership,
    pub(crate) privileges: Privileges,
    pub(crate) large_objects: LargeObjects,
    pub(crate) rows: Rows,
    pub(crate) extra: Vec<String>,
}

impl DumpSettings {
    /// The argument list; `directory` is where the directory format is written to.
    pub(crate) fn args(&self, directory: Option<&Path>) -> Vec<String> {
        let mut args = vec!["--no-password".to_owned()];
        match self.format {
            Format::Plain => args.push("--format=plain".to_owned()),
            Format::Custom => args.push("--format=custom".to_owned()),
            Format::Directory { jobs } => {
                args.push("--format=directory".to_owned());
                args.push(format!("--jobs={}", jobs.max(1)));
                if let Some(directory) = directory {
                    args.push(format!("--file={}", directory.display()));
                }
            }
        }
        if self.format != Format::Plain && self.compression == ArchiveCompression::Pipeline {
            args.push("--compress=0".to_owned());
        }
        let patterns = [
            ("schema", &self.schemas),
            ("exclude-schema", &self.exclude_schemas),
            ("table", &self.tables),
            ("exclude-table", &self.exclude_tables),
            ("exclude-table-data", &self.exclude_table_data),
        ];
        for (option, values) in patterns {
            args.extend(values.iter().map(|value| format!("--{option}={value}")));
        }
        if !self.schemas.is_empty() || !self.tables.is_empty() {
            // A misspelt name is an error, never a dump without it.
            args.push("--strict-names".to_owned());
        }
        match self.content {
            Content::All => {}
            Content::SchemaOnly => args.push("--schema-only".to_owned()),
            Content::DataOnly => args.push("--data-only".to_owned()),
        }
        if self.ownership == Ownership::Omit {
            args.push("--no-owner".to_owned());
        }
        if self.privileges == Privileges::Omit {
            args.push("--no-privileges".to_owned());
        }
        match self.large_objects {
            LargeObjects::Default => {}
            // The short forms: the long ones were renamed in version 16.
            LargeObjects::Include => args.push("-b".to_owned()),
            LargeObjects::Exclude => args.push("-B".to_owned()),
        }
        match self.rows {
            Rows::Copy => {}
            Rows::Inserts => args.push("--inserts".to_owned()),
            Rows::ColumnInserts => args.push("--column-inserts".to_owned()),
        }
        args.extend(self.extra.iter().cloned());
        args
    }
}

/// The arguments of `pg_dumpall` for roles and tablespaces.
pub(crate) fn globals_args(globals: Globals) -> Vec<&'static str> {
    let mut args = vec!["--no-password", "--globals-only"];
    if globals == Globals::WithoutPasswords {
        args.push("--no-role-passwords");
    }
    args
}

/// What would change something that this crate relies on, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("file", "the dump is streamed"),
    ("format", "use PgDump::format"),
    ("compress", "use PgDump::archive_compression"),
    ("jobs", "use PgDump::format"),
    ("dbname", "use PgConfig"),
    ("host", "use PgConfig"),
    ("port", "use PgConfig"),
    ("username", "use PgConfig"),
    ("password", "there is nobody to ask"),
    ("help", "nothing would be dumped"),
    ("version", "nothing would be dumped"),
    ("create", "the restore chooses the database"),
    ("clean", "the restore starts from an empty database"),
    ("if-exists", "the restore starts from an empty database"),
    ("binary-upgrade", "such a dump is for pg_upgrade alone"),
    ("restrict-key", "a known key would let the dump leave psql's restricted mode"),
    ("load-via-partition-root", "rows would be counted with another table than the one that holds them"),
    ("schema-only", "use PgDump::content"),
    ("data-only", "use PgDump::content"),
];

/// Refuses a raw argument that is no long option, or one that must not be changed.
pub(crate) fn check_extra(arg: &str) -> Result<()> {
    let refuse = |name: &str, why: &str| {
        Err(Error::new(ErrorKind::InvalidInput, "the argument cannot be passed to pg_dump")
            .with_context("argument", name)
            .with_suggestion(why))
    };
    let Some(option) = arg.strip_prefix("--").filter(|option| !option.is_empty()) else {
        return refuse("(not shown)", "write it as one long option: `--name=value`");
    };
    let name = option.split('=').next().unwrap_or(option);
    // getopt takes any unambiguous beginning of an option's name for the option.
    match REFUSED.iter().find(|(refused, _)| refused.starts_with(name)) {
        Some((refused, why)) => refuse(refused, why),
        None if arg.contains('\0') => refuse(name, "remove the zero byte"),
        None => Ok(()),
    }
}
