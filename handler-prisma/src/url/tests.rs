use proptest::prelude::*;

use super::*;

fn parse(provider: &str, url: &str) -> Result<ParsedUrl> {
    Connection::parse(provider, &Secret::new(url), Path::new("/app/prisma"))
}

fn pg(url: &str) -> (PostgreSqlUrl, Vec<String>) {
    let ParsedUrl { connection, notes, .. } = parse("postgresql", url).unwrap();
    let Connection::PostgreSql(found) = connection else { panic!("{connection:?}") };
    (found, notes)
}

fn mysql(url: &str) -> (MySqlUrl, Vec<String>) {
    let ParsedUrl { connection, notes, .. } = parse("mysql", url).unwrap();
    let Connection::MySql(found) = connection else { panic!("{connection:?}") };
    (found, notes)
}

fn password(found: Option<&Secret>) -> &str {
    found.map_or("", Secret::expose)
}

#[test]
fn only_what_surely_is_one_database_is_the_same() {
    let is_same = |provider: &str, one: &str, two: &str| {
        let [one, two] = [one, two].map(|url| parse(provider, url).unwrap().connection);
        assert_eq!(one.is_same(&two), two.is_same(&one));
        one.is_same(&two)
    };
    let own = "postgresql://app:a@db.example/shop";
    for (other, expected) in [
        ("postgresql://backup:b@DB.example:5432/shop?schema=public&sslmode=require", true),
        ("postgresql://app:a@db.example:5433/shop", false),
        ("postgresql://app:a@db2.example/shop", false),
        ("postgresql://app:a@db.example/shop2", false),
        ("postgresql://app:a@db.example/Shop", false),
        ("postgresql://app:a@db.example/shop?schema=sales", false),
        ("postgresql://app:a@db.example/shop?host=/run/postgresql", false),
    ] {
        assert_eq!(is_same("postgresql", own, other), expected, "{other}");
    }
    assert!(is_same("mysql", "mysql://a@localhost/shop", "mysql://b@127.0.0.1:3306/shop"));
    assert!(!is_same("mysql", "mysql://a@localhost/shop", "mysql://a@localhost/shop?socket=/run/my.sock"));
    assert!(!is_same("sqlite", "file:./dev.db", "file:../dev.db"));
}

#[test]
fn passwords_are_read_as_prisma_reads_them() {
    for (written, expected) in [
        ("p%40%2F%25%23%3F", "p@/%#?"),
        ("p@ssword", "p@ssword"),
        ("p%w", "p%w"),
        ("p%ZZ%4", "p%ZZ%4"),
        ("%C3%BCb%C3%A9r", "übér"),
        ("über", "über"),
        ("a:b", "a:b"),
        ("", ""),
    ] {
        let url = format!("postgresql://u%40x:{written}@db.example:5433/shop");
        let (found, _) = pg(&url);
        assert_eq!(password(found.password.as_ref()), expected, "{written}");
        assert_eq!(
            (found.user.as_deref(), found.host.as_str(), found.port),
            (Some("u@x"), "db.example", 5433)
        );
        let (found, _) = mysql(&url.replace("postgresql", "mysql"));
        assert_eq!(password(found.password.as_ref()), expected, "{written}");
    }
}

#[test]
fn a_password_that_is_not_encoded_is_an_error_that_does_not_show_it() {
    for password in ["Xq1/Zk2", "Xq1?Zk2", "Xq1#Zk2", "Xq1/Z@Zk2", "77/Zk2", "Xq1[Zk2"] {
        for scheme in ["postgresql", "mysql"] {
            let url = format!("{scheme}://user:{password}@db.example:5432/shop");
            let shown = match parse(scheme, &url) {
                Err(err) => {
                    assert_eq!(err.code(), "invalid_input");
                    format!("{err} {err:?} {:?}", err.suggestions())
                }
                // A bracket is none of the delimiters, and is understood.
                Ok(parsed) => format!("{parsed:?} {}", parsed.connection.location()),
            };
            assert!(!shown.contains("Xq1") && !shown.contains("Zk2"), "{shown}");
        }
    }
}

