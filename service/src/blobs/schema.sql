-- Whose encrypted files there are. What the service has of each is a file of that name in the folder beside this one.
CREATE TABLE IF NOT EXISTS blobs (
    id BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    size INTEGER NOT NULL,
    -- bytes that are on the disk for sure; all of them make it whole
    have INTEGER NOT NULL,
    -- when it was begun, and when its last part came, seconds since 1970
    begun_s INTEGER NOT NULL,
    touched_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blobs_of_account ON blobs (account, begun_s);
CREATE INDEX IF NOT EXISTS blobs_by_time ON blobs (touched_s);
