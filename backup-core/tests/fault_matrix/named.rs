//! Every public asynchronous function is dropped somewhere, or says why it need not be.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::dropped::LOOKS;

/// What shows that a function may be dropped.
enum By {
    /// [`crate::dropped::at_every_await`], in the scenario of this name.
    Scenario(&'static str),
    /// The test of this name.
    Test(&'static str),
    /// Nothing has to: it is said why.
    Reason(&'static str),
}
use By::{Reason, Scenario, Test};

const LOOKING: By = Test("what_only_looks_changes_nothing_wherever_it_is_dropped");
const FILE: By = Test("a_catalog_in_a_file_is_the_old_one_or_the_new_one_wherever_a_change_is_dropped");
const TRAIT: By = Reason("a promise of implementers, which their conformance kit and their own tests keep");
const LOCK: By = Test("a_lock_is_held_until_it_is_released_dropped_or_lost");
const PRISMA: By = Test("a_look_at_a_project_that_is_dropped_anywhere_changes_nothing");
const WAITS: By = Reason("waits for what goes on of itself, and holds nothing");
const READS: By = Reason("reads a file, a variable or a program's output");
const PARTS: By = Reason("makes values, which a drop drops");

/// Files below the crates' `src`, the functions of each, and what shows that they may be dropped.
const COVERED: &[(&str, &str, By)] = &[
    ("backup-core audit.rs", "open", READS),
    ("backup-core audit.rs", "flush close", WAITS),
    ("backup-core catalog.rs", "insert annotate remove", Scenario("backup_then_retention")),
    ("backup-core catalog.rs", "get", LOOKING),
    ("backup-core catalog/find.rs", "find", LOOKING),
    ("backup-core catalog/json.rs", "open rebuild", FILE),
    ("backup-core catalog/log.rs", "run", TRAIT),
    ("backup-core catalog/log.rs", "last_good", Reason("one statement that reads")),
    ("backup-core catalog/log.rs", "record_failure", Reason("one statement, which is carried out or not")),
    ("backup-core catalog/log/failure.rs", "settle", WAITS),
    ("backup-core config.rs", "read", READS),
    ("backup-core config/database.rs", "password", READS),
    ("backup-core config/encryption.rs", "age", READS),
    ("backup-core config/parts.rs", "dumper restorer rehearser store", TRAIT),
    ("backup-core config/parts.rs", "pipelines pipeline alerter healthchecks", PARTS),
    ("backup-core config/secret.rs", "resolve", READS),
    ("backup-core copy/one.rs", "copy", Scenario("copy")),
    ("backup-core copy/sync.rs", "sync", Scenario("sync")),
    ("backup-core dump.rs", "probe dump", Test("dropped_dump_leaves_no_process_and_no_file")),
    ("backup-core lease.rs", "take", Test("a_take_that_is_dropped_anywhere_blocks_nobody_in_this_process")),
    (
        "backup-core lease.rs",
        "generation check during release",
        Test("a_dropped_lease_is_free_in_this_process_at_once_and_for_others_soon"),
    ),
    ("backup-core notify.rs", "notify", TRAIT),
    ("backup-core notify/alerter.rs", "report remind", Test("a_dropped_delivery_is_due_again")),
    ("backup-core notify/healthchecks.rs", "ping", Reason("one request, which is received or not")),
    ("backup-core notify/healthchecks.rs", "settle", WAITS),
    ("backup-core notify/observer.rs", "settle", WAITS),
    ("backup-core pipeline.rs", "probe list entry", LOOKING),
    ("backup-core pipeline.rs", "settle", WAITS),
    ("backup-core pipeline/backup.rs", "backup backup_from", Scenario("backup")),
    ("backup-core pipeline/claim.rs", "sweep", Scenario("sweep")),
    ("backup-core pipeline/delete.rs", "delete", Scenario("delete")),
    ("backup-core pipeline/diff.rs", "diff", LOOKING),
    ("backup-core pipeline/drill.rs", "drill", Scenario("drill")),
    ("backup-core pipeline/fresh.rs", "ensure_fresh ensure_today", Scenario("ensure_fresh")),
    ("backup-core pipeline/gate.rs", "gate", Scenario("gate")),
    (
        "backup-core pipeline/gate/guard.rs",
        "guard behind",
        Reason("the gate, and then the caller's own work"),
    ),
    ("backup-core pipeline/gate/rollback.rs", "plan", Reason("is plan_restore")),
    ("backup-core pipeline/gate/rollback.rs", "carry_out", Reason("is restore")),
    ("backup-core pipeline/health.rs", "health health_facts", LOOKING),
    ("backup-core pipeline/keys.rs", "test_keys", LOOKING),
    ("backup-core pipeline/orphans.rs", "orphans", LOOKING),
    ("backup-core pipeline/prune.rs", "plan_prune", LOOKING),
    ("backup-core pipeline/prune.rs", "prune", Scenario("prune")),
    ("backup-core pipeline/restore.rs", "plan_restore", LOOKING),
    ("backup-core pipeline/restore.rs", "restore", Scenario("restore_over")),
    ("backup-core pipeline/verify.rs", "verify", Scenario("verify")),
    ("backup-core process.rs", "output output_until", Test("a_dropped_call_kills_the_tool")),
    ("backup-core process.rs", "feed", Test("a_stream_dropped_while_the_pipe_is_full_kills_the_tool")),
    (
        "backup-core process/files.rs",
        "file_arg file_env",
        Reason("the file is removed with the tool it is of"),
    ),
    (
        "backup-core process/held.rs",
        "open close",
        Test("a_dropped_session_kills_its_program_and_gives_it_no_end"),
    ),
    ("backup-core process/host.rs", "find_program installed program_versions", READS),
    ("backup-core process/private.rs", "start close", Test("a_server_answers_and_a_drop_leaves_nothing")),
    ("backup-core process/private.rs", "log", READS),
    ("backup-core protocol/lines.rs", "serve_lines", Reason("is handle, line by line")),
    ("backup-core protocol/service.rs", "handle handle_json", Reason("is the operation that is asked for")),
    ("backup-core protocol/service.rs", "settle", WAITS),
    ("backup-core restore.rs", "probe restore select", Test("dropped_body_leaves_no_process_and_no_file")),
    (
        "backup-core restore.rs",
        "scratch scalar inventory source_checksums close",
        Test("dropped_scratch_is_gone"),
    ),
    (
        "backup-core scheduler.rs",
        "shutdown",
        Test("shutting_down_cancels_what_does_not_end_and_leaves_nothing_of_it"),
    ),
    ("backup-core store.rs", "put", Test("dropped_put_publishes_nothing")),
    (
        "backup-core store.rs",
        "get head delete space sweep",
        Test("any_call_dropped_anywhere_shows_nothing_in_part_and_hinders_no_other"),
    ),
    ("backup-core store/probe.rs", "probe", Reason("its objects lie in a folder that nothing else uses")),
    ("backup-core stream.rs", "collect_bytes", Reason("the stream is dropped with it")),
    ("backup-core stream.rs", "send finish fail", Test("a_tool_never_takes_a_dropped_body_for_whole")),
    ("backup-core stream.rs", "closed", WAITS),
    (
        "storage-local store.rs",
        "open open_existing open_read_only",
        Test("any_call_dropped_anywhere_shows_nothing_in_part_and_hinders_no_other"),
    ),
    (
        "storage-s3 store.rs",
        "open set_legal_hold extend_lock presigned_get plan_transition transition",
        Test("any_call_dropped_anywhere_leaves_whole_objects_and_hinders_no_other"),
    ),
    ("storage-s3 store.rs", "transition_candidates", Reason("a listing, of which plan_transition is made")),
    ("handler-pgdump lock.rs", "take release", LOCK),
    ("handler-mysqldump lock.rs", "take release", LOCK),
    ("handler-prisma project.rs", "discover run", PRISMA),
    ("handler-prisma migrations.rs", "read", PRISMA),
    (
        "handler-prisma guard.rs",
        "check run",
        Test("a_guard_that_is_dropped_anywhere_leaves_a_whole_backup_or_none_and_no_deploy_in_the_dark"),
    ),
];

/// The crates whose functions are looked for.
const CRATES: [&str; 6] =
    ["backup-core", "storage-local", "storage-s3", "handler-pgdump", "handler-mysqldump", "handler-prisma"];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names behind `async fn` that callers outside can see: public ones, and those of public traits.
fn asynchronous(source: &str) -> Vec<String> {
    let (mut names, mut in_trait) = (Vec::new(), false);
    for line in source.lines() {
        // Tests come last in a file.
        if line == "mod tests {" {
            break;
        }
        in_trait = line.starts_with("pub trait ") || in_trait && !line.starts_with('}');
        let line = line.trim_start();
        let of_trait = line.strip_prefix("async fn ").filter(|_| in_trait);
        if let Some(rest) = line.strip_prefix("pub async fn ").or(of_trait) {
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap();
            names.push(rest[..end].to_owned());
        }
    }
    names
}

#[test]
fn every_public_asynchronous_function_is_dropped_or_says_why_not() {
    let mut found = BTreeSet::new();
    for name in CRATES {
        let root = workspace().join(name).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        for file in files {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.starts_with("testkit") || path.contains("tests") {
                continue;
            }
            let names = asynchronous(&fs::read_to_string(file).unwrap());
            found.extend(names.into_iter().map(|function| format!("{name} {path}: {function}")));
        }
    }
    assert!(found.len() > 100, "{found:?}");
    let functions = |(file, functions, _): &(&'static str, &'static str, By)| {
        let file = *file;
        functions.split_whitespace().map(move |function| format!("{file}: {function}"))
    };
    let covered: BTreeSet<String> = COVERED.iter().flat_map(functions).collect();
    let missing: Vec<_> = found.difference(&covered).collect();
    assert!(missing.is_empty(), "nothing shows that these may be dropped: {missing:#?}");
    let gone: Vec<_> = covered.difference(&found).collect();
    assert!(gone.is_empty(), "these are no more: {gone:#?}");
}

#[test]
fn what_shows_that_a_function_may_be_dropped_is_there() {
    let mut files = Vec::new();
    sources(&workspace().join("backup-core/src"), &mut files);
    for name in CRATES {
        sources(&workspace().join(name).join("tests"), &mut files);
    }
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let scenarios = include_str!("../fault_matrix.rs");
    for (file, functions, by) in COVERED {
        match by {
            Scenario(name) => {
                assert!(scenarios.contains(&format!("    {name}: ")), "{file}: no scenario {name}");
            }
            Test(name) => assert!(text.contains(&format!("fn {name}(")), "{file}: no test {name}"),
            Reason(reason) => assert!(!reason.is_empty(), "{file}"),
        }
        let Test("what_only_looks_changes_nothing_wherever_it_is_dropped") = by else { continue };
        for function in functions.split_whitespace().filter(|function| *function != "get") {
            assert!(
                LOOKS.split_whitespace().any(|look| look == function),
                "{file}: {function} does not look"
            );
        }
    }
}
