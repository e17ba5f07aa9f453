//! The stock tool opens what is sealed here, and the other way round.

use std::path::Path;

use backup_core::{
    Encryptor, ErrorKind,
    encrypt::{Age, NoIdentity},
    testkit::{
        compressor::sample,
        encryptor::{open, seal},
    },
};

use super::keys::{Keys, output, run};

fn sealed_in(folder: &Path, name: &str, age: &Age, content: &[u8]) {
    write(&folder.join(name), &seal(age, content, || 100_000).unwrap());
}

fn write(path: &Path, bytes: &[u8]) {
    // A test may block.
    #[allow(clippy::disallowed_methods)]
    std::fs::write(path, bytes).unwrap();
}

fn all_keys() -> [Keys; 3] {
    [Keys::age(), Keys::ssh("ed25519", ""), Keys::ssh("rsa", "")]
}

#[test]
fn the_stock_tool_opens_what_was_sealed_for_each_kind_of_key() {
    let keys = all_keys();
    let all = Age::for_recipients(keys.iter().map(|keys| &keys.public)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 65_536, 65_537, 1_000_000] {
        let content = sample(size, 1);
        sealed_in(folder.path(), "all.age", &all, &content);
        for keys in &keys {
            sealed_in(folder.path(), "one.age", &keys.sealing(), &content);
            for file in ["one.age", "all.age"] {
                let opened = run("age", &["-d", "-i", keys.path.to_str().unwrap(), file], folder.path());
                assert!(opened == content, "{file} of {size} bytes for {}", keys.public);
            }
        }
    }
}

#[test]
fn what_the_stock_tool_sealed_for_each_kind_of_key_is_opened() {
    let keys = all_keys();
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 65_536, 65_537, 1_000_000] {
        let content = sample(size, 2);
        write(&folder.path().join("plain"), &content);
        let mut args: Vec<&str> = keys.iter().flat_map(|keys| ["-r", keys.public.as_str()]).collect();
        args.push("plain");
        let sealed = run("age", &args, folder.path());
        for keys in &keys {
            assert!(open(&keys.both(), &sealed, || 70_000).unwrap() == content, "{} of {size}", keys.public);
        }
    }
}

#[test]
fn manifests_name_keys_of_ssh_by_their_fingerprints() {
    for keys in [Keys::ssh("ed25519", ""), Keys::ssh("rsa", "")] {
        let fingerprint = keys.fingerprint();
        assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
        assert_eq!(keys.sealing().recipients(), [fingerprint]);
        keys.both().check_opens().unwrap();
    }
    let err = Age::for_recipients([Keys::ssh("ecdsa", "").public]).unwrap_err();
    assert!(matches!(err.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput), "{err}");
}

/// Runs `age` on a terminal, since it takes passphrases from nothing else.
fn age_with_passphrase(args: &str, passphrase: &str, folder: &Path) {
    let script = "import os, pty, sys
words, passphrase = sys.argv[1].split(), sys.argv[2].encode()
answers = []
def read(fd):
    shown = os.read(fd, 1024)
    if b'assphrase' in shown:
        os.write(fd, passphrase + b'\\n')
    return shown
sys.exit(os.waitstatus_to_exitcode(pty.spawn(words, read)))";
    let done = output("python3", &["-c", script, args, passphrase], folder);
    assert!(done.status.success(), "{args}: {}", String::from_utf8_lossy(&done.stdout));
}

#[test]
fn the_stock_tool_and_this_library_share_passphrases() {
    let folder = tempfile::tempdir().unwrap();
    let content = sample(100_000, 3);
    let age = Age::for_passphrase(&"correct horse".into()).unwrap();
    sealed_in(folder.path(), "ours.age", &age, &content);
    age_with_passphrase("age -d -o opened ours.age", "correct horse", folder.path());
    #[allow(clippy::disallowed_methods)]
    let opened = std::fs::read(folder.path().join("opened")).unwrap();
    assert!(opened == content);

    write(&folder.path().join("plain"), &content);
    age_with_passphrase("age -p -o theirs.age plain", "correct horse", folder.path());
    #[allow(clippy::disallowed_methods)]
    let theirs = std::fs::read(folder.path().join("theirs.age")).unwrap();
    assert!(open(&age, &theirs, || 9000).unwrap() == content);
}

#[test]
fn identities_that_are_protected_need_their_passphrase() {
    let keys = Keys::age();
    let folder = keys.path.parent().unwrap();
    age_with_passphrase("age -p -a -o protected key.txt", "correct horse", folder);
    #[allow(clippy::disallowed_methods)]
    let protected = std::fs::read_to_string(folder.join("protected")).unwrap();
    let ssh = Keys::ssh("ed25519", "correct horse");
    for (keys, text) in [(&keys, protected.into()), (&ssh, ssh.private.clone())] {
        let err = keys.sealing().with_identities(&text).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err}");
        let err = keys.sealing().with_protected_identities(&text, &"another".into()).unwrap_err();
        assert!(NoIdentity::is_cause_of(&err), "{err}");
        let age = keys.sealing().with_protected_identities(&text, &"correct horse".into()).unwrap();
        let sealed = seal(&age, b"rows", || 10).unwrap();
        assert_eq!(open(&age, &sealed, || 10).unwrap(), b"rows");
    }
}
