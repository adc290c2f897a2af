-- Schema 5: what the Wayback Machine holds of our pages, as it was read back or
-- imported. Facts from manifests.

CREATE TABLE mementos (
  look      {text} PRIMARY KEY, -- id of the manifest of the look that holds the answers
  source    {text} NOT NULL,    -- our source
  n         BIGINT NOT NULL,    -- number of our look that it is compared with, 0 for an import
  purpose   {text} NOT NULL,    -- read-back, import, index
  url       {text} NOT NULL,    -- the archived address
  time      {text} NOT NULL,    -- of the capture, by the Archive
  made      {text} NOT NULL,    -- of our look at it
  status    BIGINT NOT NULL,    -- of the page, by the index
  mime      {text} NOT NULL,    -- likewise
  digest    {text} NOT NULL,    -- of the payload, by the index of the Archive
  src       {text} NOT NULL,    -- the WARC of the Archive
  facts     {text} NOT NULL,    -- JSON
  grade     {text} NOT NULL,
  rules     {text} NOT NULL,    -- by which the texts were made that were compared
  warc      {text} NOT NULL,    -- key of the WARC with the look
  leaf      {blob} NOT NULL,    -- the receipt entry, empty for none
  log_index BIGINT NOT NULL     -- of that entry, -1 while it is not in the log
);
CREATE INDEX mementos_source ON mementos (source, time);
CREATE INDEX mementos_unlogged ON mementos (log_index) WHERE log_index = -1;
