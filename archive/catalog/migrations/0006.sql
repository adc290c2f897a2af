-- Schema 6: files that are put into items of archive.org. No facts: what an item
-- holds, its metadata says.

CREATE TABLE uploads (
  item       {text} NOT NULL,
  name       {text} NOT NULL, -- of the file in the item
  warc       {text} NOT NULL, -- name of the WARC that it is or belongs to
  key        {text} NOT NULL, -- of our object
  state      {text} NOT NULL, -- waiting, sending, sent, verified, refused, altered
  open       BIGINT NOT NULL, -- something is to be done at next_at
  attempts   BIGINT NOT NULL, -- PUTs begun
  checks     BIGINT NOT NULL, -- read-backs since the last one
  next_at    {text} NOT NULL,
  size       BIGINT NOT NULL,
  md5        {text} NOT NULL,
  sha256     {text} NOT NULL,
  url        {text} NOT NULL,
  class      {text} NOT NULL, -- why it is not further
  error      {text} NOT NULL,
  other      {text} NOT NULL, -- size and MD5 that the item had instead of ours
  created    {text} NOT NULL,
  began      {text} NOT NULL, -- first PUT
  sent       {text} NOT NULL, -- last PUT that was answered with success
  checked    {text} NOT NULL, -- last read-back
  verified   {text} NOT NULL, -- last read-back with our size and MD5
  PRIMARY KEY (item, name)
){clustered};
CREATE INDEX uploads_due ON uploads (open, next_at);
CREATE INDEX uploads_began ON uploads (item, began) WHERE began <> '';
