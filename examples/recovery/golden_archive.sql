create table first (id int primary key, text text);
insert into first select i, repeat('first ', 150) from generate_series(1, 3000) i;
create table second (id int primary key, text text);
insert into second select i, repeat('second ', 130) from generate_series(1, 3000) i;
create table third (id int primary key, text text);
insert into third values (1, 'one'), (2, 'two'), (3, 'three');
