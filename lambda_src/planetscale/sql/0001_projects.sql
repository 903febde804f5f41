-- The sample service's tables. A fork begins here with its own. No foreign keys: PlanetScale refuses them by default.

-- Tenants and ids are compared byte by byte: no other case, accent or space makes one tenant another.
CREATE TABLE project (
    tenant varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version int NOT NULL,
    created_at datetime(6) NOT NULL, -- UTC, as are all times here
    updated_at datetime(6) NOT NULL,
    PRIMARY KEY (tenant, id),
    KEY project_by_creation (tenant, created_at, id) -- the order of the list: newest last, ties by id
);

-- The keys that sign cursors. The newest signs, all verify: insert one to rotate, delete the old one a day later.
CREATE TABLE cursor_key (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    secret varbinary(64) NOT NULL,
    created_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

INSERT INTO cursor_key (secret) VALUES (RANDOM_BYTES(32));
