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
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

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
-- Dumping data for table `back\slash'`
--

LOCK TABLES `back\slash'` WRITE;
/*!40000 ALTER TABLE `back\slash'` DISABLE KEYS */;
INSERT INTO `back\slash'` VALUES
(1);
/*!40000 ALTER TABLE `back\slash'` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Dumping data for table `empty`
--

LOCK TABLES `empty` WRITE;
/*!40000 ALTER TABLE `empty` DISABLE KEYS */;
/*!40000 ALTER TABLE `empty` ENABLE KEYS */;
UNLOCK TABLES;

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
-- Dumping data for table `types`
--

LOCK TABLES `types` WRITE;
/*!40000 ALTER TABLE `types` DISABLE KEYS */;
INSERT INTO `types` VALUES
(1,'plain','plain','plain',-1.50000,1e100,'2024-01-01 00:00:00','2024-01-01','2024-01-01 00:00:00',2024,'U','{\"a\": \"it\'s \\\"x\\\"\"}','a','x,y','\0\0\0\0\0\0\0\0\0\0\0\0\0�?\0\0\0\0\0\0�?',4048,'x\'); -- 2024'),
(2,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00','0000-00-00',NULL,0000,'\0\0',NULL,'it\'s','',NULL,0,'x\'); -- 0000'),
(3,'-- Dump completed\n-- Dump completed on 2026-11-21  2:22:49\n','\0�\'\\\"\n\r\Z','\\\\\\\'\\',0.00000,0,'1999-12-31 23:59:59',NULL,NULL,NULL,NULL,'[1,2]',');','x',NULL,NULL,NULL),
(4,'\');\nINSERT INTO `x` VALUES (1);\nDELIMITER ;;\n\\! touch x\nsystem touch x\n','\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(\'),(','\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL),
(5,'😀 数据 é 	 \0 \Z \"quoted\" `ticked` \\','','',1.00000,0,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,'{}','a','',NULL,NULL,NULL),
(6,'/* */ /*! */ -- # ; ;; // $$','*/','\'',1.00000,1,'2024-01-01 00:00:00',NULL,NULL,NULL,NULL,NULL,'a','',NULL,NULL,NULL);
/*!40000 ALTER TABLE `types` ENABLE KEYS */;
UNLOCK TABLES;

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
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-21  3:27:57
