//! What the client itself reads in a dump: [`Delimiter`], and no command else: a dump must not run programs on
//! restore.

use super::super::{Error, capped::Capped, corrupt};

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter(&'static [u8]);

impl Default for Delimiter {
    fn default() -> Self {
        Self(b";")
    }
}

impl Delimiter {
    /// Those that are written by tools, with `|` of MariaDB's `--system=users`.
    const ALL: [&'static [u8]; 5] = [b";", b";;", b"//", b"$$", b"|"];

    /// Reads what follows the word `DELIMITER` on its line.
    pub(super) fn parse(line: &Capped) -> Result<Self, Error> {
        let argument = line.whole().filter(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
        let argument = argument.unwrap_or_default().trim_ascii();
        Self::ALL
            .into_iter()
            .find(|known| *known == argument)
            .map(Self)
            .ok_or_else(|| corrupt("the dump sets a delimiter that mysqldump does not write"))
    }

    pub(super) fn first(self) -> u8 {
        self.0.first().copied().unwrap_or(b';')
    }

    pub(super) fn second(self) -> Option<u8> {
        self.0.get(1).copied()
    }
}

/// Makes sure that the first word of a statement is not for the client, in any of its versions.
///
/// Letters outside of ASCII are refused as well: the client compares words as a server sorts them, which takes
/// some of those for plain letters.
pub(super) fn check_first_word(word: &Capped) -> Result<(), Error> {
    #[rustfmt::skip]
    const COMMANDS: [&str; 26] = [
        "charset", "clear", "connect", "costs", "delimiter", "edit", "ego", "exit", "go", "help", "nopager",
        "notee", "nowarning", "pager", "print", "prompt", "query_attributes", "quit", "rehash",
        "resetconnection", "source", "ssl_session_data_print", "status", "system", "tee", "warnings",
    ];
    if word.start().is_ascii() && !COMMANDS.iter().any(|command| word.is(command)) {
        return Ok(());
    }
    let name = String::from_utf8_lossy(word.start().get(..32).unwrap_or(word.start())).into_owned();
    Err(corrupt("the dump holds a command to the client, which mysqldump does not write")
        .with_context("command", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn text(text: &str) -> Capped {
        let mut capped = Capped::default();
        capped.push(text.as_bytes());
        capped
    }

    #[test]
    fn delimiters_that_tools_write_are_known_and_no_others() {
        for (line, first, second) in [
            (" ;", b';', None),
            (" ;;", b';', Some(b';')),
            ("\t// ", b'/', Some(b'/')),
            (" $$\r", b'$', Some(b'$')),
            (" |", b'|', None),
        ] {
            let delimiter = Delimiter::parse(&text(line)).unwrap();
            assert_eq!((delimiter.first(), delimiter.second()), (first, second), "{line}");
        }
        for line in ["", " ", ";", ";;", " ;;;", " ; ;", " '", " \\", " a", " --", &" ;".repeat(2000)] {
            assert_eq!(Delimiter::parse(&text(line)).unwrap_err().kind(), ErrorKind::Corrupt, "{line}");
        }
    }

    #[test]
    fn no_first_word_is_for_the_client() {
        for word in
            ["system", "SOURCE", "Tee", "pager", "delimiter", "warnings", "s\u{ff}stem", "\u{17f}ystem"]
        {
            let err = check_first_word(&text(word)).unwrap_err();
            assert!(err.kind() == ErrorKind::Corrupt && err.to_string().contains("command: "), "{err}");
        }
        for word in ["insert", "systems", "CREATE", "x"] {
            check_first_word(&text(word)).unwrap();
        }
    }
}
