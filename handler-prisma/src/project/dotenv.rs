//! Reads `.env` files as Prisma does: the grammar of `dotenv` 16, with `${NAME}` expanded.

use std::collections::BTreeMap;

use backup_core::Secret;

/// How deep variables are expanded that name each other.
const DEPTH: usize = 8;

/// The longest value that an expansion may make, in bytes.
const LONGEST: usize = 64 * 1024;

/// The variables of a file, in its own words; of a name that is set twice, the last value counts.
pub(super) fn parse(text: &str) -> BTreeMap<String, Secret> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut found = BTreeMap::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        if let Some((name, value, length)) = assignment(rest) {
            found.insert(name, Secret::new(value));
            rest = rest.get(length..).unwrap_or_default();
        }
        // What is left of the line is a comment, or no assignment.
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    found
}

/// `export NAME = value` at the start of a line, and how many bytes it takes.
fn assignment(text: &str) -> Option<(String, String, usize)> {
    let start = text.trim_start_matches([' ', '\t']);
    let start = match start.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start_matches([' ', '\t']),
        _ => start,
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let end = start.find(|letter| !is_name(letter)).unwrap_or(start.len());
    let (name, rest) = start.split_at_checked(end)?;
    if name.is_empty() {
        return None;
    }
    let blank = [' ', '\t'];
    let rest = match rest.trim_start_matches(blank).strip_prefix('=') {
        Some(rest) => rest,
        // `NAME: value`, as YAML writes it.
        None => rest.strip_prefix(':').filter(|rest| rest.starts_with(blank))?,
    };
    let rest = rest.trim_start_matches(blank);
    let offset = text.len().checked_sub(rest.len())?;
    if let Some((value, length)) = quoted(rest) {
        return Some((name.to_owned(), value, offset + length));
    }
    let line = rest.split('\n').next().unwrap_or_default();
    let value = line.split('#').next().unwrap_or_default();
    // A quote that is not closed is a part of the value, unless both ends have it.
    Some((name.to_owned(), value.trim().to_owned(), offset + value.len()))
}

/// A quoted value, which may go over several lines, and its length with the quotes.
fn quoted(text: &str) -> Option<(String, usize)> {
    let quote = text.chars().next().filter(|letter| matches!(letter, '\'' | '"' | '`'))?;
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if letter == quote && !escaped {
            let inner = text.get(1..at)?;
            let value =
                if quote == '"' { inner.replace("\\n", "\n").replace("\\r", "\r") } else { inner.to_owned() };
            return Some((value, at + 1));
        }
        escaped = letter == '\\' && !escaped;
    }
    None
}

/// Replaces `${NAME}` in a value by what `look_up` knows, else by nothing; `\$` is a dollar.
pub(super) fn expand(value: &Secret, look_up: &impl Fn(&str) -> Option<Secret>) -> Secret {
    Secret::new(expanded(value.expose(), look_up, DEPTH))
}

fn expanded(text: &str, look_up: &impl Fn(&str) -> Option<Secret>, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        if let Some(value) = look_up(name).filter(|_| depth > 0) {
            out.push_str(&expanded(value.expose(), look_up, depth - 1));
        }
        if out.len() > LONGEST {
            return out;
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text).into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
    }

    #[test]
    fn every_form_of_dotenv_is_read() {
        let text = "\u{feff}# comment\r\nA=1\nexport B = two words # rest\n  C='sin#gle'\nD=\"a\\nb # c\" # d\nE=`back`\n\
            F: yaml\nG=\nH=\"two\nlines\"\nnonsense\n=x\nI.j-K=p@ss\nA=2\nL='open\nM=\"q\\\"uote\"\nN=it's\n";
        let pairs = [
            ("A", "2"),
            ("B", "two words"),
            ("C", "sin#gle"),
            ("D", "a\nb # c"),
            ("E", "back"),
            ("F", "yaml"),
            ("G", ""),
            ("H", "two\nlines"),
            ("I.j-K", "p@ss"),
        ];
        let found = read(text);
        for (name, value) in pairs {
            assert!(found.contains(&(name.to_owned(), value.to_owned())), "{name}: {found:?}");
        }
    }

    #[test]
    fn only_braces_are_expanded() {
        let known = |name: &str| (name == "X").then(|| Secret::new("x"));
        for (text, expected) in
            [("${X}${Y}-$X", "x-$X"), ("\\${X}", "${X}"), ("${X", "${X"), ("a${X}b${X}", "axbx")]
        {
            assert_eq!(expand(&Secret::new(text), &known).expose(), expected, "{text}");
        }
    }

    #[test]
    fn variables_that_name_themselves_end() {
        let known = |_: &str| Some(Secret::new("${A}${A}"));
        assert!(expand(&Secret::new("${A}"), &known).expose().len() < 1000);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            for value in parse(&text).values() {
                expand(value, &|_| Some(Secret::new("${A}'")));
            }
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^'\\\\\r\0]{0,40}", next in "[a-z]{1,5}") {
            let found = read(&format!("URL='{value}'\nNEXT={next}\n"));
            prop_assert_eq!(found, [("NEXT".to_owned(), next), ("URL".to_owned(), value)]);
        }
    }
}
