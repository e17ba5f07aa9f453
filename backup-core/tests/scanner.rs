//! The inventory of a plain PostgreSQL dump: random dumps whose inventory is known, and dumps of `pg_dump`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use backup_core::{
    ErrorKind, Inventory, Result, TableInventory,
    inventory::{Inspector, qualified_name},
};
use proptest::prelude::*;

fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Inventory> {
    let Inspector { mut tap, inventory, .. } = Inspector::with_checksums("postgresql", "plain");
    for chunk in chunks {
        tap.update(chunk)?;
    }
    tap.finish()?;
    Ok(inventory.take().expect("set by a clean end").expect("a plain dump shows its tables"))
}

/// Names, rows and bytes alone.
fn bare(inventory: &Inventory) -> Inventory {
    let tables = inventory.tables.iter();
    Inventory::new(tables.map(|table| TableInventory::new(&table.name, table.rows, table.bytes)).collect())
}

/// A dump, what it holds, and where it is whole.
#[derive(Debug, Clone, Default)]
struct Model {
    text: String,
    tables: BTreeMap<String, (u64, u64)>,
    whole: usize,
}

impl Model {
    fn add(&mut self, name: &Name, rows: u64, bytes: usize) {
        let table = self.tables.entry(qualified_name([name.0.as_str(), name.1.as_str()])).or_default();
        table.0 += rows;
        table.1 += bytes as u64;
    }

    fn inventory(&self) -> Inventory {
        let tables = self.tables.iter();
        Inventory::new(tables.map(|(name, (rows, bytes))| TableInventory::new(name, *rows, *bytes)).collect())
    }
}

#[derive(Debug, Clone)]
struct Name(String, String);

impl Name {
    fn sql(&self) -> String {
        let quoted = |part: &str| {
            let plain = part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
            if plain { part.to_owned() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
        };
        format!("{}.{}", quoted(&self.0), quoted(&self.1))
    }
}

type Row = Vec<Option<String>>;

/// A part of a dump.
#[derive(Debug, Clone)]
enum Item {
    Table(Name),
    Copy(Name, Vec<Row>),
    Inserts(Name, Vec<Row>, Columns),
    MultiInsert(Name, Vec<Row>),
    /// Text that must not be read as statements, in each kind of wrapping.
    Trap(String, Wrapping),
}

#[derive(Debug, Clone, Copy)]
enum Columns {
    Unnamed,
    Named,
}

#[derive(Debug, Clone, Copy)]
enum Wrapping {
    Dollar,
    TaggedDollar,
    Literal,
    EscapeLiteral,
    BlockComment,
    LineComments,
}

const TRAPS: &[&str] = &[
    "COPY public.trap FROM stdin;\n",
    "\n-- PostgreSQL database dump complete\n",
    "INSERT INTO public.trap VALUES (1);\n",
    "CREATE TABLE public.trap ();\n",
    "\n\\.\n",
    "\\.",
    "\n\\! touch trap\n",
    "'",
    "''",
    "\"",
    "\\",
    "\\'",
    "$$",
    "$a$",
    "$_$",
    "E'",
    "--",
    "/*",
    "*/",
    "(",
    ")",
    "),\n\t(",
    ");\n",
    ";",
    "\r\n",
    "\t",
    ".",
    "é",
    "数据",
    "x",
    "7",
];

fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(TRAPS).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat().replace('\0', ""))
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(&["public", "t", "order", "a.b", "T", "a b", "say \"x\"", "é"][..]).prop_map(str::to_owned),
        1 => nasty().prop_filter("a name is not empty", |part| !part.is_empty()),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    (part(), part()).prop_map(|(schema, table)| Name(schema, table))
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(prop::collection::vec(prop::option::of(nasty()), 1..4), 0..6)
}

fn some_rows() -> impl Strategy<Value = Vec<Row>> {
    rows().prop_filter("an INSERT has rows", |rows| !rows.is_empty())
}

