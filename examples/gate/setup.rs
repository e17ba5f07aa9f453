//! A project of Prisma with a stand-in for `npx`.

use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use examples::testing;

/// Applies what is pending as the CLI does, as far as the environment says.
const NPX: &str = r#"#!/bin/sh
set -eu
[ "$1 $2 $3" = "prisma migrate deploy" ] || { echo "unexpected: $*" >&2; exit 64; }
apply() {
    sqlite3 prisma/dev.db "$(cat prisma/migrations/2_more/migration.sql)"
    sqlite3 prisma/dev.db "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
        VALUES ('2', 'x', current_timestamp, '2_more', 1)"
}
case $FAKE in
    works) apply; printf 'The following migration(s) have been applied:\n\nmigrations/\n  2_more/\n\nAll migrations have been successfully applied.\n' ;;
    silent) apply ;;
    nothing) ;;
    hangs|stubborn)
        [ "$FAKE" = hangs ] || trap '' TERM
        sqlite3 prisma/dev.db "CREATE TABLE half (id);
            INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('2', 'x', '2_more')"
        sleep 300 & echo "$$ $!" > running; wait; wait ;;
    tells) echo "DATABASE_URL is $DATABASE_URL" ;;
    arguments) echo "$*" ;;
    lies) echo 'All migrations have been successfully applied.' ;;
    fails)
        sqlite3 prisma/dev.db "CREATE TABLE half (id); DELETE FROM users;
            INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('2', 'x', '2_more')"
        echo 'Error: P3018' >&2; exit 1 ;;
esac
"#;

const DATABASE: &str = "CREATE TABLE _prisma_migrations (id TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, finished_at DATETIME,
      migration_name TEXT NOT NULL, logs TEXT, rolled_back_at DATETIME, started_at DATETIME NOT NULL DEFAULT current_timestamp,
      applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0);
    INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
      VALUES ('1', 'x', current_timestamp, '1_init', 1);
    CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('a'), ('b');";

/// A project with one migration applied and one pending.
pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        let schema = "datasource db {\n provider = \"sqlite\"\n url = env(\"DATABASE_URL\")\n}\n";
        project.write("prisma/schema.prisma", schema);
        project.write(".env", "DATABASE_URL=\"file:./dev.db\"\n");
        project.write("package.json", "{\"devDependencies\":{\"prisma\":\"^6.19.0\"}}");
        project.write("prisma/migrations/1_init/migration.sql", "CREATE TABLE users (name TEXT);");
        project.write("prisma/migrations/2_more/migration.sql", "CREATE TABLE more (id INTEGER);");
        project.write("npx", NPX);
        std::fs::set_permissions(project.path("npx"), std::fs::Permissions::from_mode(0o755)).unwrap();
        project.database().execute_batch(DATABASE).unwrap();
        project
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("prisma/dev.db")).unwrap()
    }

    /// The tables, and how many users there are.
    pub(crate) fn content(&self) -> String {
        let sql = "SELECT group_concat(name) || ' ' || (SELECT count(*) FROM users) FROM
            (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)";
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn run(&self, example: &str, fake: &str, args: &[&str]) -> Output {
        self.command(example, fake, args).output().unwrap()
    }

    pub(crate) fn command(&self, example: &str, fake: &str, args: &[&str]) -> Command {
        let mut command = testing::example(example);
        command.env_remove("DATABASE_URL").env("FAKE", fake).arg("--project").arg(self.folder.path());
        command.arg("--store").arg(self.path("backups"));
        if example == "prisma_deploy" {
            command.arg("--npx").arg(self.path("npx"));
        }
        command.args(args);
        command
    }

    /// Runs the last command that leads back, as somebody does who reads it elsewhere.
    pub(crate) fn paste(&self, said: &str) {
        let command = said.lines().rev().find(|line| line.contains("--roll-back ")).unwrap();
        let (_, command) = command.split_once(": /").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("/{command}")]).current_dir("/").env_remove("DATABASE_URL");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}: {output:?} {}", self.folder.path().display());
    }

    pub(crate) fn deploy(&self, fake: &str, args: &[&str]) -> (Option<i32>, String) {
        let output = self.run("prisma_deploy", fake, args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}
