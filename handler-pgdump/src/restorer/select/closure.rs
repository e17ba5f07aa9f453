//! [`Dump`]: what a dump defines, and what of it some tables need.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::{Error, ErrorKind, Result, Selected, inventory::qualified_name, restore::unknown_table};

use super::{
    cutter::{Judge, Keep},
    filter::word_of,
    statement::{Kind, Part, Statement, global_key, read},
    words::{Name, Words, shown},
};

/// Languages that need no statement of the dump's.
const BUILT_IN: &[&str] = &["language sql", "language plpgsql", "language c", "language internal"];

/// The most bytes of keys and names that are kept in memory.
const DEFINITIONS_BYTES: usize = 512 * 1024 * 1024;

/// An object of the dump, with all that its statements say.
#[derive(Debug)]
struct Object {
    kind: Kind,
    schema: Option<String>,
    of: Option<String>,
    to: Option<Name>,
    names: BTreeSet<Name>,
    globals: BTreeSet<String>,
    body: Vec<String>,
}

/// What a dump defines.
#[derive(Debug, Default)]
pub(super) struct Dump {
    objects: BTreeMap<String, Object>,
    by_name: BTreeMap<Name, Vec<String>>,
    /// The keys of functions, types and sequences by their names without schema.
    by_word: BTreeMap<String, Vec<String>>,
    /// What belongs to a table or another object, by the key of that.
    parts: BTreeMap<String, Vec<String>>,
    /// The tables, by their keys, as the inventory names them.
    tables: BTreeMap<String, String>,
    /// The extensions with their schemas.
    extensions: Vec<(String, Option<String>)>,
    bytes: usize,
}

impl Judge for Dump {
    fn judge(&mut self, statement: &str) -> Result<Keep> {
        match read(statement) {
            Statement::Part(part) => {
                self.bytes += statement.len();
                if self.bytes > DEFINITIONS_BYTES {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "the dump defines too much to select from it",
                    )
                    .with_context("limit_bytes", DEFINITIONS_BYTES));
                }
                self.add(part, statement);
            }
            Statement::Position(part) => self.add(part, ""),
            _ => {}
        }
        Ok(Keep::No)
    }
}

impl Dump {
    fn add(&mut self, part: Part, statement: &str) {
        let key = part.key.clone();
        if let Some((kind, name)) = part.also.clone() {
            let mut also = Part::in_schema(kind, &name);
            also.of = Words::new(&super::tokens::tokens(&key)).qualified().or(part.of.clone());
            self.add(also, "");
        }
        if part.kind == Kind::Extension && statement.contains("CREATE EXTENSION") {
            let tokens = super::tokens::tokens(statement);
            let mut words = Words::new(&tokens);
            let schema = if words.seek("schema") { words.name().map(str::to_owned) } else { None };
            self.extensions.push((key.clone(), schema));
        }
        let object = self.objects.entry(key.clone()).or_insert_with(|| Object {
            kind: Kind::Unknown,
            schema: part.schema.clone(),
            of: None,
            to: None,
            names: BTreeSet::new(),
            globals: BTreeSet::new(),
            body: Vec::new(),
        });
        if object.kind == Kind::Unknown {
            object.kind = part.kind;
        }
        object.names.extend(part.names);
        object.globals.extend(part.globals);
        object.body.extend(part.body);
        object.to = object.to.take().or(part.to);
        if let (None, Some(of)) = (&object.of, part.of) {
            let of = shown(&of);
            object.of = Some(of.clone());
            self.parts.entry(of).or_default().push(key);
        }
    }

    /// Finds names once everything was read.
    fn index(&mut self) {
        for (key, object) in &self.objects {
            let tokens = super::tokens::tokens(key);
            let mut words = Words::new(&tokens);
            let name =
                if object.kind.in_schema() { words.qualified().or_else(|| words.operator()) } else { None };
            let Some(name) = name else { continue };
            if object.kind == Kind::Table {
                self.tables.insert(key.clone(), qualified_name([name.0.as_str(), name.1.as_str()]));
            }
            if matches!(object.kind, Kind::Function | Kind::Type | Kind::Sequence) {
                self.by_word.entry(name.1.clone()).or_default().push(key.clone());
            }
            self.by_name.entry(name).or_default().push(key.clone());
        }
    }

    /// What `tables` need, and what they leave behind.
    pub(super) fn select(mut self, tables: &[String]) -> Result<Selected> {
        self.index();
        let mut chosen = BTreeSet::new();
        for table in tables {
            let known = self.tables.iter().find(|(_, name)| *name == table);
            let (key, _) =
                known.ok_or_else(|| unknown_table(table, self.tables.values().map(String::as_str)))?;
            chosen.insert(key.clone());
        }
        self.add_partitions(&mut chosen);
        let mut closure = Closure { dump: &self, chosen, kept: BTreeSet::new(), notes: BTreeSet::new() };
        closure.run();
        Ok(closure.selected())
    }

