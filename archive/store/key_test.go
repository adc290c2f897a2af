package store

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValidKey(t *testing.T) {
	long := strings.Repeat("a", maxSegment)
	for _, tc := range []struct {
		key  string
		want string // part of the error, "" for a good key
	}{
		{"a", ""},
		{"warc/2026/11/22/fineprint-01_x.warc.gz", ""},
		{"tile/0/x001/067.p/5", ""},
		{"a+b@c-d_e.f", ""},
		{"a..b/c.", ""},
		{"CON/NUL", ""},
		{long, ""},
		{long + "/" + long, ""},
		{"", "empty"},
		{"/a", "slash at its start"},
		{"a/", "slash at its start or end"},
		{"a//b", "empty segment"},
		{".", "dot"},
		{"..", "dot"},
		{"a/../b", "dot"},
		{".fineprint/tmp/x", "dot"},
		{"a/.b", "dot"},
		{"-a", ""},
		{"a b", "byte 1"},
		{"a\nb", "byte 1"},
		{"服务条款", "byte 0"},
		{"a\x00", "byte 1"},
		{`a\b`, "byte 1"},
		{"a:b", "byte 1"},
		{"a?b", "byte 1"},
		{"a%2e", "byte 1"},
		{long + "a", "256 bytes"},
		{long + "/" + long + "/a", "513 bytes"},
	} {
		err := ValidKey(tc.key)
		if tc.want == "" && err != nil {
			t.Errorf("ValidKey(%q) = %v, want nil", tc.key, err)
		}
		if tc.want != "" && (!errors.Is(err, ErrKey) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("ValidKey(%q) = %v, want ErrKey that says %q", tc.key, err, tc.want)
		}
	}
}

// A valid key is a local path that stays what it is; an error is printable
// and of limited length, whatever the key.
func FuzzValidKey(f *testing.F) {
	for _, seed := range []string{"a", "a/b.c", "../a", "a//b", "条款", "a\x00b", ".x", strings.Repeat("a/", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := ValidKey(key); err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
				t.Errorf("ValidKey(%q): error of %d bytes is not fit to print: %q", key, len(err.Error()), err)
			}
			return
		}
		if !filepath.IsLocal(key) || path.Clean(key) != key || len(key) > maxKey || strings.HasPrefix(key, ownFolder) {
			t.Errorf("ValidKey(%q) = nil", key)
		}
	})
}
