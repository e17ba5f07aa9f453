SET SESSION sql_mode = '', sql_log_bin = 0;
CREATE TABLE digits (d int);
INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
CREATE TABLE orders (
  id bigint AUTO_INCREMENT PRIMARY KEY,
  net decimal(10,2) NOT NULL,
  gross decimal(12,4) GENERATED ALWAYS AS (net * 1.19) STORED,
  shown varchar(40) GENERATED ALWAYS AS (CONCAT('#', net)) VIRTUAL,
  note text, mood enum('sad', 'it''s "ok"'), flags set('a', 'b'), raw blob, doc json, made timestamp DEFAULT '2026-01-01 00:00:00',
  day date, bits bit(9), place point, ratio double, wide varchar(20) CHARACTER SET latin1
) COMMENT 'it''s a ; "comment" `x` -- Dump completed';
INSERT INTO orders (net, note, mood, flags, raw, doc, day, bits, place, ratio, wide)
  SELECT i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '\\! id\nDELIMITER ;;\n-- Dump completed\n'
      WHEN 2 THEN '' WHEN 3 THEN ');\nINSERT INTO `x` VALUES (1);' ELSE 'tab\there ü 😀 "quoted" ''single'' \\ back \0 zero \Z' END,
    'sad', 'a,b', UNHEX(SHA2(i, 256)), JSON_OBJECT('k', CONCAT('v"', i), 'n', JSON_ARRAY(1, NULL)),
    '0000-00-00', b'101010101', ST_GeomFromText(CONCAT('POINT(', i, ' 2)')), i / 7, CONVERT('café' USING latin1)
  FROM (SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS i
    FROM digits a, digits b, digits c, digits e, digits f) n WHERE i <= :rows ORDER BY i;
DROP TABLE digits;
CREATE TABLE `Q`` t; --" .x` (`select` int, `a b` text, `c``d` int DEFAULT 3) ENGINE=InnoDB;
INSERT INTO `Q`` t; --" .x` VALUES (1, 'x', 1), (2, 'y', 2);
CREATE TABLE texts (line text);
INSERT INTO texts VALUES ('BEGIN;'), ('COMMIT;'), ('DELIMITER ;'), ('-- Dump completed'), ('/*!50003 x */'), ('');
CREATE TABLE child (x bigint, FOREIGN KEY (x) REFERENCES orders (id) ON DELETE CASCADE);
INSERT INTO child VALUES (1), (2);
CREATE TABLE empty_table (a int UNSIGNED NOT NULL DEFAULT 0, KEY (a));
CREATE TABLE parts (at date NOT NULL, v int) PARTITION BY RANGE (YEAR(at))
  (PARTITION p2025 VALUES LESS THAN (2026), PARTITION rest VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES ('2025-12-30', 1), ('2026-01-02', 2);
CREATE VIEW z_view AS SELECT id, note, gross FROM orders;
CREATE VIEW a_view AS SELECT id, CONCAT('back\\slash''s', note) AS text FROM z_view;
CREATE TABLE log (what text);
DELIMITER ;;
CREATE TRIGGER watch AFTER INSERT ON child FOR EACH ROW BEGIN
  -- Dump completed
  INSERT INTO log VALUES ('it''s; `here`');
END;;
CREATE PROCEDURE many(IN n int) COMMENT 'a ; b'
BEGIN
  DECLARE i int DEFAULT 0;
  WHILE i < n DO SET i = i + 1; INSERT INTO log VALUES (CONCAT('DELIMITER ;', i)); END WHILE;
END;;
CREATE FUNCTION twice(a int) RETURNS int DETERMINISTIC NO SQL RETURN a * 2;;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO BEGIN DELETE FROM log; DELETE FROM texts; END;;
DELIMITER ;
