//! Claims about single statements; whole dumps are in `tests/scanner_mysql.rs`.

use super::*;
use crate::ErrorKind;

const END: &str = "\n-- Dump completed on 2026-11-21  2:22:49\n";

struct Scanned {
    /// The inventory as `(name, rows, bytes)`.
    tables: Vec<(String, u64, u64)>,
    position: Option<SourcePosition>,
    warnings: Vec<String>,
}

fn scan_by(dump: &[u8], size: usize) -> Result<Scanned> {
    let Inspector { mut tap, inventory, position, warnings, .. } = Inspector::for_format("mysql", "plain");
    for chunk in dump.chunks(size) {
        tap.update(chunk)?;
    }
    tap.finish()?;
    let tables = inventory.take().unwrap().unwrap().tables;
    let tables = tables.into_iter().map(|table| (table.name, table.rows, table.bytes)).collect();
    Ok(Scanned { tables, position: position.take().unwrap(), warnings: warnings.take().unwrap() })
}

/// What is found in `statements`, which must not depend on how they are cut.
fn scanned(statements: &str) -> Scanned {
    let dump = format!("{statements}{END}");
    let whole = scan_by(dump.as_bytes(), usize::MAX).unwrap();
    let sizes = if dump.len() < 10_000 { 1..40 } else { 999..1000 };
    for size in sizes {
        let other = scan_by(dump.as_bytes(), size).unwrap();
        assert_eq!(other.tables, whole.tables, "chunks of {size}");
        assert_eq!((other.position, other.warnings), (whole.position.clone(), whole.warnings.clone()));
    }
    whole
}

fn tables(statements: &str) -> Vec<(String, u64, u64)> {
    scanned(statements).tables
}

/// The same without bytes.
fn rows(statements: &str) -> Vec<(String, u64)> {
    tables(statements).into_iter().map(|(name, rows, _)| (name, rows)).collect()
}

/// The error of a dump that has its end mark, whatever the cuts.
fn refusal(statements: &str) -> (ErrorKind, String) {
    let dump = format!("{statements}{END}");
    let refused = |size| scan_by(dump.as_bytes(), size).map(|_| dump.as_str()).unwrap_err();
    let err = refused(usize::MAX);
    for size in 1..20 {
        let other = refused(size);
        assert_eq!((other.kind(), other.message()), (err.kind(), err.message()), "chunks of {size}: {dump}");
    }
    (err.kind(), err.to_string())
}

fn one(name: &str, rows: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), rows)]
}

#[test]
fn tables_without_rows_are_listed() {
    let found = rows(
        "CREATE TABLE `a` (\n  `id` int\n) ENGINE=InnoDB;\nCREATE TABLE IF NOT EXISTS `b` (x int);\n\
         /*!50001 CREATE TABLE `c` (x int) */;\nCREATE OR REPLACE TABLE d (x int) WITH SYSTEM VERSIONING;\n\
         CREATE TABLE `if` (a int);\n/*M!100100 CREATE TABLE `e` (a int) */;\n",
    );
    let names: Vec<_> = found.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "if"].map(|name| (name, 0)));
}

#[test]
fn what_is_no_table_is_not_listed() {
    for other in [
        "/*!50001 CREATE VIEW `v` AS SELECT \n 1 AS `a`,\n 1 AS `TABLE`*/;",
        "SET character_set_client = utf8mb4;\n/*!50001 CREATE TABLE `v` (`a` tinyint NOT NULL) ENGINE=MyISAM */;\n\
         /*!50001 DROP TABLE IF EXISTS `v`*/;\n/*!50001 DROP VIEW IF EXISTS `v`*/;\n\
         /*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */\n\
         /*!50001 VIEW `v` AS select 'CREATE TABLE x (' AS `a` from `TABLE` */\n/*!50002 WITH CASCADED CHECK OPTION */;",
        "CREATE SEQUENCE `s` start with 1 cache 1000 nocycle ENGINE=InnoDB;\nDO SETVAL(`s`, 1, 0);",
        "CREATE TABLE `s` (\n  `cycle_count` bigint(21) NOT NULL\n) ENGINE=InnoDB SEQUENCE=1;\nINSERT INTO `s` VALUES (1,0);",
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;",
        "CREATE DEFINER=`TABLE`@`%` FUNCTION `f`() RETURNS int\nRETURN 1 ;",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 'CREATE TABLE x (y)';",
        "LOCK TABLES `x` WRITE;\n/*!40000 ALTER TABLE `x` DISABLE KEYS */;\nUNLOCK TABLES;\nDROP TABLE IF EXISTS `x`;",
    ] {
        assert_eq!(rows(other), [], "{other}");
    }
}

