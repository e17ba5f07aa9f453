//! The inventory of dumps in MySQL's dialect: of real servers, and random ones whose inventory is known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use backup_core::{
    ErrorKind, Inventory, Result, SourcePosition, TableInventory,
    inventory::{Inspector, qualified_name},
};
use proptest::prelude::*;

fn read<'a>(
    engine: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Inventory, Option<SourcePosition>)> {
    let mut inspector = Inspector::with_checksums(engine, "plain");
    for chunk in chunks {
        inspector.tap.update(chunk)?;
    }
    inspector.tap.finish()?;
    let inventory = inspector.inventory.take().expect("set by a clean end");
    Ok((inventory.expect("a plain dump shows its tables"), inspector.position.take().unwrap()))
}

fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Inventory> {
    read("mysql", chunks).map(|(inventory, _)| inventory)
}

/// Dumps of one database, with traps in its data, names, bodies and comments.
macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("samples/", $name, ".sql")).as_slice())),*]
    };
}

const SAMPLES: [(&str, &[u8]); 22] = samples![
    "mariadb-10.11-complete-insert",
    "mariadb-10.11-databases",
    "mariadb-10.11-default",
    "mariadb-10.11-dump-history",
    "mariadb-10.11-hex-blob",
    "mariadb-10.11-insert-ignore",
    "mariadb-10.11-master-data-1-gtid",
    "mariadb-10.11-master-data-2",
    "mariadb-10.11-no-create-info",
    "mariadb-10.11-no-data",
    "mariadb-10.11-replace",
    "mariadb-10.11-skip-extended-insert",
    "mysql-9.7-complete-insert",
    "mysql-9.7-databases",
    "mysql-9.7-default",
    "mysql-9.7-gtid-commented",
    "mysql-9.7-hex-blob",
    "mysql-9.7-insert-ignore",
    "mysql-9.7-no-create-info",
    "mysql-9.7-no-data",
    "mysql-9.7-replace",
    "mysql-9.7-source-data-1",
];
const MORE: [(&str, &[u8]); 2] = samples!["mysql-9.7-source-data-2", "mysql-9.7-skip-extended-insert"];
const COMPACT: [(&str, &[u8]); 2] = samples!["mariadb-10.11-compact", "mysql-9.7-compact"];

/// What `SELECT COUNT(*)` said when the samples were taken.
const COUNTED: [(&str, u64); 6] = [
    ("DELIMITER ;;", 2),
    ("back\\slash'", 1),
    ("empty", 0),
    ("it's a \"t`able\".x", 2),
    ("types", 6),
    ("数据 é", 3),
];

/// The transactions that the server had run by then.
const GTID: &str = "6eb79081-e558-11f1-8d1c-02fc00000001:1-524";

fn expected(sample: &str) -> BTreeMap<String, u64> {
    let mut counted: BTreeMap<&str, u64> = COUNTED.into();
    if sample.starts_with("mariadb") {
        // With the row that was changed since.
        counted.insert("versioned", if sample.ends_with("history") { 3 } else { 2 });
    }
    if sample.ends_with("no-create-info") {
        counted.remove("empty");
    }
    let is_empty = sample.ends_with("no-data");
    let counted = counted.into_iter().map(|(name, rows)| (name, if is_empty { 0 } else { rows }));
    if sample.ends_with("databases") {
        let nasty = counted.map(|(name, rows)| (qualified_name(["nasty", name]), rows));
        return nasty.chain([("\"second.db\".empty".to_owned(), 2)]).collect();
    }
    counted.map(|(name, rows)| (qualified_name([name]), rows)).collect()
}

#[test]
fn dumps_of_real_servers_hold_what_the_server_counted() {
    for (sample, dump) in SAMPLES.into_iter().chain(MORE) {
        let whole = scan([dump]).unwrap_or_else(|err| panic!("{sample}: {err}"));
        let found: BTreeMap<_, _> =
            whole.tables.iter().map(|table| (table.name.clone(), table.rows)).collect();
        assert_eq!(found, expected(sample), "{sample}");
        for size in [1, 2, 3, 17, 64, 65, 512] {
            assert_eq!(scan(dump.chunks(size)).unwrap(), whole, "{sample} in chunks of {size}");
        }
        assert_eq!(read("mariadb", [dump]).unwrap().0, whole);
    }
}

#[test]
fn a_dump_without_comments_is_refused_for_its_missing_end_mark() {
    for (sample, dump) in COMPACT {
        let err = scan([dump]).unwrap_err();
        assert_eq!(
            (err.kind(), err.message()),
            (ErrorKind::Incomplete, "the dump has no end mark"),
            "{sample}"
        );
    }
}

