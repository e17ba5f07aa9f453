use std::error::Error as _;

use proptest::prelude::*;

use super::*;

mod wrong;

/// A file that says something about everything.
pub(super) const WHOLE: &str = r#"
[defaults]
compression = "zstd:1"
level = "decoded"
stores = [{ kind = "local", path = "/var/backups", options = { sync = true, part = 3 } }]
alerts = { repeat_after_minutes = 60, escalate_after_minutes = 90 }

[environments.staging]
source = { engine = "sqlite", database = "/var/lib/shop.sqlite" }
compression = "none"
alerts = { repeat_after_minutes = 10 }

[environments.production]
retention = { time_zone = "Europe/Berlin", keep_daily = 7, keep_within = "2d", kinds = { manual = "forever", daily = 7 } }
health = { warning_age_minutes = 1560, today_by = "06:00:00", series = [{ environment = "production", database = "shop" }] }

[environments.production.encryption]
recipients = ["age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"]
identities = [{ file = "/run/secrets/identity" }, { env = "IDENTITY" }]

[environments.production.source]
engine = "postgresql"
host = "db.shop.example"
port = 5433
user = "backup"
database = "shop"
password = { env = "SHOP_PASSWORD" }
options = { format = "custom" }

[environments.production.rehearsal]
server = { url = "postgresql://rehearse@db.rehearsal.example/postgres", password = { file = "/run/secrets/rehearsal" } }
assertions = [
  { name = "a", sql = "SELECT true" },
  { name = "b", sql = "SELECT 1", between = [1, 2.5] },
  { name = "c", sql = "SELECT 'x'", is = "x" },
]

[environments.production.schedules]
nightly = { at = "daily at 02:00", time_zone = "Europe/Berlin", jitter_minutes = 10 }
proof = { at = "weekly on sunday at 03:00", kind = "weekly", verify = "restored" }

[[environments.production.notifiers]]
kind = "slack"
url = { command = ["pass", "show", "backups/slack"] }

[[environments.production.notifiers]]
kind = "pagerduty"
minimum_severity = "critical"
routing_key = { env = "PAGERDUTY_KEY" }

[[environments.production.notifiers]]
kind = "healthchecks"
url = { env = "HEALTHCHECKS_URL" }

[[environments.production.notifiers]]
kind = "mail"
host = "mail.shop.example"
port = 2525
tls = "starttls"
user = "backups"
password = { file = "/run/secrets/mail", others_may_read = true }
from = "Backups <backups@shop.example>"
to = ["admin@shop.example"]

[environments.production.targets.rehearsal]
url = "postgresql://restore@db.rehearsal.example/shop"
"#;

