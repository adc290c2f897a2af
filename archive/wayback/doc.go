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
// state reported says only what the service said. Reading back is a later step.
//
// A job id is worth about an hour; afterwards every job, also an invented one,
// reads "pending". A job pending for more than ten minutes is therefore
// unknown, and is marked [StateUnresolved] instead of being asked for ever.
// Submitting the same address again within the hour returns the same job, so a
// lost answer is met with one more submit.
//
// # Durability
//
// A [Worker] works the rows of an [Outbox], which belongs to the catalog. It
// saves the row before each POST, as soon as the job id is known, and at the
// end; killed at any point and started again, it loses no row and costs at
// most one more submit for the answer that it lost.
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
//
// This package does not read the index, replay captures or upload items.
package wayback