#[test]
fn the_parameters_of_postgresql_are_translated_or_dropped() {
    let (found, notes) = pg(
        "postgres://u@h/db?schema=shop&connection_limit=1&pool_timeout=2&socket_timeout=3&statement_cache_size=0\
         &connect_timeout=7&sslmode=require&sslcert=ca.pem&options=-c%20x%3D1&application_name=a&channel_binding=require&odd=1",
    );
    assert_eq!(found.schema, "shop");
    assert_eq!(
        found.parameters,
        [
            ("connect_timeout", "7".to_owned()),
            ("sslrootcert", "/app/prisma/ca.pem".to_owned()),
            ("options", "-c x=1".to_owned()),
            ("application_name", "a".to_owned()),
            ("channel_binding", "require".to_owned()),
            ("sslmode", "require".to_owned()),
        ]
    );
    assert_eq!(notes.len(), 5, "{notes:?}");
    assert!(notes.iter().any(|note| note.starts_with("odd ")));
}

#[test]
fn encryption_is_never_weaker_than_prisma_has_it() {
    let mode = |query: &str| {
        let (found, _) = pg(&format!("postgresql://u@h/db?{query}"));
        found.parameters.into_iter().find(|(name, _)| *name == "sslmode").map(|(_, mode)| mode)
    };
    for (query, expected) in [
        ("", None),
        ("sslmode=disable", Some("disable")),
        ("sslmode=verify-full", Some("verify-full")),
        ("sslmode=bogus", Some("prefer")),
        ("sslmode=require&sslaccept=strict", Some("verify-full")),
        ("sslaccept=strict", Some("verify-full")),
        ("sslmode=require&sslaccept=accept_invalid_certs", Some("require")),
    ] {
        assert_eq!(mode(query).as_deref(), expected, "{query}");
    }
    let encryption = |query: &str| mysql(&format!("mysql://u@h/db?{query}")).0.encryption;
    assert_eq!(encryption("connection_limit=3"), MySqlEncryption::Preferred);
    assert_eq!(encryption("sslcert=ca.pem"), MySqlEncryption::Required);
    assert_eq!(encryption("sslaccept=accept_invalid_certs"), MySqlEncryption::Required);
    assert_eq!(encryption("sslaccept=strict"), MySqlEncryption::Verified);
}

#[test]
fn hosts_of_every_form_are_read() {
    assert_eq!(pg("postgresql://u@[::1]/db").0.host, "::1");
    assert_eq!(parse("postgresql", "postgresql://u@[::1]/db").unwrap().connection.location(), "[::1]:5432");
    assert_eq!(pg("postgresql://u@localhost/db?host=/run/postgresql").0.host, "/run/postgresql");
    assert_eq!(pg("postgresql://u@h/db%20a").0.database, "db%20a", "the name is not decoded");
    let (found, _) = mysql("mysql://u@localhost/db?socket=(/run/mysqld/mysqld.sock)&connect_timeout=0");
    assert_eq!(found.socket, Some("/run/mysqld/mysqld.sock".into()));
    assert_eq!((found.connect_timeout_seconds, found.port), (None, 3306));
}

#[test]
fn poolers_are_named() {
    let warnings = |url: &str| parse("postgresql", url).unwrap().warnings;
    for url in [
        "postgresql://u@h:6543/db",
        "postgresql://u@h/db?pgbouncer=true",
        "postgresql://u@aws-0.pooler.supabase.com/db",
        "postgresql://u@ep-x-pooler.neon.tech/db",
        "postgresql://u@pooled.db.prisma.io/db",
    ] {
        let warned = warnings(url);
        assert!(warned.iter().any(|text| text.contains("pooler") && text.contains("directUrl")), "{url}");
    }
    assert_eq!(warnings("postgresql://u@db.prisma.io/db?connection_limit=1"), Vec::<String>::new());
}

#[test]
fn a_database_without_a_name_is_not_guessed() {
    for (provider, url) in
        [("postgresql", "postgres://u:p@h"), ("mysql", "mysql://u:p@h/"), ("mysql", "mysql://u@h/?a=b")]
    {
        assert_eq!(parse(provider, url).unwrap_err().message(), "the URL names no database");
    }
}

