package archive

import (
	"bytes"
	"testing"
)

// What is read as a pending object is what is written for it.
func FuzzPending(f *testing.F) {
	f.Add([]byte("fineprint pending v1 7\n{\"type\":\"look\"}\n{\"type\":\"warcfile\"}\n"))
	f.Add([]byte("fineprint pending v1 0\n\n"))
	f.Add([]byte("fineprint pending v1 -1\n{}\n"))
	f.Add([]byte("fineprint pending v1 +07\n{}\n"))
	f.Add([]byte("fineprint pending v2 7\n{}\n"))
	f.Add([]byte("fineprint pending v1 7\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		size, lines, err := parsePending(data)
		if err != nil {
			return
		}
		if size < 0 || len(lines) == 0 {
			t.Fatalf("size %d, %d entries", size, len(lines))
		}
		if got := formatPending(size, lines); !bytes.Equal(got, data) {
			t.Errorf("written again: %q, was %q", got, data)
		}
	})
}