#[test]
fn the_position_is_the_one_that_the_server_stated() {
    let position = |sample: &str| {
        let (_, dump) = SAMPLES.into_iter().chain(MORE).find(|(name, _)| *name == sample).unwrap();
        let found = read("mysql", [dump]).unwrap().1;
        assert_eq!(read("mysql", dump.chunks(7)).unwrap().1, found, "{sample}");
        found
    };
    let mysql = SourcePosition::binlog("binlog.000001", 7_246_349).with_gtid(GTID);
    let mariadb = SourcePosition::binlog("binlog.000001", 15_947_760).with_gtid("0-1-537");
    for (sample, expected) in [
        ("mysql-9.7-default", Some(SourcePosition::default().with_gtid(GTID))),
        ("mysql-9.7-source-data-1", Some(mysql.clone())),
        ("mysql-9.7-source-data-2", Some(mysql.clone())),
        ("mysql-9.7-gtid-commented", Some(mysql)),
        ("mariadb-10.11-default", None),
        ("mariadb-10.11-master-data-1-gtid", Some(mariadb.clone())),
        ("mariadb-10.11-master-data-2", Some(mariadb)),
    ] {
        assert_eq!(position(sample), expected, "{sample}");
    }
}

#[test]
fn a_dump_is_whole_at_no_earlier_place() {
    // Every byte of one sample; of the others some, and their ends.
    for ((sample, dump), step) in [(SAMPLES[8], 1), (SAMPLES[2], 97), (SAMPLES[14], 97)] {
        let whole = dump.trim_ascii_end().len() + 1;
        assert!(scan([&dump[..whole]]).is_ok());
        for cut in (0..whole).step_by(step).chain(whole - 300..whole) {
            let err = scan([&dump[..cut]]).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Incomplete, "{sample} cut at {cut}: {err}");
        }
    }
}

const TRAPS: &[&str] = &[
    "INSERT INTO `trap` VALUES (1);\n",
    "\n-- Dump completed\n",
    "\n-- Dump completed on 2026-11-21  2:22:49\n",
    "CREATE TABLE `trap` (a int);\n",
    "\nDELIMITER ;;\n",
    "\nUSE `trap`;\n",
    "\n\\! touch trap\n",
    "SET sql_mode='NO_BACKSLASH_ESCAPES';",
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "--",
    "-- ",
    "#",
    "/*",
    "/*!",
    "*/",
    "(",
    ")",
    "),(",
    ");\n",
    ";",
    ";;",
    "\r\n",
    "\0",
    "\u{1a}",
    "é",
    "数据",
    "x",
];

fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(TRAPS).prop_map(|trap| trap.as_bytes().to_vec()),
        1 => "[ -~]{0,80}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A value as `mysql_real_escape_string` writes it.
