package archive_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// countingStore counts the WARCs that are read from their beginning and may
// stop the audit at one of them.
type countingStore struct {
	store.Store
	read atomic.Int64
	at   int64 // calls stop at this one
	stop func()
}

func (c *countingStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasSuffix(key, ".warc.gz") && offset == 0 && length < 0 {
		if c.read.Add(1) == c.at {
			c.stop()
		}
	}
	return c.Store.Get(ctx, key, offset, length)
}

// An audit that is stopped at any WARC and started again says the same as one
// that was not, and reads what it found good once only.
func TestAuditResumes(t *testing.T) {
	t.Parallel()
	b := newAudited(t)
	b.edit(t, b.warcs[1], func(d []byte) []byte { return flip(len(d) / 2)(d) })
	_, want := b.audit(t, nil)
	if len(want) == 0 {
		t.Fatal("nothing was found")
	}
	for at := int64(1); at <= 3; at++ {
		state := filepath.Join(t.TempDir(), "audit.state")
		ctx, cancel := context.WithCancel(t.Context())
		s := &countingStore{Store: b.store(t), at: at, stop: cancel}
		_, err := archive.Audit(ctx, archive.AuditConfig{Store: s, Key: b.key, Catalog: b.db, State: state, Workers: 1})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at WARC %d: error %v", at, err)
		}
		s = &countingStore{Store: b.store(t)}
		r, found := b.audit(t, func(c *archive.AuditConfig) { c.Store, c.State = s, state })
		if got := strings.Join(found, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("resumed at WARC %d:\n%s\nwant\n%s", at, got, strings.Join(want, "\n"))
		}
		if r.Read != 3 || r.Looks != 4 || r.Resumed > at || s.read.Load() != 4-r.Resumed { // the damaged one is read twice, and its looks do not count
			t.Errorf("resumed at WARC %d: %d WARCs, %d of them resumed, %d looks, %d read", at, r.Read, r.Resumed, r.Looks, s.read.Load())
		}
		if at == 3 && r.Resumed == 0 {
			t.Errorf("nothing was resumed")
		}
		if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the state is left: %v", err)
		}
	}
}

