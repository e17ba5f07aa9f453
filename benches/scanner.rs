//! How fast plain dumps of PostgreSQL and MySQL are scanned for inventory and end mark, on one processor.
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
const MYSQL_END: &str = "\n-- Dump completed on 2026-11-21  2:22:49\n";

fn scan(inspector: Inspector, dump: &str) -> Inventory {
    let Inspector { mut tap, inventory, .. } = inspector;
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

/// Rows of `mysqldump`, as many to a statement as fit into a megabyte.
fn mysql(row: impl Fn(usize) -> String, rows_at_once: usize) -> String {
    let mut dump = String::new();
    for number in 0..ROWS {
        dump.push_str(if number % rows_at_once == 0 { "INSERT INTO `orders` VALUES (" } else { ",(" });
        dump.push_str(&row(number));
        let ends = number % rows_at_once == rows_at_once - 1 || number == ROWS - 1;
        dump.push_str(if ends { ");\n" } else { ")" });
    }
    dump + MYSQL_END
}

fn mysql_values(number: usize) -> String {
    format!("{number},'customer {number}','2024-05-25 11:30:37',NULL,-{number}.50,'it\\'s paid'")
}

fn mysql_dumps() -> [(&'static str, String); 4] {
    let specials = |number| format!(r#"{number},'(a) \"b\"; -- c\'); \\ d ( e'"#);
    let hex = |number| format!("{number},0x{}", "DEADBEEF".repeat(40));
    [
        ("mysql", mysql(mysql_values, 10_000)),
        ("mysql_specials", mysql(specials, 10_000)),
        ("mysql_hex", mysql(hex, 3_000)),
        ("mysql_row_per_insert", mysql(mysql_values, 1)),
    ]
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
    let postgresql = [("copy", copy), ("insert", insert), ("rows_per_insert", multi), ("insert_text", text)];
    for (name, dump) in postgresql.into_iter().chain(mysql_dumps()) {
        let engine = if name.starts_with("mysql") { "mysql" } else { "postgresql" };
        let plain = || Inspector::for_format(engine, "plain");
        let summing = || Inspector::with_checksums(engine, "plain");
        assert!(scan(plain(), &dump).rows() >= ROWS as u64);
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| scan(plain(), black_box(&dump))));
        let name = format!("{name}, checksums");
        group.bench_function(name, |bencher| bencher.iter(|| scan(summing(), black_box(&dump))));
    }
    group.finish();
}

criterion_group!(benches, scanner);
criterion_main!(benches);
