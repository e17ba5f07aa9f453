//! Pipelines from a configuration: what the application's parts get, what they ignore, and secrets from elsewhere.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use backup_core::{
    Config, Dumper, DumperInfo, ErrorKind, Kind, Level, MemoryStore, Pipeline, Restorer, Result, Store,
    config::{Database, FileReaders, Options, Parts, SecretRef, StoreSettings},
    pipeline::BackupRequest,
    store::ReadOnly,
    testkit::{fake::FakeDumper, fake_restorer::FakeRestorer},
};

/// Parts that know the option `format`, and dump the password that they got.
struct Fakes(MemoryStore);

#[async_trait]
impl Parts for Fakes {
    async fn dumper(&self, source: &Database, options: &mut Options) -> Result<Arc<dyn Dumper>> {
        if source.engine != "fake" {
            return Err(source.refuse("no such engine", "choose fake"));
        }
        options.parsed("format", str::parse::<Level>)?;
        options.number::<u16>("jobs")?;
        let password = source.password().await?;
        Ok(Arc::new(FakeDumper::new(password.map_or_else(String::new, |secret| secret.expose().to_owned()))))
    }

    async fn restorer(&self, _: &Database, _: &mut Options) -> Result<Arc<dyn Restorer>> {
        Ok(Arc::new(FakeRestorer::new(DumperInfo::new("fake", "plain", "sql"))))
    }

    async fn rehearser(&self, _: &str) -> Result<Arc<dyn Restorer>> {
        Ok(Arc::new(FakeRestorer::new(DumperInfo::new("fake", "plain", "sql"))))
    }

    async fn store(&self, _: &StoreSettings, _: &mut Options) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self.0.clone()))
    }
}

