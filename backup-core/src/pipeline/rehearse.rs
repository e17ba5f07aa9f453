//! Restores a backup into a throw-away database and looks at what is there then.

use std::sync::Arc;

use super::{
    Pipeline,
    meter::Meter,
    verify::{described, drain, findings_of, is_finding},
};
use crate::{
    Contents, Error, ErrorKind, Inventory, Level, Manifest, Operation, Rehearsal, Rehearsed, RestoreOptions,
    RestoreOutcome, Result, Scratch, ScratchLike, Stages, TableInventory, dump::Dump, inventory::Inspector,
    verify::stored,
};

/// What a rehearsal found; `Err` of its parts is that it could not be carried out.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<String>,
    pub(super) rehearsed: Rehearsed,
}

impl Pipeline {
    /// Rehearses the backup at a level of rehearsals.
    pub(super) async fn rehearse(&self, manifest: &Manifest, level: Level, meter: &Meter) -> Result<Found> {
        let rehearsal = self.rehearsal.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "the level asks for a rehearsal, and nothing here can restore",
            )
            .with_context("level", level)
            .with_suggestion("give the pipeline a restorer by with_rehearsal, or choose the level decoded")
        })?;
        rehearsal.assertions.iter().try_for_each(crate::Assertion::check)?;
        if !rehearsal.restorer.supports(&manifest.engine, &manifest.format) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the rehearsal does not take backups of this engine and format",
            )
            .with_context("engine", &manifest.engine)
            .with_context("format", &manifest.format)
            .with_suggestion("rehearse with a restorer of the backup's engine"));
        }
        let scratch = rehearsal.restorer.scratch(&ScratchLike::source(&manifest.source)).await?;
        let place = scratch.place();
        let mut found = Found::default();
        found.rehearsed.own_server = place.own_server;
        found.rehearsed.server_version = place.server_version;
        if !place.own_server || manifest.encryption.is_some() {
            // Before a server that others use too sees a byte that nobody wrote; and that the bytes open does not say that they
            // are this backup's.
            drain(stored::open_stored(&*self.store, &manifest.artifact, meter.stored.clone()).await?).await?;
        }
        let looked = self.restore_and_look(manifest, level, rehearsal, &*scratch, meter, &mut found).await;
        if let Err(err) = scratch.close().await {
            let message = format!("the throw-away database could not be removed: {}", described(&err));
            self.warn(Operation::Verify, &mut found.rehearsed.warnings, message);
        }
        looked?;
        Ok(found)
    }

    async fn restore_and_look(
        &self,
        manifest: &Manifest,
        level: Level,
        rehearsal: &Rehearsal,
        scratch: &dyn Scratch,
        meter: &Meter,
        found: &mut Found,
    ) -> Result<()> {
        found.rehearsed.tool_version = scratch.restorer().probe().await?.tool_version;
        let started = tokio::time::Instant::now();
        let (outcome, held) = match self.restore_into(scratch, manifest, meter).await {
            Ok(restored) => restored,
            Err(err) if is_finding(&err) => {
                found.findings = findings_of(&err);
                return Ok(());
            }
            // The tool stopped at a statement: that is what a rehearsal is to find out.
            Err(err) if err.kind() == ErrorKind::ToolFailed => {
                found.findings.push(format!("the dump cannot be restored: {}", described(&err)));
                return Ok(());
            }
            Err(err) => return Err(err),
        };
        let rehearsed = &mut found.rehearsed;
        rehearsed.restore_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        (rehearsed.tables, rehearsed.rows) =
            (outcome.inventory.tables.len() as u64, outcome.inventory.rows());
        rehearsed.warnings.extend(outcome.warnings);

        let recorded = manifest.inventory.as_ref();
        if let (Some(recorded), Some(held)) = (recorded, &held) {
            found.findings.extend(recorded.differences(held));
        }
        let expected = held.as_ref().or(recorded);
        if let Some(expected) = expected {
            found.findings.extend(expected.differences(&outcome.inventory));
        }
        let summed = match recorded {
            Some(recorded) if level == Level::Equal => compare_sums(recorded, scratch, found).await?,
            _ => Summed::InPart,
        };
        // Sums of two servers say of the rows what a dump of them could say, and do not mind if a restore changed the
        // places of columns.
        let contents = if level == Level::Equal && summed != Summed::All {
            Contents::All
        } else {
            Contents::Definitions
        };
        let seen = look(scratch, contents, meter).await?;
        match (expected, seen) {
            (Some(expected), Some(mut seen)) => {
                self.compare(manifest, level, summed, expected, &seen, found)?;
                if held.is_none() && recorded.is_some_and(Inventory::has_source_checksums) {
                    // The archive shows less of itself, and the rows are those that the server counted.
                    seen.tables = with_rows(seen.tables, &outcome.inventory);
                    found.rehearsed.inventory = Some(seen);
                }
            }
            (None, Some(mut seen)) => {
                if level == Level::Equal {
                    return Err(not_comparable("the backup's format does not show its rows")
                        .with_context("format", &manifest.format));
                }
                // The rows are those that the server counted: definitions have none.
                seen.tables = outcome.inventory.tables;
                found.rehearsed.inventory = Some(seen);
            }
            (_, None) => return Err(not_comparable("the restored database cannot be looked at")),
        }
        ask(rehearsal, scratch, found).await?;
        found.findings.dedup();
        Ok(())
    }

    /// Restores; what the dump holds comes from the very bytes that were restored.
    async fn restore_into(
        &self,
        scratch: &dyn Scratch,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(RestoreOutcome, Option<Inventory>)> {
        let codec = self.codec(manifest)?;
        let inspector = Inspector::with_checksums(&manifest.engine, &manifest.format);
        let (read, decoded) = (meter.stored.clone(), meter.plain.clone());
        let (artifact, plain) = (&manifest.artifact, &manifest.plain);
        let (body, held) =
            stored::open_plain(&*self.store, artifact, plain, &codec, inspector, read, decoded).await?;
        let mut options = RestoreOptions::new(manifest.format.clone());
        options.source_version = Some(manifest.source.server_version.clone());
        options.source_encoding.clone_from(&manifest.source.encoding);
        let outcome = scratch.restorer().restore(body, options).await?;
        // Only what was read to its end was compared with the recorded digests.
        let held = held.take().ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "the restorer reported success before the dump had ended")
        })?;
        Ok((outcome, held))
    }

    fn compare(
        &self,
        manifest: &Manifest,
        level: Level,
        summed: Summed,
        expected: &Inventory,
        seen: &Inventory,
        found: &mut Found,
    ) -> Result<()> {
        if level != Level::Equal {
            found.findings.extend(objects(expected).differences(&objects(seen)));
            return Ok(());
        }
        match summed {
            Summed::All => found.findings.extend(objects(expected).differences(&objects(seen))),
            Summed::InPart => compare_rows(expected, seen, found)?,
        }
        let definitions = expected.definition_differences(seen);
        if manifest.source.server_version == found.rehearsed.server_version {
            found.findings.extend(definitions);
        } else {
            // Another version may write the same definition in other words.
            for message in definitions {
                self.warn(Operation::Verify, &mut found.rehearsed.warnings, message);
            }
        }
        Ok(())
    }
}

