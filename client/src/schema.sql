-- Everything that a device keeps. Values are sealed (seal.rs); what is in the clear is order, and random or hashed keys.
-- keys are in an index of their own: the state of a large group has hundreds of kilobytes, and whoever searches passes it
CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (space, key));
-- what came and waits to be processed, in the service's order
CREATE TABLE IF NOT EXISTS deliveries (position INTEGER PRIMARY KEY, value BLOB NOT NULL);
-- what a person or this device wants, in the order of wanting
CREATE TABLE IF NOT EXISTS intents (id INTEGER PRIMARY KEY AUTOINCREMENT, value BLOB NOT NULL);
-- messages, in the order of being shown; about: the message that one has an effect on, zeros for one that is gone; lasts_s: how
-- long one is to be here after it was read, ends_ms: until when
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation BLOB NOT NULL, message BLOB NOT NULL, place INTEGER NOT NULL, shown INTEGER NOT NULL, about BLOB, lasts_s INTEGER, ends_ms INTEGER, value BLOB NOT NULL, UNIQUE (conversation, message));
CREATE INDEX IF NOT EXISTS messages_by_place ON messages (conversation, place, id, shown, about);
CREATE INDEX IF NOT EXISTS messages_by_order ON messages (place, id, shown, about) WHERE shown;
CREATE INDEX IF NOT EXISTS messages_by_end ON messages (ends_ms) WHERE ends_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_unread_with_end ON messages (conversation, place) WHERE lasts_s IS NOT NULL AND ends_ms IS NULL;
CREATE INDEX IF NOT EXISTS messages_by_target ON messages (conversation, about, place, id) WHERE about IS NOT NULL;
