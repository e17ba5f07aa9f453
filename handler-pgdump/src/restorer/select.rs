//! Chosen tables out of a plain dump: what they need, and the filter that lets it pass.

use backup_core::{ByteStream, Result, Selected};
use futures::StreamExt;

mod closure;
mod cutter;
mod filter;
mod present;
mod statement;
mod tokens;
mod words;

pub(super) use filter::{Objects, Wanted, filtered};
pub(super) use present::{Present, split};

use closure::Dump;
use cutter::Cutter;

/// Reads what a plain dump defines, and says what `tables` need of it.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(super) async fn select(mut definitions: ByteStream, tables: &[String]) -> Result<Selected> {
    let mut cutter = Cutter::new(Dump::default());
    while let Some(chunk) = definitions.next().await {
        cutter.update(&chunk?)?;
    }
    let (dump, _) = cutter.finish()?;
    dump.select(tables)
}

#[cfg(test)]
mod tests;
