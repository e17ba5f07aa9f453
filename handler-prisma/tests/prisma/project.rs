//! What is found of a project, by the rules of each version.

use handler_prisma::{ConfigCode, Connection, PrismaProject, PrismaVersion};

use super::setup::Project;

const SQLITE: &str = "datasource db {\n provider = \"sqlite\"\n url = \"file:./dev.db\"\n}\n";
const BY_ENV: &str = "datasource db { provider = \"sqlite\"\n url = env(\"DATABASE_URL\") }\n";
const SEVEN: &str = "datasource db { provider = \"sqlite\" }\n";

fn config(datasource: &str) -> String {
    format!(
        "import {{ defineConfig, env }} from 'prisma/config'\nexport default defineConfig({{ {datasource} }})\n"
    )
}

fn file(project: &PrismaProject) -> String {
    match project.connection() {
        Connection::Sqlite(path) => path.display().to_string(),
        other => panic!("{other:?}"),
    }
}

fn because(project: &PrismaProject, what: &str) -> String {
    project.findings().iter().filter(|finding| finding.what == what).map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_relative_path_starts_where_the_version_starts_it() {
    for (version, expected) in [("4.16.2", "db/dev.db"), ("5.22.0", "db/dev.db"), ("6.19.3", "db/dev.db")] {
        let project = Project::new([
            ("db/schema.prisma", SQLITE),
            ("package.json", "{\"prisma\":{\"schema\":\"db/schema.prisma\"}}"),
        ]);
        let project = project.installed(version);
        let found = project.discover().await.unwrap();
        assert_eq!(file(&found), project.real(expected).display().to_string(), "{version}");
    }
    // Even when a config of 6.18 sets the URL.
    let six = Project::new([
        ("prisma/schema.prisma", BY_ENV),
        ("prisma.config.ts", &config("engine: 'classic', datasource: { url: 'file:./x.db' }")),
    ]);
    let six = six.installed("6.19.3");
    assert_eq!(file(&six.discover().await.unwrap()), six.real("prisma/x.db").display().to_string());
    let seven = Project::new([
        ("prisma/schema.prisma", SEVEN),
        ("prisma.config.ts", &config("datasource: { url: 'file:./x.db' }")),
    ]);
    let seven = seven.installed("7.10.1");
    let found = seven.discover().await.unwrap();
    assert_eq!(file(&found), seven.real("x.db").display().to_string());
    assert!(
        because(&found, "url").contains("config file's folder in Prisma 7.10"),
        "{}",
        because(&found, "url")
    );
}

#[tokio::test]
async fn migrations_are_where_the_version_keeps_them() {
    let folder =
        [("prisma/schema/a/db.prisma", SQLITE), ("prisma/schema/model.prisma", "model A { id Int @id }")];
    for (version, schema, expected) in [
        ("5.22.0", "prisma/schema", "prisma/migrations"),
        ("6.0.1", "prisma/schema", "prisma/migrations"),
        ("6.19.3", "prisma/schema", "prisma/schema/a/migrations"),
        ("6.19.3", "prisma/schema/a/db.prisma", "prisma/schema/a/migrations"),
    ] {
        let project = Project::new(folder).installed(version);
        let found = project.search().with_schema(schema).run().await.unwrap();
        assert_eq!(found.migrations(), project.real(expected), "{version} {schema}");
    }
    let seven = Project::new([
        ("prisma/schema/a/db.prisma", SEVEN),
        ("prisma.config.ts", &config("schema: 'prisma/schema', datasource: { url: 'file:a' }")),
    ]);
    let seven = seven.installed("7.1.0");
    assert_eq!(seven.discover().await.unwrap().migrations(), seven.real("prisma/schema/migrations"));
    let said =
        config("schema: 'prisma/schema', migrations: { path: './db/m' }, datasource: { url: 'file:a' }");
    seven.write("prisma.config.ts", &said);
    assert_eq!(seven.discover().await.unwrap().migrations(), seven.real("db/m"));
}

#[tokio::test]
async fn the_schema_is_where_the_version_looks() {
    let both = || {
        Project::new([
            ("schema.prisma", SQLITE),
            ("prisma/schema.prisma", SQLITE),
            ("named/schema.prisma", SQLITE),
            ("package.json", "{\"prisma\":{\"schema\":\"named/schema.prisma\"}}"),
        ])
    };
    let six = both().installed("6.19.3");
    assert_eq!(six.discover().await.unwrap().schema(), six.real("named/schema.prisma"));
    assert_eq!(
        six.search().with_schema("prisma/schema.prisma").run().await.unwrap().schema(),
        six.real("prisma/schema.prisma")
    );
    // Prisma 7 does not look into package.json.
    let seven = both().installed("7.0.0");
    seven.write("schema.prisma", SEVEN);
    assert_eq!(seven.search().with_url("file:a").run().await.unwrap().schema(), seven.real("schema.prisma"));
    let folder = Project::new([("prisma/schema/db.prisma", SQLITE)]).installed("6.3.0");
    assert_eq!(folder.discover().await.unwrap().schema(), folder.real("prisma/schema"));
    let later = Project::new([("prisma/schema/db.prisma", SQLITE)]).installed("6.6.0");
    assert!(later.discover().await.unwrap_err().to_string().contains("no Prisma schema"));
}

#[tokio::test]
async fn env_files_are_loaded_by_the_rules_of_the_version() {
    let url = |found: &PrismaProject| {
        std::path::PathBuf::from(file(found)).file_name().unwrap().to_str().unwrap().to_owned()
    };
    let project = Project::new([
        ("package.json", "{}"),
        (".env", "BASE=root\nDATABASE_URL=file:${BASE}.db\n"),
        ("prisma/.env", "DATABASE_URL=file:schema.db\n"),
        ("prisma/schema.prisma", BY_ENV),
    ])
    .installed("6.19.3");
    let found = project.discover().await.unwrap();
    assert_eq!(url(&found), "root.db", "the .env beside package.json comes first");
    let by_process =
        project.search().with_environment([("DATABASE_URL", "file:process.db")]).run().await.unwrap();
    assert_eq!(url(&by_process), "process.db");
    assert!(because(&by_process, "url").contains("DATABASE_URL of the environment"));
    let expanded = project.search().with_environment([("BASE", "outer")]).run().await.unwrap();
    assert_eq!(url(&expanded), "outer.db", "the process wins in an expansion too");
    project.write("prisma/.env", "DATABASE_URL=file:root.db\n");
    assert!(project.discover().await.unwrap().warnings()[0].contains("conflict"));
    // A config file stops that.
    project.write("prisma.config.ts", &config(""));
    let err = project.discover().await.unwrap_err();
    assert!(err.to_string().contains("variable: DATABASE_URL"), "{err}");
    project.write("prisma.config.ts", &format!("import 'dotenv/config'\n{}", config("")));
    assert_eq!(url(&project.discover().await.unwrap()), "root.db");
}

#[tokio::test]
async fn direct_urls_come_first_where_there_are_any() {
    let schema = "datasource db { provider = \"postgresql\"\n url = \"prisma://accelerate.prisma-data.net/?api_key=k\"\n directUrl = env(\"DIRECT\") }";
    let project = Project::new([
        ("prisma/schema.prisma", schema),
        (".env", "DIRECT=postgresql://u:p%40ss@db.example/shop?schema=s\n"),
        ("package.json", "{}"),
    ]);
    let project = project.installed("5.22.0");
    let found = project.discover().await.unwrap();
    assert_eq!(found.connection().location(), "db.example:5432");
    assert!(because(&found, "url").contains("directUrl"));
    assert!(!format!("{found:?}").contains("p@ss"));
}

#[tokio::test]
async fn without_an_installed_version_its_rules_are_guessed_and_said() {
    let asked = Project::new([
        ("schema.prisma", SQLITE),
        ("package.json", "{\"devDependencies\":{\"prisma\":\"^5.1.0\"}}"),
    ]);
    assert_eq!(asked.discover().await.unwrap().version(), Some(PrismaVersion::new(5, 1)));
    let old = Project::new([("schema.prisma", SQLITE)]);
    let found = old.discover().await.unwrap();
    assert_eq!(found.version().map(|version| version.major), Some(6));
    assert!(because(&found, "version").contains("the schema has a url"));
    let new = Project::of_fixture("v7-sqlite");
    let found = new.discover().await.unwrap();
    assert_eq!(found.version().map(|version| version.major), Some(7));
    assert_eq!(file(&found), new.real("dev.db").display().to_string());
    assert_eq!(found.migrations(), new.real("prisma/migrations"));
}

#[tokio::test]
async fn the_first_name_of_a_config_file_wins() {
    let project = Project::new([
        ("prisma/schema.prisma", SEVEN),
        ("prisma.config.ts", &config("datasource: { url: 'file:plain.db' }")),
        ("prisma7.config.ts", &config("datasource: { url: 'file:seven.db' }")),
    ])
    .installed("7.10.1");
    assert_eq!(file(&project.discover().await.unwrap()), project.real("seven.db").display().to_string());
    let earlier = project.search().with_version(PrismaVersion::new(7, 9)).run().await.unwrap();
    assert_eq!(file(&earlier), project.real("plain.db").display().to_string());
}

#[tokio::test]
async fn what_nobody_can_tell_is_refused_with_a_way_out() {
    let cases = [
        // The connection is made by code.
        (Project::of_fixture("v6-sqlite").installed("6.19.3"), "known to the code"),
        (Project::of_fixture("v6-pg").installed("6.19.3"), "known to the code"),
        (
            Project::new([("schema.prisma", SEVEN), ("prisma.config.ts", "export default load()")])
                .installed("7.1.0"),
            "known to the code",
        ),
        (Project::new([("schema.prisma", SQLITE)]).installed("7.1.0"), "P1012"),
        (Project::new([("schema.prisma", SEVEN)]).installed("7.1.0"), "nothing says the database's URL"),
        (Project::new([("schema.prisma", BY_ENV)]).installed("5.0.0"), "variable: DATABASE_URL"),
        (Project::new([("schema.prisma", SQLITE)]).installed("8.0.0-rc.5"), "this version of Prisma"),
        (Project::new([("schema.prisma", SQLITE)]).installed("3.15.2"), "this version of Prisma"),
        (Project::new([("schema.prisma", "model A { id Int @id }")]).installed("6.1.0"), "no datasource"),
        (Project::new([]), "no Prisma schema"),
    ];
    for (project, message) in cases {
        let err = project.discover().await.unwrap_err();
        assert!(err.to_string().contains(message), "{message}: {err}");
        assert!(err.kind().is_refusal(), "{err}");
        assert!(!err.suggestions().is_empty() || message == "nothing", "{err}");
    }
    let told = Project::of_fixture("v6-sqlite").installed("6.19.3");
    let found = told.search().with_url("file:./dev.db").run().await.unwrap();
    assert_eq!(file(&found), told.real("prisma/dev.db").display().to_string());
}

/// A stand-in for the project's own `@prisma/config`, as no test may need the registry.
#[tokio::test]
async fn a_config_file_is_run_only_when_asked_to() {
    let project = Project::new([
        ("package.json", "{}"),
        ("prisma/schema.prisma", SEVEN),
        ("prisma.config.mjs", "import fs from 'node:fs'\nfs.writeFileSync('was-run', '')\nexport default { datasource: { url: 'file:' + 'computed.db' } }\n"),
        ("node_modules/@prisma/config/package.json", "{\"main\":\"index.mjs\"}"),
        (
            "node_modules/@prisma/config/index.mjs",
            "export async function loadConfigFromFile({ configRoot }) {\n const found = await import(configRoot + '/prisma.config.mjs')\n return { config: found.default, resolvedPath: configRoot + '/prisma.config.mjs' }\n}\n",
        ),
    ])
    .installed("7.10.1");
    let err = project.discover().await.unwrap_err();
    assert!(err.to_string().contains("known to the code"), "{err}");
    assert!(!project.root().join("was-run").exists());
    let found = project.search().with_config_code(ConfigCode::Run).run().await;
    match found {
        Ok(found) => {
            assert_eq!(file(&found), project.real("computed.db").display().to_string());
            assert!(project.root().join("was-run").exists());
        }
        // The one program of these tests that a machine may lack.
        Err(err) => assert_eq!(err.code(), "tool_not_found", "{err}"),
    }
}
