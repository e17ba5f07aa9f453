use proptest::prelude::*;

use super::{super::super::Host, *};
use crate::{ByteStream, Secret, process::Ssh};

const TOKEN: &str = "backup-00000000000000000000000000000000";

fn elsewhere() -> Host {
    Host::ssh(Ssh::new("nowhere").unwrap())
}

/// What the script prints when `shell` reads it as it would on another host, in a session of its own.
async fn run(shell: &str, tool: &Tool, how: Use) -> (Vec<u8>, String) {
    let header = header(tool, how, TOKEN).unwrap().to_vec();
    // The lifeline stays open: the runner ends by itself.
    let body = if how == Use::Feed { b"3\nabc2\nde".to_vec() } else { Vec::new() };
    let end: &[u8] = if how == Use::Feed { b"end\n" } else { b"" };
    let sent = ByteStream::from(bytes::Bytes::from([&header, body.as_slice(), end].concat()));
    let held = futures::StreamExt::chain(sent, futures::stream::pending());
    let runner = Tool::new("sh", "setsid").args(["-w", shell, "-c", "IFS= read -r l && eval \"$l\""]);
    // `feed` waits for its body, which never ends: what was printed is taken from a file.
    let out = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (out.path().join("out"), out.path().join("err"));
    let line = format!("exec \"$0\" \"$@\" >{} 2>{}", stdout.display(), stderr.display());
    let mut args: Vec<std::ffi::OsString> = vec!["-c".into(), line.into(), "setsid".into()];
    args.extend(runner.get_args().cloned());
    let fed = Tool::new("sh", "sh").args(args).feed(ByteStream::new(held), 10);
    let ended = async {
        loop {
            let said = tokio::fs::read_to_string(&stderr).await.unwrap_or_default();
            if said.contains(&format!("{TOKEN} end")) || said.contains(&format!("{TOKEN} shell")) {
                return said;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let limit = tokio::time::sleep(std::time::Duration::from_secs(30));
    let said = tokio::select! {
        said = ended => said,
        ended = fed => panic!("{shell}: {ended:?}"),
        () = limit => panic!("{shell}: no end; {:?}", tokio::fs::read_to_string(&stderr).await),
    };
    let printed = tokio::fs::read(&stdout).await.unwrap();
    let printed =
        printed.strip_prefix(format!("{TOKEN}\n").as_bytes()).expect("the token comes first").to_vec();
    (printed, said)
}

/// The shells that are here; those that are not are tried where they are.
fn shells() -> Vec<&'static str> {
    let here = |shell: &&str| std::path::Path::new("/bin").join(shell).exists();
    let shells: Vec<_> = ["sh", "dash", "bash"].into_iter().filter(here).collect();
    assert!(!shells.is_empty());
    shells
}

#[tokio::test]
async fn arguments_variables_and_files_arrive_unchanged_in_every_shell() {
    let all: String = (1_u8..=127).map(char::from).collect();
    let hard = format!("{all}äÄÁà€\u{81}\u{85}'\"$(id)`id`\\ \n\n");
    for shell in shells() {
        let tool = Tool::new("printf", "printf").args(["%s|%s|", &hard, ""]).on(&elsewhere());
        let (printed, said) = run(shell, &tool, Use::Stream).await;
        assert_eq!(String::from_utf8(printed).unwrap(), format!("{hard}||"), "{shell}");
        assert!(said.ends_with("end 0\n"), "{said}");

        let tool = Tool::new("sh", "sh").args(["-c", "cat \"$ONE\" - \"${0#--x=}\"; printf '%s' \"$V\""]);
        let tool = tool.on(&elsewhere()).env("V", hard.as_str());
        let tool = tool.file_arg("--x=", Secret::new(hard.as_str())).await.unwrap();
        let tool = tool.file_env("ONE", Secret::new("one\n")).await.unwrap();
        let (printed, said) = run(shell, &tool, Use::Feed).await;
        assert_eq!(String::from_utf8(printed).unwrap(), format!("one\nabcde{hard}{hard}"), "{shell} {said}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_quoted_too() {
    use std::os::unix::ffi::OsStringExt;
    let bytes: Vec<u8> = (1..=255).chain([0x81, 0x82, 0x88]).collect();
    for shell in shells() {
        let tool = Tool::new("printf", "printf").arg("%s").arg(std::ffi::OsString::from_vec(bytes.clone()));
        assert_eq!(run(shell, &tool, Use::Stream).await.0, bytes, "{shell}");
    }
}

#[test]
fn what_a_shell_cannot_be_told_is_refused() {
    let with = |tool: Tool| header(&tool, Use::Stream, TOKEN).unwrap_err().kind();
    assert_eq!(with(Tool::new("x", "x").arg("a\0b")), ErrorKind::InvalidInput);
    assert_eq!(with(Tool::new("x", "x").env("V", "a\0b")), ErrorKind::InvalidInput);
    for name in ["a-b", "1a", "", "A=B", "A;id"] {
        assert_eq!(with(Tool::new("x", "x").env(name, "v")), ErrorKind::InvalidInput, "{name}");
    }
}

#[test]
fn the_command_line_says_nothing_and_suits_every_login_shell() {
    for special in ["!", "\\", "\n", "`"] {
        assert!(!BOOTSTRAP.contains(special));
    }
    assert_eq!(BOOTSTRAP.matches('\'').count(), 2);
    assert!(!LEADER.contains('\n') && !LOADER.contains('\n'), "they are read as lines");
}

proptest! {
    #[test]
    fn a_word_stays_a_word(bytes in proptest::collection::vec(1_u8..=255, 0..60)) {
        let mut text = Text(Zeroizing::new(Vec::new()));
        text.quoted(&bytes, "").unwrap();
        // Only what a shell leaves alone between single quotes, and calls of printf.
        let text = String::from_utf8(text.0.to_vec()).unwrap();
        prop_assert!(text.is_ascii() && text.starts_with('\'') && text.ends_with('\''));
    }
}
