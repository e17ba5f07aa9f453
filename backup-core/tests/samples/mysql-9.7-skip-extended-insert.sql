-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)
--
-- Host: localhost    Database: nasty
-- ------------------------------------------------------
-- Server version	9.7.4-2

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;
SET @@SESSION.SQL_LOG_BIN= 0;

--
-- GTID state at the beginning of the backup 
--

SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '6eb79081-e558-11f1-8d1c-02fc00000001:1-524';

--
-- Table structure for table `DELIMITER ;;`
--

DROP TABLE IF EXISTS `DELIMITER ;;`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `DELIMITER ;;` (
  `a` text
) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `DELIMITER ;;`
--

LOCK TABLES `DELIMITER ;;` WRITE;
/*!40000 ALTER TABLE `DELIMITER ;;` DISABLE KEYS */;
INSERT INTO `DELIMITER ;;` VALUES ('x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\');
INSERT INTO `DELIMITER ;;` VALUES ('');
/*!40000 ALTER TABLE `DELIMITER ;;` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `back\slash'`
--

DROP TABLE IF EXISTS `back\slash'`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `back\slash'` (
  `a` int DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `back\slash'`
--

LOCK TABLES `back\slash'` WRITE;
/*!40000 ALTER TABLE `back\slash'` DISABLE KEYS */;
INSERT INTO `back\slash'` VALUES (1);
/*!40000 ALTER TABLE `back\slash'` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `empty`
--

DROP TABLE IF EXISTS `empty`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `empty` (
  `a` int DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
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
/*!50003 SET collation_connection  = utf8mb4_0900_ai_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = '' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `tr'ig` BEFORE INSERT ON `empty` FOR EACH ROW BEGIN
  -- it's a comment; with DELIMITER
  DECLARE x TEXT DEFAULT 'a;b''c";
-- Dump completed
';
  /* INSERT INTO `y` VALUES (1); */
  SET NEW.a = IF(NEW.a > 1, 2, 3); # hash ' comment
END */;;
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
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `it's a "t``able".x` (
  `c``ol); --` int DEFAULT NULL,
  `VALUES (` varchar(20) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `it's a "t``able".x`
--

LOCK TABLES `it's a "t``able".x` WRITE;
/*!40000 ALTER TABLE `it's a "t``able".x` DISABLE KEYS */;
INSERT INTO `it's a "t``able".x` VALUES (1,'),(');
INSERT INTO `it's a "t``able".x` VALUES (2,NULL);
/*!40000 ALTER TABLE `it's a "t``able".x` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `types`
--

DROP TABLE IF EXISTS `types`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `types` (
  `id` int NOT NULL AUTO_INCREMENT,
  `t` text,
  `b` blob,
  `v` varbinary(300) DEFAULT NULL,
  `n` decimal(20,5) DEFAULT NULL,
  `f` double DEFAULT NULL,
  `d` datetime DEFAULT NULL,
  `dd` date DEFAULT NULL,
  `ts` timestamp NULL DEFAULT NULL,
  `y` year DEFAULT NULL,
  `bit` bit(9) DEFAULT NULL,
  `j` json DEFAULT NULL,
  `e` enum('a','it''s',');') DEFAULT NULL,
  `s` set('x','y') DEFAULT NULL,
  `g` geometry DEFAULT NULL,
  `twice` int GENERATED ALWAYS AS ((`y` * 2)) VIRTUAL,
  `kept` varchar(50) GENERATED ALWAYS AS (concat(_utf8mb4'x\'); -- ',`y`)) STORED,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='it''s; a \\ "comment" `x` -- Dump completed';
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `types`
--

LOCK TABLES `types` WRITE;
/*!40000 ALTER TABLE `types` DISABLE KEYS */;
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (1,'plain',_binary 'plain',_binary 'plain',-1.50000,1e100,'2024-01-01 00:00:00','2024-01-01','2024-01-01 00:00:00',2024,_binary 'U','{\"a\": \"it\'s \\\"x\\\"\"}','a','x,y',_binary '\0\0\0\0\0\0\0\0\0\0\0\0\0\�?\0\0\0\0\0\0\�?');
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (2,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00','0000-00-00',NULL,0000,_binary '\0\0',NULL,'it\'s','',NULL);
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (3,'-- Dump completed\n-- Dump completed on 2026-11-21  2:22:49\n',_binary '\0�\'\\\"\n\r\Z',_binary '\\\\\\\'\\',0.00000,0,'1999-12-31 23:59:59',NULL,NULL,NULL,NULL,'[1, 2]',');','x',NULL);
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (4,'\');\nINSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! touch x\nsystem touch x\n',_binary '\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(',_binary '\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL);
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (5,'😀 数据 é 	 \0 \Z \"quoted\" `ticked` \\',_binary '',_binary '',1.00000,0,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,'{}','a','',NULL);
INSERT INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`) VALUES (6,'/* */ /*! */ -- # ; ;; // $$',_binary '*/',_binary '\'',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL);
/*!40000 ALTER TABLE `types` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_0900_ai_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER `tr2` AFTER INSERT ON `types` FOR EACH ROW SET @x = 'back\' */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;

--
-- Temporary view structure for view `v1`
--

DROP TABLE IF EXISTS `v1`;
/*!50001 DROP VIEW IF EXISTS `v1`*/;
SET @saved_cs_client     = @@character_set_client;
/*!50503 SET character_set_client = utf8mb4 */;
/*!50001 CREATE VIEW `v1` AS SELECT 
 1 AS `id`,
 1 AS `t`,
 1 AS `it's`*/;
SET character_set_client = @saved_cs_client;

--
-- Temporary view structure for view `v2`
--

DROP TABLE IF EXISTS `v2`;
/*!50001 DROP VIEW IF EXISTS `v2`*/;
SET @saved_cs_client     = @@character_set_client;
/*!50503 SET character_set_client = utf8mb4 */;
/*!50001 CREATE VIEW `v2` AS SELECT 
 1 AS `CREATE TABLE`,
 1 AS `m`*/;
SET character_set_client = @saved_cs_client;

--
-- Table structure for table `数据 é`
--

DROP TABLE IF EXISTS `数据 é`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `数据 é` (
  `a` int DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `数据 é`
--

LOCK TABLES `数据 é` WRITE;
/*!40000 ALTER TABLE `数据 é` DISABLE KEYS */;
INSERT INTO `数据 é` VALUES (1);
INSERT INTO `数据 é` VALUES (2);
INSERT INTO `数据 é` VALUES (3);
/*!40000 ALTER TABLE `数据 é` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Final view structure for view `v1`
--

/*!50001 DROP VIEW IF EXISTS `v1`*/;
/*!50001 SET @saved_cs_client          = @@character_set_client */;
/*!50001 SET @saved_cs_results         = @@character_set_results */;
/*!50001 SET @saved_col_connection     = @@collation_connection */;
/*!50001 SET character_set_client      = utf8mb4 */;
/*!50001 SET character_set_results     = utf8mb4 */;
/*!50001 SET collation_connection      = utf8mb4_0900_ai_ci */;
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
/*!50001 SET collation_connection      = utf8mb4_0900_ai_ci */;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v2` AS select `v1`.`id` AS `CREATE TABLE`,'-- Dump completed' AS `m` from `v1` where (`v1`.`id` > 1) */
/*!50002 WITH CASCADED CHECK OPTION */;
/*!50001 SET character_set_client      = @saved_cs_client */;
/*!50001 SET character_set_results     = @saved_cs_results */;
/*!50001 SET collation_connection      = @saved_col_connection */;
SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-21  3:27:56
