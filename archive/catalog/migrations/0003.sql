-- Schema 3: what is derived of the captures' texts. All of it can be made again
-- from the archive (`fineprint derive --again`).

ALTER TABLE warcs ADD COLUMN derived BIGINT NOT NULL DEFAULT 0;
CREATE INDEX warcs_underived ON warcs (key) WHERE state = 'sealed' AND derived = 0;

-- A document as its looks' declarations describe it, and where its derivation
-- stands: state is that of archive/terms and of package archive, packed JSON.
CREATE TABLE tracked (
  document   {text} PRIMARY KEY,
  service    {text} NOT NULL,
  service_id {text} NOT NULL,
  terms      {text} NOT NULL,
  lang       {text} NOT NULL,
  url        {text} NOT NULL,
  rules      {text} NOT NULL, -- versions of extractor and tracker
  cursor     {text} NOT NULL, -- time of the newest look that was taken in
  state      {blob} NOT NULL
);
CREATE INDEX tracked_service ON tracked (service_id);

-- What each look says of a document. A row stands for looks n_from to n_to that
-- say the same; grade and outcome are empty where nothing came that has a text.
CREATE TABLE readings (
  document  {text} NOT NULL,
  source    {text} NOT NULL,
  n_from    BIGINT NOT NULL,
  n_to      BIGINT NOT NULL,
  time_from {text} NOT NULL,
  time_to   {text} NOT NULL,
  grade     {text} NOT NULL,
  outcome   {text} NOT NULL,
  reason    {text} NOT NULL,
  problems  {text} NOT NULL, -- JSON list, empty for none
  text      {text} NOT NULL,
  PRIMARY KEY (document, source, n_from)
){clustered};
CREATE INDEX readings_source ON readings (source, n_from);
CREATE INDEX readings_told ON readings (time_from) WHERE outcome NOT IN ('', 'unchanged', 'first');

CREATE TABLE texts (
  document {text} NOT NULL,
  name     {text} NOT NULL,
  body     {blob} NOT NULL, -- packed JSON
  PRIMARY KEY (document, name)
);

CREATE TABLE versions (
  document    {text} NOT NULL,
  look        {text} NOT NULL, -- "source n"
  time        {text} NOT NULL, -- of that look: first seen
  last_seen   {text} NOT NULL,
  kind        {text} NOT NULL, -- first, changed, reverted, rules
  text        {text} NOT NULL,
  text_sha256 {text} NOT NULL,
  lang        {text} NOT NULL,
  words       BIGINT NOT NULL,
  extractor   {text} NOT NULL,
  confirmed   {text} NOT NULL, -- time of the look that confirmed it, empty for none
  parts       {text} NOT NULL, -- JSON: the captures that it was made from
  dates       {text} NOT NULL, -- JSON: dates stated in it
  editions    {text} NOT NULL, -- JSON: versions of the document standing on the page
  PRIMARY KEY (document, time, kind)
);
CREATE INDEX versions_time ON versions (time);

CREATE TABLE changes (
  id            {text} PRIMARY KEY,
  document      {text} NOT NULL,
  time          {text} NOT NULL, -- of the version
  from_time     {text} NOT NULL, -- of the version before
  from_text     {text} NOT NULL,
  text          {text} NOT NULL,
  kind          {text} NOT NULL, -- changed, reverted
  confirmed     {text} NOT NULL, -- time of the look that confirmed it
  added_words   BIGINT NOT NULL,
  removed_words BIGINT NOT NULL,
  effective     {text} NOT NULL, -- date stated
  editions      BIGINT NOT NULL, -- standing on the page, 0 if it is one text
  watch         {text} NOT NULL, -- JSON list of phrases
  summary       {text} NOT NULL,
  derived       {text} NOT NULL  -- when it was found: the second clock, no fact
);
CREATE INDEX changes_time ON changes (time);
CREATE INDEX changes_document ON changes (document, time);

-- What the versions say, block by block, to be searched: a row for each text and
-- each time over which it stood in the document.
CREATE TABLE passages (
  id         {serial},
  document   {text} NOT NULL,
  hash       {text} NOT NULL, -- of the text: 16 bytes of its SHA-256
  kind       {text} NOT NULL, -- heading, paragraph, item, row
  block      BIGINT NOT NULL, -- its place in the first version with it
  first_seen {text} NOT NULL, -- time of that version
  gone       {text} NOT NULL DEFAULT '', -- time of the first version without it
  text       {text} NOT NULL
);
CREATE INDEX passages_document ON passages (document, gone);

-- The tokens of the passages: rowid is passages.id.
CREATE {search};
