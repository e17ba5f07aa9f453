//! An archive as the script that it stands for.

use backup_core::{ByteStream, Error, ErrorKind, Result, process::Tool};

use super::{PgRestore, unpack};
use crate::{
    command,
    dumper::Staging,
    format::DIRECTORY,
    version::{Program, RestoreNeeds},
};

/// What of an archive is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Definitions,
    Everything,
}

impl PgRestore {
    /// Has `pg_restore` write the script of an archive, by way of a temporary copy in which it can seek.
    ///
    /// The first statement comes after the body has ended cleanly. The copy is gone when the script was read, or dropped.
    pub(super) async fn script(
        &self,
        body: ByteStream,
        format: &str,
        extent: Extent,
        needs: &RestoreNeeds,
    ) -> Result<ByteStream> {
        if !self.host.is_local() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "pg_restore would need a copy of the archive on the other host",
            )
            .with_suggestion("over SSH choose tables from a dump in the plain format"));
        }
        let client = self.archive_client(&RestoreNeeds { archive: true, ..needs.clone() }).await?;
        let staging = Staging::create("backup-pg-restore-", self.staging.clone()).await?;
        let copy = staging.content();
        let copied = if format == DIRECTORY {
            unpack::unpack(body, &copy).await
        } else {
            unpack::copy(body, &copy).await
        };
        copied.map_err(staging.named())?;
        let mut args = vec!["--file=-".to_owned()];
        if extent == Extent::Definitions {
            args.push("--schema-only".to_owned());
        }
        args.push(copy.display().to_string());
        let program = Program::PgRestore;
        let tool: Tool =
            command::client(program.name(), client.path(program), &self.config, &self.host, args).await?;
        tool.keep(staging).stream()
    }
}
