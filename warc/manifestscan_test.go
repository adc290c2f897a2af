package warc

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plainManifest is fullManifest without unusual text.
func plainManifest() *Manifest {
	m := fullManifest()
	m.Detail = `said "no" \ twice &c. <é>`
	return m
}

// TestScanManifest holds that what is usual is read by scanManifest.
func TestScanManifest(t *testing.T) {
	plain := plainManifest()
	private := plainManifest()
	private.Private = true
	for name, m := range map[string]*Manifest{
		"full": plain, "private": private, "empty": {Time: began, Ended: began},
		"first": {Source: "s", URL: "https://x.example/", Time: began, Ended: began, N: 1, Result: Captured, Payload: &Payload{Record: "r", ETag: `W/"a"`}},
		"tls":   {Time: began.Truncate(time.Second), Ended: began, N: 999_999_999_999_999_999, Prev: &Prev{}, TLS: &Session{}, Exchanges: []ExchangeNote{{}, {}}, Members: []Member{{}}},
	} {
		b := must[[]byte](t)(MarshalManifest(m))
		got, ok := scanManifest(b)
		if !ok {
			t.Errorf("%s: scanManifest leaves %s to parseManifest", name, b)
			continue
		}
		if want := must[*Manifest](t)(parseManifest(b)); !cmp.Equal(got, want) {
			t.Errorf("%s came back differently (-want +got):\n%s", name, cmp.Diff(want, got))
		}
	}
}

// TestScanManifestSame changes a byte or a piece of a manifest: whatever
// scanManifest still takes, parseManifest takes with the same result.
func TestScanManifestSame(t *testing.T) {
	good := must[[]byte](t)(MarshalManifest(plainManifest()))
	keys := strings.Split(string(good), ",")
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		text := string(good)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			i := rapid.IntRange(0, len(good)-1).Draw(t, "at")
			text = text[:i] + rapid.SampledFrom([]string{"", "0", "1", "a", "A", "=", " ", `"`, `\`, "Z", ".0", "-", "\x7f", "\u00e9", "\ufffd", "\u2028", "\xff"}).Draw(t, "byte") + text[i+1:]
		case 1:
			piece := rapid.SampledFrom(keys).Draw(t, "piece")
			text = strings.Replace(text, ","+piece, "", 1)
		case 2:
			a, b := rapid.SampledFrom(keys).Draw(t, "a"), rapid.SampledFrom(keys).Draw(t, "b")
			text = strings.Replace(text, a, a+","+b, 1)
		case 3:
			number := rapid.Int64().Draw(t, "number")
			text = strings.Replace(text, `"n":12`, `"n":`+strconv.FormatInt(number, 10), 1)
		}
		got, ok := scanManifest([]byte(text))
		if !ok {
			return
		}
		taken++
		want, err := parseManifest([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("scanManifest took %s, parseManifest says %v\n%s", text, err, cmp.Diff(want, got))
		}
	})
	if taken < 5 {
		t.Errorf("scanManifest took %d of 100 changed manifests", taken)
	}
}

// TestScanManifestCut holds that no beginning of a manifest is taken, nor one
// with more behind it.
func TestScanManifestCut(t *testing.T) {
	good := must[[]byte](t)(MarshalManifest(plainManifest()))
	for i := range good {
		if _, ok := scanManifest(bytes.Clone(good[:i])); ok {
			t.Errorf("scanManifest took the first %d bytes", i)
		}
	}
	if _, ok := scanManifest(append(bytes.Clone(good), '\n')); ok {
		t.Error("scanManifest took a line end")
	}
}

func BenchmarkParseManifest(b *testing.B) {
	data, err := MarshalManifest(plainManifest())
	if err != nil {
		b.Fatal(err)
	}
	for name, parse := range map[string]func([]byte) (*Manifest, error){"scan": ParseManifest, "any": parseManifest} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
