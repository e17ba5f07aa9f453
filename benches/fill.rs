//! Databases to measure with.

/// Plain bytes that one generated row takes in a dump, about.
const ROW_BYTES: u64 = 300;

/// SQL that fills a database whose dump has about so many million bytes: text, jsonb, timestamps, numerics.
#[must_use]
pub fn postgresql(megabytes: u64) -> String {
    let rows = megabytes * 1_000_000 / ROW_BYTES;
    format!(
        "create table customers (id bigint primary key, name text, email text, profile jsonb, created_at timestamptz);
         create table orders (id bigint primary key, customer_id bigint, total numeric(12,2), note text, lines jsonb,
                              ordered_at timestamp, paid boolean, token uuid);
         insert into customers
           select i, 'Customer ' || md5(i::text), 'c' || i || '@shop.example',
                  jsonb_build_object('city', (array['Berlin','Porto','Oslo','Kyoto'])[1 + i % 4], 'visits', i % 97,
                                     'tags', jsonb_build_array('a' || i % 7, 'b' || i % 11)),
                  timestamptz '2024-01-01 00:00+00' + i * interval '1 minute'
           from generate_series(1, {customers}) i;
         insert into orders
           select i, 1 + i % {customers}, (i % 100000)::numeric / 7,
                  repeat('the quick brown fox ' || (i % 13) || ' jumps over ', 1 + (i % 5)::int),
                  jsonb_build_array(jsonb_build_object('sku', 'P-' || i % 5003, 'qty', 1 + i % 9, 'price', i % 10007)),
                  timestamp '2025-01-01' + i * interval '7 seconds', i % 3 = 0, md5(i::text)::uuid
           from generate_series(1, {orders}) i;
         create index on orders (customer_id);
         vacuum analyze;",
        customers = rows / 5 + 1,
        orders = rows * 4 / 5,
    )
}
