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

-- Captures that an import is to replay, one for each distinct body: pending work,
-- planned again from the index whenever it is lost.
CREATE TABLE imports (
  source     {text} NOT NULL,
  key        {text} NOT NULL, -- digest of the body, or what stands for it
  time       {text} NOT NULL, -- of the capture, by the archive
  original   {text} NOT NULL, -- the archived address
  digest     {text} NOT NULL, -- as the index has it
  status     BIGINT NOT NULL,
  mime       {text} NOT NULL,
  revisit    BIGINT NOT NULL,
  others     {text} NOT NULL, -- JSON: captures with the same body, to turn to if this one is absent
  state      {text} NOT NULL, -- waiting, done, absent, failed
  attempts   BIGINT NOT NULL,
  next_at    {text} NOT NULL,
  last_error {text} NOT NULL,
  look       {text} NOT NULL, -- that replayed it
  PRIMARY KEY (source, key)
);
CREATE INDEX imports_state ON imports (source, state, time);

-- The newest plan of each source.
CREATE TABLE import_plans (
  source   {text} PRIMARY KEY,
  from_at  {text} NOT NULL,
  until_at {text} NOT NULL,
  planned  {text} NOT NULL,
  estimate {text} NOT NULL -- JSON
);

-- Derived: when a web archive saw which body, by its index and by our imports.
CREATE TABLE sightings (
  source {text} NOT NULL,
  time   {text} NOT NULL,
  key    {text} NOT NULL,
  PRIMARY KEY (source, time, key)
){clustered};
CREATE TABLE sighted (look {text} PRIMARY KEY); -- looks at the index that are taken in

-- Derived: documents with imported captures.
CREATE TABLE archived (
  document   {text} PRIMARY KEY,
  service    {text} NOT NULL,
  service_id {text} NOT NULL,
  terms      {text} NOT NULL,
  lang       {text} NOT NULL,
  url        {text} NOT NULL,
  made_of    {text} NOT NULL -- digest of the rules, the declaration and the looks
);

-- Derived: what each imported capture says of a part of a document.
CREATE TABLE archived_readings (
  document {text} NOT NULL,
  part     BIGINT NOT NULL,
  look     {text} NOT NULL,
  source   {text} NOT NULL,
  url      {text} NOT NULL,
  key      {text} NOT NULL,
  time     {text} NOT NULL, -- of the capture, by the archive
  grade    {text} NOT NULL,
  reason   {text} NOT NULL,
  replay   {text} NOT NULL, -- the fact: whether the bytes are those of the index
  text     {text} NOT NULL,
  rules    {text} NOT NULL,
  PRIMARY KEY (document, part, look)
);
CREATE TABLE archived_texts (
  document {text} NOT NULL,
  name     {text} NOT NULL,
  body     {blob} NOT NULL, -- packed JSON
  PRIMARY KEY (document, name)
);

-- Derived: the states of a document's text as the web archive saw them.
CREATE TABLE archived_versions (
  document    {text} NOT NULL,
  n           BIGINT NOT NULL, -- in the order of time
  time        {text} NOT NULL, -- first seen, by the archive
  last_seen   {text} NOT NULL, -- likewise
  captures    BIGINT NOT NULL, -- sightings of it in a row
  grade       {text} NOT NULL,
  reason      {text} NOT NULL,
  replay      {text} NOT NULL,
  text        {text} NOT NULL,
  text_sha256 {text} NOT NULL,
  lang        {text} NOT NULL,
  words       BIGINT NOT NULL,
  extractor   {text} NOT NULL,
  parts       {text} NOT NULL, -- JSON: the mementos that it was made from
  PRIMARY KEY (document, n)
);
CREATE INDEX archived_versions_time ON archived_versions (time);
