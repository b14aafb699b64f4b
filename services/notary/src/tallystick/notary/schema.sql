-- The notary's tables. Run at every start; adding to it must leave what older notaries wrote as it is.

SELECT pg_advisory_xact_lock(hashtext('tallystick.notary schema'));

DO $$ BEGIN
  -- Asked first, because IF NOT EXISTS needs the right to create schemas even where there is nothing to create.
  IF to_regnamespace('notary') IS NULL THEN CREATE SCHEMA notary; END IF;
END $$;

-- Each log's head, and who may write it. Everything else in this schema is committed together with a change of this row.
CREATE TABLE IF NOT EXISTS notary.logs (
  log text PRIMARY KEY,
  origin text NOT NULL,
  size bigint NOT NULL,
  root bytea NOT NULL,
  epoch bigint NOT NULL,        -- counts the notaries that ever wrote here; only the last may
  staged text                   -- the staging object of the last commit
);

-- How far each partition of a log's topic was read.
CREATE TABLE IF NOT EXISTS notary.offsets (
  log text NOT NULL REFERENCES notary.logs,
  partition int NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (log, partition)
);

-- Input topics, so that a decision's row holds 2 bytes instead of a name.
CREATE TABLE IF NOT EXISTS notary.topics (
  id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);

-- Which log holds the decisions on an input partition, for ever: a row is made once, and never changed.
CREATE TABLE IF NOT EXISTS notary.partitions (
  topic smallint NOT NULL REFERENCES notary.topics,
  source_partition int NOT NULL,
  log text NOT NULL REFERENCES notary.logs,
  PRIMARY KEY (topic, source_partition)
);

-- The last logged decision of each input partition.
CREATE TABLE IF NOT EXISTS notary.positions (
  topic smallint NOT NULL,
  source_partition int NOT NULL,
  next_sequence bigint NOT NULL,
  source_offset bigint NOT NULL,
  chain bytea NOT NULL,
  activation_index bigint,
  record_offset bigint NOT NULL,
  log_index bigint NOT NULL,
  PRIMARY KEY (topic, source_partition),
  FOREIGN KEY (topic, source_partition) REFERENCES notary.partitions
);

-- Where each decision is. The primary key is the only index: entries are looked up by what they decide, and whoever has a log
-- index already reads the tile. No foreign key: it would be checked for every row.
CREATE TABLE IF NOT EXISTS notary.decisions (
  sequence bigint NOT NULL,
  log_index bigint NOT NULL,
  record_offset bigint NOT NULL,
  source_partition int NOT NULL,
  topic smallint NOT NULL,
  PRIMARY KEY (topic, source_partition, sequence)
);

CREATE OR REPLACE VIEW notary.decision_index AS
  SELECT name AS source_topic, source_partition, sequence, log_index, record_offset
  FROM notary.decisions JOIN notary.topics ON id = topic;

-- What was published, and when first.
CREATE TABLE IF NOT EXISTS notary.checkpoints (
  log text NOT NULL REFERENCES notary.logs,
  size bigint NOT NULL,
  root bytea NOT NULL,
  note bytea NOT NULL,
  receipt bytea,                -- the root in COSE (RFC 9942), for receipts; none if its key did not answer
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (log, size)
);

CREATE OR REPLACE VIEW notary.receipts AS
  SELECT log, size, root, receipt FROM notary.checkpoints WHERE receipt IS NOT NULL;
