use std::collections::BTreeMap;

use crate::inventory::{Inspector, Inventory};

const END: &str = "\n-- Dump completed on 2026-11-21  2:22:49\n";

fn scan_as(format: &str, statements: &str) -> Inventory {
    let dump = format!("{statements}{END}");
    let scan = |size: usize| {
        let Inspector { mut tap, inventory, .. } = Inspector::for_format("mysql", format);
        for chunk in dump.as_bytes().chunks(size) {
            tap.update(chunk).unwrap();
        }
        tap.finish().unwrap();
        inventory.take().unwrap().unwrap()
    };
    let whole = scan(usize::MAX);
    for size in 1..40 {
        assert_eq!(scan(size), whole, "chunks of {size}");
    }
    whole
}

/// What is in the statements, which must not depend on how they are cut.
fn scan(statements: &str) -> Inventory {
    scan_as("plain", statements)
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect()
}

fn definition(statements: &str) -> String {
    scan(statements).table("t").unwrap().definition.clone().unwrap()
}

const TABLE: &str = "DROP TABLE IF EXISTS `t`;\n/*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
    CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `key` varchar(9) DEFAULT 'x, KEY `y`',\n  `doc` longtext CHECK (json_valid(`doc`)),\n  \
    PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`key`,`id`),\n  KEY `k` (`key`(3)),\n  FULLTEXT KEY `f` (`doc`),\n  \
    CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  CONSTRAINT `positive` CHECK (`id` > 0)\n) \
    ENGINE=InnoDB AUTO_INCREMENT=41 DEFAULT CHARSET=utf8mb4\n/*!50100 PARTITION BY RANGE (`id`)\n(PARTITION p0 VALUES LESS THAN (9) ENGINE = InnoDB) */;\n";
const TRIGGER: &str = "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON `t`\n\
    FOR EACH ROW BEGIN SET NEW.id = 1; SET NEW.key = 'a;;b'; END */;;\nDELIMITER ;\n";

#[test]
fn objects_are_counted_by_what_makes_them() {
    assert_eq!(
        scan(&format!("{TABLE}{TRIGGER}")).objects,
        counts([("constraint", 3), ("foreign-key", 1), ("index", 3), ("table", 1), ("trigger", 1)])
    );
    let others = "/*!50001 CREATE VIEW `v` AS SELECT\n 1 AS `table`*/;\nDELIMITER ;;\n\
        CREATE DEFINER=`trigger`@`%` PROCEDURE `p`() BEGIN CREATE TABLE x (a int, KEY (a)); END ;;\n\
        CREATE DEFINER=`a`@`b` FUNCTION `f`() RETURNS int DETERMINISTIC RETURN 1 ;;\n\
        /*!50106 CREATE*/ /*!50117 DEFINER=`a`@`b`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;;\n\
        CREATE PACKAGE `pk` AS a; END ;;\nCREATE PACKAGE BODY `pk` AS a; END ;;\nDELIMITER ;\n\
        CREATE SEQUENCE `s` start with 1 ENGINE=InnoDB;\nCREATE TABLE `old` (`next_value` bigint) ENGINE=InnoDB SEQUENCE=1;\n\
        CREATE DATABASE /*!32312 IF NOT EXISTS*/ `x`;\n\
        /*!50001 DROP VIEW IF EXISTS `v`*/;\n/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`b` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select 1 AS `a` */;\n";
    let expected = [
        ("event", 1),
        ("function", 1),
        ("package", 1),
        ("package-body", 1),
        ("procedure", 1),
        ("sequence", 2),
        ("view", 1),
    ];
    assert_eq!(scan(others).objects, counts(expected));
    assert_eq!(
        scan("-- CREATE VIEW `v`\n# x\nINSERT INTO `t` VALUES ('CREATE VIEW `v`');\n").objects,
        counts([])
    );
}

#[test]
fn every_key_and_trigger_counts() {
    let whole = definition(&format!("{TABLE}{TRIGGER}"));
    assert_eq!(whole.len(), 32);
    for (from, to) in [
        ("  KEY `k` (`key`(3)),\n", ""),
        ("(3)", "(4)"),
        ("  UNIQUE KEY `u` (`key`,`id`),\n", ""),
        ("CASCADE", "SET NULL"),
        ("'x, KEY `y`'", "'x, KEY `z`'"),
        ("NOT NULL AUTO_INCREMENT", "NOT NULL"),
        ("utf8mb4", "latin1"),
        ("THAN (9)", "THAN (8)"),
        ("'a;;b'", "'a;;c'"),
        ("BEFORE INSERT", "AFTER INSERT"),
        (TRIGGER, ""),
    ] {
        let other = format!("{TABLE}{TRIGGER}").replacen(from, to, 1);
        assert_ne!(definition(&other), whole, "{to} for {from}");
    }
    let without = TABLE.replace("  KEY `k` (`key`(3)),\n", "");
    assert_eq!(scan(TABLE).differences(&scan(&without)), ["3 indexes expected, 2 found"]);
    assert_eq!(scan(TABLE).definition_differences(&scan(&without)), ["table t is defined in another way"]);
}

#[test]
fn counters_definers_and_databases_do_not_count() {
    let whole = definition(&format!("{TABLE}{TRIGGER}"));
    for (from, to) in [
        (" AUTO_INCREMENT=41", ""),
        ("AUTO_INCREMENT=41", "AUTO_INCREMENT=42"),
        ("`root`@`localhost`", "`me`@`%`"),
        ("ON `t`", "ON `shop`.`t`"),
        ("TRIGGER `tr`", "TRIGGER `shop`.`tr`"),
        ("\n  ", "\n\t/* a comment */ "),
        (
            "DELIMITER ;;",
            "/*!40000 ALTER TABLE `t` DISABLE KEYS */;\nINSERT INTO `t` VALUES (1);\nDELIMITER ;;",
        ),
    ] {
        let other = format!("{TABLE}{TRIGGER}").replace(from, to);
        assert_eq!(definition(&other), whole, "{to} for {from}");
    }
    let several = scan_as("databases", &format!("USE `a`;\n{TABLE}{TRIGGER}USE `b`;\n{TABLE}"));
    assert_eq!(several.table("a.t").unwrap().definition, Some(whole));
    assert_eq!(several.table("b.t").unwrap().definition, Some(definition(TABLE)));
    assert_eq!(several.objects.get("index"), Some(&6));
}
