CREATE TABLE IF NOT EXISTS reports (
    account BLOB NOT NULL,
    by_account BLOB NOT NULL,
    reason TEXT NOT NULL,
    at_s INTEGER NOT NULL,
    PRIMARY KEY (account, by_account)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reports_by_time ON reports (at_s);
CREATE TABLE IF NOT EXISTS made (by_account BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS made_by_account ON made (by_account, at_s);
CREATE INDEX IF NOT EXISTS made_by_time ON made (at_s);
