pragma page_size = 1024;
create table customers (id integer primary key, name text not null, note text);
insert into customers values (1, 'Ada', null), (2, 'Zoë ''Z'' \ O''Neil', 'two' || char(10) || 'lines'), (3, '漢字 🦀', 'tab' || char(9) || 'here');
create table orders (id integer primary key, customer integer not null references customers, cents real, raw blob);
insert into orders values (1, 1, 1234567890.12, x'00ff0a5c'), (2, 2, -0.01, x''), (3, 3, null, null), (4, 1, 0, x'27');
create index orders_by_customer on orders (customer);
create view large as select id from orders where cents > 1;
