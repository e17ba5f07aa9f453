//! The folder of a store, as command lines take it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::builder::{OsStringValueParser, TypedValueParser};

/// What reads `--store`: a path, or `file:///…`. A URL of anything else is refused, for it would name a folder here.
#[must_use]
pub fn folder() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(parse)
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
