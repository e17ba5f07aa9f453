//! What this library writes opens with the programs that every system has, and the other way round.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs, reason = "tests are named by their claims")]
#![cfg(all(feature = "zstd", feature = "gzip"))]

use std::{io::Write, process::Stdio};

use backup_core::{
    Compressor,
    compress::{Gzip, Zstd},
    testkit::compressor::{decode, encode, sample},
};

/// Runs a program over a file of `input` and returns what it printed; fails where it does.
fn run(package: &str, program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(input).unwrap();
    // A test may block, and the program is known.
    #[allow(clippy::disallowed_methods)]
    let output = std::process::Command::new(program)
        .args(args)
        .stdin(Stdio::from(file.reopen().unwrap()))
        .output()
        .unwrap_or_else(|err| panic!("cannot run `{program}` ({err}): install the package `{package}`"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}, {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn gzip(args: &[&str], input: &[u8]) -> Vec<u8> {
    run("gzip", "gzip", args, input)
}

fn zstd(args: &[&str], input: &[u8]) -> Vec<u8> {
    run("zstd", "zstd", args, input)
}

/// Dumps of sizes that matter: none, one byte, a block and its neighbours, several blocks.
fn dumps() -> Vec<Vec<u8>> {
    [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000].map(|len| sample(len, 1)).into()
}

fn encoded(compressor: &dyn Compressor, plain: &[u8]) -> Vec<u8> {
    encode(compressor, plain, || 256 * 1024).unwrap()
}

fn decoded(compressor: &dyn Compressor, file: &[u8]) -> Vec<u8> {
    decode(compressor, file, || 64 * 1024).unwrap()
}

#[test]
fn gzip_and_zcat_read_our_gzip() {
    for plain in dumps() {
        for level in [1, 6, 12] {
            let file = encoded(&Gzip::level(level).unwrap(), &plain);
            assert!(gzip(&["-t"], &file).is_empty());
            assert!(gzip(&["-dc"], &file) == plain);
            assert!(run("gzip", "zcat", &[], &file) == plain);
        }
    }
}

#[test]
fn gzip_prints_no_warning_about_our_gzip() {
    // `-t` exits with 2 on a warning, and `-v` says OK on standard error; `run` fails unless it exits with 0.
    gzip(&["-tv"], &encoded(&Gzip::default(), &sample(3_000_000, 2)));
}

#[test]
fn python_reads_our_gzip() {
    let script = "import gzip, sys; sys.stdout.buffer.write(gzip.GzipFile(fileobj=sys.stdin.buffer).read())";
    for plain in dumps() {
        let file = encoded(&Gzip::default(), &plain);
        assert!(run("python3", "python3", &["-c", script], &file) == plain);
    }
}

#[test]
fn we_read_the_gzip_of_gzip_and_python() {
    let script = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))";
    for plain in dumps() {
        assert!(decoded(&Gzip::default(), &gzip(&["-c"], &plain)) == plain);
        assert!(decoded(&Gzip::default(), &run("python3", "python3", &["-c", script], &plain)) == plain);
    }
}

#[test]
fn zstd_and_zstdcat_read_our_zstd() {
    for plain in dumps() {
        for level in [1, 3, 12] {
            let file = encoded(&Zstd::level(level).unwrap(), &plain);
            assert!(zstd(&["-t"], &file).is_empty());
            assert!(run("zstd", "zstdcat", &[], &file) == plain);
        }
    }
}

#[test]
fn we_read_the_zstd_of_zstd() {
    for plain in dumps() {
        for args in [&["-c"][..], &["-c", "-19"], &["-c", "--no-check"], &["-c", "--ultra", "-20"]] {
            assert!(decoded(&Zstd::default(), &zstd(args, &plain)) == plain, "{args:?}");
        }
    }
}