    /// The partitions of a chosen table are chosen too.
    fn add_partitions(&self, chosen: &mut BTreeSet<String>) {
        loop {
            let more: Vec<String> = self
                .objects
                .values()
                .filter(|object| object.kind == Kind::Partition)
                .filter(|object| object.to.as_ref().is_some_and(|to| chosen.contains(&shown(to))))
                .filter_map(|object| object.of.clone())
                .filter(|child| !chosen.contains(child))
                .collect();
            if more.is_empty() {
                return;
            }
            chosen.extend(more);
        }
    }

    fn table<'a>(&'a self, key: &'a str) -> &'a str {
        self.tables.get(key).map_or(key, String::as_str)
    }

    fn objects_of_kind(&self, kinds: &'static [Kind]) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.iter().filter(move |(_, object)| kinds.contains(&object.kind))
    }
}

/// `<name> ON <table>`.
fn foreign_key(key: &str) -> &str {
    key.strip_prefix("constraint ").unwrap_or(key)
}

/// What some tables need.
struct Closure<'a> {
    dump: &'a Dump,
    chosen: BTreeSet<String>,
    kept: BTreeSet<String>,
    notes: BTreeSet<String>,
}

impl Closure<'_> {
    fn run(&mut self) {
        for key in self.chosen.clone() {
            self.keep(&key);
        }
        while self.keep_helpers() {}
        self.note_references();
    }

    /// Keeps an object with everything that it needs and that belongs to it.
    fn keep(&mut self, key: &str) {
        let mut left = vec![key.to_owned()];
        while let Some(key) = left.pop() {
            let Some(object) = self.dump.objects.get(&key) else { continue };
            if !self.kept.insert(key.clone()) {
                continue;
            }
            if object.kind == Kind::Table && !self.chosen.contains(&key) {
                let table = self.dump.table(&key);
                self.notes.insert(format!(
                    "{table} comes along without its rows, because a chosen table needs its definition"
                ));
            }
            left.extend(object.schema.iter().map(|schema| global_key(Kind::Schema, schema)));
            left.extend(object.of.iter().cloned());
            for global in object.globals.iter().filter(|global| !BUILT_IN.contains(&global.as_str())) {
                left.push(global.clone());
                // A language or a wrapper may come with the extension of its name.
                left.extend(global.split_once(' ').map(|(_, name)| format!("extension {name}")));
            }
            for name in &object.names {
                left.extend(self.providers(name, &key));
            }
            for word in &object.body {
                let named = self.dump.by_word.get(word).into_iter().flatten();
                left.extend(named.filter(|other| !self.is_barred(other)).cloned());
            }
            for part in self.dump.parts.get(&key).into_iter().flatten() {
                if self.comes_along(part) {
                    left.push(part.clone());
                }
            }
            // A sequence goes with the table that owns it.
            let owned = self.dump.objects_of_kind(&[Kind::Owned]);
            let owned = owned.filter(|(_, owner)| owner.to.as_ref().is_some_and(|to| shown(to) == key));
            left.extend(
                owned.flat_map(|(owner, sequence)| [Some(owner.clone()), sequence.of.clone()]).flatten(),
            );
        }
    }

    /// The objects that a name may stand for: those that can be had without other tables, if there are any.
    fn providers(&self, name: &Name, user: &str) -> Vec<String> {
        let Some(all) = self.dump.by_name.get(name) else {
            // What the dump does not define, and is in one of its schemas, comes with an extension.
            let from = self.dump.extensions.iter();
            return from
                .filter(|(_, schema)| schema.as_ref() == Some(&name.0))
                .map(|(key, _)| key.clone())
                .collect();
        };
        let others = || all.iter().filter(|key| *key != user);
        if others().any(|key| self.kept.contains(key)) && others().count() == 1 {
            return Vec::new();
        }
        let free: Vec<String> = others().filter(|key| !self.is_barred(key)).cloned().collect();
        if free.is_empty() { others().cloned().collect() } else { free }
    }

    /// Whether it cannot be had without a table that was not chosen.
    fn is_barred(&self, key: &str) -> bool {
        let (mut seen, mut left) = (BTreeSet::new(), vec![key]);
        while let Some(key) = left.pop() {
            let Some(object) = self.dump.objects.get(key) else { continue };
            if self.kept.contains(key) || !seen.insert(key) {
                continue;
            }
            if matches!(object.kind, Kind::Table | Kind::View) && !self.chosen.contains(key) {
                return true;
            }
            left.extend(object.of.as_deref());
            for name in &object.names {
                left.extend(self.dump.by_name.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }

    /// Whether a part of a kept object is kept too; a note says why not.
    fn comes_along(&mut self, key: &str) -> bool {
        let Some(part) = self.dump.objects.get(key) else { return false };
        let of = part.of.as_deref().map(|of| self.dump.table(of).to_owned()).unwrap_or_default();
        let to = part.to.as_ref().map(shown).unwrap_or_default();
        match part.kind {
            Kind::ForeignKey | Kind::Partition if self.chosen.contains(&to) => true,
            Kind::ForeignKey => {
                self.notes.insert(format!(
                    "foreign key {} refers to {}, which is not chosen: it is left out unless the target has that table",
                    foreign_key(key),
                    self.dump.table(&to)
                ));
                false
            }
            Kind::Partition => {
                self.notes.insert(format!(
                    "{of} is a partition of {}, which is not chosen: it is restored as a table of its own unless the \
                     target has that one",
                    self.dump.table(&to)
                ));
                false
            }
            Kind::IndexPartition => part.to.as_ref().is_some_and(|parent| {
                let of = self.dump.objects.get(&shown(parent)).and_then(|index| index.of.clone());
                of.is_some_and(|table| self.chosen.contains(&table))
            }),
            Kind::Owned => self.chosen.contains(&to),
            Kind::Trigger | Kind::Rule | Kind::Policy if self.is_barred(key) => {
                self.notes.insert(format!("{key} is left out: it needs a table or view that is not chosen"));
                false
            }
            _ => true,
        }
    }

    /// Keeps what makes kept types whole, and is named by nobody: casts, operators and their classes.
    fn keep_helpers(&mut self) -> bool {
        let of_kept_type = |name: &Name| {
            let named = self.dump.by_name.get(name).into_iter().flatten();
            named.into_iter().any(|key| {
                self.kept.contains(key)
                    && self.dump.objects.get(key).is_some_and(|object| object.kind == Kind::Type)
            })
        };
        let more: Vec<String> = self
            .dump
            .objects_of_kind(&[Kind::Cast, Kind::Helper])
            .filter(|(key, object)| !self.kept.contains(*key) && object.names.iter().any(of_kept_type))
            .map(|(key, _)| key.clone())
            .filter(|key| !self.is_barred(key))
            .collect();
        for key in &more {
            self.keep(key);
        }
        !more.is_empty()
    }

    /// Names who refers to the chosen tables and is left behind.
    fn note_references(&mut self) {
        for (key, foreign) in self.dump.objects_of_kind(&[Kind::ForeignKey]) {
            let (Some(of), Some(to)) = (&foreign.of, foreign.to.as_ref().map(shown)) else { continue };
            if self.chosen.contains(&to) && !self.chosen.contains(of) {
                self.notes.insert(format!(
                    "{} refers to {} (foreign key {}), and is not chosen",
                    self.dump.table(of),
                    self.dump.table(&to),
                    foreign_key(key)
                ));
            }
        }
        for (key, view) in self.dump.objects_of_kind(&[Kind::View]) {
            let read = view.names.iter().map(shown).filter(|name| self.chosen.contains(name));
            let read: Vec<String> = read.map(|name| self.dump.table(&name).to_owned()).collect();
            if !read.is_empty() && !self.kept.contains(key) {
                self.notes.insert(format!("view {key} reads {}, and is left out", read.join(", ")));
            }
        }
        for (key, function) in self.dump.objects_of_kind(&[Kind::Function]) {
            let bodies = function.body.iter().filter(|_| self.kept.contains(key));
            let words: BTreeSet<&str> = bodies.map(String::as_str).collect();
            let missing = self.dump.tables.iter().filter(|(table, _)| !self.kept.contains(*table));
            for (_, table) in missing {
                if table.rsplit('.').next().is_some_and(|name| words.contains(name)) {
                    self.notes.insert(format!("function {key} names {table}, which is not restored"));
                }
            }
        }
    }

    fn selected(self) -> Selected {
        let tables = self.chosen.iter().map(|key| self.dump.table(key).to_owned());
        let kind = |key: &String| self.dump.objects.get(key).map_or(Kind::Unknown, |object| object.kind);
        let mut selected = Selected::new(tables.collect());
        selected.objects = self.kept.iter().map(|key| word_of(kind(key), key)).collect();
        selected.notes = self.notes.into_iter().collect();
        selected
    }
}
