//! Keys as the stock tools make them.

use std::path::{Path, PathBuf};

use backup_core::{Secret, encrypt::Age};

/// A private key in a file, and its public key.
pub(super) struct Keys {
    pub(super) public: String,
    pub(super) path: PathBuf,
    pub(super) private: Secret,
    _folder: tempfile::TempDir,
}

/// Runs a program; fails where it does.
pub(super) fn run(program: &str, args: &[&str], folder: &Path) -> Vec<u8> {
    let output = output(program, args, folder);
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub(super) fn output(program: &str, args: &[&str], folder: &Path) -> std::process::Output {
    // A test may block, and the program is known.
    #[allow(clippy::disallowed_methods)]
    let output = std::process::Command::new(program).args(args).current_dir(folder).output();
    output.unwrap_or_else(|err| {
        panic!("cannot run `{program}` ({err}): install it; `age-keygen` comes with `age`")
    })
}

fn read(path: &Path) -> String {
    // A test may block.
    #[allow(clippy::disallowed_methods)]
    std::fs::read_to_string(path).unwrap()
}

impl Keys {
    /// Of `age-keygen`.
    pub(super) fn age() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.txt");
        run("age-keygen", &["-o", "key.txt"], folder.path());
        let public = String::from_utf8(run("age-keygen", &["-y", "key.txt"], folder.path())).unwrap();
        let private = read(&path).into();
        Self { public: public.trim().to_owned(), path, private, _folder: folder }
    }

    /// Of `ssh-keygen`: `ed25519` or `rsa`, with a passphrase unless that is empty.
    pub(super) fn ssh(kind: &str, passphrase: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let args = ["-q", "-t", kind, "-N", passphrase, "-C", "somebody@somewhere", "-f", "key"];
        run("ssh-keygen", &args, folder.path());
        let public = read(&folder.path().join("key.pub")).trim().to_owned();
        Self { public, private: read(&path).into(), path, _folder: folder }
    }

    /// How `ssh-keygen` shows it.
    pub(super) fn fingerprint(&self) -> String {
        let shown = run("ssh-keygen", &["-l", "-f", self.path.to_str().unwrap()], Path::new("."));
        String::from_utf8(shown).unwrap().split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Seals, and does not open.
    pub(super) fn sealing(&self) -> Age {
        Age::for_recipients([&self.public]).unwrap()
    }

    /// Seals and opens.
    pub(super) fn both(&self) -> Age {
        self.sealing().with_identities(&self.private).unwrap()
    }
}