fn literal(value: &[u8], escapes: bool) -> Vec<u8> {
    let mut text = b"'".to_vec();
    for byte in value {
        match (byte, escapes) {
            (b'\'', false) => text.extend(b"''"),
            (_, false) => text.push(*byte),
            (0, _) => text.extend(b"\\0"),
            (b'\n', _) => text.extend(b"\\n"),
            (b'\r', _) => text.extend(b"\\r"),
            (0x1a, _) => text.extend(b"\\Z"),
            (b'\\' | b'\'' | b'"', _) => text.extend([b'\\', *byte]),
            _ => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

#[derive(Debug, Clone)]
enum Cell {
    Null,
    Number(i32),
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Hex(Vec<u8>),
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Null),
        any::<i32>().prop_map(Cell::Number),
        nasty().prop_map(Cell::Text),
        nasty().prop_map(Cell::Binary),
        nasty().prop_map(Cell::Hex),
    ]
}

type Row = Vec<Cell>;

fn tuple(row: &Row, escapes: bool) -> Vec<u8> {
    let cells: Vec<_> = row
        .iter()
        .map(|cell| match cell {
            Cell::Null => b"NULL".to_vec(),
            Cell::Number(number) => number.to_string().into_bytes(),
            Cell::Text(text) => literal(text, escapes),
            Cell::Binary(bytes) => [b"_binary ".to_vec(), literal(bytes, escapes)].concat(),
            Cell::Hex(bytes) => {
                bytes.iter().fold(b"0x0".to_vec(), |text, byte| [text, format!("{byte:02X}").into()].concat())
            }
        })
        .collect();
    [b"(", cells.join(&b","[..]).as_slice(), b")"].concat()
}

/// One table of a random dump.
#[derive(Debug, Clone)]
struct Table {
    name: Vec<u8>,
    rows: Vec<Row>,
    style: Style,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Extended,
    LinePerRow,
    RowPerStatement,
    Complete,
}

fn table() -> impl Strategy<Value = Table> {
    let names = prop::sample::select(&["t", "order", "a.b", "a b", "say \"x\"", "a`b", "é"][..]);
    let name = prop_oneof![3 => names.prop_map(str::to_owned), 1 => "\\PC{1,9}"].prop_map(String::into_bytes);
    let rows = prop::collection::vec(prop::collection::vec(cell(), 1..4), 0..8);
    let style = prop::sample::select(vec![
        Style::Extended,
        Style::LinePerRow,
        Style::RowPerStatement,
        Style::Complete,
    ]);
    (name, rows, style).prop_map(|(name, rows, style)| Table { name, rows, style })
}

/// A dump, what it holds, and where it is whole.
#[derive(Debug, Clone)]
struct Model {
    text: Vec<u8>,
    inventory: Inventory,
}

fn write(tables: &[Table], traps: &[Vec<u8>], escapes: bool) -> Model {
    let mut text = b"-- MySQL dump 10.13\n\n/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='".to_vec();
    text.extend(if escapes { &b""[..] } else { b"NO_BACKSLASH_ESCAPES" });
    text.extend(b"' */;\n");
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (table, trap) in tables.iter().zip(traps.iter().cycle()) {
        let quoted = String::from_utf8(table.name.clone()).unwrap().replace('`', "``");
        text.extend(format!("CREATE TABLE `{quoted}` (\n  `a` int COMMENT ").bytes());
        text.extend(literal(trap, escapes));
        text.extend(b"\n);\n");
        let name = qualified_name([std::str::from_utf8(&table.name).unwrap()]);
        let entry = found.entry(name).or_default();
        let columns = if matches!(table.style, Style::Complete) { " (`a``);`, `VALUES (`)" } else { "" };
        let (at_once, before, between): (_, &[u8], &[u8]) = match table.style {
            Style::RowPerStatement => (1, b" ", b""),
            Style::LinePerRow => (100, b"\n", b",\n"),
            Style::Extended | Style::Complete => (3, b" ", b","),
        };
        for rows in table.rows.chunks(at_once) {
            let tuples: Vec<_> = rows.iter().map(|row| tuple(row, escapes)).collect();
            let start = format!("INSERT INTO `{quoted}`{columns} VALUES");
            let statement = [start.as_bytes(), before, &tuples.join(between), b";"].concat();
            entry.0 += rows.len() as u64;
            entry.1 += statement.len() as u64;
            text.extend(statement);
            text.push(b'\n');
        }
    }
    text.extend(b"-- Dump completed on 2026-11-21  2:22:49\n");
    let tables = found.into_iter().map(|(name, (rows, bytes))| TableInventory::new(name, rows, bytes));
    Model { text, inventory: Inventory::new(tables.collect()) }
}

fn model() -> impl Strategy<Value = Model> {
    let tables = prop::collection::vec(table(), 0..6);
    let traps = prop::collection::vec(nasty(), 1..4);
    (tables, traps, any::<bool>()).prop_map(|(tables, traps, escapes)| write(&tables, &traps, escapes))
}

/// Cuts `bytes` by `sizes`, over and over.
fn cut<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = (*sizes.next()?).min(bytes.len());
        let (head, tail) = bytes.split_at(size);
        bytes = tail;
        (size > 0).then_some(head)
    })
}

/// What came out, as far as it must not depend on the cuts.
fn ends(result: Result<Inventory>) -> std::result::Result<Inventory, (ErrorKind, String)> {
    result.map_err(|err| (err.kind(), err.message().to_owned()))
}

proptest! {
    #[test]
    fn the_inventory_is_that_of_the_dump_however_it_is_cut(
        model in model(),
        sizes in prop::collection::vec(1_usize..200, 1..20),
    ) {
        let whole = scan([&model.text[..]]).unwrap();
        let tables = whole.tables.iter();
        let bare = tables.map(|table| TableInventory::new(&table.name, table.rows, table.bytes)).collect();
        prop_assert_eq!(&Inventory::new(bare), &model.inventory);
        prop_assert_eq!(&scan(model.text.chunks(1)).unwrap(), &whole);
        prop_assert_eq!(&scan(cut(&model.text, &sizes)).unwrap(), &whole);
    }

    #[test]
    fn a_dump_that_was_cut_is_never_whole(
        model in model(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        for at in at {
            let err = scan([&model.text[..at.index(model.text.len())]]).unwrap_err();
            prop_assert_eq!(err.kind(), ErrorKind::Incomplete);
        }
    }

    #[test]
    fn no_bytes_whatever_break_the_scanner(
        text in prop::collection::vec(nasty(), 0..30),
        sizes in prop::collection::vec(1_usize..90, 1..20),
    ) {
        let bytes = text.concat();
        prop_assert_eq!(ends(scan(cut(&bytes, &sizes))), ends(scan([&bytes[..]])));
    }

    /// Flipped bytes, and pieces of one dump in another one, of either tool.
    #[test]
    fn damaged_dumps_read_the_same_however_they_are_cut(
        one in prop::sample::select(SAMPLES.to_vec()),
        other in prop::sample::select(SAMPLES.to_vec()),
        splices in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..300), 0..4),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        sizes in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let mut bytes = one.1.to_vec();
        for (at, from, length) in splices {
            let (at, from) = (at.index(bytes.len()), from.index(other.1.len()));
            let piece = &other.1[from..(from + length).min(other.1.len())];
            bytes.splice(at..(at + length).min(bytes.len()), piece.iter().copied());
        }
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(ends(scan(cut(&bytes, &sizes))), ends(scan([&bytes[..]])));
    }
}
