CREATE TABLE customers (id int PRIMARY KEY, name varchar(200) NOT NULL, note text) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
INSERT INTO customers VALUES (1, 'Ada', NULL), (2, 'Zoë ''Z'' \\ O''Neil', 'two\nlines'), (3, '漢字 🦀', 'tab\there');
CREATE TABLE orders (
    id bigint PRIMARY KEY AUTO_INCREMENT,
    customer int NOT NULL,
    state enum('open', 'paid') NOT NULL DEFAULT 'open',
    cents decimal(12, 2),
    placed datetime(6),
    raw varbinary(20),
    twice decimal(14, 2) GENERATED ALWAYS AS (cents * 2) STORED,
    KEY orders_by_customer (customer),
    CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
INSERT INTO orders (customer, state, cents, placed, raw) VALUES
    (1, 'paid', 1234567890.12, '2026-11-19 23:59:59.123456', x'00ff0a5c'),
    (2, 'open', -0.01, '2024-02-29 00:00:00', ''),
    (3, 'open', NULL, NULL, NULL),
    (1, 'paid', 0, '1969-12-31 23:59:59', x'27');
CREATE VIEW open_orders AS SELECT id, customer FROM orders WHERE state = 'open';
CREATE TRIGGER paid BEFORE INSERT ON orders FOR EACH ROW SET NEW.state = IF(NEW.cents = 0, 'paid', NEW.state);
