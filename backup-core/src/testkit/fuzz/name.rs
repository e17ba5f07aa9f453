use chrono::DateTime;

use crate::{
    BackupId, BackupRef, Key, Kind, Prefix,
    manifest::{IdTemplate, Layout, Named},
};

/// Keys, prefixes, ids, templates of ids, and what names of databases become in keys.
pub fn name(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    key(text);
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    escaped(one, other);
    backup(one, other);
    template(one, other);
}

fn key(text: &str) {
    let prefix = Prefix::parse(text);
    let Ok(key) = Key::parse(text) else {
        return assert!(prefix.is_err() || text.is_empty(), "a prefix that is no key");
    };
    assert_eq!(Key::parse(key.to_string()).unwrap(), key);
    assert_eq!(key.as_str(), text);
    for segment in key.segments() {
        assert!(!segment.is_empty() && !segment.starts_with('.') && !segment.ends_with('.'), "{key}");
        assert!(segment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{key}");
    }
    assert_eq!(key.segments().collect::<Vec<_>>().join("/"), text);
    let inside = Key::parse(format!("{key}/x"));
    assert!(
        inside.is_err()
            || prefix.is_ok_and(|prefix| prefix.contains(&inside.unwrap()) && !prefix.contains(&key))
    );
}

fn escaped(one: &str, other: &str) {
    let escaped = Key::escape(one);
    assert_eq!(escaped == Key::escape(other), one == other, "two names of one folder");
    assert!(!escaped.contains('/') && !escaped.starts_with('.') && !escaped.ends_with('.'), "{escaped}");
    assert!(escaped.is_empty() || escaped.len() > 200 || Key::parse(escaped).is_ok());
}

fn backup(environment: &str, database: &str) {
    let id = BackupId::parse("backup-20261120-020000").unwrap();
    let backup = BackupRef::new(environment, database, id);
    let layout = Layout::of(&backup);
    let keys =
        (layout.manifest(), layout.artifact(&["sql", "zst"]), Layout::folder(environment, Some(database)));
    if let (Ok(manifest), Ok(artifact), Ok(folder)) = keys {
        assert_eq!(backup.to_string().parse::<BackupRef>().unwrap(), backup, "its name does not lead back");
        assert!(layout.holds(&artifact) && !layout.holds(&manifest));
        assert!(folder.contains(&manifest) && folder.contains(&artifact));
        assert_eq!(manifest.segments().count(), 3, "{manifest}");
    }
    if let Ok(read) = format!("{environment}/{database}").parse::<BackupRef>() {
        assert_eq!(read.to_string().parse::<BackupRef>().unwrap(), read);
    }
    if let Ok(id) = BackupId::parse(environment) {
        assert!(Key::parse(id.as_str()).is_ok_and(|key| key.as_str() == environment));
    }
}

fn template(text: &str, database: &str) {
    // No database is without a name.
    let database = if database.is_empty() { "shop" } else { database };
    let Ok(template) = text.parse::<IdTemplate>() else { return };
    assert_eq!(template.to_string(), text);
    let label = BackupId::parse(database).ok();
    let named = Named {
        environment: "production",
        database,
        kind: Kind::default(),
        label: label.as_ref().map(BackupId::as_str),
        at: DateTime::UNIX_EPOCH,
    };
    let Ok(first) = template.id(&named, 1) else { return };
    assert!(template.matches(first.as_str()), "{text} does not know {first}");
    if let Ok(second) = template.id(&named, 2) {
        assert_ne!(first, second);
        assert!(template.matches(second.as_str()), "{text} does not know {second}");
        assert_eq!(IdTemplate::attempt_of(&first, second.as_str()), Some(2));
    }
}
