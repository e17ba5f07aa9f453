use super::{chunks, cuts};
use crate::{
    ErrorKind, Inventory, SourcePosition,
    inventory::{
        Inspector,
        scan::places::{BEHIND, EdgeKind, RowEdge},
    },
};

/// Plain dumps of PostgreSQL.
pub fn postgresql(input: &[u8]) {
    let (sizes, dump) = cuts(input);
    plain(&Format("postgresql", "plain"), b"-- PostgreSQL database dump complete", dump, &sizes);
    let cluster = Format("postgresql", "globals");
    let read = cluster.read(dump, &sizes);
    assert_eq!(read, cluster.read(dump, &[]), "it depends on the chunks");
    assert!(
        read.is_err() || holds(dump, b"-- PostgreSQL database cluster dump complete"),
        "whole without its mark"
    );
}

/// Plain dumps of MySQL and MariaDB.
pub fn mysql(input: &[u8]) {
    let (sizes, dump) = cuts(input);
    plain(&Format("mysql", "plain"), b"-- Dump completed", dump, &sizes);
    let several = Format("mariadb", "databases");
    assert_eq!(several.read(dump, &sizes), several.read(dump, &[]), "it depends on the chunks");
}

/// Archives of `pg_dump`, and files of SQLite.
pub fn archive(input: &[u8]) {
    let (sizes, dump) = cuts(input);
    for format in [Format("postgresql", "custom"), Format("postgresql", "tar"), Format("sqlite", "database")]
    {
        let whole = format.read(dump, &[]);
        assert_eq!(format.read(dump, &sizes), whole, "{format:?} depends on the chunks");
        assert_eq!(format.read(dump, &[1]), whole, "{format:?} depends on the chunks");
    }
}

fn plain(format: &Format, mark: &[u8], dump: &[u8], sizes: &[usize]) {
    let whole = format.read(dump, &[]);
    assert_eq!(format.read(dump, sizes), whole, "it depends on the chunks");
    assert_eq!(format.read(dump, &[1]), whole, "it depends on the chunks");
    let Ok(seen) = whole else { return };
    assert!(holds(dump, mark), "whole without its mark");
    assert_eq!(seen.without_checksums(), format.read_bare(dump), "checksums change what is seen");
    without_rows(format, dump, &seen);
}

/// A dump without the rows that an index of frames can leave out is one whose tables have no such rows.
fn without_rows(format: &Format, dump: &[u8], seen: &Seen) {
    let (mut left, mut from, mut begin) = (Vec::new(), 0, None);
    let mut emptied = Vec::new();
    for edge in &seen.edges {
        let at = usize::try_from(edge.at).unwrap();
        match (&edge.kind, begin.take()) {
            (EdgeKind::Begin, _) => begin = Some(at),
            (EdgeKind::End(Some(table)), Some(start)) => {
                left.extend_from_slice(&dump[from..start]);
                from = at;
                emptied.push(table.clone());
            }
            (EdgeKind::End(_), _) => {}
        }
    }
    left.extend_from_slice(&dump[from..]);
    let rest = format.read(&left, &[]).unwrap_or_else(|(kind, message)| {
        panic!("without rows it is {kind:?}, {message}: {:?}", String::from_utf8_lossy(&left))
    });
    let (Some(all), Some(rest)) = (&seen.inventory, &rest.inventory) else { panic!("no inventory") };
    assert_eq!(rest.objects, all.objects, "rows hold more than rows");
    for table in &all.tables {
        let found = rest.table(&table.name).map_or(0, |table| table.rows);
        let is_emptied = emptied.contains(&table.name);
        assert!(
            is_emptied && found < table.rows || found == table.rows,
            "{}: {found} of {}",
            table.name,
            table.rows
        );
    }
}

fn holds(dump: &[u8], mark: &[u8]) -> bool {
    memchr::memmem::find(dump, mark).is_some()
}

/// An engine, and a format of its dumps.
#[derive(Debug)]
struct Format(&'static str, &'static str);

/// All that is read out of a dump.
#[derive(Debug, PartialEq)]
struct Seen {
    inventory: Option<Inventory>,
    position: Option<SourcePosition>,
    warnings: Vec<String>,
    edges: Vec<RowEdge>,
}

impl Seen {
    fn without_checksums(&self) -> Option<Inventory> {
        let mut inventory = self.inventory.clone()?;
        inventory.tables.iter_mut().for_each(|table| table.checksum = None);
        Some(inventory)
    }
}

impl Format {
    fn read(&self, dump: &[u8], sizes: &[usize]) -> Result<Seen, (ErrorKind, String)> {
        let mut inspector = Inspector::with_checksums(self.0, self.1);
        inspector.places.watch();
        let (mut edges, mut before) = (Vec::new(), 0);
        let mut scan = || {
            for chunk in chunks(dump, sizes) {
                inspector.tap.update(chunk)?;
                let told = inspector.places.take();
                let first = told.first().map_or(u64::MAX, |edge| edge.at);
                assert!(first.saturating_add(BEHIND as u64) >= before, "told too late: {told:?} at {before}");
                before += chunk.len() as u64;
                edges.extend(told);
            }
            Ok(())
        };
        let scanned = scan();
        let ended = scanned.and_then(|()| inspector.tap.finish());
        ended.map_err(|err: crate::Error| (err.kind(), err.message().to_owned()))?;
        assert!(edges.is_sorted_by_key(|edge| edge.at), "edges out of order: {edges:?}");
        Ok(Seen {
            inventory: inspector.inventory.take().flatten(),
            position: inspector.position.take().flatten(),
            warnings: inspector.warnings.take().unwrap_or_default(),
            edges,
        })
    }

    /// The inventory of a dump that is whole, read without checksums.
    fn read_bare(&self, dump: &[u8]) -> Option<Inventory> {
        let mut inspector = Inspector::for_format(self.0, self.1);
        inspector.tap.update(dump).unwrap();
        inspector.tap.finish().unwrap();
        inspector.inventory.take().flatten()
    }
}
