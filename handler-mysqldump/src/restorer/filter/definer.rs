//! Leaves the `DEFINER` out of a line that defines a view, trigger, routine or event.

/// What stands before the account, in comments for the server (`/*!50017 DEFINER=…*/`) and without.
const DEFINER: &[u8] = b"DEFINER=";

/// How each dump program begins the lines that hold one.
const STARTS: &[&[u8]] = &[
    b"CREATE DEFINER=",
    b"CREATE OR REPLACE DEFINER=",
    b"/*!50003 CREATE*/ /*!50017 DEFINER=",
    b"/*!50003 CREATE*/ /*!50020 DEFINER=",
    b"/*!50106 CREATE*/ /*!50117 DEFINER=",
    b"/*!50013 DEFINER=",
];

/// The line without its definer, or nothing where it has none.
pub(super) fn without_definer(line: &[u8]) -> Option<Vec<u8>> {
    let start = STARTS.iter().find(|start| line.starts_with(start))?;
    let begin = start.len() - DEFINER.len();
    let rest = line.get(start.len()..)?;
    let user = quoted(rest)?;
    let host = rest.get(user..)?.strip_prefix(b"@").and_then(quoted).map_or(0, |length| length + 1);
    let mut tail = rest.get(user + host..)?;
    if let Some(shorter) = tail.strip_prefix(b" ") {
        tail = shorter;
    }
    let mut whole = line.get(..begin)?.to_vec();
    whole.extend_from_slice(tail);
    Some(whole)
}

/// The length of a name in backticks, or of a bare word such as `CURRENT_USER`.
pub(in crate::restorer) fn quoted(text: &[u8]) -> Option<usize> {
    let Some(inner) = text.strip_prefix(b"`") else {
        let word = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        return (word > 0).then_some(word);
    };
    let mut at = 0;
    loop {
        at += memchr::memchr(b'`', inner.get(at..)?)? + 1;
        if inner.get(at) != Some(&b'`') {
            return Some(at + 1);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_definer_goes() {
        for (line, expected) in [
            ("CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\n", Some("CREATE PROCEDURE `p`()\n")),
            ("CREATE DEFINER=`a``@b`@`%` FUNCTION `f`()", Some("CREATE FUNCTION `f`()")),
            ("CREATE DEFINER=`role` PACKAGE x", Some("CREATE PACKAGE x")),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `t`",
                Some("/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER `t`"),
            ),
            (
                "/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */",
                Some("/*!50013 SQL SECURITY DEFINER */"),
            ),
            (
                "/*!50106 CREATE*/ /*!50117 DEFINER=`r`@`%`*/ /*!50106 EVENT `e` ON",
                Some("/*!50106 CREATE*/ /*!50117 */ /*!50106 EVENT `e` ON"),
            ),
            ("SELECT 'DEFINER=`root`@`localhost`'", None),
            ("CREATE TABLE `DEFINER=`", None),
        ] {
            let found = without_definer(line.as_bytes()).map(|line| String::from_utf8(line).unwrap());
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }
}
