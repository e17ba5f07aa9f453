//! The folder of a store, as command lines take it.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};

/// What reads `--store`: a path, or `file:///…`. A URL of anything else is refused, for it would name a folder here.
#[must_use]
pub fn folder() -> impl TypedValueParser<Value = PathBuf> {
    Folder
}

/// Unlike clap's own parsers it does not repeat what it refuses, which may hold a password.
#[derive(Debug, Clone, Copy)]
struct Folder;

impl TypedValueParser for Folder {
    type Value = PathBuf;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<PathBuf, Error> {
        let named = arg.map(|arg| format!("`{arg}`: ")).unwrap_or_default();
        parse(value.to_owned()).map_err(|why| {
            Error::raw(ErrorKind::ValueValidation, format!("{named}{why}\n")).with_cmd(command)
        })
    }
}

fn parse(text: OsString) -> Result<PathBuf, String> {
    let Some((scheme, rest)) = text.to_str().and_then(|text| text.split_once("://")) else {
        return Ok(text.into());
    };
    let is_scheme =
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && !scheme.contains(['/', '\\']);
    match Path::new(rest) {
        _ if !is_scheme => Ok(text.into()),
        path if scheme.eq_ignore_ascii_case("file") && path.is_absolute() => Ok(path.into()),
        // What stands behind the scheme may hold a password.
        _ => Err(format!(
            "{scheme}:// is no folder; give a folder of this host, or file:///absolute/path; for a bucket write your own \
             program with storage-s3, as the front page shows"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_no_folder_and_is_not_repeated() {
        for path in ["/var/backups", "backups", "./s3:/x", "a/b://c", "C:\\backups", "://x"] {
            assert_eq!(parse(path.into()), Ok(path.into()));
        }
        assert_eq!(parse("file:///var/backups".into()), Ok("/var/backups".into()));
        for url in [
            "s3://key:geheim@bucket",
            "https://u:geheim@h/b",
            "sftp://h/geheim",
            "file://geheim/b",
            "S3://geheim",
        ] {
            let err = parse(url.into()).unwrap_err();
            assert!(err.contains("give a folder") && !err.contains("geheim"), "{err}");
        }
    }
}
