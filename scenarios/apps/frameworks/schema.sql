CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price int NOT NULL);
INSERT INTO item SELECT n, 'item ' || n, n * 7 % 1000 FROM generate_series(1, 10000) AS n;
VACUUM ANALYZE item;
