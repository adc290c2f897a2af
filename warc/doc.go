// Package warc reads and writes the file formats of the archive: WARC 1.1 (ISO
// 28500) with one gzip member per record, the manifest of a look, CDXJ indexes
// with SURT keys, and WACZ packages. It knows no network and no database, and
// never changes a byte of what it is given.
//
// # Terms
//
// An [Exchange] is one HTTP request and what came back, as on the wire. A [Look]
// is one attempt at a source; [Look.Records] turns its exchanges into records.
// A [Record] has a header and a block; the block of a request or response record
// is the HTTP message, its payload the entity body: transfer coding removed,
// content coding kept. A revisit record says that the payload is that of an
// earlier record. The [Manifest] is the last record of a look and names every
// other one with the SHA-256 of its decompressed gzip member.
//
// # Ids
//
// Record ids are UUIDs. Go values and JSON carry them as "urn:uuid:…", header
// fields in angle brackets, "<urn:uuid:…>". The ids of a look share their first
// 14 bytes and end in a counter; 0 is the manifest.
//
// # Digests
//
// WARC-Block-Digest is "sha256:" and hexadecimal. WARC-Payload-Digest is "sha1:"
// and base32, over the payload as defined above: so the standard and the
// Internet Archive count, and values can be compared with the Wayback Machine's
// index. Some readers count the chunks of chunked bodies too and call our
// digests wrong.
//
// # Writing
//
//	f, err := warc.Create(dir, warc.FileName(run, time.Now(), 1))
//	…
//	look := warc.NewLook(source, n, nil)
//	records, stored, err := look.Records(exchange, warc.RecordOptions{WarcinfoID: info})
//	…
//	packed, err := warc.Compress(records[0])  // for each, outside of any lock
//	placed, err := f.Append(packed)           // all or nothing
//	err = f.SyncTo(placed[0].Offset + placed[0].Length)
//	…
//	summary, err := f.Close()                 // publishes; never replaces a file
//
// Records are marshalled by gowarc; the file is ours, because that library loses
// records on a full disk without an error.
//
// # Reading
//
//	for rec, err := range warc.NewReader(f).Records() {
//		…
//		body, err := rec.Decoded(limit)
//	}
//
// [Reader] takes files of other writers too and bounds its memory whatever they
// hold; [Validate] says what is wrong with them; [Recover] cuts a file that a
// crash left behind to its last whole record.
package warc
