use super::*;
use crate::format::{Content, Format};

fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.set.iter().find(|(other, _)| *other == name).map(|(_, value)| value.expose())
}

#[test]
fn the_connection_travels_by_environment() {
    let config = PgConfig::from_url(
        "postgres://u:p@h1:1,h2/a%3Db?sslmode=verify-full&sslrootcert=/ca.pem&options=-c%20x%3Dy",
    )
    .unwrap();
    let environment = Environment::of(&config);
    for (name, expected) in [
        ("PGHOST", "h1,h2"),
        ("PGPORT", "1,5432"),
        ("PGUSER", "u"),
        ("PGDATABASE", "a=b"),
        ("PGPASSWORD", "p"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/ca.pem"),
        ("PGOPTIONS", "-c x=y"),
        ("PGCONNECT_TIMEOUT", "15"),
        ("PGAPPNAME", "backup"),
        ("LC_ALL", "C"),
    ] {
        assert_eq!(value(&environment, name), Some(expected), "{name}");
    }
    for name in ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE", "PGCLIENTENCODING"] {
        assert!(environment.remove.contains(&name), "{name}");
    }
    assert!(!environment.remove.contains(&"PGOPTIONS"));
}

#[test]
fn a_stray_host_does_not_redirect_a_socket_connection() {
    let environment = Environment::of(&PgConfig::new("db"));
    for name in ["PGHOST", "PGPORT", "PGUSER", "PGOPTIONS"] {
        assert!(environment.remove.contains(&name) && value(&environment, name).is_none(), "{name}");
    }
}

#[test]
fn a_password_file_escapes_and_replaces_the_variable() {
    let config = PgConfig::new("db").password(r"a:b\c").password_via(PasswordVia::PassFile);
    let environment = Environment::of(&config);
    assert_eq!(environment.pass_file.as_ref().unwrap().expose(), "*:*:*:*:a\\:b\\\\c\n");
    assert_eq!(value(&environment, "PGPASSWORD"), None);
    assert!(environment.remove.contains(&"PGPASSWORD"));
}

#[test]
fn the_key_password_goes_by_a_service_file() {
    let config = PgConfig::new("db").parameter("sslpassword", "k e y").unwrap();
    let environment = Environment::of(&config);
    assert_eq!(environment.service_file.as_ref().unwrap().expose(), "[backup]\nsslpassword=k e y\n");
    assert!(!format!("{environment:?}").contains("k e y"));
}

#[tokio::test]
async fn the_password_file_is_there_while_the_tool_runs() {
    let config = PgConfig::new("db").password("p:w").password_via(PasswordVia::PassFile);
    let print = Tool::new("sh", "sh").args(["-c", "cat \"$PGPASSFILE\"; echo ${PGPASSWORD-none}"]);
    let tool = Environment::of(&config).apply(print).await.unwrap();
    assert!(!format!("{tool:?}").contains("p:w"));
    assert_eq!(tool.output(100).await.unwrap().stdout, "*:*:*:*:p\\:w\nnone\n");
}

#[test]
fn settings_become_arguments() {
    let settings = DumpSettings {
        format: Format::Directory { jobs: 3 },
        schemas: vec!["a b".to_owned()],
        content: Content::SchemaOnly,
        ..DumpSettings::default()
    };
    let args = settings.args(Some(std::path::Path::new("/t/d")));
    assert_eq!(
        args,
        [
            "--no-password",
            "--format=directory",
            "--jobs=3",
            "--file=/t/d",
            "--compress=0",
            "--schema=a b",
            "--strict-names",
            "--schema-only"
        ]
    );
    assert_eq!(DumpSettings::default().args(None), ["--no-password", "--format=plain"]);
}

#[test]
fn raw_arguments_cannot_change_what_is_relied_on() {
    for arg in [
        "-f",
        "-Fc",
        "--file=/x",
        "--fil=/x",
        "--f",
        "--dbname=x",
        "--clean",
        "--create",
        "x",
        "--",
        "",
        "--restrict-key=a",
        "--jobs=2",
        "--host=h",
    ] {
        assert!(check_extra(arg).is_err(), "{arg}");
    }
    for arg in ["--role=x", "--lock-wait-timeout=5s", "--no-comments", "--enable-row-security"] {
        assert!(check_extra(arg).is_ok(), "{arg}");
    }
}
