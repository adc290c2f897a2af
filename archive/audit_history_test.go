package archive_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// TestAuditHistory holds an archive against checkpoints that somebody kept: its
// own, and those of another history that the same key signed. The archive by
// itself is true in all of them but where its log is gone.
func TestAuditHistory(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		kept func(t *testing.T, b *audited) [][]byte
		want []string // beginnings of the findings
		goes int64
	}{
		{"its own", func(t *testing.T, b *audited) [][]byte {
			return [][]byte{b.read(t, "log/checkpoints/3"), b.read(t, "log/checkpoints/6"), b.read(t, "log/checkpoint")}
		}, nil, 3},
		{"none", func(*testing.T, *audited) [][]byte { return nil }, nil, 0},
		{"other entries", func(t *testing.T, b *audited) [][]byte {
			return [][]byte{b.read(t, "log/checkpoints/3"), b.other(t, 6)}
		}, []string{"history  -1  0: its key signed the checkpoint of size 6 "}, 1},
		{"other entries, of the same number", func(t *testing.T, b *audited) [][]byte { return [][]byte{b.other(t, 9)} },
			[]string{"history  -1  0: its key signed the checkpoint of size 9 "}, 0},
		{"more entries", func(t *testing.T, b *audited) [][]byte { return [][]byte{b.other(t, 10)} },
			[]string{"history  -1  0: its key signed the checkpoint of size 10 "}, 0},
		{"no log any more", func(t *testing.T, b *audited) [][]byte {
			kept := b.read(t, "log/checkpoints/3")
			must(t, os.RemoveAll(b.path("log")))
			return [][]byte{kept}
		}, []string{"key  -1", "history  -1  0: its key signed the checkpoint of size 3 "}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newAudited(t)
			var kept []tlog.Checkpoint
			for _, raw := range tc.kept(t, b) {
				cp, err := tlog.ParseCheckpoint(raw, b.key)
				must(t, err)
				kept = append(kept, cp)
			}
			r, found := b.audit(t, func(cfg *archive.AuditConfig) { cfg.Kept = kept })
			compareFindings(t, found, tc.want)
			if r.Continued != tc.goes || (r.Verdict() == archive.AuditOK) != (tc.want == nil) {
				t.Errorf("verdict %s, it goes on from %d checkpoints, want %d", r.Verdict(), r.Continued, tc.goes)
			}
		})
	}
}

// other returns a checkpoint of another history that the log's key signed.
func (b *audited) other(t *testing.T, size int64) []byte {
	t.Helper()
	raw, err := note.Sign(&note.Note{Text: fmt.Sprintf("example.org/log\n%d\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", size)}, b.signer)
	must(t, err)
	return raw
}

func (b *audited) read(t *testing.T, key string) []byte {
	t.Helper()
	data, err := os.ReadFile(b.path(key))
	must(t, err)
	return data
}