/// Everything that an error shows to anybody.
fn shown(err: &Error) -> String {
    let mut text = format!("{err} {err:?} {:?}", err.suggestions());
    let mut source = err.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[test]
#[cfg(all(feature = "webhook", feature = "mail", feature = "zstd", feature = "age"))]
fn a_whole_file_is_read_with_its_defaults() {
    let config = Config::from_toml(WHOLE, "backups.toml").unwrap();
    let staging = config.environment("staging").unwrap();
    assert_eq!((staging.source.engine.as_str(), staging.compression.as_deref()), ("sqlite", Some("none")));
    assert_eq!(staging.stores[0].path.as_deref(), Some(Path::new("/var/backups")));
    assert_eq!(staging.level, Some(crate::Level::Decoded));
    // Not one of the defaults' keys, but the whole setting is taken over.
    assert_eq!((staging.alerts.repeat_after_minutes, staging.alerts.escalate_after_minutes), (10, Some(240)));

    let production = config.environment("production").unwrap();
    assert_eq!(production.compression.as_deref(), Some("zstd:1"));
    assert_eq!(production.alerts.escalate_after_minutes, Some(90));
    let encryption = production.encryption.as_ref().unwrap();
    assert_eq!((encryption.recipients.len(), encryption.identities.len()), (1, 2));
    assert!(encryption.passphrase.is_none() && staging.encryption.is_none());
    let source = &production.source;
    assert_eq!(
        (source.host.as_deref(), source.port, source.url.as_deref()),
        (Some("db.shop.example"), Some(5433), None)
    );
    let policy = production.retention.as_ref().unwrap();
    assert_eq!((policy.keep_daily, policy.time_zone), (7, chrono_tz::Europe::Berlin));
    assert_eq!(policy.kinds[&crate::Kind::Manual], crate::retention::Count::Forever);
    assert_eq!(production.schedules["nightly"].schedule.to_string(), "daily at 02:00 in Europe/Berlin");
    assert_eq!(production.schedules["nightly"].jitter, std::time::Duration::from_secs(600));
    assert_eq!(production.schedules["proof"].kind, Some(crate::Kind::Weekly));
    assert_eq!(production.rehearsal.as_ref().unwrap().assertions.len(), 3);
    assert_eq!(production.notifiers.len(), 4);
    assert_eq!(production.targets["rehearsal"].engine, "postgresql");
    assert_eq!(production.health.as_ref().unwrap().series.len(), 1);
    let place = &production.source.place;
    assert_eq!((place.line, place.key.as_str()), (21, "environments.production.source"));
    assert_eq!(
        config.environment("prod").unwrap_err().suggestions(),
        ["known environments: production, staging"]
    );
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = "[environments.a]\nlevle = \"digest\"\nlevel = \"deep\"\n[environments.b]\nstores = []\n";
    let err = Config::from_toml(text, "a.toml").unwrap_err();
    let told: Vec<_> = err.context().collect();
    assert_eq!(
        told[..4],
        [("file", "a.toml"), ("key", "environments.a.source"), ("line", "1"), ("column", "1")]
    );
    let also: Vec<&str> = told[4].1.lines().collect();
    let starts = [
        "line 1, column 1, environments.a: no store",
        "line 2, column 1, environments.a.levle: there is no such key (did you mean level? known here: ",
        "line 3, column 9, environments.a.level: no such level of verification (choose one of present, ",
        "line 4, column 1, environments.b.source: a key is missing",
        "line 5, column 10, environments.b.stores: no store is named",
    ];
    assert_eq!(also.len(), starts.len(), "{also:?}");
    for (line, start) in also.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    let many = (0..50).map(|n| format!("k{n} = 1")).collect::<Vec<_>>().join("\n");
    let err = Config::from_toml(&many, "a.toml").unwrap_err();
    assert!(err.to_string().ends_with("| and 30 more"), "{err}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backups.toml");
    let err = Config::read(&path).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert!(err.to_string().contains("backups.toml"), "{err}");
    for (bytes, message) in [(vec![b'#'; 300_000], "too large"), (vec![0xff, 0xfe], "no UTF-8")] {
        tokio::fs::write(&path, bytes).await.unwrap();
        let err = Config::read(&path).await.unwrap_err();
        assert!(err.kind() == ErrorKind::InvalidInput && err.to_string().contains(message), "{err}");
    }
    tokio::fs::write(&path, "[environments.a]\nx = 1\n").await.unwrap();
    let err = Config::read(&path).await.unwrap_err().to_string();
    assert!(err.contains("backups.toml") && err.contains("line: 1"), "{err}");
}

/// Each value of a file in quotes, as its place in bytes.
fn values(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find('"').map(|at| rest + at + 1) {
        let end = start + text[start..].find('"').unwrap();
        found.push(start..end);
        rest = end + 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Config::from_toml(&text, "a.toml");
    }

    #[test]
    fn no_cut_or_mangled_file_panics(at in 0..WHOLE.len(), with in "[\\PC\n]{0,4}", drop in 0..40_usize) {
        let rest = WHOLE.get(at + drop..).unwrap_or_default();
        if let Some(start) = WHOLE.get(..at) {
            let _ = Config::from_toml(&format!("{start}{with}{rest}"), "a.toml");
        }
    }

    /// A secret in place of any value, with quotes or without, cut off or not, is not repeated.
    #[test]
    fn no_error_repeats_what_stands_in_place_of_a_value(
        which in any::<prop::sample::Index>(),
        secret in "zq[A-Za-z0-9!$%&/()=?+*#,.:;@-]{8,20}",
        form in 0..6,
    ) {
        let places = values(WHOLE);
        let place = which.get(&places).clone();
        let (before, after) = (&WHOLE[..place.start], &WHOLE[place.end..]);
        let text = match form {
            0 => format!("{before}{secret}{after}"),
            1 => format!("{before}{secret}"),
            2 => format!("{}{secret}{}", &before[..before.len() - 1], &after[1..]),
            3 => format!("{before}postgresql://shop:{secret}@db.example/shop{after}"),
            4 => format!("{before}postgresql://db.example/shop?password={secret}{after}"),
            _ => format!("{before}\"\"{secret}{after}"),
        };
        if let Err(err) = Config::from_toml(&text, "a.toml") {
            prop_assert!(!shown(&err).contains("zq"), "{}\n{}", secret, shown(&err));
        }
    }

    /// A secret where one could be expected to work is refused, and not repeated.
    #[test]
    #[cfg(feature = "webhook")]
    fn an_inline_secret_is_refused_and_not_repeated(secret in "zq[A-Za-z0-9!~'*_.-]{6,20}", form in 0..12) {
        let source = |body: String| format!("[environments.a]\nstores = [{{ kind = \"local\", path = \"/b\" }}]\nsource = {{ {body} }}\n");
        let notifier = |body: &str| {
            format!("{}[[environments.a.notifiers]]\n{body}", source("url = \"postgresql://h/d\"".to_owned()))
        };
        let encoded = secret.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        let text = match form {
            0 => source(format!("url = \"postgresql://shop:{secret}@h/d\"")),
            1 => source(format!("url = \"postgresql://shop:{encoded}@h/d\"")),
            2 => source(format!("url = \"postgresql://shop%3A{secret}@h/d\"")),
            3 => source(format!("url = \"mysql://h/d?password={secret}\"")),
            4 => source(format!("url = \"mysql://h/d\", password = \"{secret}\"")),
            5 => source(format!("url = \"mysql://h/d\", password = {{ value = \"{secret}\" }}")),
            6 => source(format!("url = \"mysql://h/d\", password = [\"{secret}\"]")),
            7 => source(format!("url = \"mysql://h/d\", options = {{ password = \"{secret}\" }}")),
            8 => notifier(&format!("kind = \"webhook\"\nurl = \"https://hooks.example/{secret}\"\n")),
            9 => notifier(&format!("kind = \"pagerduty\"\nrouting_key = \"{secret}\"\n")),
            10 => source(format!("engine = \"mysql\", database = \"d\", host = \"shop:{secret}@h\"")),
            _ => source(format!("url = \"shop:{secret}@h/d\"")),
        };
        let err = Config::from_toml(&text, "a.toml").unwrap_err();
        let shown = shown(&err);
        prop_assert!(!shown.contains("zq") && !shown.contains(&encoded), "{}\n{}", text, shown);
        prop_assert_eq!(err.kind(), ErrorKind::InvalidInput);
    }
}
