//! Whether events of a restored database run from now on.

use backup_core::Result;

use crate::server::{QUESTION_LIMIT, Server};

/// The events that the server's scheduler starts; without the right to see them there are none.
const ENABLED: &str = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() \
                       AND STATUS = 'ENABLED' AND @@GLOBAL.event_scheduler = 'ON' ORDER BY 1;";

/// Warns of events that run: those of a copy do what those of the source do, once more.
pub(super) async fn warn(server: &Server, warnings: &mut Vec<String>) -> Result<()> {
    let rows = server.ask(ENABLED, QUESTION_LIMIT).await?;
    let names: Vec<&str> = rows.iter().filter_map(|row| row.first().map(String::as_str)).collect();
    if !names.is_empty() {
        warnings.push(format!(
            "events of the dump run on this server from now on: {}; in a copy beside its source disable them by ALTER EVENT … \
             DISABLE",
            names.join(", ")
        ));
    }
    Ok(())
}
