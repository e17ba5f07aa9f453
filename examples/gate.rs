//! The examples that guard a migration, with a stand-in for `npx`.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use examples::testing;

#[path = "gate/setup.rs"]
mod setup;

use setup::Project;

#[test]
fn a_deploy_is_done_when_the_cli_says_so_and_nothing_is_pending() {
    let project = Project::new();
    let (code, said) = project.deploy("works", &[]);
    assert_eq!(code, Some(0), "{said}");
    for text in ["url from DATABASE_URL of", "to go back to it: /", "All migrations have been"] {
        assert!(said.contains(text), "says {text}: {said}");
    }
    assert_eq!(project.content(), "_prisma_migrations,more,users 2");
    let (code, said) = project.deploy("fails", &[]);
    assert_eq!(code, Some(1), "nothing is pending, and the CLI is not run: {said}");

    for (fake, message) in
        [("silent", "without saying what it did"), ("lies", "still pending"), ("fails", "P3018")]
    {
        let project = Project::new();
        let (code, said) = project.deploy(fake, &[]);
        assert_eq!(code, Some(2), "{fake}: {said}");
        assert!(said.contains(message) && said.contains("--roll-back production/dev/"), "{fake}: {said}");
    }
}

#[test]
fn a_deploy_that_fails_is_rolled_back_by_word_alone() {
    let project = Project::new();
    let before = project.content();
    let (_, said) = project.deploy("fails", &[]);
    let broken = project.content();
    assert_eq!(broken, "_prisma_migrations,half,users 0");
    let backup = said.split("--roll-back ").nth(1).unwrap().split(' ').next().unwrap();
    // A deploy that has failed stops the next one, before the CLI is run.
    let (code, said) = project.deploy("works", &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("P3009"), "{said}");
    let (code, said) = project.deploy("works", &["--roll-back", backup]);
    assert_eq!((code, project.content()), (Some(3), broken), "{said}");
    let (code, said) = project.deploy("works", &["--roll-back", backup, "--confirm"]);
    assert_eq!((code, project.content()), (Some(0), before.clone()), "{said}");
    let (code, said) = project.deploy("fails", &["--roll-back-on-failure"]);
    assert_eq!((code, project.content()), (Some(2), before), "{said}");
    assert!(said.contains("rolled_back_to: production/dev/"), "{said}");
    assert!(said.contains("safety_backup: production/dev/"), "what the failed deploy left is kept: {said}");
    let (code, said) = project.deploy("works", &[]);
    assert_eq!(code, Some(0), "the second attempt works: {said}");
}

#[test]
fn nothing_is_rolled_back_where_nothing_or_everything_was_deployed() {
    for (fake, is_installed) in [("nothing", true), ("lies", true), ("works", false)] {
        let project = Project::new();
        assert_eq!(project.run("ci_gate", "", &[]).status.code(), Some(0));
        project.database().execute_batch("INSERT INTO users VALUES ('after the backup')").unwrap();
        if !is_installed {
            std::fs::remove_file(project.path("npx")).unwrap();
        }
        let (ended, said) = project.deploy(fake, &["--max-age", "30", "--roll-back-on-failure"]);
        assert_eq!(ended, Some(2), "{fake}: {said}");
        assert_eq!(project.content(), "_prisma_migrations,users 3", "{fake}: {said}");
        for text in [
            "deployed: nothing",
            "rolled_back: no",
            "just now: what was written since is not in it",
            "--roll-back production/dev/",
        ] {
            assert!(said.contains(text), "{fake} says {text}: {said}");
        }
    }
    let project = Project::new();
    let (code, said) = project.deploy("silent", &["--roll-back-on-failure"]);
    assert_eq!((code, project.content().as_str()), (Some(2), "_prisma_migrations,more,users 2"), "{said}");
    assert!(said.contains("deployed: everything") && said.contains("rolled_back: no"), "{said}");
}

