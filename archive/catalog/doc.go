// Package catalog is the SQL index of an archive: what is to be visited and
// when, which looks there were, where their records lie, and what is still to
// be done with them. It runs on SQLite (one file, the default) and on
// PostgreSQL with the same SQL text.
//
// # Facts and other things
//
// Looks, records, declarations and sealed WARC files are facts: they stand in
// the WARC files too, and a catalog that was lost is made again from there
// with [DB.InsertLooks] and its siblings. [DB.Dump] writes exactly those
// facts, so two catalogs of one archive can be compared byte by byte.
// Everything else is state of the work and lives only here: the schedule,
// looks begun and not finished, runs, host leases, the robots.txt cache, the
// outbox.
//
// # A look
//
// [DB.BeginLook] allocates the look's number n durably and leaves a row in
// state begun, in a small table of its own. [DB.FinishLooks] turns it in one
// transaction into the row of a finished look, with the next visit of its
// source, the records it brought and what is to be told to others: state
// spooled. [DB.SealWARC] seals all looks of a WARC file at once.
// A process that dies between begin and finish leaves a begun row behind that
// [DB.UnfinishedLooks] lists, so that no n is ever missing.
//
// # Transactions
//
// Writers wait for each other anyway, and a durable commit costs a disk
// flush; so [DB.Write] gathers the writes that wait at one moment into one
// transaction. Each behaves as if it were alone.
//
// # Stored forms
//
// Times are kept as RFC 3339 text in UTC with nine fractional digits, digests
// as hexadecimal, long texts are indexed by a hash. Text from outside may hold
// anything: bytes that are not UTF-8 and U+0000 are stored as U+FFFD, since
// PostgreSQL keeps neither. Keys (ids, names, hosts) with such bytes are
// refused.
//
// The package runs no jobs and knows no job library; it shares its connection
// pool with one through [DB.SQL] and [DB.Pool].
package catalog
