//! Out of MySQL and MariaDB, by the server's SQL client.

use backup_core::{Result, catalog::log::LogDatabase};
use handler_mysqldump::MysqlLogDatabase;

use super::{Content, printed};

/// The table is asked only where it is there. Times are UTC without a zone, and are counted without the session's.
const SCRIPT: &str = r"
SELECT 'objects', COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE();
SELECT 'table' FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '_prisma_migrations';
SET @asked = IF(EXISTS (SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '_prisma_migrations'),
  'SELECT ''row'', HEX(CONVERT(id USING utf8mb4)), HEX(CONVERT(checksum USING utf8mb4)),
    HEX(CONVERT(migration_name USING utf8mb4)),
    COALESCE(TIMESTAMPDIFF(MICROSECOND, ''1970-01-01'', started_at) DIV 1000, ''''),
    COALESCE(TIMESTAMPDIFF(MICROSECOND, ''1970-01-01'', finished_at) DIV 1000, ''''),
    COALESCE(TIMESTAMPDIFF(MICROSECOND, ''1970-01-01'', rolled_back_at) DIV 1000, ''''),
    applied_steps_count, HEX(CONVERT(LEFT(COALESCE(logs, ''''), 2000) USING utf8mb4))
    FROM `_prisma_migrations` ORDER BY started_at, id',
  'DO 0');
PREPARE asked FROM @asked;
EXECUTE asked;
DEALLOCATE PREPARE asked;
";

pub(super) async fn read(database: &MysqlLogDatabase) -> Result<Content> {
    printed(&database.run(SCRIPT).await?)
}
