package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// capturedAt is when the Wayback Machine captured the page of all these tests.
var capturedAt = time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC)

// sameFacts are those of a capture of the very page.
func sameFacts() warc.Facts {
	return warc.Facts{Content: warc.FactSame, Index: warc.FactSame, Replay: warc.FactSame, Text: warc.FactSame}
}

// readBack makes a look at the capture of our look, so long after the capture,
// which is replayed as body.
func readBack(t testing.TB, db *catalog.DB, a *archive.Archive, ours catalog.LookRow, after time.Duration, body string, facts warc.Facts) {
	t.Helper()
	stamp, now := capturedAt.Format("20060102150405"), capturedAt.Add(after)
	address := "https://web.archive.org/web/" + stamp + "id_/" + ours.URL
	source := declaration.Source{ID: declaration.SourceID(address, "", ""), URL: address}
	canonical := declaration.CanonicalSource(source)
	must(t, db.EnterSource(t.Context(), catalog.SourceRow{ID: source.ID, URL: address, Canonical: canonical}, now))
	l, err := a.Begin(t.Context(), source, canonical, nil)
	must(t, err)
	digest := warc.SumSHA1([]byte(body))
	exchange := func(kind warc.Kind, uri, header, body string) warc.Stored {
		head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + header + "\r\n"
		stored, err := l.Exchange(t.Context(), &warc.Exchange{
			Kind: kind, URI: uri, Began: now, Ended: now, Method: "GET", Request: warc.Bytes("GET / HTTP/1.1\r\nHost: web.archive.org\r\n\r\n"),
			Response: warc.Bytes(head + body), Head: int64(len(head)), Status: 200, MIME: "text/plain",
			PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256([]byte(body)), PayloadSHA1: warc.SumSHA1([]byte(body)),
		})
		must(t, err)
		return stored
	}
	row := fmt.Sprintf("org,example)/ %s %s text/plain 200 %s 9\n", stamp, ours.URL, digest.Base32())
	index := exchange(warc.KindIndex, "https://web.archive.org/cdx/search/cdx?n="+stamp, "", row)
	page := exchange(warc.KindPage, address, "Memento-Datetime: "+capturedAt.Format(http.TimeFormat)+"\r\n", body)
	m := &warc.Manifest{
		Time: now, Ended: now, Result: warc.Captured, Status: 200,
		Payload: &warc.Payload{Record: page.ResponseID, Size: int64(len(body)), SHA256: warc.SumSHA256([]byte(body)), SHA1: warc.SumSHA1([]byte(body))},
		Exchanges: []warc.ExchangeNote{
			{Kind: warc.KindIndex, Response: index.ResponseID, Size: int64(len(row)), SHA256: warc.SumSHA256([]byte(row))},
			{Kind: warc.KindPage, Response: page.ResponseID},
		},
		Memento: &warc.Memento{Purpose: warc.PurposeReadBack, Source: ours.Source, N: ours.N, Look: &warc.Prev{Manifest: ours.ID, SHA256: ours.ManifestSHA256},
			URL: ours.URL, Time: capturedAt, Status: 200, MIME: "text/plain", Digest: digest, Src: "live.warc.gz", Facts: &facts, Grade: "terms", Rules: "1"},
	}
	entered := make(chan error, 1)
	must(t, l.Finish(t.Context(), m, archive.Plan{}, func(_ catalog.LookRow, err error) { entered <- err }))
	a.Flush()
	must(t, <-entered)
}

// terms0 is what source 0 of newWitnessed says.
const terms0 = "the terms of source 0"

// newWitnessed is an archive with a page, and read-backs of its first look in
// later runs, one a run, so long after the capture.
func newWitnessed(t testing.TB, after ...time.Duration) *audited {
	t.Helper()
	return makeAudited(t, 1+len(after), func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
		if run == 0 {
			for i, s := range set.Sources {
				b.capture(t, a, s, set.Canonical(s.ID), fmt.Sprintf("the terms of source %d", i))
			}
			return
		}
		readBack(t, b.db, a, b.row(t, 0, 1), after[run-1], terms0, sameFacts())
	})
}

// row returns a look at one of the sources.
func (b *audited) row(t testing.TB, source int, n int64) catalog.LookRow {
	t.Helper()
	row, ok, err := b.db.Look(t.Context(), b.sources[source].ID, n)
	must(t, err)
	if !ok {
		t.Fatalf("no look %d of source %d", n, source)
	}
	return row
}

