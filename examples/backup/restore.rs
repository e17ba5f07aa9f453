//! `backup restore`.

use std::time::Duration;

use backup_core::{
    Operation, Result, Selection,
    pipeline::{RestorePlan, RestoreRequest},
};
use clap::Args;
use examples::{
    database,
    output::{self, Style, count},
    signal::interruptible,
};
use serde_json::json;

use super::{Where, code, find, keys::KeyFile, open};

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup: its id, or environment/database/id.
    id: String,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    keys: KeyFile,
    /// The database to restore into: postgresql://user@host/name, mysql://user@host/name or sqlite:path.
    #[arg(long, env = "BACKUP_TARGET_URL", hide_env_values = true)]
    target: String,
    /// Run the database's programs on this host (user@host), which sees the target at the address given.
    #[arg(long)]
    ssh: Option<String>,
    /// Restore this table alone, named as `list --json` names it, with what it needs; may be repeated.
    #[arg(long = "table", value_name = "TABLE", conflicts_with = "definitions_only")]
    tables: Vec<String>,
    /// Restore what defines everything, and no rows.
    #[arg(long)]
    definitions_only: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Replace what the target holds (of chosen tables those that it has), after a backup of it.
    #[arg(long)]
    replace: bool,
    /// The target may be the very database that the backup came from.
    #[arg(long)]
    over_source: bool,
    /// Take no backup of a target that is replaced.
    #[arg(long)]
    no_safety_backup: bool,
    /// Really do it.
    #[arg(long)]
    confirm: bool,
}

pub(crate) async fn restore(args: Restore, style: Style) -> Result<u8> {
    let pipeline = args.keys.open(open(args.at).await?).await?;
    let backup = find(&pipeline, &args.id).await?;
    let restorer = database::restorer(&args.target, database::host(args.ssh.as_deref())?)?;
    let mut request = RestoreRequest::new();
    if !args.tables.is_empty() {
        request = request.tables(args.tables);
    }
    if args.definitions_only {
        request = request.definitions_only();
    }
    if args.replace {
        request = request.replacing();
    }
    if args.over_source {
        request = request.over_its_source();
    }
    if args.no_safety_backup {
        request = request.without_safety_backup();
    }
    if args.dry_run {
        let plan = pipeline.plan_restore(&backup, &*restorer, &request).await?;
        if !plan.blockers.is_empty() {
            return Ok(style.refusals("restore-backup", &plan.blockers));
        }
        let message = would_restore(&plan);
        let result = json!({
            "backup": plan.backup, "target": plan.target, "stored_bytes": plan.stored_bytes,
            "plain_bytes": plan.plain_bytes, "tables": plan.tables, "rows": plan.rows,
            "safety_backup": plan.safety_backup, "selected": plan.selected,
            "expected_duration_ms": plan.expected_duration_ms,
        });
        let environment = Some(backup.environment.as_str());
        return style.result(output::DONE, "restore-backup", environment, &message, &result);
    }
    if args.confirm {
        request = request.confirmed();
    }
    let without_rows = request.selection == Selection::Definitions;
    let work = pipeline.restore(&backup, &*restorer, request);
    let report = interruptible(&pipeline, Operation::Restore, work).await?;
    let mut message = format!(
        "restored {backup} into {}: {}, {}, {}",
        report.target.database,
        count(report.tables, "table"),
        count(report.rows, "row"),
        if without_rows { "as asked for" } else { database::compared(report.rows_compared) },
    );
    if let Some(safety) = &report.safety_backup {
        message.push_str(&format!("\n  before   {safety} holds what was there"));
    }
    message.extend(report.notes.iter().map(|note| format!("\n  note     {note}")));
    let environment = Some(backup.environment.as_str());
    let told = style.result(code(&report.warnings), "restore-backup", environment, &message, &report);
    Ok(output::done_all_the_same(told, "the target is restored"))
}

/// What a dry run says that nothing stops.
fn would_restore(plan: &RestorePlan) -> String {
    let holds = match (plan.tables, plan.rows) {
        (Some(tables), Some(rows)) => format!("{}, {}", count(tables, "table"), count(rows, "row")),
        _ => "tables and rows are not shown by the format".to_owned(),
    };
    let chosen = plan.selected.as_ref().filter(|selected| !selected.tables.is_empty());
    let beside = chosen.is_some_and(|selected| selected.existing.is_empty());
    let target = match (plan.target.exists, plan.target.is_empty(), plan.safety_backup) {
        (false, ..) => "a new database",
        (true, true, _) => "an empty database",
        (true, false, _) if beside => "beside what it holds",
        (true, false, true) if chosen.is_some() => "the chosen tables are replaced, after a backup of it",
        (true, false, false) if chosen.is_some() => "the chosen tables are replaced, without a backup of it",
        (true, false, true) => "replaced, after a backup of it",
        (true, false, false) => "replaced, without a backup of it",
    };
    let mut message = format!(
        "would restore {}: {holds}, {} plain bytes\n  into    {} at {}: {target}",
        plan.backup, plan.plain_bytes, plan.target.database, plan.target.location,
    );
    if let Some(selected) = &plan.selected {
        message.extend(selected.tables.iter().map(|table| format!("\n  table   {table}")));
        message.extend(selected.notes.iter().map(|note| format!("\n  note    {note}")));
    }
    message.extend(plan.target.left_behind_notes().iter().map(|note| format!("\n  note    {note}")));
    if let Some(expected) = plan.expected_duration_ms {
        message.push_str(&format!(
            "\n  expected to take {:.1} s, by the last rehearsal",
            Duration::from_millis(expected).as_secs_f64()
        ));
    }
    message.push_str("\n  nothing was changed");
    message
}