/// Compares the rows as two dumps show them.
fn compare_rows(expected: &Inventory, seen: &Inventory, found: &mut Found) -> Result<()> {
    found.findings.extend(expected.differences(seen));
    let form = |checksum: Option<&String>| {
        checksum.and_then(|text| text.split_once(':')).map(|(form, _)| form.to_owned())
    };
    for table in expected.tables.iter().filter(|table| table.rows > 0) {
        // One that is missing is a finding already.
        let Some(restored) = seen.table(&table.name) else { continue };
        let dumped = form(table.checksum.as_ref());
        if dumped.is_none() {
            return Err(not_comparable("the dump's format shows no checksums of its rows")
                .with_context("table", &table.name));
        }
        if restored.rows > 0 && form(restored.checksum.as_ref()) != dumped {
            return Err(not_comparable("the rows of a table were dumped in another form than they are now")
                .with_context("table", &table.name)
                .with_suggestion(
                    "dump without options that change how rows are written, such as --inserts",
                ));
        }
    }
    Ok(())
}

/// Whether the rows of all tables were compared by the sums of the two servers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Summed {
    All,
    InPart,
}

/// Compares what the source's server and that of the throw-away database say of their rows, if both say it.
async fn compare_sums(recorded: &Inventory, scratch: &dyn Scratch, found: &mut Found) -> Result<Summed> {
    if !recorded.has_source_checksums() {
        return Ok(Summed::InPart);
    }
    let Some(restored) = scratch.source_checksums().await? else { return Ok(Summed::InPart) };
    let differences = recorded.source_differences(&restored);
    let new: Vec<_> = differences.into_iter().filter(|line| !found.findings.contains(line)).collect();
    found.findings.extend(new);
    let is_compared = |table: &TableInventory| match restored.table(&table.name) {
        // Of one that is missing, or lacks its rows, the findings tell.
        Some(other) if other.rows > 0 => table.is_of_one_form(other),
        _ => true,
    };
    let all = recorded.tables.iter().filter(|table| table.rows > 0).all(is_compared);
    Ok(if all { Summed::All } else { Summed::InPart })
}

