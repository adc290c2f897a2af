// Package archive keeps what the crawler brings: it writes the exchanges of each
// look into the open WARC of this process (the spool), enters the look in the
// catalog, seals finished WARCs into the store, and can make the catalog again
// from the store alone.
//
// # The walk of one look
//
//	Begin      catalog: look row, state begun; allocates the look's number n
//	Exchange   spool: request and response (or revisit) records, synced
//	Finish     spool: manifest, synced; then one catalog transaction: look row
//	           spooled, payload records, next visit
//	Seal       close and hash the WARC -> store (create only) -> CDXJ sidecar ->
//	           pending entries -> log -> catalog transaction: sealed -> drop the
//	           pending entries and the spool file
//	Derive     texts, versions and changes of what is sealed; outbox rows
//
// Each arrow may be the last thing that a process does. Open repairs what it
// finds: a spool is cut to its last whole record, a look without a manifest gets
// one that says "interrupted", a manifest without a row gets its row, and a
// closed WARC goes on where sealing stopped. Recovery runs the code of normal
// work.
//
// An [Observer] asks the Wayback Machine what it has of our pages. Its answers are
// looks of their own, at web.archive.org, that walk the same way; their manifests
// say what they were for, and the receipts of the log follow from them.
//
// Facts are the objects in the store. The catalog is derived, except for what is
// pending (schedule, leases, outbox): see Rebuild and docs/FORMATS.md.
//
// Package archive does not import the crawler: *Look has the method that
// crawler.Sink asks for.
package archive