#[test]
fn names_are_shown_unquoted_and_never_alike() {
    for (written, shown) in [
        ("`t`", "t"),
        ("Actor", "Actor"),
        ("a$b", "a$b"),
        ("`it's`", "it's"),
        ("`a``b`", "a`b"),
        ("`say \"x\"`", "\"say \"\"x\"\"\""),
        ("`a.b`", "\"a.b\""),
        ("`db`.`t`", "db.t"),
        ("`línea\nzwei`", "línea\nzwei"),
        ("`数据😀`", "数据😀"),
        ("`) VALUES (`", ") VALUES ("),
        ("`--`", "--"),
        ("`\\`", "\\"),
        ("`a` /* `b` */ -- `c`\n", "a"),
    ] {
        assert_eq!(rows(&format!("CREATE TABLE {written} (a int);\n")), one(shown, 0), "{written}");
        for insert in ["INSERT INTO", "INSERT  IGNORE INTO", "REPLACE INTO", "insert delayed into"] {
            assert_eq!(rows(&format!("{insert} {written} VALUES (1);\n")), one(shown, 1), "{written}");
        }
    }
    let dump = [b"CREATE TABLE `caf\xe9` (a int);\n", END.as_bytes()].concat();
    assert_eq!(scan_by(&dump, 3).unwrap().tables, [("caf\\xe9".to_owned(), 0, 0)]);
}

#[test]
fn a_dump_of_several_databases_names_them() {
    let table = "CREATE TABLE `t` (a int);\nINSERT INTO `t` VALUES (1);\n";
    let found = rows(&format!("USE `one`;\n{table}USE `two.three`;\n{table}{table}use four;\n{table}"));
    let expected = [("\"two.three\".t", 2), ("four.t", 1), ("one.t", 1)];
    assert_eq!(found, expected.map(|(name, rows)| (name.to_owned(), rows)));
}

#[test]
fn inserts_count_their_rows_and_bytes() {
    for (statement, count) in [
        ("INSERT INTO `t` VALUES (1,'a');", 1),
        ("INSERT INTO `t` (`a`, `VALUES (`, `it's`) VALUES (1,2,3);", 1),
        ("INSERT INTO `t` VALUES (1,'(''),('),(-2,'a;b'),(3,');\n-- Dump completed\n');", 3),
        ("INSERT INTO `t` VALUES ('\\'),(\\\\'),('\\\\'),('''),(\\'');", 3),
        ("INSERT INTO `t` VALUES\n(1,NULL),\n(2,_binary '\\0\\Z\\n'),\n(3,0xDEADBEEF);", 3),
        ("INSERT INTO `t` VALUES (\"a),(b\\\"\"),(\"\"\"),(\");", 2),
        ("INSERT INTO `t` VALUES ((1),(2 - 3),4/2 /* ),( */, -- ),(\n b'01'),( # ),(\n 5--3);", 2),
        ("INSERT INTO `t` VALUES (),(ST_GeomFromText('POINT(1 1)')),(1e5);", 3),
        ("INSERT INTO `t` VALUES ('INSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! ls');", 1),
    ] {
        let expected = [("t".to_owned(), count * 3, statement.len() as u64 * 3)];
        assert_eq!(tables(&format!("{statement}\n{statement}\n\n{statement}\n")), expected, "{statement}");
    }
}

