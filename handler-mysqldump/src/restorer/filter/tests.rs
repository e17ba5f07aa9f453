use super::*;

const DUMP: &str = r"/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

--
-- Table structure for table `orders`
--
CREATE TABLE `orders` (`a` int);

--
-- Dumping data for table `orders`
--
INSERT INTO `orders` VALUES (1),('USE `x`;\nDELIMITER ;;\nCREATE DEFINER=`a`@`b` ');
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `orders` FOR EACH ROW BEGIN
USE `not a statement`;
END */;;
DELIMITER ;
--
-- Table structure for table `we``ird`
--
CREATE TABLE `we``ird` (`a` int);
--
-- Dumping routines for database 'shop'
--
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()
CREATE DEFINER=`in`@`body` ;;
DELIMITER ;
DELIMITER ;;
/*!50003 SET time_zone = 'SYSTEM' */ ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`root`@`localhost`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;;
DELIMITER ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 1 */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
-- Dump completed
";

fn run(definers: Definers, tables: &[&str], text: &str, size: usize) -> Result<String> {
    let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
    filtered(definers, &if tables.is_empty() { Wanted::All } else { Wanted::Tables(tables) }, text, size)
}

fn filtered(definers: Definers, wanted: &Wanted, text: &str, size: usize) -> Result<String> {
    let mut filter = ScriptFilter::new(definers, wanted);
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(size) {
        out.extend_from_slice(&filter.update(chunk)?);
    }
    out.extend_from_slice(&filter.finish()?);
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_dump_passes_unchanged_but_for_the_sandbox_line_however_it_is_cut() {
    let expected = DUMP.split_once('\n').unwrap().1;
    for size in 1..DUMP.len() {
        assert_eq!(run(Definers::Require, &[], DUMP, size).unwrap(), format!("\n{expected}"), "{size}");
    }
}

#[test]
fn only_definers_of_definitions_are_stripped() {
    let stripped = run(Definers::Strip, &[], DUMP, 7).unwrap();
    assert!(stripped.contains("/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER `t`"), "{stripped}");
    assert!(stripped.contains("\nCREATE PROCEDURE `p`()\nCREATE DEFINER=`in`@`body` ;;"), "{stripped}");
    assert!(stripped.contains("/*!50106 CREATE*/ /*!50117 */ /*!50106 EVENT"), "{stripped}");
    assert!(stripped.contains("/*!50013 SQL SECURITY DEFINER */"), "{stripped}");
    assert!(stripped.contains("CREATE DEFINER=`a`@`b` '"), "a row is not touched: {stripped}");
    assert_eq!(stripped.lines().count(), DUMP.lines().count());
}

#[test]
fn the_dumped_database_is_never_altered() {
    let dump = "ALTER DATABASE `so``urce` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ;\nDELIMITER ;;\nALTER DATABASE `x` y ;;\n";
    let passed = run(Definers::Require, &[], dump, 9).unwrap();
    let expected =
        "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ;\nDELIMITER ;;\nALTER DATABASE `x` y ;;\n";
    assert_eq!(passed, expected);
}

#[test]
fn chosen_tables_come_with_their_rows_and_triggers_and_the_settings() {
    let one = run(Definers::Require, &["orders"], DUMP, 11).unwrap();
    for kept in [
        "CREATE TABLE `orders`",
        "INSERT INTO",
        "TRIGGER `t`",
        "@OLD_SQL_MODE=@@",
        "SQL_MODE=@OLD",
        "-- Dump completed",
    ] {
        assert!(one.contains(kept), "{kept}: {one}");
    }
    for left_out in ["`we``ird` (", "PROCEDURE", "VIEW"] {
        assert!(!one.contains(left_out), "{left_out}: {one}");
    }
    let odd = run(Definers::Require, &["we`ird"], DUMP, 3).unwrap();
    assert!(
        odd.contains("CREATE TABLE `we``ird`") && !odd.contains("INSERT") && !odd.contains("TRIGGER"),
        "{odd}"
    );
    let err = run(Definers::Require, &["orders", "missing"], DUMP, 100).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.to_string().contains("missing"), "{err}");
}

#[test]
fn definitions_pass_without_rows_and_with_programs() {
    for size in [1, 9, 4000] {
        let dump = DUMP.replace("VALUES (1),", "VALUES\n(1),\n");
        let bare = filtered(Definers::Require, &Wanted::Definitions, &dump, size).unwrap();
        assert!(
            !bare.contains("INSERT INTO") && !bare.contains("(1),") && !bare.contains("DEFINER=`a`@`b`"),
            "{bare}"
        );
        for kept in ["CREATE TABLE `orders`", "TRIGGER `t`", "PROCEDURE `p`", "VIEW `v`", "SET SQL_MODE=@OLD"]
        {
            assert!(bare.contains(kept), "{kept}: {bare}");
        }
        assert_eq!(bare.lines().count(), dump.lines().count());
    }
}

#[test]
fn a_dump_that_names_its_database_is_refused_with_its_line() {
    for line in ["USE `other`;", "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `other`;", "DROP DATABASE x;"] {
        let err = run(Definers::Require, &[], &format!("-- a\n-- b\n{line}\n"), 5).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Unsupported, "{line}");
        assert!(err.to_string().contains("line: 3"), "{err}");
    }
}
