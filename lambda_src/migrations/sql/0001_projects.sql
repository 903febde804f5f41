-- The sample service's table. A fork begins here with its own.

CREATE TABLE project (
    tenant text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- The order of the list: newest last, ties by id.
CREATE INDEX project_by_creation ON project (tenant, created_at, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON project TO application;

-- The keys that sign cursors. The newest signs, all verify: insert one to rotate, delete the old one a day later.
CREATE TABLE cursor_key (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret bytea NOT NULL CHECK (octet_length(secret) >= 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO cursor_key (secret) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

GRANT SELECT ON cursor_key TO application;
