package evidence

import (
	"go/build"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fineprint-archive/fineprint/"

// TestImports walks what this package and cmd/fineprint-verify import, in our own
// module file by file: no crawler, no SQL, no storage client, and nothing from
// outside but the modules named here. It reads source: `go list` is served stale
// from the test cache.
func TestImports(t *testing.T) {
	ours := []string{"archive/evidence", "archive/tlog", "archive/anchor", "archive/store", "warc", "warc/handshake", "cmd/fineprint-verify"}
	outside := []string{"golang.org/x/", "filippo.io/torchwood", "github.com/digitorus/timestamp", "github.com/sigstore/timestamp-authority/v2/pkg/verification",
		"github.com/nlnwa/gowarc/v2", "github.com/nlnwa/whatwg-url/url", "github.com/klauspost/compress/", "github.com/andybalholm/brotli", "github.com/google/uuid"}
	seen := map[string]bool{}
	queue := []string{"archive/evidence", "cmd/fineprint-verify"}
	for len(queue) > 0 {
		pkg := queue[0]
		queue = queue[1:]
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		for _, path := range imports(t, filepath.Join("..", "..", filepath.FromSlash(pkg))) {
			inside, mine := strings.CutPrefix(path, module)
			switch {
			case mine && slices.Contains(ours, inside):
				queue = append(queue, inside)
			case mine:
				t.Errorf("%s imports %s, which is none of the verifier's packages %v", pkg, inside, ours)
			case path == "database/sql" || path == "C" || path == "net/http/httptest" || path == "testing":
				t.Errorf("%s imports %s", pkg, path)
			case strings.Contains(strings.Split(path, "/")[0], ".") && !slices.ContainsFunc(outside, func(p string) bool { return strings.HasPrefix(path, p) }):
				t.Errorf("%s imports %s, which the verifier does not link", pkg, path)
			}
		}
	}
	if len(seen) != len(ours) {
		t.Errorf("walked %d packages, want %d: %v", len(seen), len(ours), seen)
	}
}

// imports returns what the files of a folder import that are built here.
func imports(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for _, entry := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		name := entry.Name()
		if ok, err := build.Default.MatchFile(dir, name); err != nil || !ok || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(dir, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			paths = append(paths, must[string](t)(strconv.Unquote(spec.Path.Value)))
		}
	}
	return paths
}
