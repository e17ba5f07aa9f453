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
REPLACE INTO `DELIMITER ;;` (`a`) VALUES ('x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\');
REPLACE INTO `DELIMITER ;;` (`a`) VALUES ('');
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
REPLACE INTO `back\slash'` (`a`) VALUES (1);
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
REPLACE INTO `it's a "t``able".x` (`c``ol); --`, `VALUES (`) VALUES (1,'),(');
REPLACE INTO `it's a "t``able".x` (`c``ol); --`, `VALUES (`) VALUES (2,NULL);
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
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (1,'plain','plain','plain',-1.50000,1e100,'2024-01-01 00:00:00','2024-01-01','2024-01-01 00:00:00',2024,'U','{\"a\": \"it\'s \\\"x\\\"\"}','a','x,y','\0\0\0\0\0\0\0\0\0\0\0\0\0�?\0\0\0\0\0\0�?',4048,'x\'); -- 2024');
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (2,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00','0000-00-00',NULL,0000,'\0\0',NULL,'it\'s','',NULL,0,'x\'); -- 0000');
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (3,'-- Dump completed\n-- Dump completed on 2026-11-21  2:22:49\n','\0�\'\\\"\n\r\Z','\\\\\\\'\\',0.00000,0,'1999-12-31 23:59:59',NULL,NULL,NULL,NULL,'[1,2]',');','x',NULL,NULL,NULL);
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (4,'\');\nINSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! touch x\nsystem touch x\n','\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(','\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL);
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (5,'😀 数据 é 	 \0 \Z \"quoted\" `ticked` \\','','',1.00000,0,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,'{}','a','',NULL,NULL,NULL);
REPLACE INTO `types` (`id`, `t`, `b`, `v`, `n`, `f`, `d`, `dd`, `ts`, `y`, `bit`, `j`, `e`, `s`, `g`, `twice`, `kept`) VALUES (6,'/* */ /*! */ -- # ; ;; // $$','*/','\'',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL);
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
REPLACE INTO `versioned` (`a`) VALUES (3);
REPLACE INTO `versioned` (`a`) VALUES (2);
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
REPLACE INTO `数据 é` (`a`) VALUES (1);
REPLACE INTO `数据 é` (`a`) VALUES (2);
REPLACE INTO `数据 é` (`a`) VALUES (3);
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

-- Dump completed on 2026-11-21  3:27:57
