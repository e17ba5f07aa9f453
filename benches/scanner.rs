//! How fast a plain PostgreSQL dump is scanned for its inventory and its end mark, on one processor.
//!
//! `cargo bench --package benches --bench scanner`
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fmt::Write as _, hint::black_box};

use backup_core::inventory::{Inspector, Inventory};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// As much as a stage hands on at once.
const CHUNK: usize = 64 * 1024;
const ROWS: usize = 400_000;
const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

fn scan(dump: &str) -> Inventory {
    let Inspector { mut tap, inventory, .. } = Inspector::for_format("postgresql", "plain");
    for chunk in dump.as_bytes().chunks(CHUNK) {
        tap.update(chunk).unwrap();
    }
    tap.finish().unwrap();
    inventory.take().unwrap().unwrap()
}

fn dump(start: &str, row: impl Fn(usize) -> String, end: &str) -> String {
    let mut dump = start.to_owned();
    for number in 0..ROWS {
        dump.push_str(&row(number));
    }
    write!(dump, "{end}{END}").unwrap();
    dump
}

fn values(number: usize) -> String {
    format!("{number}, 'customer {number}', '2024-05-25 11:30:37.123+00', NULL, -{number}.50, 'it''s paid'")
}

fn scanner(criterion: &mut Criterion) {
    let copy = |number| format!("{number}\tcustomer {number}\t2024-05-25 11:30:37+00\t\\N\t-7.50\ta\\nb\n");
    let copy = dump("COPY public.orders (a, b, c, d, e, f) FROM stdin;\n", copy, "\\.\n");
    let insert = |number| format!("INSERT INTO public.orders VALUES ({});\n", values(number));
    let insert = dump("", insert, "");
    let rows = |number| format!("\t({}),\n", values(number));
    let multi = dump("INSERT INTO public.orders VALUES\n", rows, "\t(1);\n");
    // Parentheses in a text need the lexer.
    let text =
        |number| format!("INSERT INTO public.orders VALUES ({}, '(a) \"b\"; -- c');\n", values(number));
    let text = dump("", text, "");

    let mut group = criterion.benchmark_group("scanner");
    for (name, dump) in
        [("copy", copy), ("insert", insert), ("rows_per_insert", multi), ("insert_text", text)]
    {
        assert!(scan(&dump).rows() >= ROWS as u64);
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| scan(black_box(&dump))));
    }
    group.finish();
}

criterion_group!(benches, scanner);
criterion_main!(benches);
