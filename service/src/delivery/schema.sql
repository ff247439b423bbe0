-- the newest position, and up to which block accounts' devices have been told
CREATE TABLE IF NOT EXISTS counter (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    position INTEGER NOT NULL,
    blocks INTEGER
);
INSERT OR IGNORE INTO counter VALUES (1, 0, NULL);
-- what is on its way: a group's commits and messages once (no owner), a device's inbox by owner (account and device)
CREATE TABLE IF NOT EXISTS deliveries (
    position INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    group_id BLOB,
    owner BLOB,
    sender BLOB,
    epoch INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    at_s INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_of_group ON deliveries (group_id, position) WHERE owner IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_of_device ON deliveries (owner, position) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS welcomes ON deliveries (group_id, epoch) WHERE kind = 2;
-- a device sees what is in a group after from_position, up to until_position
CREATE TABLE IF NOT EXISTS leaves (
    group_id BLOB NOT NULL,
    owner BLOB NOT NULL,
    from_position INTEGER NOT NULL,
    until_position INTEGER,
    PRIMARY KEY (group_id, owner, from_position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leaves_of_device ON leaves (owner);
-- messages of an epoch below floor_epoch are refused: a leaf has come or gone since
CREATE TABLE IF NOT EXISTS groups (
    group_id BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL,
    floor_epoch INTEGER NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID;
-- apart from groups, because every message touches that
CREATE TABLE IF NOT EXISTS states (
    group_id BLOB PRIMARY KEY,
    group_info BLOB NOT NULL,
    tree BLOB NOT NULL,
    state BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS welcome_trees (
    group_id BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    tree BLOB NOT NULL,
    PRIMARY KEY (group_id, epoch)
);
CREATE TABLE IF NOT EXISTS cursors (owner BLOB PRIMARY KEY, acked INTEGER NOT NULL) WITHOUT ROWID;
-- a claimed one leaves its hash behind, so that it cannot come again
CREATE TABLE IF NOT EXISTS key_packages (
    number INTEGER PRIMARY KEY,
    owner BLOB NOT NULL,
    hash BLOB NOT NULL,
    last_resort INTEGER NOT NULL,
    claimed_at_s INTEGER,
    bytes BLOB NOT NULL,
    UNIQUE (owner, hash)
);
-- what was submitted, by its name, with its answer
CREATE TABLE IF NOT EXISTS submitted (
    name BLOB PRIMARY KEY,
    owner BLOB NOT NULL,
    position INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    at_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS submitted_at ON submitted (at_s);
