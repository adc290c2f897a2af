-- Schema 1. {text}, {blob}, {serial} and {clustered} are replaced by what each
-- database calls them (see migrate.go). Times are RFC 3339 UTC text with nine
-- fractional digits, digests lower-case hexadecimal, truth values 0 and 1;
-- the empty string and 0 mean "not known".

CREATE TABLE declaration_files (
  path   {text} PRIMARY KEY,
  sha256 {text} NOT NULL
);

CREATE TABLE sources (
  id               {text} PRIMARY KEY,
  url              {text} NOT NULL,
  url_hash         {text} NOT NULL,
  host             {text} NOT NULL,
  accept_language  {text} NOT NULL,
  vantage          {text} NOT NULL,
  canonical        {blob} NOT NULL,
  canonical_sha256 {text} NOT NULL,
  declared         BIGINT NOT NULL,
  -- schedule, not facts
  next_at          {text} NOT NULL,
  attempt          BIGINT NOT NULL DEFAULT 0,
  wanted_run       {text} NOT NULL DEFAULT '',
  last_n           BIGINT NOT NULL DEFAULT 0, -- highest in looks; begun may hold higher ones
  requisites_at    {text} NOT NULL DEFAULT '',
  -- what the newest finished look said, derived from looks
  done_n           BIGINT NOT NULL DEFAULT 0,
  looked_at        {text} NOT NULL DEFAULT '',
  result           {text} NOT NULL DEFAULT '',
  error            {text} NOT NULL DEFAULT '',
  status           BIGINT NOT NULL DEFAULT 0,
  manifest         {text} NOT NULL DEFAULT '',
  manifest_sha256  {text} NOT NULL DEFAULT '',
  failing_since    {text} NOT NULL DEFAULT '',
  -- what the newest captured look said, derived from looks
  payload_n        BIGINT NOT NULL DEFAULT 0,
  payload_record   {text} NOT NULL DEFAULT '',
  payload_sha256   {text} NOT NULL DEFAULT '',
  payload_size     BIGINT NOT NULL DEFAULT 0,
  decoded_sha256   {text} NOT NULL DEFAULT '',
  payload_url      {text} NOT NULL DEFAULT '',
  etag             {text} NOT NULL DEFAULT '',
  last_modified    {text} NOT NULL DEFAULT '',
  full_at          {text} NOT NULL DEFAULT ''
);
CREATE INDEX sources_due ON sources (declared, next_at);
CREATE INDEX sources_wanted ON sources (wanted_run, host, next_at) WHERE wanted_run <> '';
CREATE INDEX sources_url ON sources (url_hash);

CREATE TABLE documents (
  id         {text} PRIMARY KEY,
  service    {text} NOT NULL,
  service_id {text} NOT NULL,
  terms      {text} NOT NULL,
  lang       {text} NOT NULL,
  declared   BIGINT NOT NULL
);
CREATE INDEX documents_service ON documents (service_id);

CREATE TABLE source_documents (
  source   {text} NOT NULL,
  document {text} NOT NULL,
  part     BIGINT NOT NULL,
  PRIMARY KEY (document, part)
);
CREATE INDEX source_documents_source ON source_documents (source, document);

CREATE TABLE looks (
  source             {text} NOT NULL,
  n                  BIGINT NOT NULL,
  id                 {text} NOT NULL,
  state              {text} NOT NULL,
  spool              {text} NOT NULL,
  run                {text} NOT NULL,
  url                {text} NOT NULL,
  time               {text} NOT NULL,
  final_url          {text} NOT NULL DEFAULT '',
  final_hash         {text} NOT NULL DEFAULT '',
  ended              {text} NOT NULL DEFAULT '',
  result             {text} NOT NULL DEFAULT '',
  error              {text} NOT NULL DEFAULT '',
  detail             {text} NOT NULL DEFAULT '',
  status             BIGINT NOT NULL DEFAULT 0,
  bytes              {text} NOT NULL DEFAULT '',
  same_as            {text} NOT NULL DEFAULT '',
  warc               {text} NOT NULL DEFAULT '',
  warc_offset        BIGINT NOT NULL DEFAULT 0,
  warc_length        BIGINT NOT NULL DEFAULT 0,
  manifest_sha256    {text} NOT NULL DEFAULT '',
  record_id          {text} NOT NULL DEFAULT '',
  record_offset      BIGINT NOT NULL DEFAULT 0,
  record_length      BIGINT NOT NULL DEFAULT 0,
  mime               {text} NOT NULL DEFAULT '',
  payload_sha1       {text} NOT NULL DEFAULT '',
  payload_sha256     {text} NOT NULL DEFAULT '',
  payload_size       BIGINT NOT NULL DEFAULT 0,
  decoded_sha256     {text} NOT NULL DEFAULT '',
  decoded_size       BIGINT NOT NULL DEFAULT 0,
  etag               {text} NOT NULL DEFAULT '',
  last_modified      {text} NOT NULL DEFAULT '',
  declaration_sha256 {text} NOT NULL DEFAULT '',
  PRIMARY KEY (source, n)
);
CREATE INDEX looks_time ON looks (time, source, n);
CREATE INDEX looks_warc ON looks (warc);
CREATE INDEX looks_run ON looks (run);
CREATE INDEX looks_final ON looks (final_hash) WHERE final_hash <> '';

