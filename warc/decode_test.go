package warc

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encode applies one content coding.
func encode(t testing.TB, coding, s string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "raw":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w = must[*zstd.Encoder](t)(zstd.NewWriter(&b))
	}
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func decodeAll(body, coding string, limit int64) (string, error) {
	r, err := Decode(strings.NewReader(body), coding, limit)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

func TestDecode(t *testing.T) {
	text := terms(20_000)
	for _, tc := range []struct{ name, body, coding, want string }{
		{"none", text, "", text},
		{"identity", text, "Identity", text},
		{"gzip", encode(t, "gzip", text), "gzip", text},
		{"x-gzip", encode(t, "gzip", text), " X-GZIP ", text},
		{"gzip members", encode(t, "gzip", "a") + encode(t, "gzip", "b"), "gzip", "ab"},
		{"deflate zlib", encode(t, "zlib", text), "deflate", text},
		{"deflate raw", encode(t, "raw", text), "deflate", text},
		{"deflate raw of one byte", encode(t, "raw", "x"), "deflate", "x"},
		{"br", encode(t, "br", text), "br", text},
		{"zstd", encode(t, "zstd", text), "zstd", text},
		{"chain", encode(t, "br", encode(t, "gzip", text)), "gzip, br", text},
		{"empty gzip", "", "gzip", ""},
		{"empty br", "", "br", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 { // the second time with pooled decoders
				if got, err := decodeAll(tc.body, tc.coding, 1<<20); err != nil || got != tc.want {
					t.Fatalf("Decode = %d bytes, %v, want %d bytes", len(got), err, len(tc.want))
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	text := terms(20_000)
	for _, coding := range []string{"compress", "gzip, compress", "gzip,gzip,gzip,gzip,gzip"} {
		if _, err := decodeAll(text, coding, 1<<20); !errors.Is(err, ErrCoding) {
			t.Errorf("Decode of %q = %v, want ErrCoding", coding, err)
		}
	}
	for coding, name := range map[string]string{"gzip": "gzip", "deflate": "zlib", "br": "br", "zstd": "zstd"} {
		body := encode(t, name, text)
		if _, err := decodeAll(body[:len(body)/2], coding, 1<<20); err == nil {
			t.Errorf("Decode of half a %s body = nil error", coding)
		}
		if got, err := decodeAll("not coded at all, "+text, coding, 1<<20); err == nil {
			t.Errorf("Decode of text as %s = %d bytes, nil error", coding, len(got))
		}
		for _, limit := range []int64{0, 1, int64(len(text)) - 1} {
			if got, err := decodeAll(body, coding, limit); !errors.Is(err, ErrTooLarge) || int64(len(got)) != limit {
				t.Errorf("Decode of %s with limit %d = %d bytes, %v, want ErrTooLarge after the limit", coding, limit, len(got), err)
			}
		}
		if got, err := decodeAll(body, coding, int64(len(text))); err != nil || got != text {
			t.Errorf("Decode of %s with the exact limit = %d bytes, %v", coding, len(got), err)
		}
	}
	r := must[io.ReadCloser](t)(Decode(strings.NewReader(encode(t, "gzip", text)), "gzip", 100))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("Read after Close = %d, %v, want an error", n, err)
	}
}

// TestDecodeBomb expands a body a thousandfold; only the limit is kept.
func TestDecodeBomb(t *testing.T) {
	bomb := encode(t, "gzip", encode(t, "gzip", strings.Repeat("\x00", 16<<20)))
	if got, err := decodeAll(bomb, "gzip, gzip", 1<<20); !errors.Is(err, ErrTooLarge) || len(got) != 1<<20 {
		t.Errorf("Decode of a bomb = %d bytes, %v, want ErrTooLarge", len(got), err)
	}
}

// TestDecodePools uses the pools from many goroutines, for -race.
func TestDecodePools(t *testing.T) {
	texts := []string{"a", terms(5000), terms(90_000)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 8 {
				text := texts[(i+j)%len(texts)]
				coding := []string{"gzip", "br", "zstd", "deflate"}[j%4]
				name := map[string]string{"deflate": "raw"}[coding]
				if name == "" {
					name = coding
				}
				if got, err := decodeAll(encode(t, name, text), coding, 1<<20); err != nil || got != text {
					t.Errorf("%s: %d bytes, %v, want %d", coding, len(got), err, len(text))
				}
			}
		})
	}
	wg.Wait()
}

// FuzzDecode decodes any bytes under any coding: no panic, never more than the limit.
func FuzzDecode(f *testing.F) {
	for coding, name := range map[string]string{"gzip": "gzip", "deflate": "raw", "br": "br", "zstd": "zstd", "gzip, br": "br"} {
		f.Add(encode(f, name, "terms of service"), coding)
	}
	f.Fuzz(func(t *testing.T, body, coding string) {
		const limit = 1 << 16
		if got, _ := decodeAll(body, coding, limit); len(got) > limit {
			t.Fatalf("%d bytes, the limit is %d", len(got), limit)
		}
	})
}
