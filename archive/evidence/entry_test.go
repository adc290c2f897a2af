package evidence

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/warc"
)

const (
	idA = "urn:uuid:4abc2de3-2f31-8a11-a5f4-00b9e7c20000"
	idB = "urn:uuid:4abc2de3-2f31-8a11-a5f4-00b9e7c20002"
)

var day = time.Date(2024, 10, 17, 8, 30, 0, 120_000_000, time.UTC)

func sum(s string) warc.Digest { return warc.SumSHA256([]byte(s)) }

// sampleEntries holds an entry of each type with all its fields.
func sampleEntries() map[string]Entry {
	return map[string]Entry{
		"look": {
			Type: TypeLook, Source: "b0e2411edd372d3b", URL: "https://x.example/tos?a=1&b=<2>", FinalURL: "https://x.example/zh/服务条款?redacted",
			Time: day, N: 12, Prev: &warc.Prev{Manifest: idB, SHA256: sum("prev")}, Result: warc.Captured, Status: 200, Bytes: warc.BytesSame,
			SameAs: &Reference{idB, "warc/2024/10/a.warc.gz"}, Manifest: &Record{idA, sum("m")}, WARC: "warc/2024/10/b.warc.gz", Offset: 35894, Length: 1752,
			PayloadSHA256: sum("p"), PayloadSHA1: warc.SumSHA1([]byte("p")), TLS: &TLS{Chain: sum("c"), Handshake: sum("h"), Anchor: sum("a")},
			DeclarationSHA256: sum("d"), Vantage: "jp-tyo \u2028 \"\\u2028\"", Tool: "fineprint 0.2.0",
		},
		"first look": {
			Type: TypeLook, Source: "b0e2411edd372d3b", URL: "https://x.example/tos", Time: day, N: 1, Result: warc.Failed, Error: "dns",
			Manifest: &Record{idA, sum("m")}, WARC: "warc/2024/10/b.warc.gz", Offset: 512, Length: 700, Tool: "fineprint 0.2.0",
		},
		"warcfile":  {Type: TypeWARCFile, WARC: "warc/2024/10/b.warc.gz", Size: 123456, SHA256: sum("w"), Looks: 7},
		"receipt":   {Type: TypeReceipt, Observer: "web.archive.org", Capture: "https://web.archive.org/web/20241017083100/https://x.example/tos", Source: "b0e2411edd372d3b", Manifest: &Record{idA, sum("m")}, Time: day, PayloadSHA1: warc.SumSHA1(nil), Object: "receipts/a.json", SHA256: sum("r")},
		"read-back": {Type: TypeReceipt, Observer: "web.archive.org", Capture: "https://web.archive.org/web/20241017083100/https://x.example/tos", Source: "b0e2411edd372d3b", Manifest: &Record{idA, sum("m")}, Time: day, PayloadSHA1: warc.SumSHA1(nil), Records: []string{idA, idB}, Facts: &warc.Facts{Content: warc.FactDifferent, Index: warc.FactAbsent, Replay: warc.FactSame, Text: warc.FactVariant}},
		"anchor":    {Type: TypeAnchor, TreeSize: 4711, CheckpointSHA256: sum("cp"), List: "anchors/4711/0011223344556677.list", ListSHA256: sum("l")},
		"lost":      {Type: TypeLost, Source: "b0e2411edd372d3b", N: 4, Run: "20241017t083000-00aa11bb", Time: day},
		"tombstone": {Type: TypeTombstone, WARC: "warc/2024/10/b.warc.gz", Records: []string{idA, idB}, Reason: "order of a court", SHA256: sum("new"), Time: day},
		"successor": {Type: TypeSuccession, Origin: "log.example/2", VKey: "log.example/2+00000000+AQ", Time: day},
		"former":    {Type: TypeSuccession, Checkpoint: "log.example/1\n3\nAAAA\n\n— log.example/1 AAAA\n", Time: day},
	}
}

func TestEntryForm(t *testing.T) {
	for name, e := range sampleEntries() {
		b, err := e.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, "entry-"+strings.ReplaceAll(name, " ", "-")+".json", b)
		again, err := ParseEntry(b)
		if err != nil {
			t.Errorf("%s: ParseEntry: %v", name, err)
			continue
		}
		e.Version = EntryVersion
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("%s came back differently (-want +got):\n%s", name, diff)
		}
	}
}

// TestKeysSorted holds what marshalCanonical relies on.
func TestKeysSorted(t *testing.T) {
	for _, v := range []any{Entry{}, Record{}, Reference{}, TLS{}, warc.Facts{}, warc.Prev{}} {
		typ := reflect.TypeOf(v)
		var keys []string
		for i := range typ.NumField() {
			key, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			keys = append(keys, key)
		}
		if !slices.IsSorted(keys) {
			t.Errorf("keys of %v are not sorted: %q", typ, keys)
		}
		for name, set := range typeFields {
			for _, key := range slices.Concat(set.must, set.may) {
				if typ == reflect.TypeOf(Entry{}) && !slices.Contains(keys, key) {
					t.Errorf("type %s names %q, which is no field", name, key)
				}
			}
		}
	}
}

