//! Restores a dump of several databases, under their own names.

use std::sync::PoisonError;

use backup_core::{
    ByteStream, Error, ErrorKind, Inventory, Result, TableInventory, inventory::qualified_name,
};

use super::{
    count, definers, events,
    filter::{Begun, Databases, ScriptFilter, Wanted},
    run::Run,
    target,
};
use crate::{
    scratch::TemporaryDatabase,
    server::{QUESTION_LIMIT, Server},
};

/// What was begun, and is removed unless it is kept.
struct Several {
    server: Server,
    begun: Begun,
    token: String,
    armed: bool,
}

impl Several {
    fn names(&self) -> Vec<String> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each drops its database when it is dropped, where the database has this restore's mark.
    fn temporary(&self) -> Vec<TemporaryDatabase> {
        let marked = |name| TemporaryDatabase::marked(self.server.clone(), name, self.token.clone(), None);
        self.names().into_iter().map(marked).collect()
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        if self.armed {
            drop(self.temporary());
        }
    }
}

/// Restores all databases of the dump; on a failure those that it made are gone.
pub(super) async fn restore(
    run: &Run<'_>,
    wanted: &Wanted,
    body: ByteStream,
    warnings: &mut Vec<String>,
) -> Result<Inventory> {
    let token = target::token()?;
    let mut several =
        Several { server: run.server.clone(), begun: Begun::default(), token: token.clone(), armed: true };
    let databases = Databases::new(several.begun.clone(), token);
    let filter = ScriptFilter::new(run.settings.definers, wanted).with_databases(databases);
    let done = async {
        run.filtered(None, filter, body).await?;
        let mut tables = Vec::new();
        for name in several.names() {
            let server = run.server.at(&name);
            definers::check(&server, run.settings.definers, warnings).await?;
            events::warn(&server, warnings).await?;
            tables.extend(count::tables(&server).await?.into_iter().map(|(table, rows)| {
                TableInventory::new(qualified_name([name.as_str(), table.as_str()]), rows, 0)
            }));
        }
        // Last: what is marked is removed where anything before failed.
        let unmark: String = several.names().iter().map(|name| target::unmark(name)).collect();
        run.server.run(None, &unmark, QUESTION_LIMIT).await?;
        Ok(Inventory::new(tables))
    };
    match done.await {
        Ok(inventory) => {
            several.armed = false;
            Ok(inventory)
        }
        Err(mut err) => {
            several.armed = false;
            for database in several.temporary() {
                err = target::drop_after(database, err).await;
            }
            Err(exists(err))
        }
    }
}

/// A database that the dump makes is there already.
fn exists(err: Error) -> Error {
    if !crate::error::mentions(&err, 1007) {
        return err;
    }
    Error::new(ErrorKind::TargetNotEmpty, "the server has a database of the dump already")
        .with_context(
            "databases",
            err.context().find(|(key, _)| *key == "stderr").map_or("", |(_, value)| value),
        )
        .with_suggestion("drop or rename it, or restore into another server")
}
