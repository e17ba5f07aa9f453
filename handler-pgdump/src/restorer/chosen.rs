//! Restores chosen tables, or definitions alone.

use backup_core::{ByteStream, Error, ErrorKind, OnExisting, RestoreOptions, Result, Selected, Selection};

use super::{
    Look, PgRestore,
    archive::Extent,
    run,
    select::{self, Objects, Present, Wanted},
};
use crate::{Version, format::PLAIN, server::Server, version::RestoreNeeds};

/// How a part of a dump is restored.
pub(super) struct Plan {
    pub(super) part: run::Part,
    /// Into a database that holds other things too: in one transaction, never beside.
    pub(super) in_place: bool,
    /// The tables whose rows are counted; all, if nothing is said.
    pub(super) counted: Option<Vec<String>>,
    pub(super) warnings: Vec<String>,
}

impl PgRestore {
    /// What a selection means; see [`Restorer::select`](backup_core::Restorer::select).
    pub(super) async fn selected(
        &self,
        definitions: ByteStream,
        options: &RestoreOptions,
    ) -> Result<Selected> {
        let Selection::Tables(tables) = &options.selection else {
            return Ok(Selected::default());
        };
        if tables.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "no table was chosen"));
        }
        let look = self.look().await?;
        let definitions = if options.format == PLAIN {
            definitions
        } else {
            let needs = RestoreNeeds {
                target: look.version,
                source: options.source_version.as_deref().and_then(Version::parse),
                archive: true,
                safety: self.safety,
            };
            self.script(definitions, &options.format, Extent::Definitions, &needs).await?
        };
        let mut selected = select::select(definitions, tables).await?;
        if look.facts.is_some_and(|facts| facts.objects > 0) {
            let present = Present::ask(&look.server, &selected.tables).await?;
            selected.existing = present.existing();
            selected.obstacles = present.obstacles;
        }
        Ok(selected)
    }

    /// How to restore what the options select into the target that was found.
    pub(super) async fn part(&self, look: &Look, options: &RestoreOptions) -> Result<Plan> {
        let empty = look.facts.as_ref().is_none_or(|facts| facts.objects == 0);
        let mut plan =
            Plan { part: run::Part::default(), in_place: false, counted: None, warnings: Vec::new() };
        match &options.selection {
            Selection::Tables(_) => {}
            Selection::Definitions => {
                plan.part.wanted = Some(Wanted::Definitions);
                refuse_occupied(look, options)?;
                return Ok(plan);
            }
            _ => {
                refuse_occupied(look, options)?;
                return Ok(plan);
            }
        }
        let selected = options.selected.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "what the chosen tables need was not selected")
                .with_suggestion("hand on what Restorer::select says of the dump")
        })?;
        let mut objects = Objects::of(selected);
        if !empty {
            plan.in_place = true;
            objects = self.beside(&look.server, objects, selected, options, &mut plan).await?;
        }
        plan.part.wanted = Some(Wanted::Objects(objects));
        plan.counted = Some(selected.tables.clone());
        Ok(plan)
    }

    /// Chosen tables beside what the target holds.
    async fn beside(
        &self,
        server: &Server,
        objects: Objects,
        selected: &Selected,
        options: &RestoreOptions,
        plan: &mut Plan,
    ) -> Result<Objects> {
        let present = Present::ask(server, &selected.tables).await?;
        let existing = present.existing();
        if !existing.is_empty() && options.on_existing == OnExisting::Refuse {
            return Err(Error::new(ErrorKind::TargetNotEmpty, "the target has some of the chosen tables")
                .with_context("database", self.config.database())
                .with_context("tables", existing.join(", ")));
        }
        if !present.obstacles.is_empty() {
            return Err(Error::new(
                ErrorKind::TargetNotEmpty,
                "the target holds what would be lost with the chosen tables",
            )
            .with_context("database", self.config.database())
            .with_context("obstacles", present.obstacles.join(", "))
            .with_suggestion(
                "drop these first and make them again afterwards, or restore into another database",
            ));
        }
        (plan.part.before, plan.part.after) = (present.before(), present.after());
        let objects = objects.beside(present.keys, present.tables);
        let left = objects.left_as_they_are();
        if !left.is_empty() {
            plan.warnings.push(format!(
                "the target has these already, and they stay as they are: {}",
                left.join(", ")
            ));
        }
        Ok(objects)
    }
}

fn refuse_occupied(look: &Look, options: &RestoreOptions) -> Result<()> {
    match &look.facts {
        Some(facts) if facts.objects > 0 && options.on_existing == OnExisting::Refuse => {
            Err(Error::new(ErrorKind::TargetNotEmpty, "the target database is not empty")
                .with_context("database", &facts.database)
                .with_context("tables", facts.tables)
                .with_context("objects", facts.objects))
        }
        _ => Ok(()),
    }
}
