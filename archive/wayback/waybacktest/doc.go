// Package waybacktest is a stand-in for the Internet Archive's Save Page Now 2,
// written from its public documentation, for tests and for demonstrations
// without a network. It captures nothing: it answers as the service would.
//
// It speaks
//
//	POST /save, /save/                submit (form: url, …)
//	GET  /save/status/ID              one job
//	POST /save/status                 job_id=ID, or job_ids=ID,ID,…
//	GET  /save/status/user            slots and daily numbers
//	GET  /save/status/system          always ok
//
// all but the last only with "Authorization: LOW access:secret" (else 401).
// Submitting an address again within the window returns the same job. The
// service's limits are counted ([Server.Breaches]) and, if wanted, enforced.
// Faults are added with [Server.Inject].
//
// The package does not import testing, so that a command may use it.
package waybacktest