// collect makes a bundle of a look and returns it with its parts.
func collect(t testing.TB, r archive.BundleRequest) (evidence.Parts, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "scratch"))
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	r.Scratch, r.Tool, r.Created = f, "test/1", capturedAt
	p, err := archive.CollectBundle(t.Context(), r)
	must(t, err)
	var b bytes.Buffer
	must(t, evidence.WriteBundle(&b, p))
	return p, b.Bytes()
}

func (b *audited) bundle(t testing.TB, row catalog.LookRow, from *catalog.LookRow) (evidence.Parts, []byte) {
	t.Helper()
	return collect(t, archive.BundleRequest{Store: b.store(t), Catalog: b.db, Log: tlog.NewReader(b.store(t), b.key), Look: row, From: from})
}

// verified checks a bundle under the log's key and returns the lines of a claim.
func verified(t testing.TB, data []byte, vkey, claim string) (lines []string) {
	t.Helper()
	logs, err := evidence.ParseTrust([]byte(vkey + "\n"))
	must(t, err)
	r, err := evidence.Verify(t.Context(), bytes.NewReader(data), int64(len(data)), "x.zip", evidence.Policy{Logs: logs})
	must(t, err)
	for _, c := range r.Claims {
		if c.Verdict == evidence.False {
			t.Errorf("claim %s is false: %s", c.Name, c.Text)
		}
		if c.Name == claim {
			lines = append(lines, string(c.Verdict)+" "+c.Text)
		}
	}
	return lines
}

// TestBundleReceipts takes the newest receipts, and among them one that confirms.
func TestBundleReceipts(t *testing.T) {
	t.Parallel()
	hour, day := time.Hour, 24*time.Hour
	for _, c := range []struct {
		name  string
		after []time.Duration
		want  []time.Duration
	}{
		{"none", nil, nil},
		{"one", []time.Duration{hour}, []time.Duration{hour}},
		{"many", []time.Duration{hour, 36 * hour, 30 * day, 60 * day}, []time.Duration{60 * day, 30 * day, 36 * hour}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newWitnessed(t, c.after...)
			p, data := b.bundle(t, b.row(t, 0, 1), nil)
			compareReceipts(t, p, c.want)
			lines := verified(t, data, b.vkey, "observer")
			if len(c.want) == 0 {
				if len(lines) != 1 || !strings.HasPrefix(lines[0], "not present") {
					t.Errorf("claims %q", lines)
				}
				return
			}
			for i := range c.want {
				if len(lines) != len(c.want) || !strings.HasPrefix(lines[i], fmt.Sprintf("ok wayback/%d: THE SAME BYTES", i+1)) {
					t.Errorf("claims %q", lines)
				}
			}
			if _, again := b.bundle(t, b.row(t, 0, 1), nil); !bytes.Equal(data, again) {
				t.Error("the same look gave other bytes")
			}
			if p, _ := b.bundle(t, b.row(t, 1, 1), nil); len(p.Receipts) > 0 {
				t.Error("receipts of another source are in the bundle")
			}
		})
	}
}

// compareReceipts wants receipts of looks that were made so long after the capture.
func compareReceipts(t testing.TB, p evidence.Parts, want []time.Duration) {
	t.Helper()
	var got []time.Duration
	for _, r := range p.Receipts {
		e, err := evidence.ParseEntry(r.Look.Leaf)
		must(t, err)
		got = append(got, e.Time.Sub(capturedAt))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("receipts (-want +got):\n%s", d)
	}
}

// TestBundleConfirms has a capture that was confirmed long ago, and three looks
// since in which its replay was another one.
func TestBundleConfirms(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	after := []time.Duration{36 * hour, 48 * hour, 300 * hour, 400 * hour, 500 * hour}
	b := makeAudited(t, 1+len(after), func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
		s := set.Sources[0]
		facts := sameFacts()
		switch {
		case run == 0:
			b.capture(t, a, s, set.Canonical(s.ID), terms0)
			return
		case run > 2:
			facts = warc.Facts{Index: warc.FactAbsent, Replay: warc.FactAbsent}
		}
		readBack(t, b.db, a, b.row(t, 0, 1), after[run-1], terms0, facts)
	})
	p, data := b.bundle(t, b.row(t, 0, 1), nil)
	compareReceipts(t, p, []time.Duration{500 * hour, 400 * hour, 48 * hour})
	if lines := verified(t, data, b.vkey, "observer"); len(lines) != 3 || !strings.Contains(lines[0], "ABSENT") || !strings.Contains(lines[2], "THE SAME BYTES") {
		t.Errorf("claims %q", lines)
	}
}

