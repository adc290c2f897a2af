-- Schema 4: the outbox reads its captures back, and takes the most important
-- first.

DROP INDEX outbox_due;
ALTER TABLE outbox RENAME COLUMN open TO work; -- 0 nothing more, 1 to submit, 2 to read back
ALTER TABLE outbox ADD COLUMN final_url {text} NOT NULL DEFAULT ''; -- where redirects led us, empty for nowhere else
ALTER TABLE outbox ADD COLUMN priority BIGINT NOT NULL DEFAULT 3;
ALTER TABLE outbox ADD COLUMN urgency BIGINT NOT NULL DEFAULT 0; -- 0 begun, else 1 more than the priority
ALTER TABLE outbox ADD COLUMN digest {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN src {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN facts {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN grade {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN readback {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN read_at {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN indexed_at {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN replayed_at {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN confirmed_at {text} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN absent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN absent_at {text} NOT NULL DEFAULT '';

UPDATE outbox SET state = 'submitted' WHERE state = 'submitting';
UPDATE outbox SET work = 2, next_at = reported_at WHERE state = 'reported';
UPDATE outbox SET priority = CASE cause WHEN 'requested' THEN 0 WHEN 'changed' THEN 1 WHEN 'different' THEN 1 WHEN 'first' THEN 2 ELSE 3 END;
UPDATE outbox SET urgency = CASE WHEN state = 'waiting' THEN priority + 1 ELSE 0 END;

CREATE INDEX outbox_submit ON outbox (urgency, created, id) WHERE work = 1;
CREATE INDEX outbox_soon ON outbox (next_at) WHERE work = 1;
CREATE INDEX outbox_read ON outbox (next_at, id) WHERE work = 2;
CREATE INDEX outbox_leased ON outbox (work, lease_until) WHERE lease_until <> '';
CREATE INDEX outbox_states ON outbox (state, work, created);

-- Every submit of the last days, for the limits of an address and of the account.
CREATE TABLE submits (
  at       {text} NOT NULL,
  url_hash {text} NOT NULL
);
CREATE INDEX submits_at ON submits (at);
CREATE INDEX submits_url ON submits (url_hash, at);