fn item() -> impl Strategy<Value = Item> {
    use Wrapping::{BlockComment, Dollar, EscapeLiteral, LineComments, Literal, TaggedDollar};
    let wrapping =
        prop::sample::select(vec![Dollar, TaggedDollar, Literal, EscapeLiteral, BlockComment, LineComments]);
    let columns = prop::sample::select(vec![Columns::Unnamed, Columns::Named]);
    prop_oneof![
        name().prop_map(Item::Table),
        (name(), rows()).prop_map(|(name, rows)| Item::Copy(name, rows)),
        (name(), some_rows(), columns).prop_map(|(name, rows, columns)| Item::Inserts(name, rows, columns)),
        (name(), some_rows()).prop_map(|(name, rows)| Item::MultiInsert(name, rows)),
        (nasty(), wrapping).prop_map(|(text, wrapping)| Item::Trap(text, wrapping)),
    ]
}

fn literal(value: Option<&String>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", value.replace('\'', "''")))
}

fn tuple(row: &Row) -> String {
    let values: Vec<_> = row.iter().map(|value| literal(value.as_ref())).collect();
    format!("({}, -1, 0.5, true, B'01')", values.join(", "))
}

fn copy_line(row: &Row) -> String {
    let field = |value: &Option<String>| match value {
        None => "\\N".to_owned(),
        Some(value) => {
            value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
        }
    };
    row.iter().map(field).collect::<Vec<_>>().join("\t") + "\n"
}

fn wrap(text: &str, wrapping: Wrapping) -> String {
    let function = "CREATE FUNCTION public.f() RETURNS void\n    LANGUAGE sql\n    AS ";
    match wrapping {
        Wrapping::Dollar => format!("{function}$${}$$;\n", text.replace('$', "")),
        Wrapping::TaggedDollar => format!("{function}$_X${text}$_X$;\n"),
        Wrapping::Literal => format!("COMMENT ON TABLE x IS '{}';\n", text.replace('\'', "''")),
        Wrapping::EscapeLiteral => {
            format!("COMMENT ON TABLE x IS E'{}';\n", text.replace('\\', "\\\\").replace('\'', "\\'"))
        }
        Wrapping::BlockComment => format!("/*\n{}*/\n", text.replace(['*', '/'], "")),
        Wrapping::LineComments => {
            let lines: Vec<_> = text.split(['\n', '\r']).map(|line| format!("-- Name: {line}\n")).collect();
            lines.concat()
        }
    }
}

fn write(model: &mut Model, item: &Item) {
    model.text.push_str("\n--\n-- Name: x; Type: TABLE; Schema: public; Owner: -\n--\n\n");
    match item {
        Item::Table(name) => {
            model.text.push_str(&format!("CREATE TABLE {} (\n    a integer DEFAULT 1\n);\n", name.sql()));
            model.add(name, 0, 0);
        }
        Item::Copy(name, rows) => {
            let data: String = rows.iter().map(copy_line).collect();
            model.text.push_str(&format!("COPY {} (a, \"b;\") FROM stdin;\n{data}\\.\n\n", name.sql()));
            model.add(name, rows.len() as u64, data.len());
        }
        Item::Inserts(name, rows, columns) => {
            let columns = match columns {
                Columns::Unnamed => "",
                Columns::Named => " (a, \"VALUES (\", \"it's\")",
            };
            for row in rows {
                let statement = format!("INSERT INTO {}{columns} VALUES {};", name.sql(), tuple(row));
                model.text.push_str(&format!("{statement}\n"));
                model.add(name, 1, statement.len());
            }
        }
        Item::MultiInsert(name, rows) => {
            let tuples: Vec<_> = rows.iter().map(tuple).collect();
            let statement = format!("INSERT INTO {} VALUES\n\t{};", name.sql(), tuples.join(",\n\t"));
            model.text.push_str(&format!("{statement}\n"));
            model.add(name, rows.len() as u64, statement.len());
        }
        Item::Trap(text, wrapping) => model.text.push_str(&wrap(text, *wrapping)),
    }
}

