/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: nasty
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1-log

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Sequence structure for `seq`
--

DROP SEQUENCE IF EXISTS `seq`;
CREATE SEQUENCE `seq` start with 7 minvalue 1 maxvalue 9223372036854775806 increment by 1 cache 1000 nocycle ENGINE=InnoDB;
DO SETVAL(`seq`, 1007, 0);

--
-- Table structure for table `DELIMITER ;;`
--

DROP TABLE IF EXISTS `DELIMITER ;;`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `DELIMITER ;;` (
  `a` text DEFAULT NULL
) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `DELIMITER ;;`
--

LOCK TABLES `DELIMITER ;;` WRITE;
/*!40000 ALTER TABLE `DELIMITER ;;` DISABLE KEYS */;
INSERT INTO `DELIMITER ;;` VALUES
('x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\'),
('');
/*!40000 ALTER TABLE `DELIMITER ;;` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `back\slash'`
--

DROP TABLE IF EXISTS `back\slash'`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `back\slash'` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `back\slash'`
--

LOCK TABLES `back\slash'` WRITE;
/*!40000 ALTER TABLE `back\slash'` DISABLE KEYS */;
INSERT INTO `back\slash'` VALUES
(1);
/*!40000 ALTER TABLE `back\slash'` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `empty`
--

DROP TABLE IF EXISTS `empty`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `empty` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `empty`
--

LOCK TABLES `empty` WRITE;
/*!40000 ALTER TABLE `empty` DISABLE KEYS */;
/*!40000 ALTER TABLE `empty` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = '' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `tr'ig` BEFORE INSERT ON `empty` FOR EACH ROW BEGIN
  
  DECLARE x TEXT DEFAULT 'a;b''c";
-- Dump completed
';
  
  SET NEW.a = IF(NEW.a > 1, 2, 3); 
END 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;

--
-- Table structure for table `it's a "t``able".x`
--

DROP TABLE IF EXISTS `it's a "t``able".x`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `it's a "t``able".x` (
  `c``ol); --` int(11) DEFAULT NULL,
  `VALUES (` varchar(20) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `it's a "t``able".x`
--

LOCK TABLES `it's a "t``able".x` WRITE;
/*!40000 ALTER TABLE `it's a "t``able".x` DISABLE KEYS */;
INSERT INTO `it's a "t``able".x` VALUES
(1,'),('),
(2,NULL);
/*!40000 ALTER TABLE `it's a "t``able".x` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `types`
--

DROP TABLE IF EXISTS `types`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `types` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `t` text DEFAULT NULL,
  `b` blob DEFAULT NULL,
  `v` varbinary(300) DEFAULT NULL,
  `n` decimal(20,5) DEFAULT NULL,
  `f` double DEFAULT NULL,
  `d` datetime DEFAULT NULL,
  `dd` date DEFAULT NULL,
  `ts` timestamp NULL DEFAULT NULL,
  `y` year(4) DEFAULT NULL,
  `bit` bit(9) DEFAULT NULL,
  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`j`)),
  `e` enum('a','it''s',');') DEFAULT NULL,
  `s` set('x','y') DEFAULT NULL,
  `g` geometry DEFAULT NULL,
  `twice` int(11) GENERATED ALWAYS AS (`y` * 2) VIRTUAL,
  `kept` varchar(50) GENERATED ALWAYS AS (concat('x\'); -- ',`y`)) STORED,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci COMMENT='it''s; a \\ "comment" `x` -- Dump completed';
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `types`
--

LOCK TABLES `types` WRITE;
/*!40000 ALTER TABLE `types` DISABLE KEYS */;
INSERT INTO `types` VALUES
(1,'plain',0x706C61696E,0x706C61696E,-1.50000,1e100,'2024-01-01 00:00:00','2024-01-01','2024-01-01 00:00:00',2024,0x0155,'{\"a\": \"it\'s \\\"x\\\"\"}','a','x,y',0x000000000101000000000000000000F03F000000000000F03F,4048,'x\'); -- 2024'),
(2,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00','0000-00-00',NULL,0000,0x0000,NULL,'it\'s','',NULL,0,'x\'); -- 0000'),
(3,'-- Dump completed\n-- Dump completed on 2026-11-21  2:22:49\n',0x00FF275C220A0D1A,0x5C5C5C275C,0.00000,0,'1999-12-31 23:59:59',NULL,NULL,NULL,NULL,'[1,2]',');','x',NULL,NULL,NULL),
(4,'\');\nINSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! touch x\nsystem touch x\n',0x27292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C2827292C28,0x5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C,1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL),
(5,'😀 数据 é 	 \0 \Z \"quoted\" `ticked` \\','','',1.00000,0,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,'{}','a','',NULL,NULL,NULL),
(6,'/* */ /*! */ -- # ; ;; // $$',0x2A2F,0x27,1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL);
/*!40000 ALTER TABLE `types` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER="root"@"localhost"*/ /*!50003 TRIGGER "tr2" AFTER INSERT ON "types" FOR EACH ROW SET @x = 'back\' 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;

--
-- Temporary table structure for view `v1`
--

DROP TABLE IF EXISTS `v1`;
/*!50001 DROP VIEW IF EXISTS `v1`*/;
SET @saved_cs_client     = @@character_set_client;
SET character_set_client = utf8mb4;
/*!50001 CREATE VIEW `v1` AS SELECT
 NULL AS `id`,
 NULL AS `t`,
 NULL AS `it's` */;
SET character_set_client = @saved_cs_client;

--
-- Temporary table structure for view `v2`
--

DROP TABLE IF EXISTS `v2`;
/*!50001 DROP VIEW IF EXISTS `v2`*/;
SET @saved_cs_client     = @@character_set_client;
SET character_set_client = utf8mb4;
/*!50001 CREATE VIEW `v2` AS SELECT
 NULL AS `CREATE TABLE`,
 NULL AS `m` */;
SET character_set_client = @saved_cs_client;

--
-- Table structure for table `versioned`
--

DROP TABLE IF EXISTS `versioned`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `versioned` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci WITH SYSTEM VERSIONING;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `versioned`
--

LOCK TABLES `versioned` WRITE;
/*!40000 ALTER TABLE `versioned` DISABLE KEYS */;
INSERT INTO `versioned` VALUES
(3),
(2);
/*!40000 ALTER TABLE `versioned` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `数据 é`
--

DROP TABLE IF EXISTS `数据 é`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `数据 é` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `数据 é`
--

LOCK TABLES `数据 é` WRITE;
/*!40000 ALTER TABLE `数据 é` DISABLE KEYS */;
INSERT INTO `数据 é` VALUES
(1),
(2),
(3);
/*!40000 ALTER TABLE `数据 é` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Dumping events for database 'nasty'
--
/*!50106 SET @save_time_zone= @@TIME_ZONE */ ;
/*!50106 DROP EVENT IF EXISTS `ev` */;
DELIMITER ;;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;;
/*!50003 SET character_set_client  = utf8mb4 */ ;;
/*!50003 SET character_set_results = utf8mb4 */ ;;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;;
/*!50003 SET sql_mode              = '' */ ;;
/*!50003 SET @saved_time_zone      = @@time_zone */ ;;
/*!50003 SET time_zone             = 'SYSTEM' */ ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`root`@`localhost`*/ /*!50106 EVENT `ev` ON SCHEDULE EVERY 1 DAY STARTS '2026-11-21 03:27:51' ON COMPLETION NOT PRESERVE DISABLE COMMENT 'it''s; x' DO BEGIN
  DELETE FROM `empty`; SET @x = 'a;b';
END 
*/ ;;
/*!50003 SET time_zone             = @saved_time_zone */ ;;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;;
/*!50003 SET character_set_client  = @saved_cs_client */ ;;
/*!50003 SET character_set_results = @saved_cs_results */ ;;
/*!50003 SET collation_connection  = @saved_col_connection */ ;;
DELIMITER ;
/*!50106 SET TIME_ZONE= @save_time_zone */ ;

--
-- Dumping routines for database 'nasty'
--
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = '' */ ;
/*!50003 DROP FUNCTION IF EXISTS `f` */;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `f`(x INT) RETURNS int(11)
    DETERMINISTIC
RETURN x + 1
;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = '' */ ;
/*!50003 DROP PROCEDURE IF EXISTS `p;1` */;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `p;1`()
BEGIN
  INSERT INTO `empty` VALUES (1);
  SELECT "x\";'", `a` FROM `empty`;
END
;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ORACLE,NO_KEY_OPTIONS,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS,NO_AUTO_CREATE_USER,SIMULTANEOUS_ASSIGNMENT' */ ;
/*!50003 DROP PACKAGE IF EXISTS `pk` */;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb3 */ ;
/*!50003 SET character_set_results = utf8mb3 */ ;
/*!50003 SET collation_connection  = utf8mb3_general_ci */ ;
DELIMITER ;;
CREATE DEFINER="root"@"localhost" PACKAGE "pk" AS FUNCTION one RETURN INT; END
;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ORACLE,NO_KEY_OPTIONS,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS,NO_AUTO_CREATE_USER,SIMULTANEOUS_ASSIGNMENT' */ ;
/*!50003 DROP PACKAGE BODY IF EXISTS `pk` */;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb3 */ ;
/*!50003 SET character_set_results = utf8mb3 */ ;
/*!50003 SET collation_connection  = utf8mb3_general_ci */ ;
DELIMITER ;;
CREATE DEFINER="root"@"localhost" PACKAGE BODY "pk" AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END
;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;

--
-- Final view structure for view `v1`
--

/*!50001 DROP VIEW IF EXISTS `v1`*/;
/*!50001 SET @saved_cs_client          = @@character_set_client */;
/*!50001 SET @saved_cs_results         = @@character_set_results */;
/*!50001 SET @saved_col_connection     = @@collation_connection */;
/*!50001 SET character_set_client      = utf8mb4 */;
/*!50001 SET character_set_results     = utf8mb4 */;
/*!50001 SET collation_connection      = utf8mb4_general_ci */;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v1` AS select `types`.`id` AS `id`,`types`.`t` AS `t`,');' AS `it's` from `types` */;
/*!50001 SET character_set_client      = @saved_cs_client */;
/*!50001 SET character_set_results     = @saved_cs_results */;
/*!50001 SET collation_connection      = @saved_col_connection */;

--
-- Final view structure for view `v2`
--

/*!50001 DROP VIEW IF EXISTS `v2`*/;
/*!50001 SET @saved_cs_client          = @@character_set_client */;
/*!50001 SET @saved_cs_results         = @@character_set_results */;
/*!50001 SET @saved_col_connection     = @@collation_connection */;
/*!50001 SET character_set_client      = utf8mb4 */;
/*!50001 SET character_set_results     = utf8mb4 */;
/*!50001 SET collation_connection      = utf8mb4_general_ci */;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v2` AS select `v1`.`id` AS `CREATE TABLE`,'-- Dump completed' AS `m` from `v1` where `v1`.`id` > 1 */
/*!50002 WITH CASCADED CHECK OPTION */;
/*!50001 SET character_set_client      = @saved_cs_client */;
/*!50001 SET character_set_results     = @saved_cs_results */;
/*!50001 SET collation_connection      = @saved_col_connection */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-21  3:27:56