/// A file whose source has these further settings.
fn config(source: &str) -> Config {
    let text = format!(
        "[environments.production]
stores = [{{ kind = \"memory\" }}]
compression = \"none\"
retention = {{ keep_daily = 3 }}
schedules = {{ nightly = {{ at = \"daily at 02:00\", kind = \"daily\", verify = \"decoded\", jitter_minutes = 5 }} }}
source = {{ engine = \"fake\", database = \"shop\", {source} }}
targets = {{ copy = {{ engine = \"fake\", database = \"copy\" }}, odd = {{ engine = \"fake\", database = \"x\", options = {{ a = 1 }} }} }}
"
    );
    Config::from_toml(&text, "backups.toml").unwrap()
}

#[tokio::test]
async fn a_pipeline_is_made_of_the_parts_as_the_settings_say() {
    let fakes = Fakes(MemoryStore::new());
    let config =
        config("password = { command = [\"printf\", \"p@ss\\\\n\"] }, options = { format = \"digest\" }");
    let pipelines = config.pipelines(&fakes).await.unwrap();
    let pipeline = &pipelines["production"];
    let report = pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    assert_eq!((report.manifest.environment.as_str(), report.manifest.plain.size), ("production", 4));
    assert_eq!(report.manifest.compression, "none");
    assert!(report.retention.is_some(), "the policy is the pipeline's");

    let environment = config.environment("production").unwrap();
    let jobs = environment.jobs(pipeline);
    assert_eq!((jobs.len(), jobs[0].name.as_str(), jobs[0].verify), (1, "nightly", Some(Level::Decoded)));
    assert_eq!((jobs[0].request.kind, jobs[0].jitter.as_secs()), (Kind::Daily, 300));
    assert!(environment.restorer("copy", &fakes).await.is_ok());
    let err = environment.restorer("none", &fakes).await.unwrap_err();
    assert_eq!((err.kind(), err.suggestions()), (ErrorKind::NotFound, vec!["known targets: copy, odd"]));
    let err = environment.restorer("odd", &fakes).await.unwrap_err().to_string();
    assert!(
        err.contains("there are no options here") && err.contains("targets.odd.options.a, line: 7"),
        "{err}"
    );
}

#[tokio::test]
async fn an_option_that_no_part_asks_for_is_refused_with_its_place() {
    let fakes = Fakes(MemoryStore::new());
    for (source, message, key, column) in [
        ("options = { fromat = \"digest\" }", "no such key", "options.fromat", 69),
        ("options = { format = \"zqzq\" }", "no such level", "options.format", 69),
        ("options = { format = 3 }", "text is expected", "options.format", 69),
        ("options = { jobs = 70000 }", "not a number", "options.jobs", 67),
    ] {
        let err = config(source).pipelines(&fakes).await.unwrap_err();
        let place = format!("key: environments.production.source.{key}, line: 6, column: {column}");
        let text = err.to_string();
        assert!(text.contains(message) && text.contains(&place) && !text.contains("zqzq"), "{err}");
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
    }
    let err = config("options = { fromat = \"digest\" }").pipelines(&fakes).await.unwrap_err();
    assert_eq!(err.suggestions(), ["did you mean format? known here: format, jobs"]);
    let other = "[environments.a]\nstores = [{ kind = \"memory\" }]\nsource = { url = \"oracle://h/d\" }\n";
    let err = Config::from_toml(other, "a.toml").unwrap().pipelines(&fakes).await.unwrap_err().to_string();
    assert!(err.contains("no such engine") && err.contains("line: 3, column: 10"), "{err}");
}

#[tokio::test]
async fn a_secret_that_is_missing_says_where_it_should_have_been() {
    let fakes = Fakes(MemoryStore::new());
    let config = config("password = { env = \"NO_SUCH_VARIABLE\" }");
    let err = config.pipelines(&fakes).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    let place = "variable: NO_SUCH_VARIABLE, file: backups.toml, key: environments.production.source.password, line: 6";
    assert!(err.to_string().contains(place), "{err}");
}

#[tokio::test]
async fn a_secret_comes_from_the_environment() {
    let secret = SecretRef::env("CARGO_PKG_NAME").resolve().await.unwrap();
    assert_eq!(secret.expose(), "backup-core");
}

#[cfg(unix)]
async fn write(path: &Path, bytes: &[u8], mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    tokio::fs::write(path, bytes).await.unwrap();
    tokio::fs::set_permissions(path, PermissionsExt::from_mode(mode)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_a_secret_is_its_owners_alone_and_loses_one_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let whole = "x".repeat(64 * 1024);
    for (bytes, secret) in [
        ("p@ss", "p@ss"),
        ("p@ss\n", "p@ss"),
        ("p@ss\r\n", "p@ss"),
        ("p@ss\n\n", "p@ss\n"),
        ("p@ss\r", "p@ss\r"),
        (" p ", " p "),
        (&whole, &whole),
    ] {
        write(&path, bytes.as_bytes(), 0o600).await;
        assert_eq!(SecretRef::file(&path, FileReaders::Owner).resolve().await.unwrap().expose(), secret);
    }
    for mode in [0o640, 0o604, 0o622, 0o601] {
        write(&path, b"zqzq", mode).await;
        let err = SecretRef::file(&path, FileReaders::Owner).resolve().await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{mode:o}");
        assert!(
            err.suggestions()[0].contains("others_may_read = true") && !format!("{err:?}").contains("zqzq")
        );
        assert!(SecretRef::file(&path, FileReaders::Others).resolve().await.is_ok());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_secret_in_a_file_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for (bytes, kind) in [
        (Vec::new(), ErrorKind::InvalidInput),
        (b"\n".to_vec(), ErrorKind::InvalidInput),
        (b"zqzq\xff".to_vec(), ErrorKind::InvalidInput),
        (b"zqzq".repeat(20_000), ErrorKind::InvalidInput),
    ] {
        write(&path, &bytes, 0o600).await;
        let err = SecretRef::file(&path, FileReaders::Owner).resolve().await.unwrap_err();
        assert_eq!(err.kind(), kind);
        assert!(err.to_string().contains("secret_file: ") || bytes.len() < 2, "{err}");
        assert!(!format!("{err:?}").contains("zqzq"));
    }
    let err = SecretRef::file(folder.path(), FileReaders::Others).resolve().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    let err = SecretRef::file(folder.path().join("none"), FileReaders::Owner).resolve().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    // A pipe that nobody writes to is not waited for.
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let resolved = SecretRef::file(&pipe, FileReaders::Owner);
    let resolved = tokio::time::timeout(std::time::Duration::from_secs(10), resolved.resolve()).await;
    assert_eq!(resolved.unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_command_that_fails_or_says_too_much_is_an_error_without_its_words() {
    for (script, kind) in [
        ("echo zqzq; echo zqzq >&2; exit 3", ErrorKind::ToolFailed),
        ("kill -9 $$", ErrorKind::ToolFailed),
        ("exit 0", ErrorKind::InvalidInput),
        ("echo", ErrorKind::InvalidInput),
        ("head -c 70000 /dev/zero | tr '\\0' z", ErrorKind::ToolFailed),
        ("printf 'zqzq\\377'", ErrorKind::InvalidInput),
    ] {
        let secret = SecretRef::command("sh", ["-c", script]);
        let err = secret.resolve().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{script}: {err}");
        let shown = format!("{err} {err:?} {secret:?} {:?}", err.suggestions());
        assert!(!shown.contains("zqzq") && shown.contains("program"), "{shown}");
    }
    let err = SecretRef::command("no-such-program", [""; 0]).resolve().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound);
    let secret =
        SecretRef::command("sh", ["-c", "printf 'p@ss\\n'; echo noise >&2"]).resolve().await.unwrap();
    assert_eq!(secret.expose(), "p@ss");
}

#[tokio::test]
async fn several_stores_get_a_copy_each_by_the_policy() {
    struct Two(Fakes, [MemoryStore; 2]);
    #[async_trait]
    impl Parts for Two {
        async fn dumper(&self, source: &Database, options: &mut Options) -> Result<Arc<dyn Dumper>> {
            self.0.dumper(source, options).await
        }
        async fn restorer(&self, target: &Database, options: &mut Options) -> Result<Arc<dyn Restorer>> {
            self.0.restorer(target, options).await
        }
        async fn rehearser(&self, engine: &str) -> Result<Arc<dyn Restorer>> {
            self.0.rehearser(engine).await
        }
        async fn store(&self, store: &StoreSettings, _: &mut Options) -> Result<Arc<dyn Store>> {
            match store.kind.as_str() {
                "memory" => Ok(Arc::new(self.1[0].clone())),
                "other" => Ok(Arc::new(self.1[1].clone())),
                // One that takes nothing.
                _ => Ok(Arc::new(ReadOnly::new(MemoryStore::new()))),
            }
        }
    }
    let text = |copies: &str| {
        format!(
            "[environments.a]
copies = {copies}
source = {{ engine = \"fake\", database = \"shop\", password = {{ command = [\"printf\", \"p\"] }} }}
[[environments.a.stores]]
kind = \"memory\"
[[environments.a.stores]]
kind = \"other\"
stall_seconds = 5
[[environments.a.stores]]
kind = \"none\"
"
        )
    };
    for (copies, succeeds) in [("\"all\"", false), ("\"primary\"", true), ("2", true), ("3", false)] {
        let two = Two(Fakes(MemoryStore::new()), [MemoryStore::new(), MemoryStore::new()]);
        let config = Config::from_toml(&text(copies), "backups.toml").unwrap();
        assert_eq!(config.environment("a").unwrap().stores[1].stall_timeout.unwrap().as_secs(), 5);
        let pipeline = config.environment("a").unwrap().pipeline(&two).await.unwrap();
        let made = pipeline.backup(BackupRequest::new()).await;
        assert_eq!(made.is_ok(), succeeds, "{copies}: {made:?}");
        if let Ok(report) = made {
            for store in &two.1 {
                assert!(Pipeline::for_store(store.clone()).entry(&report.backup).await.is_ok());
            }
        }
    }
}

#[tokio::test]
#[cfg(feature = "age")]
async fn backups_are_encrypted_for_the_recipients_and_opened_with_the_identities_that_are_named() {
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let config = |encryption: &str| {
        let text = format!(
            "[environments.production]
stores = [{{ kind = \"memory\" }}]
source = {{ engine = \"fake\", database = \"shop\", password = {{ command = [\"printf\", \"rows\"] }} }}
encryption = {{ {encryption} }}
"
        );
        Config::from_toml(&text, "backups.toml").unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity");
    let write = |text: &str| {
        write_private(&file, text);
        format!("recipients = [\"{PUBLIC}\"], identities = [{{ file = \"{}\" }}]", file.display())
    };
    let fakes = Fakes(MemoryStore::new());
    let host = config(&format!("recipients = [\"{PUBLIC}\"]")).pipelines(&fakes).await.unwrap();
    let made = host["production"].backup(BackupRequest::new()).await.unwrap();
    assert_eq!(made.manifest.encryption.unwrap().recipients, [PUBLIC]);
    host["production"].verify(&made.backup, Level::Decoded).await.unwrap_err();

    let both = config(&write(&format!("# mine\n{IDENTITY}\n"))).pipelines(&fakes).await.unwrap();
    let report = both["production"].verify(&made.backup, Level::Decoded).await.unwrap();
    assert!(report.evidence.passed());

    let err = config(&write(&format!("# mine\nzq{IDENTITY}\n"))).pipelines(&fakes).await.unwrap_err();
    let shown = format!("{err} {err:?}");
    assert!(shown.contains("production.encryption") && shown.contains("identity_line: 2"), "{shown}");
    assert!(!shown.contains("zq") && !shown.contains("SECRET"), "{shown}");

    let phrase = config("passphrase = { command = [\"printf\", \"correct horse\"] }");
    let made =
        phrase.pipelines(&fakes).await.unwrap()["production"].backup(BackupRequest::new()).await.unwrap();
    assert_eq!(made.manifest.encryption.unwrap().recipients, ["scrypt"]);
}

/// A file that its owner alone can read.
#[cfg(feature = "age")]
fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    // A test may block.
    #[allow(clippy::disallowed_methods)]
    {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
