// Package wayback submits pages to the Internet Archive's Wayback Machine, so
// that somebody who is not us has seen them too.
//
// # Terms
//
// Save Page Now 2 is the service that captures a page on request. A submit
// (POST /save) is answered with a job id; the job is asked for (GET
// /save/status/ID) until it reports success or an error. What the service
// answers at the end is the receipt of the item. A slot is the right to have
// one job running; an account has few.
//
// # What the service's answers mean
//
// Errors arrive as HTTP 200, when submitting as well as when asking, with or
// without the field status_ext. So answers are classified by their body, by
// one table (see [Class]). A 200 that is not JSON is an outage, not an answer.
// An error does not mean "not captured" and success does not mean "kept": the
// state reported says only what the service said. A [Reader] then looks at the
// capture: 1 and 10 minutes, 1, 12 and 36 hours after the report, and every 30
// days from then on. What comes back at more than 24 hours of age is confirmed. A
// capture counts as gone when neither the index nor the replay has it at two looks
// at least an hour apart; that the Archive does not answer never counts.
//
// A job id is worth about an hour; afterwards every job, also an invented one,
// reads "pending". A job pending for more than ten minutes is therefore
// unknown, and is marked [StateUnresolved] instead of being asked for ever.
// Submitting the same address again within the hour returns the same job. So a
// lost answer is met with a question about the job, if its id is known, then with
// a look into the index, and only then with one more submit.
//
// # Durability
//
// A [Worker] works the rows of an [Outbox], which belongs to the catalog. It
// saves the row before each POST, as soon as the job id is known, and at the
// end; killed at any point and started again, it loses no row and costs at
// most one more submit for the answer that it lost. Captures are read back by
// carriers of their own: neither kind of work waits for the other, and what
// remains to be read back is looked at also on a day whose captures are used up.
//
// An address is submitted four times a day (UTC) at most, whichever rows want it;
// the service takes five from all its users. Where it was captured often enough,
// the row is given the newest capture of the day instead.
//
// # Limits
//
// One [Pacer] per process spaces all requests, holds the slots and carries the
// pauses that the service asks for. The limits of the service have moved often,
// so the defaults are low and the real ones are read from /save/status/user.
//
// Sources: the document "Save Page Now 2 Public API Docs" of the Internet
// Archive (revisions of 2025-10-22 and 2026-07-22), and published measurements
// of the live service.
package wayback
