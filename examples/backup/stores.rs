//! What goes from one place to another: `backup copy`, `backup export-catalog` and `backup import-catalog`.

use std::{path::PathBuf, sync::Arc};

use backup_core::{
    BackupRef, Catalog, Entry, Error, ErrorKind, Filter, Manifest, Pipeline, Result, Store, StoreExt,
    catalog::JsonCatalog,
    copy::{CopyOptions, sync},
    manifest::Layout,
};
use examples::output::{self, Style, count};
use futures::TryStreamExt;
use serde::Serialize;
use storage_local::LocalStore;

use super::{Where, open, store};

pub(crate) async fn copy(at: Where, to: PathBuf, style: Style) -> Result<u8> {
    let from: Arc<dyn Store> = Arc::new(store(at).await?);
    let to: Arc<dyn Store> = Arc::new(LocalStore::open(to).await?);
    let report = sync(&from, &to, &Filter::all(), &CopyOptions::default()).await?;
    let mut message = format!(
        "copied or completed {} ({} bytes); {} lacked nothing",
        count(report.copied.len() as u64, "backup"),
        report.bytes,
        report.equal
    );
    message.extend(report.copied.iter().map(|backup| format!("\n  {backup}")));
    message.extend(
        report.being_deleted.iter().map(|backup| format!("\n  left, as it is being deleted: {backup}")),
    );
    style.result(output::DONE, "copy", None, &message, &report)
}

pub(crate) async fn export(at: Where, to: PathBuf, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    let file = JsonCatalog::rebuild(to, &**pipeline.catalog()).await?;
    let backups = pipeline.list(&Filter::all()).await?.entries.len() as u64;
    let message = format!("wrote {} into {}", count(backups, "backup"), file.path().display());
    style.result(output::DONE, "export-catalog", None, &message, &serde_json::json!({ "backups": backups }))
}

/// What came of each backup of the file.
#[derive(Debug, Default, Serialize)]
struct Imported {
    /// Those that are listed again.
    brought_back: Vec<BackupRef>,
    /// How many were listed all the time.
    listed: u64,
    /// Those whose artifact is not in the store, or of another size, or is being made or deleted.
    left: Vec<BackupRef>,
}

pub(crate) async fn import(at: Where, from: PathBuf, style: Style) -> Result<u8> {
    let pipeline = open(at).await?;
    if !tokio::fs::try_exists(&from).await? {
        return Err(Error::new(ErrorKind::NotFound, "there is no such file")
            .with_context("path", from.display())
            .with_suggestion("name the file that `export-catalog` wrote"));
    }
    let file = JsonCatalog::open(from).await?;
    let entries: Vec<Entry> = file.list(&Filter::all()).try_collect().await?;
    let mut report = Imported::default();
    for entry in entries {
        let backup = entry.manifest.backup_ref();
        match pipeline.catalog().get(&backup).await {
            Ok(_) => report.listed += 1,
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
            // A manifest without its artifact would be a backup that is none.
            Err(_) if !is_stored(&pipeline, &entry.manifest).await? => report.left.push(backup),
            Err(_) => {
                bring_back(&pipeline, &entry).await?;
                report.brought_back.push(backup);
            }
        }
    }
    let mut message = format!(
        "brought back {}, which are to be verified; {} were listed",
        count(report.brought_back.len() as u64, "manifest"),
        report.listed
    );
    message.extend(report.brought_back.iter().map(|backup| format!("\n  {backup}")));
    message
        .extend(report.left.iter().map(|backup| format!("\n  left, as its artifact is not whole: {backup}")));
    let code = if report.left.is_empty() { output::DONE } else { output::WARNINGS };
    style.result(code, "import-catalog", None, &message, &report)
}

/// Whether artifact and companions are there, as long as recorded, and nobody makes or deletes them.
async fn is_stored(pipeline: &Pipeline, manifest: &Manifest) -> Result<bool> {
    manifest.check_layout()?;
    if pipeline.store().exists(&Layout::of(&manifest.backup_ref()).claim()?).await? {
        return Ok(false);
    }
    let companions = manifest.companions.values().map(|companion| &companion.artifact);
    for artifact in std::iter::once(&manifest.artifact).chain(companions) {
        match pipeline.store().head(&artifact.key).await {
            Ok(meta) if meta.size == artifact.size => {}
            Ok(_) => return Ok(false),
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
            Err(err) => return Err(err),
        }
    }
    Ok(true)
}

async fn bring_back(pipeline: &Pipeline, Entry { manifest, annotations, .. }: &Entry) -> Result<()> {
    let backup = manifest.backup_ref();
    // Not by the catalog, which takes no backup whose notes are there already.
    pipeline.store().put_bytes(&Layout::of(&backup).manifest()?, manifest.to_json()?).await?;
    let there = pipeline.catalog().get(&backup).await?.annotations;
    for annotation in annotations.iter().filter(|annotation| !there.contains(annotation)) {
        pipeline.catalog().annotate(&backup, annotation).await?;
    }
    Ok(())
}
