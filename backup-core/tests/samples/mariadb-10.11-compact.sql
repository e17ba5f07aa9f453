/*M!999999\- enable the sandbox mode */ 
CREATE SEQUENCE `seq` start with 7 minvalue 1 maxvalue 9223372036854775806 increment by 1 cache 1000 nocycle ENGINE=InnoDB;
DO SETVAL(`seq`, 1007, 0);
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `DELIMITER ;;` (
  `a` text DEFAULT NULL
) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `DELIMITER ;;` VALUES
('x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\x\"y\'z\\'),
('');
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `back\slash'` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `back\slash'` VALUES
(1);
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `empty` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
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
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `it's a "t``able".x` (
  `c``ol); --` int(11) DEFAULT NULL,
  `VALUES (` varchar(20) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `it's a "t``able".x` VALUES
(1,'),('),
(2,NULL);
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
INSERT INTO `types` VALUES
(1,'plain','plain','plain',-1.50000,1e100,'2024-01-01 00:00:00','2024-01-01','2024-01-01 00:00:00',2024,'U','{\"a\": \"it\'s \\\"x\\\"\"}','a','x,y','\0\0\0\0\0\0\0\0\0\0\0\0\0�?\0\0\0\0\0\0�?',4048,'x\'); -- 2024'),
(2,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00','0000-00-00',NULL,0000,'\0\0',NULL,'it\'s','',NULL,0,'x\'); -- 0000'),
(3,'-- Dump completed\n-- Dump completed on 2026-11-21  2:22:49\n','\0�\'\\\"\n\r\Z','\\\\\\\'\\',0.00000,0,'1999-12-31 23:59:59',NULL,NULL,NULL,NULL,'[1,2]',');','x',NULL,NULL,NULL),
(4,'\');\nINSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! touch x\nsystem touch x\n','\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(','\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL),
(5,'😀 数据 é 	 \0 \Z \"quoted\" `ticked` \\','','',1.00000,0,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,'{}','a','',NULL,NULL,NULL),
(6,'/* */ /*! */ -- # ; ;; // $$','*/','\'',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL);
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
SET @saved_cs_client     = @@character_set_client;
SET character_set_client = utf8mb4;
/*!50001 CREATE VIEW `v1` AS SELECT
 NULL AS `id`,
 NULL AS `t`,
 NULL AS `it's` */;
SET character_set_client = @saved_cs_client;
SET @saved_cs_client     = @@character_set_client;
SET character_set_client = utf8mb4;
/*!50001 CREATE VIEW `v2` AS SELECT
 NULL AS `CREATE TABLE`,
 NULL AS `m` */;
SET character_set_client = @saved_cs_client;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `versioned` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci WITH SYSTEM VERSIONING;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `versioned` VALUES
(3),
(2);
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `数据 é` (
  `a` int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `数据 é` VALUES
(1),
(2),
(3);
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
