-- Schema 2: where looks and WARC files stand in the log, and what outside
-- parties said about its checkpoints.

ALTER TABLE looks ADD COLUMN log_index BIGINT NOT NULL DEFAULT -1;
ALTER TABLE warcs ADD COLUMN log_index BIGINT NOT NULL DEFAULT -1;
CREATE INDEX warcs_unlogged ON warcs (name) WHERE state = 'sealed' AND log_index < 0;

-- Looks that were begun and whose spool is gone, as the log says.
CREATE TABLE lost (
  source    {text} NOT NULL,
  n         BIGINT NOT NULL,
  run       {text} NOT NULL,
  time      {text} NOT NULL,
  log_index BIGINT NOT NULL,
  PRIMARY KEY (source, n)
);

-- Anchor lists in the store. A later list of a checkpoint holds all of the
-- earlier ones and more.
CREATE TABLE anchors (
  list      {text} PRIMARY KEY,
  sha256    {text} NOT NULL,
  tree_size BIGINT NOT NULL,
  checkpoint_sha256 {text} NOT NULL,
  files     BIGINT NOT NULL,
  made      {text} NOT NULL,
  log_from  BIGINT NOT NULL,
  log_index BIGINT NOT NULL DEFAULT -1
);
CREATE INDEX anchors_size ON anchors (tree_size);