// What an audit found good is read again when it changed since, when it is asked
// for, and when the audit asks something else.
func TestAuditResumeForgets(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, b *audited, c *archive.AuditConfig){
		"changed": func(t *testing.T, b *audited, _ *archive.AuditConfig) {
			now := time.Now().Add(time.Hour)
			must(t, os.Chtimes(b.path(b.warcs[0]), now, now))
		},
		"fresh":          func(_ *testing.T, _ *audited, c *archive.AuditConfig) { c.Fresh = true },
		"another sample": func(_ *testing.T, _ *audited, c *archive.AuditConfig) { c.Sample.Percent = 100 },
		"garbage": func(t *testing.T, _ *audited, c *archive.AuditConfig) {
			must(t, os.WriteFile(c.State, []byte("no state\n{}\n"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newAudited(t)
			cfg := archive.AuditConfig{Key: b.key, State: filepath.Join(t.TempDir(), "audit.state"), Workers: 1}
			ctx, cancel := context.WithCancel(t.Context())
			stopping := cfg
			stopping.Store = &countingStore{Store: b.store(t), at: 2, stop: cancel}
			if _, err := archive.Audit(ctx, stopping); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			change(t, b, &cfg)
			cfg.Store = b.store(t)
			r, err := archive.Audit(t.Context(), cfg)
			must(t, err)
			if r.Resumed != 0 || r.Read != 3 || r.Verdict() != archive.AuditOK {
				t.Errorf("%d resumed of %d, verdict %s", r.Resumed, r.Read, r.Verdict())
			}
		})
	}
}

// Since and Sample leave WARCs out; the log is checked whole.
func TestAuditPart(t *testing.T) {
	t.Parallel()
	b := newAudited(t)
	b.edit(t, b.warcs[1], flip(200))
	since := func(d time.Duration) func(*archive.AuditConfig) {
		return func(c *archive.AuditConfig) { c.Since = time.Now().Add(d) }
	}
	for _, tc := range []struct {
		name          string
		change        func(*archive.AuditConfig)
		read, skipped int64
		bad           bool
	}{
		{"since long ago", since(-time.Hour), 3, 0, true},
		{"since tomorrow", since(time.Hour), 0, 3, false},
		{"one", func(c *archive.AuditConfig) { c.Sample = archive.Sample{WARCs: 1} }, 1, 2, false},
		{"more than there are", func(c *archive.AuditConfig) { c.Sample = archive.Sample{WARCs: 10} }, 3, 0, true},
		{"all", func(c *archive.AuditConfig) { c.Sample = archive.Sample{Percent: 100} }, 3, 0, true},
		{"hardly any", func(c *archive.AuditConfig) { c.Sample = archive.Sample{Percent: 1e-9, Seed: 5} }, 0, 3, false},
	} {
		r, found := b.audit(t, tc.change)
		if r.Read != tc.read || r.Skipped != tc.skipped || r.Entries != 9 || tc.bad != (len(found) > 0) && tc.name != "one" {
			t.Errorf("%s: %d read, %d left out, %d entries, findings %q", tc.name, r.Read, r.Skipped, r.Entries, found)
		}
	}
	r, first := b.audit(t, func(c *archive.AuditConfig) { c.Sample = archive.Sample{WARCs: 1} })
	for range 3 {
		again, found := b.audit(t, func(c *archive.AuditConfig) { c.Sample = archive.Sample{WARCs: 1, Seed: r.Seed} })
		if again.Bytes != r.Bytes || again.Seed != r.Seed || strings.Join(found, "\n") != strings.Join(first, "\n") {
			t.Errorf("seed %d chose something else", r.Seed)
		}
	}
}

// A number left out, and a look that does not name the one before it, are found
// in a log that is otherwise sound.
func TestAuditNumbers(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"left out":          "UPDATE sources SET last_n = last_n + 1 WHERE id = '%s'",
		"wrong look before": "UPDATE sources SET manifest = 'urn:uuid:00000000-0000-0000-0000-000000000000' WHERE id = '%s'",
		"wrong digest":      "UPDATE sources SET manifest_sha256 = (SELECT manifest_sha256 FROM looks WHERE n = 1 LIMIT 1) WHERE id = '%s'",
	} {
		b := makeAudited(t, 3, func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
			s := set.Sources[0]
			if run == 2 {
				b.sql(t, fmt.Sprintf(statement, s.ID))
			}
			b.capture(t, a, s, set.Canonical(s.ID), "text")
		})
		_, found := b.audit(t, nil)
		want := "number  4 " + b.sources[0].ID + " 3"
		if name == "left out" {
			want = "number  -1 " + b.sources[0].ID + " 3"
		}
		compareFindings(t, found, []string{want})
	}
}