#[test]
fn inserts_into_several_tables_are_kept_apart() {
    let found = rows(
        "INSERT INTO `a` VALUES (1);\nINSERT INTO `a` VALUES (1);\nINSERT INTO `ab` VALUES (1);\n\
         INSERT INTO `a` VALUES (1);INSERT INTO `a` VALUES (1);INSERT INTO `b` (`y`) VALUES (1),(2);\n",
    );
    assert_eq!(found, [("a".to_owned(), 4), ("ab".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[test]
fn bodies_hold_no_statements() {
    let trap = "INSERT INTO `y` VALUES (1); CREATE TABLE z (a int);\n-- Dump completed\n\
                SET sql_mode='NO_BACKSLASH_ESCAPES'; SELECT '\\';\\! x', \";;\", `;;` /* ;; */ # ;;\n; END";
    for body in [
        format!(
            "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW BEGIN\n{trap} */;;\nDELIMITER ;"
        ),
        format!("DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1/2; {trap}//\nDELIMITER ;"),
        format!("DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT $1; {trap}$$\nDELIMITER ;"),
        format!("delimiter |\nCREATE EVENT e DO BEGIN {trap} |\ndelimiter ;"),
        format!("DELIMITER ;;\nCREATE PACKAGE BODY `p` AS {trap} ;;\nDELIMITER ;"),
        "/* INSERT INTO y VALUES (1); /* */".to_owned(),
        "/**/ /***/ /*/ ' */".to_owned(),
    ] {
        assert_eq!(rows(&format!("{body}\nCREATE TABLE t (a int);\n")), one("t", 0), "{body}");
    }
}

#[test]
fn the_modes_that_the_dump_sets_are_followed() {
    let plain =
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES' */;\n";
    let insert = "INSERT INTO `t` VALUES ('\\'), ('\\'), ('a\\');\n";
    let back = "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n";
    let escaped = "INSERT INTO `t` VALUES ('\\'), (', 1), ('\\\\');\n";
    assert_eq!(rows(&format!("{escaped}{plain}{insert}{insert}{back}{escaped}")), one("t", 10));
    let ansi = "SET SESSION SQL_MODE=\"ANSI_QUOTES\";\n";
    assert_eq!(rows(&format!("{ansi}CREATE TABLE \"a \"\"b\" (x int);")), one("\"a \"\"b\"", 0));
    let none = "SET @@session.sql_mode = '';\n";
    assert_eq!(rows(&format!("{ansi}{none}INSERT INTO t VALUES (\"),(\");")), one("t", 1));
    for other in [
        "SET sql_mode=CONCAT(@@sql_mode, ',ANSI_QUOTES');",
        "SET sql_mode=4;",
        "SET sql_mode=@@global.sql_mode;",
        "SET NAMES gbk;",
        "SET NAMES 'sjis' COLLATE x;",
        "/*!50003 SET character_set_client  = big5 */;",
    ] {
        assert_eq!(refusal(other).0, ErrorKind::Unsupported, "{other}");
    }
    for fine in [
        "SET GLOBAL sql_mode='ANSI_QUOTES';",
        "SET NAMES utf8mb4;",
        "SET sql_mode=0, @x=(1,2);",
        "SET @x='ANSI', sql_mode=@x;SET sql_mode=@unknown, @a := 'it''s';",
        "/*!80000 SET sql_mode='STRICT_TRANS_TABLES' */;",
        "SET character_set_client = @saved_cs_client;",
    ] {
        assert_eq!(rows(&format!("{fine}INSERT INTO t VALUES (\"),(\");")), one("t", 1), "{fine}");
    }
}

#[test]
fn positions_are_found_however_they_are_written() {
    for statement in [
        "-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000003', MASTER_LOG_POS=157;\n",
        "-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE=\"binlog.000003\", SOURCE_LOG_POS=157;\n",
        "CHANGE MASTER 'a' TO MASTER_HOST='x', MASTER_LOG_FILE='binlog.000003', MASTER_LOG_POS=157;\n",
        "CHANGE REPLICATION SOURCE TO SOURCE_LOG_POS=157, SOURCE_LOG_FILE='binlog.000003' ;\n",
    ] {
        let again = "-- CHANGE MASTER TO MASTER_LOG_FILE='other', MASTER_LOG_POS=1;\n";
        let found = scanned(&format!("{statement}{again}")).position;
        assert_eq!(found, Some(SourcePosition::binlog("binlog.000003", 157)), "{statement}");
    }
    for (statement, gtid) in [
        ("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5,\nb:1-3';\n", "a:1-5,b:1-3"),
        ("SET @@GLOBAL.GTID_PURGED='a:1-5';\n", "a:1-5"),
        ("/* SET @@GLOBAL.GTID_PURGED='+a:1-5,\nb:1';*/\n", "a:1-5,b:1"),
        ("-- SET GLOBAL gtid_slave_pos='0-1-23';\n", "0-1-23"),
        ("SET GLOBAL gtid_slave_pos='0-1-23,1-1-5';\n", "0-1-23,1-1-5"),
    ] {
        let position = scanned(statement).position.unwrap();
        assert_eq!(position, SourcePosition::default().with_gtid(gtid), "{statement}");
    }
    for nothing in [
        "SET @@GLOBAL.GTID_PURGED='';\n",
        "SELECT 1\n-- CHANGE MASTER TO MASTER_LOG_FILE='a', MASTER_LOG_POS=1;\n;\n",
        "INSERT INTO t VALUES ('\n-- CHANGE MASTER TO MASTER_LOG_FILE=''a'', MASTER_LOG_POS=1;\n');\n",
        "-- CHANGE MASTER TO MASTER_LOG_FILE='a'\n-- CHANGE MASTER TO MASTER_USE_GTID=slave_pos;\n",
        "-- CHANGE MASTER TO \\ '\n/* SET @@GLOBAL.GTID_PURGED=' */\n",
    ] {
        assert_eq!(scanned(nothing).position, None, "{nothing}");
    }
    let hidden = "-- SET GLOBAL gtid_slave_pos='', sql_mode='NO_BACKSLASH_ESCAPES';\nINSERT INTO t VALUES ('\\'),(');\n";
    assert_eq!(rows(hidden), one("t", 1));
}

#[test]
fn a_set_of_transactions_that_is_too_long_is_a_warning() {
    let long = "a:1,".repeat(20_000);
    for statement in [
        format!("SET @@GLOBAL.GTID_PURGED='{long}';\n"),
        format!("/* SET @@GLOBAL.GTID_PURGED='+{long}';*/\n"),
        format!("-- SET GLOBAL gtid_slave_pos='{long}';\n"),
    ] {
        let Scanned { position, warnings, .. } = scanned(&statement);
        assert_eq!((position, warnings.len()), (None, 1));
        assert!(warnings[0].contains("64 KiB"), "{warnings:?}");
    }
    let longest = "a".repeat(64 * 1024);
    let kept = scanned(&format!("SET GLOBAL gtid_slave_pos='{longest}';\n")).position.unwrap();
    assert_eq!(kept.gtid, Some(longest));
}

#[test]
fn the_sandbox_line_is_allowed_where_it_is_written() {
    for line in ["/*M!999999\\- enable the sandbox mode */ \n", "/*!999999\\- enable the sandbox mode */\n"] {
        assert_eq!(rows(&format!("{line}-- MariaDB dump\nCREATE TABLE t (a int);\n")), one("t", 0));
        for moved in [format!("SELECT 1 {line};"), format!(" {line}"), line.replace("mode", "' mode")] {
            assert_eq!(refusal(&moved).0, ErrorKind::Corrupt, "{moved}");
        }
    }
}

#[test]
fn a_literal_between_rows_is_refused_wherever_a_chunk_ends_in_it() {
    for rows in ["(1)'(2),(3)'", "(1)'),(2),'", "(1)'x'),(2)", "'x'(1)"] {
        let (kind, message) = refusal(&format!("INSERT INTO t VALUES {rows};\n"));
        assert!(kind == ErrorKind::Corrupt && message.contains("INSERT"), "{rows}: {message}");
    }
}

#[test]
fn commands_to_the_client_are_refused() {
    for dump in [
        "\\! touch x\n",
        "SELECT 1 \\g\n",
        "SELECT \\N;\n",
        "INSERT INTO t VALUES (1, \\! x\n);\n",
        "INSERT INTO t VALUES (1)\\! x\n;\n",
        "CREATE TABLE t (\n\\! x\n);\n",
        "/*!50001 \\! x\n*/;\n",
        "/*!99999\\- enable the sandbox mode */;\n",
        "SELECT /*+ \\! x\n */ 1;\n",
        "system touch x\n;\n",
        "SELECT 1;\n  SYSTEM touch x;\n",
        "source /etc/passwd\n",
        "tee x\n",
        "pager sh\n",
        "? x\n",
        "s\u{ff}stem touch x\n",
        "/*M!100100 SET @x=1 */\nsystem touch x\n;\n",
        "/*M!100100 SET @x=' */\nsystem touch x\n/* ' */;\n",
        "/*M!100100 SET @x=1 -- */\nsystem touch x\n*/;\n",
        "/*M!100100 SET @x=`*/\nsystem touch x\n`*/;\n",
        "SELECT 1 --\u{1}'\n\\! x\n';\n",
        "/*!99999 SET sql_mode='NO_BACKSLASH_ESCAPES' */;\nSELECT '\\', '\n\\! x\n';\n",
        "/*M!100100 SET sql_mode='NO_BACKSLASH_ESCAPES' */;\nSELECT '\\', '\n\\! x\n';\n",
        "SET sql_mode='ANSI_QUOTES';\nSELECT \"a\\\", \"\n\\! x\n\";\n",
        "DELIMITER ;;;\n",
        "DELIMITER \\\n",
        "SELECT 1; DELIMITER ;;\n",
        "DELIMITER;;\n",
        "(SELECT 1);\n",
        "'x';\n",
        "*/;\n",
        "--x\n",
    ] {
        assert_eq!(refusal(dump).0, ErrorKind::Corrupt, "{dump}");
    }
}

#[test]
fn statements_that_cannot_be_counted_are_refused() {
    for statement in [
        "INSERT INTO t SELECT 1;",
        "INSERT INTO t TABLE u;",
        "INSERT INTO t SET a=1;",
        "INSERT t VALUES (1);",
        "INSERT INTO (t) VALUES (1);",
        "INSERT INTO t VALUES;",
        "INSERT INTO t;",
        "INSERT INTO;",
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a);",
        "INSERT INTO t VALUES (1) AS new;",
        "INSERT INTO t VALUES (1);;INSERT INTO t VALUES (1), 'a';",
        "INSERT INTO t VALUES (1;",
        "CREATE TABLE a.b.c (d int);",
    ] {
        assert_eq!(refusal(statement).0, ErrorKind::Corrupt, "{statement}");
    }
}

#[test]
fn long_tokens_are_no_problem_and_long_names_an_error() {
    let long = "x".repeat(200_000);
    assert_eq!(refusal(&format!("CREATE TABLE {long} (a int);")).0, ErrorKind::Corrupt);
    assert_eq!(refusal(&format!("INSERT INTO `{long}` VALUES (1);")).0, ErrorKind::Corrupt);
    let fine = format!("-- {long}\n# {long}\n/*{long}*/ SELECT {long}, \"{long}\", '{long}', `{long}`;\n");
    let set = format!("SET @{long}='{long}', @x=@@{long};\n");
    assert_eq!(rows(&format!("{fine}{set}INSERT INTO t VALUES (0x{long}, '{long}');\n")), one("t", 1));
}

#[test]
fn the_end_mark_counts_only_where_the_tool_writes_it() {
    let mark = "-- Dump completed on 2026-11-21  2:22:49\n";
    for dump in [
        String::new(),
        "CREATE TABLE t (a int);\n".to_owned(),
        format!("CREATE TABLE t (a int);\n {mark}"),
        format!("SELECT 1; {mark}"),
        mark.replace("--", "#"),
        mark.replace("-- ", "--  "),
        mark.replace("completed", "complete"),
        mark.replace("on 2026", "at 2026"),
        mark.replace("2026", "today"),
        mark.replace('\n', ""),
        format!("CREATE TABLE t\n{mark}"),
        format!("SELECT '\n{mark}"),
        format!("/*\n{mark}"),
        format!("/*\n{mark}*/"),
        format!("/*!40101 \n{mark}"),
        format!("SELECT 1 \n{mark};"),
        format!("{mark}CREATE TABLE t (a int);\n"),
        format!("{mark}CREATE TABLE t (a int);\n{mark}"),
        format!("INSERT INTO t VALUES (1);\n{mark}INSERT INTO t VALUES (1);\n{mark}"),
        format!("{mark};"),
        format!("{mark}DELIMITER ;;\n"),
        format!("{mark}USE"),
        format!("{mark}/* x"),
        format!("DELIMITER ;;\nSELECT 1;\n{mark}"),
    ] {
        for size in [1, 2, 7, 1000] {
            let kind = scan_by(dump.as_bytes(), size).map(|_| ()).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Incomplete, "{dump}");
        }
    }
    for dump in [
        mark.to_owned(),
        "-- Dump completed\n".to_owned(),
        format!("{mark}-- x\n\n/* y */ # z\n"),
        mark.replace('\n', "\r\n"),
        format!("{mark}{mark}"),
    ] {
        assert_eq!(scan_by(dump.as_bytes(), 1).unwrap().tables, [], "{dump}");
    }
}

#[test]
fn a_dump_that_ends_in_data_says_in_which_table() {
    let err = scan_by(b"USE d;\nINSERT INTO `t` VALUES (1,'a", 3).map(|_| ()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Incomplete);
    assert!(err.context().any(|field| field == ("table", "d.t")), "{err}");
}

#[test]
fn a_dump_that_was_refused_does_not_end_well() {
    let Inspector { mut tap, .. } = Inspector::for_format("mariadb", "plain");
    assert!(tap.update(b"\\! x\n").is_err());
    assert!(tap.update(END.as_bytes()).is_ok());
    assert_eq!(tap.finish().unwrap_err().kind(), ErrorKind::Corrupt);
}
