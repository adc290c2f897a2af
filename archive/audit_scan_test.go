package archive

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// scanSeeds are leaves: usual ones, and such as scanLook must leave to
// ParseEntry.
func scanSeeds(t testing.TB) (usual, others [][]byte) {
	t.Helper()
	id := "urn:uuid:57153a71-9314-83cf-a71c-05f819a80000"
	sum := warc.SumSHA256([]byte("x"))
	look := evidence.Entry{
		Type: evidence.TypeLook, Source: "a.b", URL: "https://example.org/?q=\"{,}\\", Time: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), N: 1,
		Result: warc.Captured, Status: 200, Manifest: &evidence.Record{Record: id, SHA256: sum}, WARC: "warc/2026/01/a.warc.gz",
		Offset: 7, Length: 8, Tool: "t/1", Bytes: warc.BytesFirst, TLS: &evidence.TLS{Chain: sum},
	}
	second := look
	second.N, second.Prev = 2, &warc.Prev{Manifest: id, SHA256: sum}
	failed := second
	failed.Result, failed.Error, failed.Status, failed.Bytes = warc.Failed, "interrupted", 0, ""
	for _, e := range []evidence.Entry{look, second, failed} {
		usual = append(usual, encode(t, e))
	}
	private, err := look.Private([]byte(strings.Repeat("s", 16)))
	if err != nil {
		t.Fatal(err)
	}
	escaped := look
	escaped.WARC = `a"b`
	for _, e := range []evidence.Entry{
		private, escaped,
		{Type: evidence.TypeWARCFile, WARC: "w", Size: 1, SHA256: sum},
		{Type: evidence.TypeLost, Source: "s", N: 1, Run: "r", Time: look.Time},
	} {
		others = append(others, encode(t, e))
	}
	others = append(others, nil, []byte("{"), []byte("{}"), []byte("{\"a\""), []byte("[1]"), []byte(`{"a":[{"b":"}"}]}`), append(usual[0], ' '), usual[0][:len(usual[0])-1])
	return usual, others
}

func encode(t testing.TB, e evidence.Entry) []byte {
	t.Helper()
	leaf, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestScanLook(t *testing.T) {
	t.Parallel()
	usual, others := scanSeeds(t)
	for _, leaf := range usual {
		var e evidence.Entry
		if !scanLook(leaf, &e) {
			t.Errorf("scanLook(%s) is left to ParseEntry", leaf)
		}
		compareScan(t, leaf, e)
	}
	for _, leaf := range others {
		if scanLook(leaf, &evidence.Entry{}) {
			t.Errorf("scanLook(%s) = true", leaf)
		}
	}
}

// compareScan wants what was scanned to be what ParseEntry reads, where that
// takes the leaf.
func compareScan(t *testing.T, leaf []byte, e evidence.Entry) {
	t.Helper()
	want, err := evidence.ParseEntry(leaf)
	if err != nil {
		return
	}
	if got, want := rowOfEntry(1, &e), rowOfEntry(1, &want); got != want {
		t.Errorf("scanLook(%s) = %+v, want %+v", leaf, got, want)
	}
	if got, want := numberedLook(1, &e), numberedLook(1, &want); got != want {
		t.Errorf("scanLook(%s) = %+v, want %+v", leaf, got, want)
	}
	if e.WARC != want.WARC || !e.Time.Equal(want.Time) || e.Type != want.Type || want.IsPrivate() {
		t.Errorf("scanLook(%s) = %+v, want %+v", leaf, e, want)
	}
}

// FuzzScanLook holds that what scanLook takes it reads as ParseEntry does.
func FuzzScanLook(f *testing.F) {
	usual, others := scanSeeds(f)
	for _, leaf := range append(usual, others...) {
		f.Add(leaf)
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		var e evidence.Entry
		if scanLook(leaf, &e) {
			compareScan(t, leaf, e)
		}
	})
}

// FuzzAuditState holds that whatever stands in a state file, only lines that
// can be read back count.
func FuzzAuditState(f *testing.F) {
	head := stateHead{Audit: 1, Log: "a", Sample: "0 0"}
	line, err := json.Marshal(head)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(line, "\n{\"key\":\"warc/a.warc.gz\",\"size\":1,\"bodies\":\"AAECAwQFBgcICQoLDA0ODw==\"}\n{\"key\":"...))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &auditState{name: name, good: map[string]*keptWARC{}}
		_, goOn, err := s.read(head, 0)
		if err != nil || !goOn && len(s.good) > 0 {
			t.Errorf("read: %v, %v, %d WARCs", goOn, err, len(s.good))
		}
		for key, k := range s.good {
			if key == "" || key != k.Key {
				t.Errorf("line %q stands under %q", k.Key, key)
			}
			k.result()
		}
	})
}