func TestEntryRefused(t *testing.T) {
	look, err := sampleEntries()["look"].Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(look)
	replaced := func(old, new string) string {
		s := strings.Replace(good, old, new, 1)
		if s == good {
			t.Fatalf("the sample has no %q", old)
		}
		return s
	}
	if _, err := ParseEntry([]byte(replaced(`"v":1`, `"v":2`))); !errors.Is(err, warc.ErrNewer) {
		t.Errorf("an entry of version 2: %v, want ErrNewer", err)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"array":            "[]",
		"null":             "null",
		"unknown key":      replaced(`"v":1`, `"v":1,"w":1`),
		"doubled key":      replaced(`"n":12,`, `"n":12,"n":12,`),
		"other case":       replaced(`"source"`, `"Source"`),
		"order":            replaced(`"v":1,`, ``)[:len(good)-7] + `,"v":1}`,
		"space":            replaced(`,"n"`, `, "n"`),
		"line end":         good + "\n",
		"second value":     good + "{}",
		"escape":           replaced(`fineprint 0.2.0`, `fineprin\u0074 0.2.0`),
		"escaped U+2028":   replaced("\u2028", `\u2028`),
		"html escape":      replaced(`<2>`, `\u003c2>`),
		"invalid UTF-8":    replaced(`fineprint 0.2.0`, "\xff"),
		"float":            replaced(`"n":12`, `"n":12.0`),
		"exponent":         replaced(`"n":12`, `"n":12e0`),
		"2^53":             replaced(`"n":12`, `"n":9007199254740992`),
		"negative":         replaced(`"n":12`, `"n":-12`),
		"zero":             replaced(`"n":12`, `"n":0`),
		"null field":       replaced(`"vantage":`, `"vantage":null,"vantagf":`),
		"type":             replaced(`"type":"look"`, `"type":"glance"`),
		"field of another": replaced(`"length":1752`, `"length":1752,"looks":3`),
		"missing field":    replaced(`"n":12,`, ``),
		"result":           replaced(`"captured"`, `"caught"`),
		"failed, no error": replaced(`"captured"`, `"failed"`),
		"time zone":        replaced(`2024-10-17T08:30:00.12Z`, `2024-10-17T10:30:00.12+02:00`),
		"zeros":            replaced(`2024-10-17T08:30:00.12Z`, `2024-10-17T08:30:00.120Z`),
		"upper-case sum":   replaced(sum("m").Hex(), strings.ToUpper(sum("m").Hex())),
		"short digest":     replaced(sum("m").Hex(), sum("m").Hex()[:62]),
		"wrong algorithm":  replaced(warc.SumSHA1([]byte("p")).String(), sum("p").String()),
		"record id":        replaced(idA, "urn:uuid:x"),
		"userinfo":         replaced("https://x.example/tos", "https://u:p@x.example/tos"),
		"half private":     replaced(`"b0e2411edd372d3b"`, `"private:`+sum("s").Hex()+`"`),
		"too long":         replaced("fineprint 0.2.0", strings.Repeat("a", MaxEntry)),
	} {
		if e, err := ParseEntry([]byte(text)); err == nil {
			t.Errorf("%s: ParseEntry took it: %+v", name, e)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error quotes the address: %v", name, err)
		}
	}
}

func TestEntryRules(t *testing.T) {
	for name, change := range map[string]func(map[string]Entry) Entry{
		"succession of both":    func(s map[string]Entry) Entry { e := s["former"]; e.Origin, e.VKey = "a", "b"; return e },
		"succession of neither": func(map[string]Entry) Entry { return Entry{Type: TypeSuccession, Time: day} },
		"successor without key": func(s map[string]Entry) Entry { e := s["successor"]; e.VKey = ""; return e },
		"unsorted records":      func(s map[string]Entry) Entry { e := s["tombstone"]; e.Records = []string{idB, idA}; return e },
		"first look with prev":  func(s map[string]Entry) Entry { e := s["look"]; e.N = 1; return e },
		"answer without digest": func(s map[string]Entry) Entry { e := s["receipt"]; e.SHA256 = warc.Digest{}; return e },
		"no type":               func(map[string]Entry) Entry { return Entry{} },
		"tls of nothing":        func(s map[string]Entry) Entry { e := s["look"]; e.TLS = &TLS{}; return e },
		"bad text":              func(s map[string]Entry) Entry { e := s["look"]; e.Tool = "\xff"; return e },
	} {
		if b, err := change(sampleEntries()).Encode(); err == nil {
			t.Errorf("%s: Encode wrote %s", name, b)
		}
	}
}

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "entries", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with go test -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s changed:\n got %s\nwant %s", name, got, want)
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range sampleEntries() {
		b, err := e.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"warcfile","v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("Encode(ParseEntry(%q)) = %q, %v", b, again, err)
		}
	})
}
