package catalog

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// dumpTable is one table of the dump: its facts, from sealed WARC files alone.
type dumpTable struct {
	name    string
	columns string // in the order of the line's keys
	rest    string // FROM …, with the order of the rows
}

// dumpTables lists the tables and columns that are facts, both in order.
func dumpTables() []dumpTable {
	return []dumpTable{
		{"anchors", "t.checkpoint_sha256, t.files, t.list, t.log_index, t.sha256, t.tree_size", "FROM anchors t ORDER BY t.list"},
		{"archived_readings", "t.document, t.grade, t.key, t.look, t.part, t.reason, t.replay, t.rules, t.source, t.text, t.time, t.url",
			"FROM archived_readings t ORDER BY t.document, t.part, t.look"},
		{"archived_versions", "t.captures, t.document, t.extractor, t.grade, t.lang, t.last_seen, t.n, t.parts, t.reason, t.replay, t.text, t.text_sha256, t.time, t.words",
			"FROM archived_versions t ORDER BY t.document, t.n"},
		{"changes", "t.added_words, t.confirmed, t.document, t.doubt, t.editions, t.effective, t.from_text, t.from_time, t.id, t.kind, t.removed_words, t.summary, t.text, t.time, t.watch",
			"FROM changes t ORDER BY t.id"},
		{"declarations", "t.canonical, t.record_id, t.sha256, t.warc",
			"FROM declarations t JOIN warcs w ON w.name = t.warc WHERE w.state = 'sealed' ORDER BY t.sha256, t.warc"},
		{"looks", "t.bytes, t.declaration_sha256, t.decoded_sha256, t.decoded_size, t.detail, t.ended, t.error, t.etag, t.final_url, t.id, t.last_modified, t.log_index, t.manifest_sha256, " +
			"t.mime, t.n, t.payload_sha1, t.payload_sha256, t.payload_size, t.record_id, t.record_length, t.record_offset, t.result, t.run, t.same_as, t.source, t.status, t.time, " +
			"t.url, t.warc, t.warc_length, t.warc_offset",
			"FROM looks t WHERE t.state = 'sealed' ORDER BY t.source, t.n"},
		{"lost", "t.log_index, t.n, t.run, t.source, t.time", "FROM lost t ORDER BY t.source, t.n"},
		{"mementos", "t.digest, t.facts, t.grade, t.leaf, t.log_index, t.look, t.made, t.mime, t.n, t.purpose, t.rules, t.source, t.src, t.status, t.time, t.url, t.warc",
			"FROM mementos t JOIN warcs w ON w.key = t.warc WHERE w.state = 'sealed' ORDER BY t.look"},
		{"readings", "t.document, t.grade, t.n_from, t.n_to, t.outcome, t.problems, t.reason, t.source, t.text, t.time_from, t.time_to",
			"FROM readings t ORDER BY t.document, t.source, t.n_from"},
		{"records", "t.date, t.id, t.payload_sha256, t.payload_size, t.uri, t.warc",
			"FROM records t JOIN warcs w ON w.name = t.warc WHERE w.state = 'sealed' ORDER BY t.url_hash, t.payload_sha256, t.warc"},
		{"sightings", "t.key, t.source, t.time", "FROM sightings t ORDER BY t.source, t.time, t.key"},
		{"sources", "t.accept_language, t.id, t.url, t.vantage",
			"FROM sources t WHERE EXISTS (SELECT 1 FROM looks l WHERE l.source = t.id AND l.state = 'sealed') ORDER BY t.id"},
		{"versions", "t.confirmed, t.dates, t.document, t.editions, t.extractor, t.kind, t.lang, t.last_seen, t.look, t.parts, t.text, t.text_sha256, t.time, t.words",
			"FROM versions t ORDER BY t.document, t.time, t.kind"},
		{"warcs", "t.key, t.log_index, t.looks, t.name, t.records, t.sha256, t.size",
			"FROM warcs t WHERE t.state = 'sealed' ORDER BY t.name"},
	}
}

// Dump writes the facts that the catalog holds, and what is derived of them by the
// rules of one version, in one form, byte-equal for equal facts, whatever the
// database and however they came into it: live, or from a rebuild. It is JSON lines, each {"table":…} and the columns below in
// alphabetical order; tables in alphabetical order, rows by key as bytes.
//
//   - anchors: every column but made and log_from
//   - archived_readings, archived_versions, sightings: every column
//   - changes: every column but derived
//   - declarations: canonical (base64 if not UTF-8), record_id, sha256, warc;
//     sources and documents as declared follow from the canonical form
//   - looks in sealed WARC files: every column but spool and state
//   - lost: looks whose spool is gone
//   - mementos: looks at web archives, every column
//   - readings, versions: every column
//   - records: those in sealed WARC files
//   - sources with such looks: what their looks say of them (accept_language,
//     id, url, vantage)
//   - warcs that are sealed: key, log_index, looks, name, records, sha256, size
//
// Not facts, and not in the dump: looks begun or still in a spool and their
// numbers, what is declared now and its files, imports that wait, the schedule (next_at, attempt,
// wanted_run, requisites_at, failing_since), run, spool and times of WARC
// files, runs, hosts and their leases, robots, outbox. What a source says of
// its newest looks is derived from looks.
func (db *DB) Dump(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	err := db.Read(ctx, func(ctx context.Context, q Querier) error {
		for _, t := range dumpTables() {
			if err := t.dump(ctx, q, out); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		return nil
	})
	if err == nil {
		err = out.Flush()
	}
	return wrap("dump catalog", err)
}

// dump writes one table.
func (t *dumpTable) dump(ctx context.Context, q Querier, out *bufio.Writer) error {
	names := strings.Split(strings.ReplaceAll(t.columns, "t.", ""), ", ")
	cells := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range cells {
		dest[i] = &cells[i]
	}
	var line []byte
	return each(ctx, q, func(scan func(...any) error) error {
		if err := scan(dest...); err != nil {
			return err
		}
		line = append(line[:0], `{"table":"`+t.name+`"`...)
		for i, cell := range cells {
			text, err := cellJSON(cell)
			if err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
			line = append(line, `,"`+names[i]+`":`...)
			line = append(line, text...)
		}
		line = append(line, '}', '\n')
		_, err := out.Write(line)
		return err
	}, "SELECT "+t.columns+" "+t.rest)
}

// cellJSON returns a value as both databases give it.
func cellJSON(cell any) ([]byte, error) {
	switch v := cell.(type) {
	case int64:
		return json.Marshal(v)
	case string:
		return json.Marshal(v)
	case []byte:
		if utf8.Valid(v) {
			return json.Marshal(string(v))
		}
		return json.Marshal("base64:" + base64.StdEncoding.EncodeToString(v))
	}
	return nil, fmt.Errorf("value of type %T", cell)
}