/// The definitions of `tables`, with the rows of `counted`.
fn with_rows(mut tables: Vec<TableInventory>, counted: &Inventory) -> Vec<TableInventory> {
    for table in &mut tables {
        table.rows = counted.table(&table.name).map_or(0, |counted| counted.rows);
    }
    tables
}

/// The objects alone.
fn objects(inventory: &Inventory) -> Inventory {
    Inventory { objects: inventory.objects.clone(), ..Inventory::default() }
}

/// Asks everything that the user wants to know of the restored database.
async fn ask(rehearsal: &Rehearsal, scratch: &dyn Scratch, found: &mut Found) -> Result<()> {
    for assertion in &rehearsal.assertions {
        match scratch.scalar(&assertion.sql).await {
            Ok(answer) => match assertion.finding(answer.as_deref()) {
                Some(finding) => found.findings.push(finding),
                None => found.rehearsed.assertions.push(assertion.name().to_owned()),
            },
            // What it asks about is not there.
            Err(err) if err.kind() == ErrorKind::ToolFailed => found.findings.push(format!(
                "the assertion {:?} cannot be asked: {}",
                assertion.name(),
                described(&err)
            )),
            Err(err) => return Err(err.with_context("assertion", assertion.name())),
        }
    }
    Ok(())
}

/// What a dump of the throw-away database says of it.
async fn look(scratch: &dyn Scratch, contents: Contents, meter: &Meter) -> Result<Option<Inventory>> {
    let dumper = scratch.dumper(contents)?;
    inventory_of(&dumper, meter).await
}

/// Reads a dump to its end for its inventory alone.
pub(super) async fn inventory_of(
    dumper: &Arc<dyn crate::Dumper>,
    meter: &Meter,
) -> Result<Option<Inventory>> {
    let info = dumper.info();
    let Dump { body, encoding, inventory, .. } = dumper.dump().await?;
    let inspector = Inspector::with_checksums(&info.engine, &info.format);
    let seen = inspector.inventory.clone();
    let mut stages = Stages::new();
    if let Some(encoding) = encoding {
        let (decoder, check) = encoding.into_parts()?;
        stages = stages.transform(decoder).boxed_tap(check);
    }
    drain(stages.tap(meter.plain.clone()).boxed_tap(inspector.tap).run(body)).await?;
    Ok(inventory.or(seen.take().flatten()))
}

/// Unproven is not failed.
fn not_comparable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
        .with_suggestion("verify it at the level restored, which compares what can be compared")
}
