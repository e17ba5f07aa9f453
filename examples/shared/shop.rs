//! A small SQLite database to try things on.

use std::path::Path;

use backup_core::{Error, ErrorKind, Result};

/// Makes a shop with customers, products and orders.
///
/// # Cancel safety
///
/// A dropped call goes on making it in the background.
pub async fn make(path: &Path) -> Result<()> {
    let path = path.to_owned();
    run(move || fill(&path)).await
}

/// Runs `sql` on it.
///
/// # Cancel safety
///
/// A dropped call goes on in the background.
pub async fn change(path: &Path, sql: &'static str) -> Result<()> {
    let path = path.to_owned();
    run(move || open(&path)?.execute_batch(sql).map_err(failed)).await
}

async fn run(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the shop database was not written").with_source(err)
    })?
}

fn open(path: &Path) -> Result<rusqlite::Connection> {
    rusqlite::Connection::open(path).map_err(failed)
}

fn failed(err: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Unexpected, "SQLite failed").with_source(err)
}

fn fill(path: &Path) -> Result<()> {
    let shop = open(path)?;
    shop.execute_batch(
        "begin;
         create table customers (id integer primary key, name text not null, email text not null unique);
         create table products (id integer primary key, name text not null, price_cents integer not null);
         create table orders (
             id integer primary key,
             customer_id integer not null references customers,
             product_id integer not null references products,
             quantity integer not null,
             ordered_at text not null
         );
         create index orders_by_customer on orders (customer_id);
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 200)
             insert into customers select i, 'Customer ' || i, 'customer' || i || '@shop.example' from n;
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 50)
             insert into products select i, 'Product ' || i, 100 + 37 * i from n;
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
             insert into orders
             select i, 1 + i * 7 % 200, 1 + i * 13 % 50, 1 + i % 5, datetime('2026-01-01', i || ' minutes') from n;
         commit;",
    )
    .map_err(failed)
}
