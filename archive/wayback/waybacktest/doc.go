// Package waybacktest is a stand-in for the Wayback Machine, written from its
// public documentation and from what its users report, for tests and for
// demonstrations without a network: Save Page Now 2, the index (CDX server),
// replay, TimeMaps, the TimeGate and archive.org's Availability API. It is meant
// to be as unpleasant as the real one.
//
// # Saving
//
//	POST /save, /save/                submit (form: url, …)
//	GET  /save/status/ID              one job
//	POST /save/status                 job_id=ID, or job_ids=ID,ID,…
//	GET  /save/status/user            slots and daily numbers
//	GET  /save/status/system          always ok
//
// all but the last only with "Authorization: LOW access:secret" (else 401).
// Submitting an address again within the window returns the same job. The page
// of a job comes from Config.FetchPage (for real servers see [FetchFrom]);
// redirects are followed. A capture with
// the body of an earlier one is a revisit, as with the service.
//
// # Reading
//
//	GET  /cdx/search/cdx?url=…        the index: matchType, output, fl, from, to,
//	                                  filter, collapse, limit, offset,
//	                                  showResumeKey, resumeKey, gzip
//	GET  /web/14DIGITSid_/URL         a capture as it was stored
//	GET  /web/DIGITS/URL              the same as a page of the archive
//	GET  /web/URL                     the TimeGate (Accept-Datetime)
//	GET  /web/timemap/link/URL        the TimeMap; also json
//	GET  /wayback/available?url=…     the Availability API (timestamp)
//
// HEAD is answered everywhere, a Range of bytes by raw replays. What the read
// side does that a reader may not expect:
//
//   - A capture is in the index and in the replay only some time after its job
//     has ended (Config.IndexLag, Config.ReplayLag).
//   - Addresses are folded to one key ([URLKey]); the index and the replay show
//     captures of http for https, with and without "www.".
//   - A moment without a capture is redirected to the closest capture.
//   - A page of index rows that begins with a resumeKey repeats a row, and
//     leaves out rows of the same moment as the last.
//   - Digests are those of the body as the origin sent it, in its content
//     coding, without chunks. A replay has that content coding; one of a page
//     without may be compressed on the way (Config.GzipReplay).
//
// # Trouble
//
// The service's limits and rules are counted at each breach ([Server.Breaches])
// and, with Config.Enforce, enforced. Faults are added with [Server.Inject], for
// a time at random with [Server.Mix]; [PassingFaults] and [LastingFaults] list
// them. [Server.AddCapture] makes a history, [Server.Spoil] damages one.
//
// It does not import testing, so that a command may use it.
package waybacktest
