//! Checksums of rows: the same in any order, grouping and chunks, and other ones for other rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use backup_core::{Inventory, inventory::Inspector};
use proptest::prelude::*;

fn scan<'a>(engine: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Inventory {
    let Inspector { mut tap, inventory, .. } = Inspector::with_checksums(engine, "plain");
    for chunk in chunks {
        tap.update(chunk).unwrap();
    }
    tap.finish().unwrap();
    inventory.take().unwrap().unwrap()
}

/// How a dump writes its rows.
#[derive(Debug, Clone, Copy)]
enum Form {
    Copy,
    /// `pg_dump --inserts`.
    Insert,
    /// `pg_dump --rows-per-insert`.
    RowsPerInsert,
    Mysql,
}

const FORMS: [Form; 4] = [Form::Copy, Form::Insert, Form::RowsPerInsert, Form::Mysql];

impl Form {
    fn engine(self) -> &'static str {
        if matches!(self, Self::Mysql) { "mysql" } else { "postgresql" }
    }

    /// The rows as the tool writes them, so many to a statement.
    fn dump(self, rows: &[String], at_once: usize, columns: &str) -> Vec<u8> {
        let quote = |row: &String, escapes: bool| {
            let row = if escapes { row.replace('\\', "\\\\") } else { row.clone() };
            format!("(-1,'{}',NULL)", row.replace('\'', "''"))
        };
        let mut text = String::new();
        match self {
            Self::Copy => {
                text.push_str(&format!("COPY public.t{columns} FROM stdin;\n"));
                for row in rows {
                    text.push_str(&row.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r"));
                    text.push('\n');
                }
                text.push_str("\\.\n\n");
            }
            Self::Insert | Self::RowsPerInsert => {
                let (before, between) =
                    if matches!(self, Self::Insert) { (" ", ", ") } else { ("\n\t", ",\n\t") };
                let at_once = if matches!(self, Self::Insert) { 1 } else { at_once };
                for rows in rows.chunks(at_once) {
                    let rows: Vec<_> = rows.iter().map(|row| quote(row, false)).collect();
                    text.push_str(&format!(
                        "INSERT INTO public.t{columns} VALUES{before}{};\n",
                        rows.join(between)
                    ));
                }
            }
            Self::Mysql => {
                for rows in rows.chunks(at_once) {
                    let rows: Vec<_> = rows.iter().map(|row| quote(row, true)).collect();
                    text.push_str(&format!("INSERT INTO `t`{columns} VALUES {};\n", rows.join(",")));
                }
            }
        }
        text.push_str(match self {
            Self::Mysql => "\n-- Dump completed on 2026-11-21  2:22:49\n",
            _ => "\n--\n-- PostgreSQL database dump complete\n--\n\n",
        });
        text.into_bytes()
    }

    fn checksum(self, rows: &[String]) -> Option<String> {
        let inventory = scan(self.engine(), [&self.dump(rows, 3, "")[..]]);
        assert_eq!(inventory.rows(), rows.len() as u64);
        inventory.tables.first()?.checksum.clone()
    }
}

fn row() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,12}",
        1 => prop::sample::select(vec!["", "\\.", "),(", "'", "''", "\\", "a\nb", "(", "--", "/*", "E'", "数据"])
            .prop_map(str::to_owned),
        1 => "[a-z'()]{100,600}",
    ]
}

fn rows() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(row(), 1..20)
}

proptest! {
    #[test]
    fn neither_chunks_nor_order_nor_grouping_nor_columns_change_a_checksum(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        at_once in 1_usize..6,
        size in 1_usize..90,
    ) {
        for form in FORMS {
            let expected = form.checksum(&rows).unwrap();
            let name = if matches!(form, Form::Copy) { "copy:" } else { "values:" };
            prop_assert!(expected.starts_with(name) && expected.len() == name.len() + 32, "{}", expected);
            let dump = form.dump(&shuffled, at_once, " (a, \"b (\", c)");
            let dump = if matches!(form, Form::Mysql) { form.dump(&shuffled, at_once, " (`a`, `b (`)") } else { dump };
            let found = scan(form.engine(), dump.chunks(size));
            prop_assert_eq!(found.tables[0].checksum.as_ref(), Some(&expected), "{:?}", form);
        }
        prop_assert_eq!(Form::Insert.checksum(&rows), Form::RowsPerInsert.checksum(&rows));
    }

    #[test]
    fn other_rows_have_another_checksum(
        rows in prop::collection::vec(row(), 2..20),
        (one, other) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let (one, other) = (one.index(rows.len()), other.index(rows.len()));
        let mut changed = rows.clone();
        changed[one].push('x');
        let mut without = rows.clone();
        without.remove(one);
        let mut twice = rows.clone();
        twice.push(rows[one].clone());
        let mut swapped = rows.clone();
        (swapped[one], swapped[other]) = (format!("{}1", rows[one]), format!("{}2", rows[other]));
        let mut unswapped = rows.clone();
        (unswapped[one], unswapped[other]) = (format!("{}2", rows[one]), format!("{}1", rows[other]));
        for form in FORMS {
            let expected = form.checksum(&rows);
            for (case, rows) in [("changed", &changed), ("without", &without), ("twice", &twice)] {
                prop_assert_ne!(form.checksum(rows), expected.clone(), "{} {:?}", case, form);
            }
            if rows[one] != rows[other] {
                prop_assert_ne!(form.checksum(&swapped), form.checksum(&unswapped), "{:?}", form);
            }
        }
    }
}

#[test]
fn without_being_asked_no_checksum_is_taken() {
    for form in FORMS {
        let Inspector { mut tap, inventory, .. } = Inspector::for_format(form.engine(), "plain");
        tap.update(&form.dump(&["a".to_owned()], 1, "")).unwrap();
        tap.finish().unwrap();
        assert_eq!(inventory.take().unwrap().unwrap().tables[0].checksum, None);
    }
}

#[test]
fn rows_without_columns_count() {
    let end = "\n--\n-- PostgreSQL database dump complete\n--\n\n";
    let dump =
        |rows: usize| format!("{}{end}", "INSERT INTO public.t DEFAULT VALUES;\n".repeat(rows)).into_bytes();
    let sum = |rows| scan("postgresql", [&dump(rows)[..]]).tables[0].checksum.clone().unwrap();
    assert_ne!(sum(1), sum(2));
    assert_eq!(sum(2), scan("postgresql", dump(2).chunks(5)).tables[0].checksum.clone().unwrap());
}

#[test]
fn rows_of_two_forms_have_no_checksum() {
    let end = "\n--\n-- PostgreSQL database dump complete\n--\n\n";
    let dump = format!("INSERT INTO public.t VALUES (1);\nCOPY public.t FROM stdin;\n2\n\\.\n{end}");
    let found = scan("postgresql", [dump.as_bytes()]);
    assert_eq!((found.tables[0].rows, found.tables[0].checksum.clone()), (2, None));
}