// A record that was taken out, with padding of the same length in its place, a
// tombstone and a new warcfile entry, is no finding; without the tombstone, or
// with other changes, it is.
func TestAuditTombstone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		tombstone bool
		extra     bool // another record is changed too
		want      func(b *audited) []string
	}{
		{"taken out", true, false, func(*audited) []string { return nil }},
		{"no tombstone", false, false, func(b *audited) []string {
			return []string{"tombstone " + b.warcs[0] + " 9", "look " + b.warcs[0] + " 0 " + b.sources[0].ID + " 1", "index"}
		}},
		{"more than the tombstone says", true, true, func(b *audited) []string {
			return []string{"warc " + b.warcs[0] + " 10", "look " + b.warcs[0] + " 1 " + b.sources[1].ID + " 1"}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newAudited(t)
			gone := b.withdraw(t, b.warcs[0])
			if tc.extra {
				b.edit(t, b.warcs[0], flip(-30))
			}
			data, err := os.ReadFile(b.path(b.warcs[0]))
			must(t, err)
			sum := warc.SumSHA256(data)
			if tc.extra {
				sum = warc.SumSHA256([]byte("as it was without the further change"))
			}
			var leaves [][]byte
			entries := []evidence.Entry{
				{Type: evidence.TypeTombstone, WARC: b.warcs[0], Records: []string{gone}, Reason: "order of a court", SHA256: sum, Time: time.Now()},
				{Type: evidence.TypeWARCFile, WARC: b.warcs[0], Size: int64(len(data)), SHA256: sum, Looks: 2},
			}
			if !tc.tombstone {
				entries = entries[1:]
			}
			for _, e := range entries {
				leaf, err := e.Encode()
				must(t, err)
				leaves = append(leaves, leaf)
			}
			log, err := tlog.Open(t.Context(), tlog.Config{Store: b.store(t), Mutable: b.store(t).Mutable(), Signer: b.signer, Verifier: b.key, Place: "a test"})
			must(t, err)
			_, _, err = log.Append(t.Context(), leaves)
			must(t, err)
			r, found := b.audit(t, nil)
			compareFindings(t, found, tc.want(b))
			if tc.name == "taken out" && (r.Withdrawn != 1 || r.Verdict() != archive.AuditOK || r.Read != 3) {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// withdraw puts padding in the place of the first response of a WARC and returns
// its id.
func (b *audited) withdraw(t testing.TB, key string) (id string) {
	t.Helper()
	f, err := os.Open(b.path(key))
	must(t, err)
	defer f.Close()
	for rec, err := range warc.NewReader(f).Records() {
		must(t, err)
		must(t, rec.Finish())
		if rec.Type() != warc.TypeResponse {
			continue
		}
		at, length := rec.Offset, rec.Length
		b.edit(t, key, func(d []byte) []byte {
			copy(d[at:at+length], padding(t, int(length)))
			return d
		})
		return rec.ID()
	}
	t.Fatal("no response")
	return ""
}

// padding is a gzip member of exactly so many bytes that holds a record of no
// look.
func padding(t testing.TB, length int) []byte {
	t.Helper()
	head := "WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:uuid:" + strings.TrimPrefix(warc.NewID(nil), "urn:uuid:") + ">\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nContent-Length: 0\r\n"
	overhead := 10 + 5 + 8
	for fill := 0; ; fill++ {
		record := head + "X: " + strings.Repeat("x", fill) + "\r\n\r\n\r\n\r\n"
		if len(record)+overhead < length {
			continue
		}
		if len(record)+overhead > length {
			// A record of no look that fits must be compressed.
			return compressedPadding(t, length)
		}
		var out bytes.Buffer
		out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1})
		binary.Write(&out, binary.LittleEndian, uint16(len(record)))
		binary.Write(&out, binary.LittleEndian, ^uint16(len(record)))
		out.WriteString(record)
		binary.Write(&out, binary.LittleEndian, crc32.ChecksumIEEE([]byte(record)))
		binary.Write(&out, binary.LittleEndian, uint32(len(record)))
		return out.Bytes()
	}
}

// compressedPadding takes the file name field of gzip for the rest.
func compressedPadding(t testing.TB, length int) []byte {
	t.Helper()
	record := []byte("WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <" + warc.NewID(nil) + ">\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nContent-Length: 0\r\n\r\n\r\n\r\n")
	var body bytes.Buffer
	z, err := flate.NewWriter(&body, flate.BestCompression)
	must(t, err)
	_, err = z.Write(record)
	must(t, err)
	must(t, z.Close())
	name := length - 10 - 1 - body.Len() - 8
	if name < 0 {
		t.Fatalf("no padding of %d bytes", length)
	}
	var out bytes.Buffer
	out.Write([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0xff})
	out.WriteString(strings.Repeat("x", name) + "\x00")
	out.Write(body.Bytes())
	binary.Write(&out, binary.LittleEndian, crc32.ChecksumIEEE(record))
	binary.Write(&out, binary.LittleEndian, uint32(len(record)))
	return out.Bytes()
}