// TestBundleReceiptsRange has receipts of both ends of a range.
func TestBundleReceiptsRange(t *testing.T) {
	t.Parallel()
	b := makeAudited(t, 3, func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
		s := set.Sources[0]
		if run < 2 {
			b.capture(t, a, s, set.Canonical(s.ID), terms0+strings.Repeat("!", run))
			return
		}
		readBack(t, b.db, a, b.row(t, 0, 1), time.Hour, terms0, sameFacts())
		readBack(t, b.db, a, b.row(t, 0, 2), 2*time.Hour, terms0+"!", sameFacts())
	})
	from := b.row(t, 0, 1)
	p, data := b.bundle(t, b.row(t, 0, 2), &from)
	compareReceipts(t, p, []time.Duration{2 * time.Hour, time.Hour})
	if lines := verified(t, data, b.vkey, "observer"); len(lines) != 2 || !strings.HasPrefix(lines[1], "ok wayback/2: THE SAME BYTES") {
		t.Errorf("claims %q", lines)
	}
}

// TestBundleReceiptsLater wants receipts that come after the timestamps not to push
// the checkpoint of the bundle behind them.
func TestBundleReceiptsLater(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	e.sealLook(t)
	e.anchor(t)
	ours, _, err := e.db.Look(t.Context(), e.source.ID, 1)
	must(t, err)
	readBack(t, e.db, e.arch, ours, time.Hour, terms0, warc.Facts{Replay: warc.FactSame})
	_, err = e.arch.Seal(t.Context())
	must(t, err)
	log := tlog.NewReader(e.store, e.key.Verifier)
	p, data := collect(t, archive.BundleRequest{Store: e.store, Catalog: e.db, Log: log, Look: ours})
	newest, err := log.Checkpoint(t.Context())
	must(t, err)
	stamped, err := e.db.AnchorsOver(t.Context(), ours.Index+1, 1)
	must(t, err)
	if size := strings.Split(string(p.Checkpoint), "\n")[1]; len(stamped) == 0 || size != fmt.Sprint(stamped[0].Size) || stamped[0].Size >= newest.Size {
		t.Errorf("the checkpoint has %s entries, the stamped one %+v, the newest %d", size, stamped, newest.Size)
	}
	if !slices.ContainsFunc(p.Anchors, func(f evidence.File) bool { return strings.HasSuffix(f.Name, ".tsr") }) || len(p.Receipts) != 1 {
		t.Errorf("%d anchors, %d receipts", len(p.Anchors), len(p.Receipts))
	}
	var roots []byte
	for _, tsa := range e.tsa {
		roots = append(roots, tsa.Roots...)
	}
	authorities, err := anchor.ParseRoots(roots)
	must(t, err)
	logs, err := evidence.ParseTrust([]byte(e.key.Public + "\n"))
	must(t, err)
	r, err := evidence.Verify(t.Context(), bytes.NewReader(data), int64(len(data)), "x.zip", evidence.Policy{Logs: logs, TSARoots: authorities})
	must(t, err)
	for claim, want := range map[string]evidence.Verdict{"observer": evidence.OK, "timestamp": evidence.OK, "consistency": evidence.OK, "log": evidence.OK} {
		if got := r.Verdict(claim); got != want {
			t.Errorf("claim %s is %q, want %q: %+v", claim, got, want, r.Claims)
		}
	}
}

// TestMementosRebuilt makes the table of mementos again from the WARCs and the log.
func TestMementosRebuilt(t *testing.T) {
	t.Parallel()
	b := newWitnessed(t, time.Hour, 36*time.Hour)
	dump := wantRebuilt(t, b.store(t), b.db, b.key)
	if n := bytes.Count(dump, []byte(`{"table":"mementos",`)); n != 2 {
		t.Errorf("the dump has %d mementos, want 2:\n%s", n, dump)
	}
}

