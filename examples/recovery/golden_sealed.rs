//! What the manifests of encrypted backups hide is read with the key, and nothing that needs it goes on without.

use std::process::{Command, Stdio};

use backup_core::{
    Digest, Error, ErrorKind, Level, Manifest, Pipeline,
    digest::Algorithm,
    encrypt::{Age, NoIdentity},
    pipeline::{DiffSide, RestoreRequest},
    testkit::encryptor,
};
use handler_prisma::sqlite::SqliteRestore;
use serde_json::Value;

use super::golden_facts::{FACTS, Fact, Golden, Sealed, entries};

/// The facts of those that hide something, with their manifests.
async fn hiding(golden: &Golden) -> Vec<(&'static Fact, Manifest)> {
    let listed = entries(&golden.pipeline().await).await;
    let all = FACTS.iter().zip(listed).map(|(fact, entry)| (fact, entry.manifest));
    all.filter(|(fact, _)| fact.hides).collect()
}

/// What a command of a shell writes, in the folder of the backups.
fn shell(golden: &Golden, command: &str) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-ec", command])
        .current_dir(golden.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The sealed part of a manifest, opened as `format.md` says.
fn opened(golden: &Golden, fact: &Fact, manifest: &Manifest) -> Value {
    let sealed = manifest.encryption.as_ref().unwrap().sealed.as_ref().unwrap();
    std::fs::write(golden.path("sealed"), sealed).unwrap();
    let json = if fact.sealed == Sealed::ForKey {
        shell(golden, "base64 -d sealed | age -d -i identity.txt")
    } else {
        // The stock tool asks for a passphrase at a terminal.
        let sealed = shell(golden, "base64 -d sealed");
        encryptor::open(&golden.key(fact).unwrap(), &sealed, || usize::MAX).unwrap()
    };
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn what_is_computed_from_plain_bytes_stands_in_clear_in_older_backups_alone() {
    let golden = Golden::copied();
    for (fact, entry) in FACTS.iter().zip(entries(&golden.pipeline().await).await) {
        let json = serde_json::to_string(&entry.manifest).unwrap();
        let telling = ["blake3:", "checksum\"", "\"definition\"", "\"frames\""];
        assert_eq!(!telling.iter().any(|word| json.contains(word)), fact.hides, "{json}");
        let sealed = entry.manifest.encryption.as_ref().is_some_and(|used| used.sealed.is_some());
        assert_eq!(sealed, fact.hides, "{}", fact.name);
        let seen = entry.rehearsed().and_then(|(_, rehearsed)| rehearsed.inventory.as_ref());
        let told = seen.is_some_and(|seen| seen.tables.iter().any(|table| table.definition.is_some()));
        assert!(!(fact.hides && told), "the evidence of {} tells what the manifest hides", fact.name);
    }
}

#[tokio::test]
async fn the_stock_tools_open_what_is_hidden_and_it_is_true() {
    let golden = Golden::copied();
    let mut seen = Vec::new();
    for (fact, manifest) in hiding(&golden).await {
        let name = fact.name;
        let hidden = opened(&golden, fact, &manifest);
        assert_eq!(hidden["artifact"], manifest.artifact.digest.to_string(), "{name}");
        let tables = hidden["inventory"]["tables"].as_array().map_or(&[][..], Vec::as_slice);
        let told: Vec<_> = tables
            .iter()
            .map(|table| (table["name"].as_str().unwrap(), table["rows"].as_u64().unwrap()))
            .collect();
        assert_eq!(told, fact.tables, "{name}");
        let telling = if fact.form.0 == "custom" { "source_checksum" } else { "checksum" };
        assert!(tables.iter().all(|table| table[telling].is_string()), "{name}: {hidden}");

        if fact.sealed == Sealed::ForKey {
            let unpack = match fact.form.1 {
                "zstd" => "zstd -dc",
                "gzip" => "gzip -dc",
                _ => "cat",
            };
            let plain = |key: &str| {
                let bytes = shell(&golden, &format!("age -d -i identity.txt 'store/{key}' | {unpack}"));
                Digest::of(Algorithm::Blake3, &bytes).unwrap().to_string()
            };
            assert_eq!(hidden["plain"], plain(manifest.artifact.key.as_str()), "{name}");
            for (what, companion) in &manifest.companions {
                assert_eq!(hidden["companions"][what], plain(companion.artifact.key.as_str()), "{name}");
                seen.push("a companion");
            }
        }
        if let Some(frames) = hidden["frames"]["frames"].as_array() {
            assert_eq!(frames.len(), 3, "{name}");
            seen.push("frames");
        }
    }
    assert_eq!(seen, ["frames", "a companion"]);
}

/// Whether an error names everybody whom a backup was encrypted for.
fn names_recipients(err: &Error, manifest: &Manifest) -> bool {
    let recipients = manifest.encryption.as_ref().unwrap().recipients.join(", ");
    err.context().any(|(key, value)| key == "recipients" && value == recipients)
}

#[tokio::test]
async fn without_the_key_the_stored_bytes_are_verified_and_the_rest_says_whose_it_is() {
    let golden = Golden::copied();
    let stranger = Age::for_identities(&Age::generate_identity()).unwrap();
    let without: [Pipeline; 2] = [golden.pipeline().await, golden.pipeline().await.with_encryptor(stranger)];
    for (fact, manifest) in hiding(&golden).await {
        let (name, backup) = (fact.name, fact.backup());
        for (pipeline, has_another) in without.iter().zip([false, true]) {
            pipeline.verify(&backup, Level::Digest).await.unwrap().ensure_passed().unwrap();
            let side = DiffSide::from(&backup);
            let mut refusals = vec![
                pipeline.verify(&backup, Level::Decoded).await.unwrap_err(),
                pipeline.diff(&side, &side).await.unwrap_err(),
            ];
            if fact.engine == "sqlite" {
                let target = golden.path("restored.sqlite");
                let restorer = SqliteRestore::new(&target);
                let request = RestoreRequest::new().confirmed();
                let plan = pipeline.plan_restore(&backup, &restorer, &request).await.unwrap();
                assert_eq!(plan.blockers.len(), 1, "{name}: {plan:?}");
                refusals.push(pipeline.restore(&backup, &restorer, request).await.unwrap_err());
                assert!(!target.exists(), "{name}");
            }
            for err in refusals {
                assert_eq!(NoIdentity::is_cause_of(&err), has_another, "{name}: {err:?}");
                assert!(has_another || err.kind() == ErrorKind::Unsupported, "{name}: {err:?}");
                assert!(names_recipients(&err, &manifest), "{name}: {err}");
                let advice = err.suggestions().join("; ");
                assert!(advice.contains("key") || advice.contains("identity"), "{name}: {advice}");
            }
        }
    }
}
