//! Small secret files for a tool: temporary ones here, file descriptors on another host.

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

use super::Tool;
use crate::{Error, ErrorKind, Result, Secret};

/// The first descriptor that stands for a file on another host, and how many there may be.
pub(super) const FIRST_FD: usize = 3;
const FILES_MAX: usize = 4;

impl Tool {
    /// Adds an argument that names a file with this content, such as `--defaults-extra-file=` and a path behind it.
    ///
    /// Here it is a file of mode 0600 in a folder of mode 0700. On Linux, where the tool's program is an absolute path,
    /// the tool gets it as an open descriptor, `/dev/fd/3`, and it is gone from the disk before the tool begins, so that
    /// nothing is left even of killed processes; else it is gone when the tool has ended. On another host it is
    /// a pipe, `/dev/fd/3`, which can be read once, and of which nothing is written to a disk. Say [`on`](Self::on)
    /// which host before.
    ///
    /// # Errors
    ///
    /// The file cannot be written; [`InvalidInput`](ErrorKind::InvalidInput) for a fifth file, and for a zero byte
    /// in what is sent to another host.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a file that was written is removed.
    pub async fn file_arg(mut self, prefix: &str, content: Secret) -> Result<Self> {
        let path = self.file(content).await?;
        let mut arg = OsString::from(prefix);
        arg.push(path);
        Ok(self.arg(arg))
    }

    /// Sets an environment variable to the path of a file with this content, by the rules of
    /// [`file_arg`](Self::file_arg).
    ///
    /// # Errors
    ///
    /// Those of [`file_arg`](Self::file_arg).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a file that was written is removed.
    pub async fn file_env(mut self, variable: &str, content: Secret) -> Result<Self> {
        let path = self.file(content).await?;
        let path = path.to_str().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "the path of the temporary folder is not UTF-8")
        })?;
        Ok(self.env(variable, path))
    }

    async fn file(&mut self, content: Secret) -> Result<PathBuf> {
        if self.host.is_local() {
            let (path, folder) =
                tokio::task::spawn_blocking(move || write(&content)).await.map_err(|err| {
                    Error::new(ErrorKind::Unexpected, "a background task did not end").with_source(err)
                })??;
            self.guards.push(Arc::new(folder));
            self.has_local_files = true;
            // Elsewhere a descriptor's name can be read once only, and some tools read twice.
            if cfg!(target_os = "linux") && self.program.is_absolute() && self.opened.len() < FILES_MAX {
                let fd = FIRST_FD + self.opened.len();
                self.opened.push(path);
                return Ok(PathBuf::from(format!("/dev/fd/{fd}")));
            }
            return Ok(path);
        }
        if self.files.len() == FILES_MAX {
            return Err(Error::new(ErrorKind::InvalidInput, "a tool on another host has too many files")
                .with_context("limit", FILES_MAX));
        }
        let fd = FIRST_FD + self.files.len();
        self.files.push(content);
        Ok(PathBuf::from(format!("/dev/fd/{fd}")))
    }
}

fn write(content: &Secret) -> Result<(PathBuf, TempDir)> {
    let folder = private_folder("backup-")?;
    let path = folder.path().join("content");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path)?;
    file.write_all(content.expose().as_bytes())?;
    Ok((absolute(&path)?, folder))
}

/// A tool may change its folder, a path that it was told shall stay the same.
fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

/// Makes a folder that only its owner can enter, in the system's temporary folder. Blocks.
pub(super) fn private_folder(prefix: &str) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().map_err(|err| {
        Error::from(err)
            .with_operation("temporary folder")
            .with_suggestion("check that the temporary folder exists, is writable and has space")
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    #[allow(clippy::disallowed_methods)] // Small files, in a test.
    async fn a_secret_file_can_be_read_again_and_again_and_is_on_no_disk() {
        let script =
            r#"cat "${1#--a=}" "${1#--a=}"; cat "$B"; readlink "${1#--a=}" "$B"; stat -L -c %a "$B""#;
        let tool = Tool::new("sh", "/bin/sh").args(["-c", script, "sh"]);
        let tool = tool.file_arg("--a=", Secret::new("one ")).await.unwrap();
        let tool = tool.file_env("B", Secret::new("two\n")).await.unwrap();
        let said = tool.output(1000).await.unwrap().stdout;
        let said = String::from_utf8(said.to_vec()).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines[3]), ("one one two", "600"), "{said}");
        for link in &lines[1..3] {
            let was = link.strip_suffix(" (deleted)").unwrap();
            assert!(!std::path::Path::new(was).parent().unwrap().exists(), "{said}");
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_a_secret_file_too() {
        for (program, kind) in
            [("/no/such/tool", ErrorKind::ToolNotFound), ("/etc", ErrorKind::PermissionDenied)]
        {
            let tool = Tool::new("tool", program).file_arg("--a=", Secret::new("x")).await.unwrap();
            assert_eq!(tool.output(10).await.unwrap_err().kind(), kind, "{program}");
        }
    }
}