#[test]
fn a_path_is_what_prisma_makes_of_it() {
    for (url, expected) in [
        ("file:dev.db", "/app/prisma/dev.db"),
        ("file:./dev.db?connection_limit=1", "/app/prisma/dev.db"),
        ("file:../dev.db", "/app/prisma/../dev.db"),
        ("file:/data/a%20b.db", "/data/a%20b.db"),
        ("file:///data/dev.db", "/data/dev.db"),
        ("file://data/dev.db", "/data/dev.db"),
        ("sqlite:x.db", "/app/prisma/x.db"),
    ] {
        assert_eq!(parse("sqlite", url).unwrap().connection, Connection::Sqlite(expected.into()), "{url}");
    }
    for url in ["file:", "file:?a", "file::memory:"] {
        assert_eq!(parse("sqlite", url).unwrap_err().code(), "invalid_input", "{url}");
    }
}

#[test]
fn what_cannot_be_dumped_says_what_to_do_instead() {
    for (provider, url, kind, instead) in [
        (
            "postgresql",
            "prisma://accelerate.prisma-data.net/?api_key=SECRET",
            "unsupported",
            "postgres://USER",
        ),
        (
            "postgresql",
            "prisma+postgres://accelerate.prisma-data.net/?api_key=SECRET",
            "unsupported",
            "db.prisma.io:5432",
        ),
        ("postgresql", "prisma+postgres://localhost:51213/?api_key=SECRET", "unsupported", "prisma dev"),
        ("sqlserver", "sqlserver://h:1433;password=SECRET", "unsupported", "BACKUP DATABASE"),
        ("mongodb", "mongodb+srv://u:SECRET@h/db", "unsupported", "mongodump"),
        ("cockroachdb", "postgresql://u:SECRET@h/db", "unsupported", "BACKUP INTO"),
        ("sqlite", "libsql://db.turso.io?authToken=SECRET", "unsupported", "turso db shell"),
        ("sqlite", "https://d1.example/?token=SECRET", "unsupported", "wrangler d1 export"),
        ("mariadb", "mysql://u:SECRET@h/db", "unsupported", "provider = \"mysql\""),
        ("oracle", "oracle://u:SECRET@h/db", "unsupported", "postgresql, mysql"),
        ("postgresql", "mysql://u:SECRET@h/db", "invalid_input", "postgresql://USER"),
        ("sqlite", "SECRET.db", "invalid_input", "file:./name.db"),
    ] {
        let err = parse(provider, url).unwrap_err();
        assert_eq!(err.code(), kind, "{url}");
        let advice = err.suggestions().join(" ");
        assert!(advice.contains(instead), "{url}: {advice}");
        assert!(!format!("{err} {err:?} {advice}").contains("SECRET"), "{err:?}");
    }
}

proptest! {
    #[test]
    fn any_password_that_is_encoded_comes_back(password in any::<String>(), user in "[a-z]{1,8}") {
        let encoded = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC);
        let (found, _) = pg(&format!("postgresql://{user}:{encoded}@h/db"));
        prop_assert_eq!(super::tests::password(found.password.as_ref()), password.as_str());
    }

    #[test]
    fn no_text_makes_it_panic_or_shows_it(
        text in any::<String>(),
        provider in prop::sample::select(vec!["postgresql", "mysql", "sqlite"]),
        scheme in prop::sample::select(vec!["postgres://", "mysql://", "file:", "prisma://", ""]),
    ) {
        if let Err(err) = parse(provider, &format!("{scheme}{text}NOT-TO-BE-SHOWN")) {
            let shown = format!("{err:?}");
            prop_assert!(!shown.contains("NOT-TO-BE-SHOWN"));
        }
    }
}

#[test]
fn an_empty_host_is_not_the_server_of_this_machine() {
    let err = parse("postgresql", "postgresql://u:secret@db.example/shop?host=").unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(!format!("{err:?}").contains("secret"));
}