-- Looks that have begun and are not finished: few, so that the durable begin of
-- a look writes few pages. A finished look stands in looks alone.
CREATE TABLE begun (
  source {text} NOT NULL,
  n      BIGINT NOT NULL,
  id     {text} NOT NULL,
  spool  {text} NOT NULL,
  run    {text} NOT NULL,
  url    {text} NOT NULL,
  time   {text} NOT NULL,
  warc   {text} NOT NULL,
  PRIMARY KEY (source, n)
){clustered};

CREATE TABLE records (
  url_hash       {text} NOT NULL,
  payload_sha256 {text} NOT NULL,
  warc           {text} NOT NULL,
  payload_size   BIGINT NOT NULL,
  id             {text} NOT NULL,
  uri            {text} NOT NULL,
  date           {text} NOT NULL,
  PRIMARY KEY (url_hash, payload_sha256, warc)
){clustered};

CREATE TABLE declarations (
  sha256    {text} NOT NULL,
  warc      {text} NOT NULL,
  record_id {text} NOT NULL,
  canonical {blob} NOT NULL,
  PRIMARY KEY (sha256, warc)
);

CREATE TABLE warcs (
  name      {text} PRIMARY KEY,
  key       {text} NOT NULL DEFAULT '',
  run       {text} NOT NULL,
  spool     {text} NOT NULL,
  state     {text} NOT NULL,
  size      BIGINT NOT NULL DEFAULT 0,
  sha256    {text} NOT NULL DEFAULT '',
  records   BIGINT NOT NULL DEFAULT 0,
  looks     BIGINT NOT NULL DEFAULT 0,
  opened_at {text} NOT NULL DEFAULT '',
  sealed_at {text} NOT NULL DEFAULT ''
);
CREATE INDEX warcs_unsealed ON warcs (spool, name) WHERE state <> 'sealed';
CREATE INDEX warcs_key ON warcs (key);

CREATE TABLE hosts (
  host            {text} PRIMARY KEY,
  owner           {text} NOT NULL,
  lease_until     {text} NOT NULL,
  next_allowed_at {text} NOT NULL
){clustered};
CREATE INDEX hosts_owner ON hosts (owner);

CREATE TABLE robots (
  origin  {text} PRIMARY KEY,
  body    {blob} NOT NULL,
  status  BIGINT NOT NULL,
  fetched {text} NOT NULL
);

CREATE TABLE outbox (
  id            {serial},
  source        {text} NOT NULL,
  n             BIGINT NOT NULL,
  url           {text} NOT NULL,
  cause         {text} NOT NULL,
  created       {text} NOT NULL,
  needs_browser BIGINT NOT NULL DEFAULT 0,
  state         {text} NOT NULL,
  open          BIGINT NOT NULL,
  job_id        {text} NOT NULL DEFAULT '',
  attempts      BIGINT NOT NULL DEFAULT 0,
  waits         BIGINT NOT NULL DEFAULT 0,
  next_at       {text} NOT NULL,
  reused        BIGINT NOT NULL DEFAULT 0,
  last_class    {text} NOT NULL DEFAULT '',
  last_code     {text} NOT NULL DEFAULT '',
  last_error    {text} NOT NULL DEFAULT '',
  submitted_at  {text} NOT NULL DEFAULT '',
  accepted_at   {text} NOT NULL DEFAULT '',
  reported_at   {text} NOT NULL DEFAULT '',
  snapshot      {text} NOT NULL DEFAULT '',
  original_url  {text} NOT NULL DEFAULT '',
  http_status   BIGINT NOT NULL DEFAULT 0,
  receipt       {blob} NOT NULL,
  lease_owner   {text} NOT NULL DEFAULT '',
  lease_until   {text} NOT NULL DEFAULT '',
  UNIQUE (source, n)
);
CREATE INDEX outbox_due ON outbox (open, next_at);
CREATE INDEX outbox_recent ON outbox (source, created);

CREATE TABLE runs (
  id      {text} PRIMARY KEY,
  started {text} NOT NULL,
  ended   {text} NOT NULL DEFAULT '',
  host    {text} NOT NULL,
  pid     BIGINT NOT NULL,
  args    {text} NOT NULL,
  warcs   BIGINT NOT NULL DEFAULT 0, -- opened so far
  summary {text} NOT NULL DEFAULT ''
);
CREATE INDEX runs_started ON runs (started);
