CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passwords (account BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS permits (
    hash BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    ends_s INTEGER NOT NULL,
    device BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS permits_by_end ON permits (ends_s);
CREATE TABLE IF NOT EXISTS reset_permits (
    account BLOB PRIMARY KEY,
    hash BLOB NOT NULL,
    ends_s INTEGER NOT NULL,
    device BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    hash BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    ends_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    cloned INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    at_s INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_time ON seen (at_s);
CREATE INDEX IF NOT EXISTS tokens_by_end ON tokens (ends_s);
CREATE INDEX IF NOT EXISTS tokens_by_device ON tokens (account, device, ends_s);
