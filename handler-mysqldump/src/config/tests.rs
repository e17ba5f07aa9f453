use backup_core::ErrorKind;

use super::*;

#[test]
fn a_url_says_everything() {
    let config = MysqlConfig::from_url(
        "mysql://app:p%40s%2Fs@db.example:3307/my%20shop?ssl-mode=verify_identity&ssl_ca=/ca.pem&connect-timeout=3",
    )
    .unwrap();
    assert_eq!(config.location(), "db.example:3307");
    assert_eq!(config.database(), "my shop");
    assert_eq!(config.user.as_deref(), Some("app"));
    assert_eq!(config.password.as_ref().map(Secret::expose), Some("p@s/s"));
    assert_eq!((config.tls, config.connect_timeout_seconds), (Tls::VerifyIdentity, 3));
    assert_eq!(config.tls_ca.as_deref(), Some(std::path::Path::new("/ca.pem")));
    for (url, location) in [
        ("mariadb://root@localhost/db", "localhost:3306"),
        ("mysql://root@[::1]:33060/db", "[::1]:33060"),
        ("mysql:///db?socket=/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock"),
        ("mysql://root@%2Frun%2Fx.sock/db", "/run/x.sock"),
        ("mysql:///db", "local socket"),
    ] {
        assert_eq!(MysqlConfig::from_url(url).unwrap().location(), location, "{url}");
    }
}

#[test]
fn a_password_that_ought_to_be_encoded_is_understood() {
    for (url, password) in [
        ("mysql://u:p@ss@host/db", "p@ss"),
        ("mysql://u:p/w@host/db", "p/w"),
        ("mysql://u:p?w@host/db", "p?w"),
        ("mysql://u:100%@host/db", "100%"),
    ] {
        let config = MysqlConfig::from_url(url).unwrap();
        assert_eq!(config.password.as_ref().map(Secret::expose), Some(password), "{url}");
        assert_eq!((config.location().as_str(), config.database()), ("host:3306", "db"), "{url}");
    }
}

#[test]
fn a_bad_url_is_refused_without_showing_it() {
    for url in [
        "postgresql://u:geheim@host/db",
        "mysql://u:geheim@host:port/db",
        "mysql://u:geheim@host/",
        "mysql://u:geheim@a,b/db",
        "mysql://u:geheim@host/db?nonsense=1",
        "mysql://u:geheim@host/db?ssl-mode=maybe",
        "mysql://u:geheim@host/db?connect-timeout=0",
        "mysql://u:geheim@host/db?x",
        "mysql://u:geheim%00@host/db",
    ] {
        let err = MysqlConfig::from_url(url).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{url}");
        let shown = format!("{err} {err:?} {:?}", err.suggestions());
        assert!(!shown.contains("geheim"), "{shown}");
    }
}

#[test]
fn what_no_program_can_be_told_is_refused() {
    assert!(MysqlConfig::new("").validate().is_err());
    assert!(MysqlConfig::new("x".repeat(65)).validate().is_err());
    assert!(MysqlConfig::new("d").socket("/a\nb").validate().is_err());
    assert!(MysqlConfig::new("d").host("").validate().is_err());
    assert!(MysqlConfig::new("d").password("line\nbreak").validate().is_ok());
}