// TestAuditReceipts breaks what belongs to receipts, in the log and in the catalog.
func TestAuditReceipts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		before  string // of the seal of the read-back
		after   string // the seal
		want    func(b *audited) []string
		verdict archive.AuditVerdict
	}{
		{"sound", "", "", func(*audited) []string { return nil }, archive.AuditOK},
		{"missing from the log", "UPDATE mementos SET leaf = '', log_index = -2", "", func(b *audited) []string {
			return []string{"receipt " + b.warcs[1] + " -1", "catalog " + b.warcs[1] + " -1 " + b.sources[0].ID + " 1: the row of look"}
		}, archive.AuditFalse},
		{"follows from no manifest", `UPDATE mementos SET leaf = CAST(replace(CAST(leaf AS TEXT), '"text":"same"', '"text":"variant"') AS BLOB)`, "", func(b *audited) []string {
			return []string{"receipt " + b.warcs[1] + " -1", "receipt  ", "catalog " + b.warcs[1] + " -1 " + b.sources[0].ID + " 1: the row of look"}
		}, archive.AuditFalse},
		{"row says otherwise", "", `UPDATE mementos SET facts = replace(facts, '"text":"same"', '"text":"different"')`, func(b *audited) []string {
			return []string{"catalog " + b.warcs[1] + " -1 " + b.sources[0].ID + " 1: the row of look"}
		}, archive.AuditFalse},
		{"row of another time", "", `UPDATE mementos SET made = '2001' || substr(made, 5)`, func(b *audited) []string {
			return []string{"catalog " + b.warcs[1] + " -1 " + b.sources[0].ID + " 1: the row of look"}
		}, archive.AuditFalse},
		{"no row", "", "DELETE FROM mementos", func(b *audited) []string {
			return []string{"catalog " + b.warcs[1] + " -1  0: a look at a web archive has no row"}
		}, archive.AuditFalse},
		{"row without index", "", "UPDATE mementos SET log_index = -1", func(b *audited) []string {
			return []string{"pending " + b.warcs[1] + " 5 "}
		}, archive.AuditIncomplete},
		{"row with another index", "", "UPDATE mementos SET log_index = 4", func(b *audited) []string {
			return []string{"catalog " + b.warcs[1] + " 5 " + b.sources[0].ID + " 1: its row says that the receipt stands elsewhere"}
		}, archive.AuditFalse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := makeAudited(t, 2, func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
				if run == 0 {
					for i, s := range set.Sources {
						b.capture(t, a, s, set.Canonical(s.ID), fmt.Sprintf("the terms of source %d", i))
					}
					return
				}
				readBack(t, b.db, a, b.row(t, 0, 1), time.Hour, terms0, sameFacts())
				if c.before != "" {
					b.sql(t, c.before)
				}
			})
			if c.after != "" {
				b.sql(t, c.after)
			}
			r, found := b.audit(t, nil)
			compareFindings(t, found, c.want(b))
			if r.Verdict() != c.verdict {
				t.Errorf("verdict %s, want %s", r.Verdict(), c.verdict)
			}
		})
	}
}

// TestAuditReceiptsResume stops an audit at each WARC: what it kept knows the
// receipts and the rows.
func TestAuditReceiptsResume(t *testing.T) {
	t.Parallel()
	b := newWitnessed(t, time.Hour, 36*time.Hour)
	for at := int64(1); at <= 3; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := archive.AuditConfig{Store: &countingStore{Store: b.store(t), at: at, stop: cancel}, Key: b.key, Catalog: b.db, State: filepath.Join(t.TempDir(), "audit.state"), Workers: 1}
		if _, err := archive.Audit(ctx, cfg); err == nil {
			t.Fatal("the audit was not stopped")
		}
		s := &countingStore{Store: b.store(t)}
		cfg.Store = s
		cfg.Found = func(f archive.AuditFinding) { t.Errorf("stopped at %d: found %+v", at, f) }
		r, err := archive.Audit(t.Context(), cfg)
		must(t, err)
		if r.Verdict() != archive.AuditOK || at > 1 && s.read.Load() > 2 {
			t.Errorf("stopped at %d: verdict %s, %d WARCs read again", at, r.Verdict(), s.read.Load())
		}
	}
}
