use proptest::prelude::*;

use super::*;

fn password(url: &str) -> String {
    PgConfig::from_url(url).unwrap().password.unwrap().expose().to_owned()
}

#[test]
fn a_url_is_taken_apart() {
    let config = PgConfig::from_url(
        "postgresql://us%40er:p%40ss@h1:6000,[::1]:6001,h3/my%20db?sslmode=verify-full&connect_timeout=3",
    )
    .unwrap();
    assert_eq!(config.location(), "h1:6000,[::1]:6001,h3:5432");
    assert_eq!(config.user.as_deref(), Some("us@er"));
    assert_eq!(config.database(), "my db");
    assert_eq!(config.parameters["sslmode"].expose(), "verify-full");
    assert_eq!(config.parameters["connect_timeout"].expose(), "3");
}

#[test]
fn sockets_are_named_by_query_or_by_host() {
    for url in [
        "postgresql:///db?host=/var/run/postgresql&port=5433",
        "postgres://%2Fvar%2Frun%2Fpostgresql:5433/db",
    ] {
        let config = PgConfig::from_url(url).unwrap();
        assert_eq!(config.location(), "/var/run/postgresql:5433", "{url}");
        assert!(config.hosts[0].is_socket());
    }
    assert_eq!(PgConfig::from_url("postgresql:///db").unwrap().location(), "local socket");
    assert_eq!(PgConfig::from_url("postgresql:///db?port=77").unwrap().location(), "local socket:77");
}

#[test]
fn unencoded_passwords_are_understood() {
    for (url, expected) in [
        ("postgres://u:p@ss@h/db", "p@ss"),
        ("postgres://u:p/w@h/db", "p/w"),
        ("postgres://u:12/3@h:5/db?sslmode=disable", "12/3"),
        ("postgres://u:a?b@h/db", "a?b"),
        ("postgres://u:a%zz%@h/db", "a%zz%"),
        ("postgres://u:a:b@h/db", "a:b"),
        ("postgres://u:a#b@h/db", "a#b"),
        ("postgres://h/db?user=a@b&password=x@y", "x@y"),
    ] {
        assert_eq!(password(url), expected, "{url}");
        assert!(PgConfig::from_url(url).unwrap().location().starts_with('h'), "{url}");
    }
}

#[test]
fn an_unknown_parameter_is_named_and_nothing_else() {
    let err = PgConfig::from_url("postgres://u:geheim@h/db?schema=public").unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.to_string().contains("parameter: schema"), "{err}");
    let err = PgConfig::from_url("postgres://u:1?geheim&x@h=1").unwrap_err();
    assert!(!format!("{err} {err:?}").contains("geheim"), "{err:?}");
}

#[test]
fn a_database_must_be_named() {
    assert_eq!(PgConfig::from_url("postgres://h").unwrap_err().kind(), ErrorKind::InvalidInput);
    // libpq's rule: the user's name.
    assert_eq!(PgConfig::from_url("postgres://app@h").unwrap().database(), "app");
}

#[test]
fn zero_bytes_and_line_breaks_are_refused_where_they_cannot_be_passed() {
    let zero = PgConfig::from_url("postgres://u:a%00b@h/db").unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    let config = PgConfig::new("db").password("a\nb").password_via(PasswordVia::PassFile);
    assert_eq!(config.validate().unwrap_err().kind(), ErrorKind::InvalidInput);
    let config = PgConfig::new("db").parameter("sslpassword", "a\nhost=evil").unwrap();
    assert_eq!(config.validate().unwrap_err().kind(), ErrorKind::InvalidInput);
}

proptest! {
    #[test]
    fn any_encoded_password_comes_back_and_is_never_shown(text in "[^\0]{8,30}") {
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        let config = PgConfig::from_url(&format!("postgresql://app:{encoded}@h:1/db")).unwrap();
        prop_assert_eq!(config.password.as_ref().unwrap().expose(), text.as_str());
        let shown = format!("{config:?}");
        prop_assert!(!shown.contains(&text));
    }

    #[test]
    fn no_url_whatever_is_part_of_an_error(text in "\\PC{0,40}") {
        let secret = "Zq9Zq9Zq9";
        for url in [format!("postgres://u:{secret}{text}"), format!("{secret}{text}"), format!("postgres://{text}:{secret}@h/")] {
            if let Err(err) = PgConfig::from_url(&url) {
                let shown = format!("{err} {err:?}");
                prop_assert!(!shown.contains(secret));
            }
        }
    }
}