/// Whether a process is there and at work.
fn runs(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[test]
#[cfg(target_os = "linux")]
fn a_cancelled_job_ends_the_cli_and_names_the_way_back() {
    for (fake, signal) in [("hangs", "-INT"), ("hangs", "-TERM"), ("stubborn", "-TERM")] {
        let project = Project::new();
        let mut command = project.command("prisma_deploy", fake, &["--roll-back-on-failure"]);
        let job = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let running = project.path("running");
        let started = Instant::now();
        while std::fs::read_to_string(&running).map_or(true, |text| !text.ends_with('\n')) {
            assert!(started.elapsed() < Duration::from_secs(60), "the CLI is not run");
            std::thread::sleep(Duration::from_millis(20));
        }
        let ids = std::fs::read_to_string(&running).unwrap();
        assert!(ids.split_whitespace().all(runs), "{ids}");
        assert!(Command::new("kill").args([signal, &job.id().to_string()]).status().unwrap().success());
        let (told, output) = (Instant::now(), job.wait_with_output().unwrap());
        assert!(told.elapsed() < Duration::from_secs(9), "{:?}", told.elapsed());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{fake} {signal}: {said}");
        assert!(!ids.split_whitespace().any(runs), "{fake} {signal}: {said}");
        assert!(said.contains("interrupted") && said.contains("rolled_back: no"), "{said}");
        assert_eq!(project.content(), "_prisma_migrations,half,users 2", "nothing is rolled back: {said}");
        project.paste(&said);
        assert_eq!(project.content(), "_prisma_migrations,users 2");
    }
}

#[test]
fn a_rollback_goes_into_its_own_database_or_none() {
    let project = Project::new();
    let (_, said) = project.deploy("fails", &[]);
    let backup = said.split("--roll-back ").nth(1).unwrap().split(' ').next().unwrap();
    let (code, said) = project.deploy("", &["--roll-back", backup]);
    assert_eq!(code, Some(3));
    assert!(
        said.contains("add --confirm") && !said.contains("dry-run") && !said.contains("dry run"),
        "{said}"
    );

    let other = Project::new();
    other.database().execute_batch("CREATE TABLE precious (id)").unwrap();
    let content = other.content();
    let store = project.path("backups");
    let roll_back = |project: &Project, words: &[&str]| {
        let args = ["--store", store.to_str().unwrap(), "--roll-back", backup, "--confirm"];
        // The store is named once.
        let mut command = testing::example("prisma_deploy");
        command.env_remove("DATABASE_URL").arg("--project").arg(project.folder.path());
        let output = command.args(args).args(words).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = roll_back(&other, &[]);
    assert_eq!((code, other.content()), (Some(3), content.clone()), "{said}");
    assert!(said.contains("not one of this database") && said.contains("--into-another-database"), "{said}");
    let (code, said) = roll_back(&project, &["--environment", "staging"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("differs_in: environment"), "{said}");
    let (code, said) = roll_back(&other, &["--into-another-database"]);
    assert_eq!((code, other.content().as_str()), (Some(0), "_prisma_migrations,users 2"), "{said}");
    // What it held is one command away.
    let safety = said.split("is kept: ").nth(1).unwrap().split(';').next().unwrap();
    assert!(safety.starts_with("production/dev/"), "{said}");
    other.paste(&said.replace("--confirm", "--confirm --into-another-database"));
    assert_eq!(other.content(), content);

    std::fs::remove_file(project.path("prisma/dev.db")).unwrap();
    let (code, said) = roll_back(&project, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("does not exist") && !project.path("prisma/dev.db").exists(), "{said}");
    let (code, said) = roll_back(&project, &["--into-another-database"]);
    assert_eq!((code, project.content().as_str()), (Some(0), "_prisma_migrations,users 2"), "{said}");
}

#[test]
fn the_command_that_leads_back_can_be_pasted() {
    let project = Project::new();
    let before = project.content();
    let nested = project.path("it's a project");
    std::fs::create_dir_all(&nested).unwrap();
    for name in ["prisma", ".env", "package.json", "npx"] {
        std::fs::rename(project.path(name), nested.join(name)).unwrap();
    }
    let mut command = testing::example("prisma_deploy");
    command.env_remove("DATABASE_URL").env("FAKE", "fails").current_dir(&nested);
    // Relative, and another series than the usual one.
    command.args(["--npx", "./npx", "--store", "../backups", "--environment", "shop 1"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    std::fs::remove_file(project.path("prisma")).unwrap_or_default();
    std::os::unix::fs::symlink(nested.join("prisma"), project.path("prisma")).unwrap();
    assert_ne!(project.content(), before, "{said}");
    project.paste(&said);
    assert_eq!(project.content(), before);
}

#[test]
fn a_database_that_has_to_exist_is_not_let_through_where_it_does_not() {
    let project = Project::new();
    std::fs::remove_file(project.path("prisma/dev.db")).unwrap();
    for example in ["ci_gate", "prisma_deploy"] {
        let refused = project.run(example, "works", &["--must-exist"]);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        assert!(String::from_utf8(refused.stderr).unwrap().contains("look at the name of the database"));
        assert!(!project.path("prisma/dev.db").exists(), "{example}");
    }
    let mut any_tool = testing::example("ci_gate");
    any_tool.args(["--any-tool", "--must-exist", "--store"]).arg(project.path("backups"));
    let refused = any_tool.env("BACKUP_DATABASE_URL", "sqlite:/nowhere/at/all.db").output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
}

#[test]
fn what_is_guarded_is_what_is_migrated() {
    let url = |project: &Project, name: &str| format!("file:{}", project.path(name).display());
    let made = |project: &Project| project.path("backups").join("production").exists();
    for (example, flag) in
        [("prisma_deploy", false), ("prisma_deploy", true), ("ci_gate", false), ("ci_gate", true)]
    {
        let project = Project::new();
        std::fs::copy(project.path("prisma/dev.db"), project.path("other.db")).unwrap();
        let other = url(&project, "other.db");
        let mut command = project.command(example, "works", &[]);
        if flag {
            command.args(["--database", &other]);
        } else {
            command.env("BACKUP_DATABASE_URL", &other);
        }
        let refused = command.output().unwrap();
        let said = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{example}: {said}");
        for text in ["/other.db", "/prisma/dev.db", "set DATABASE_URL", "unset BACKUP_DATABASE_URL"] {
            assert!(said.contains(text), "{example} says {text}: {said}");
        }
        assert_eq!(project.content(), "_prisma_migrations,users 2", "{example}: {said}");
        assert!(!made(&project), "{example}");
        // The project's own is taken by whatever name.
        let own = url(&project, "prisma/../prisma/dev.db");
        let same = project.run(example, "works", &["--database", &own]);
        assert_eq!(same.status.code(), Some(0), "{example}: {same:?}");
    }

    // By word the other one is guarded, and it is the one that the CLI gets.
    let project = Project::new();
    std::fs::copy(project.path("prisma/dev.db"), project.path("other.db")).unwrap();
    let given = "file:../other.db";
    let by_word = ["--database", given, "--another-database"];
    let (code, said) = project.deploy("tells", &by_word);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("DATABASE_URL is ***"), "{said}");
    assert_eq!(project.run("ci_gate", "", &by_word).status.code(), Some(0));
    // Nothing leads the CLI to another database than one that is written into the schema.
    let schema = "datasource db {\n provider = \"sqlite\"\n url = \"file:./dev.db\"\n}\n";
    project.write("prisma/schema.prisma", schema);
    let (code, said) = project.deploy("works", &by_word);
    assert_eq!((code, project.content().as_str()), (Some(3), "_prisma_migrations,users 2"), "{said}");

    // A URL that nobody can compare is none that is the same.
    let schema = "datasource db {\n provider = \"sqlite\"\n url = env(\"NOWHERE_SET\")\n}\n";
    project.write("prisma/schema.prisma", schema);
    for example in ["prisma_deploy", "ci_gate"] {
        let unknown = project.run(example, "works", &["--database", given]);
        assert_eq!(unknown.status.code(), Some(3), "{unknown:?}");
        assert!(String::from_utf8(unknown.stderr).unwrap().contains("NOWHERE_SET"));
    }
}

#[test]
fn an_inherited_url_of_another_server_database_is_refused_without_its_secrets() {
    let project = Project::new();
    project.write(
        "prisma/schema.prisma",
        "datasource db {\n provider = \"postgresql\"\n url = env(\"DATABASE_URL\")\n}\n",
    );
    for (example, args) in
        [("prisma_deploy", &["--roll-back", "latest"][..]), ("prisma_deploy", &[]), ("ci_gate", &[])]
    {
        let mut command = project.command(example, "works", args);
        command.env("DATABASE_URL", "postgresql://app:Secret1@127.0.0.1:1/prodshop");
        command.env("BACKUP_DATABASE_URL", "postgresql://app:Secret2@127.0.0.1:1/prismashop");
        let refused = command.output().unwrap();
        let said = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
        assert_eq!(refused.status.code(), Some(3), "before anybody is connected to: {said}");
        assert!(said.contains("127.0.0.1:1/prodshop") && said.contains("127.0.0.1:1/prismashop"), "{said}");
        assert!(!said.contains("Secret"), "{said}");
        // By the environment, too, the other one is taken only by word: then nobody answers there.
        let by_word = command.arg("--another-database").output().unwrap();
        assert_eq!(by_word.status.code(), Some(2), "{by_word:?}");
    }
}

#[test]
fn the_cli_finds_the_project_that_the_guard_found() {
    let project = Project::new();
    std::fs::rename(project.path("prisma/schema.prisma"), project.path("prisma/main.prisma")).unwrap();
    let (code, said) = project.deploy("arguments", &["--schema", "prisma/main.prisma", "--", "--verbose"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--schema prisma/main.prisma --verbose"), "{said}");
    let (code, said) = project.deploy("works", &["--", "--schema=prisma/main.prisma"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("before the --"), "{said}");
}

#[test]
fn a_job_of_ci_goes_by_the_exit_code() {
    let project = Project::new();
    let gate = |args: &[&str]| project.run("ci_gate", "", args);
    let go = gate(&["--json", "--max-age", "10"]);
    assert_eq!(go.status.code(), Some(0), "{go:?}");
    let first = testing::json(&go);
    assert_eq!(first["result"]["gate"]["decision"], "go");
    assert_eq!(first["result"]["pending"][0], "2_more");
    let again = testing::json(&gate(&["--json", "--max-age", "10"]));
    assert_eq!(again["result"]["gate"]["source"], "reused");
    assert_eq!(again["result"]["gate"]["backup"], first["result"]["gate"]["backup"]);
    assert_eq!(gate(&["--level", "equal"]).status.code(), Some(0));

    let (code, _) = project.deploy("works", &[]);
    assert_eq!(code, Some(0));
    let nothing = gate(&[]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    project.database().execute_batch("UPDATE _prisma_migrations SET finished_at = NULL").unwrap();
    assert_eq!(gate(&[]).status.code(), Some(3));
    // All but the header is gone.
    let damaged = std::fs::OpenOptions::new().write(true).open(project.path("prisma/dev.db")).unwrap();
    let length = damaged.metadata().unwrap().len();
    damaged.set_len(100).unwrap();
    damaged.set_len(length).unwrap();
    let failed = gate(&[]);
    assert_eq!(failed.status.code(), Some(2), "{failed:?}");
    std::fs::remove_file(project.path("prisma/dev.db")).unwrap();
    assert_eq!(gate(&[]).status.code(), Some(0), "a deploy makes the database");
    project.write(
        "prisma/schema.prisma",
        "datasource db { provider = \"mongodb\" url = \"mongodb://u:secret@h/d\" }",
    );
    let refused = gate(&[]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("mongodump") && !said.contains("secret"), "{said}");
}

#[test]
fn the_gate_serves_any_tool() {
    let project = Project::new();
    let url = format!("sqlite:{}", project.path("prisma/dev.db").display());
    let gate = |url: &str| {
        let mut command = testing::example("ci_gate");
        command.args(["--any-tool", "--store"]).arg(project.path("backups")).env("BACKUP_DATABASE_URL", url);
        command.output().unwrap()
    };
    let go = gate(&url);
    assert_eq!(go.status.code(), Some(0), "{go:?}");
    assert!(String::from_utf8(go.stdout).unwrap().starts_with("go: behind production/dev/"));
    assert_eq!(gate("sqlite:/nowhere/at/all.db").status.code(), Some(0), "nothing to back up");
    assert_eq!(gate(&format!("sqlite:{}", project.path("npx").display())).status.code(), Some(3));
}

/// The blocks of a language in a Markdown text.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Asks a program whether a text is well-formed.
fn is_accepted(program: &str, args: &[&str], file: &Path) {
    let output = Command::new(program).args(args).arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_ci_snippets_are_well_formed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../handler-prisma/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let snippets = blocks(&readme, "yaml");
    assert!(snippets.len() >= 2, "GitHub and GitLab");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snippet");
    let has_yaml = Command::new("python3")
        .args(["-c", "import yaml"])
        .output()
        .is_ok_and(|output| output.status.success());
    for snippet in &snippets {
        std::fs::write(&file, snippet).unwrap();
        assert!(!snippet.contains('\t'), "YAML takes no tabs");
        if has_yaml {
            is_accepted(
                "python3",
                &["-c", "import sys, yaml; assert yaml.safe_load(open(sys.argv[1]))"],
                &file,
            );
        }
        // The only backup must not lie on a runner that is thrown away.
        assert!(!snippet.contains("ubuntu-latest") && snippet.contains("a /srv/backups that stays"));
        assert!(snippet.contains("--must-exist"), "a mistyped name is let through: {snippet}");
        // Every flag that they pass is one that the example has.
        let help = testing::example("prisma_deploy").arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let gate = testing::example("ci_gate").arg("--help").output().unwrap();
        let help = help + &String::from_utf8(gate.stdout).unwrap();
        let words = snippet.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
        for flag in words.map(|word| word.split('=').next().unwrap()) {
            assert!(
                help.contains(flag) || ["--locked", "--example", "--release", "--package"].contains(&flag),
                "{flag}"
            );
        }
    }
    for script in blocks(&readme, "bash") {
        std::fs::write(&file, script).unwrap();
        is_accepted("bash", &["-n"], &file);
    }
}
