//! Alone in its process, because it counts what the process has.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::{fs, time::Duration};

use backup_core::{ByteStream, process::Tool};
use bytes::Bytes;

/// Open files, threads and children, zombies among them.
fn owned() -> (usize, usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let parent = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    // After the name, which is in parentheses, come the state and the parent.
    let parents =
        stats.filter_map(|stat| Some(stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned()));
    let children = parents.filter(|of| *of == parent).count();
    (count("/proc/self/fd"), count("/proc/self/task"), children)
}

#[tokio::test]
async fn a_thousand_tools_leave_no_file_no_thread_and_no_zombie() {
    let tool =
        |script: &str| Tool::new("sh", "sh").args(["-c", script]).total_timeout(Duration::from_secs(60));
    let one = tool("sleep 0.2; echo x").stream().unwrap();
    assert_eq!(owned().2, 1, "a running tool is seen");
    drop(one.collect_bytes(10).await.unwrap());
    let before = owned();
    for round in 0..1000 {
        match round % 5 {
            0 => assert!(tool("exit 1").output(10).await.is_err()),
            1 => drop(tool("sleep 1000 & echo x; wait").stream().unwrap()),
            2 => drop(tool("cat").feed(ByteStream::from(Bytes::from_static(b"x")), 10).await.unwrap()),
            3 => assert!(Tool::new("none", "/no/such/program").stream().is_err()),
            _ => drop(tool("echo x; echo y >&2").output(10).await.unwrap()),
        }
    }
    for _ in 0..1000 {
        let after = owned();
        // Fewer are no leak: what the first tool needed may not all have been given back before.
        if after.0 <= before.0 && after.1 <= before.1 && after.2 == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("files, threads, children: before {before:?}, after {:?}", owned());
}