fn model() -> impl Strategy<Value = Model> {
    let restrict = prop::option::of("[A-Za-z0-9]{1,63}");
    (prop::collection::vec(item(), 0..8), restrict).prop_map(|(items, restrict)| {
        let mut model =
            Model { text: "--\n-- PostgreSQL database dump\n--\n\n".to_owned(), ..Model::default() };
        if let Some(token) = &restrict {
            model.text.push_str(&format!("\\restrict {token}\n\n"));
        }
        model.text.push_str("SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n");
        for item in &items {
            write(&mut model, item);
        }
        model.text.push_str("\n--\n-- PostgreSQL database dump complete\n");
        model.whole = model.text.len();
        model.text.push_str("--\n\n");
        if let Some(token) = &restrict {
            model.text.push_str(&format!("\\unrestrict {token}\n"));
            model.whole = model.text.len();
            model.text.push('\n');
        }
        model
    })
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

fn assert_cut_short(prefix: &[u8]) {
    let kind = scan([prefix]).err().map(|err| err.kind());
    assert!(
        matches!(kind, Some(ErrorKind::Incomplete | ErrorKind::Corrupt)),
        "{kind:?} of {:?}",
        String::from_utf8_lossy(prefix)
    );
}

/// Dumps of one database, with traps in its data, names, functions and comments.
const SAMPLES: &[(&str, &[u8])] = &[
    ("copy", include_bytes!("samples/postgresql-15-copy.sql")),
    ("inserts", include_bytes!("samples/postgresql-15-inserts.sql")),
    ("rows-per-insert", include_bytes!("samples/postgresql-15-rows-per-insert.sql")),
    ("data-only", include_bytes!("samples/postgresql-15-data-only.sql")),
];

#[test]
fn dumps_of_pg_dump_hold_what_the_server_counted() {
    let expected = [
        ("\"My \"\"odd\"\".schema\".\"a.b\nc\"", 7),
        ("public.empty", 0),
        ("public.nocols", 2),
        ("public.parted", 0),
        ("public.parted_1", 1),
        ("public.parted_2", 2),
        ("public.types", 2),
        ("public.unlogged", 2),
    ];
    for (sample, dump) in SAMPLES {
        let whole = scan([*dump]).unwrap();
        let found: Vec<_> = whole.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
        // Without its definition, a partitioned table is not mentioned: only its partitions have data.
        let shown = |name: &str| *sample != "data-only" || name != "public.parted";
        let expected: Vec<_> = expected.iter().copied().filter(|(name, _)| shown(name)).collect();
        assert_eq!(found, expected, "{sample}");
        for size in [1, 2, 3, 17, 512] {
            assert_eq!(scan(dump.chunks(size)).unwrap(), whole, "{sample} in chunks of {size}");
        }
    }
}

#[test]
fn a_dump_of_pg_dump_is_whole_at_no_earlier_place() {
    for (_, dump) in SAMPLES {
        let whole = dump.trim_ascii_end().len() + 1;
        assert!(scan([&dump[..whole]]).is_ok());
        for cut in (0..whole).rev().take(1000).chain((0..whole).step_by(7)) {
            assert_cut_short(&dump[..cut]);
        }
    }
}

proptest! {
    #[test]
    fn the_inventory_is_that_of_the_dump_however_it_is_cut(
        model in model(),
        sizes in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes = model.text.as_bytes();
        let expected = model.inventory();
        let whole = scan([bytes]).unwrap();
        prop_assert_eq!(&bare(&whole), &expected);
        prop_assert_eq!(&scan(bytes.chunks(1)).unwrap(), &whole);
        prop_assert_eq!(&scan(cut(bytes, &sizes)).unwrap(), &whole);
    }

    #[test]
    fn a_dump_that_was_cut_is_never_whole(model in model(), at in prop::collection::vec(any::<prop::sample::Index>(), 30)) {
        for at in at {
            assert_cut_short(&model.text.as_bytes()[..at.index(model.whole)]);
        }
        prop_assert!(scan([&model.text.as_bytes()[..model.whole]]).is_ok());
    }

    #[test]
    fn no_bytes_whatever_break_the_scanner(
        text in prop::collection::vec(nasty(), 0..30),
        sizes in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes = text.concat().into_bytes();
        let ends = |result: Result<Inventory>| result.map_err(|err| (err.kind(), err.message().to_owned()));
        prop_assert_eq!(ends(scan(cut(&bytes, &sizes))), ends(scan([&bytes[..]])));
    }

    /// Flipped bytes, and pieces of one dump in another one.
    #[test]
    fn damaged_dumps_read_the_same_however_they_are_cut(
        one in prop::sample::select(SAMPLES),
        other in prop::sample::select(SAMPLES),
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
        let ends = |result: Result<Inventory>| result.map_err(|err| (err.kind(), err.message().to_owned()));
        prop_assert_eq!(ends(scan(cut(&bytes, &sizes))), ends(scan([&bytes[..]])));
    }
}
