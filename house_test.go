package fineprint_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fineprint-archive/fineprint/"

// allowed is the drawing of the house (docs/ARCHITECTURE.md): what each package
// may import of ours. Test files may import more; they are not looked at. A
// package that is missing here fails the test.
var allowed = map[string][]string{
	"bench/web":                          {},
	"bench/corpus":                       {"archive/terms"},
	".ci/report":                         {},
	"warc":                               {},
	"crawler/declaration":                {},
	"warc/handshake":                     {},
	"crawler":                            {"warc", "warc/handshake", "crawler/declaration"},
	"archive/store":                      {},
	"archive/store/s3":                   {"archive/store"},
	"archive/store/storetest":            {"archive/store"},
	"archive/store/storetest/faultproxy": {},
	"archive/store/storetest/s3server":   {},
	"archive/store/storetest/s3gateway":  {},
	"archive/catalog":                    {"warc"},
	"archive/catalog/pgtest":             {},
	"archive/tlog":                       {"archive/store"},
	"archive/anchor":                     {},
	"archive/anchor/anchortest":          {"archive/anchor"},
	"archive/evidence":                   {"warc", "warc/handshake", "archive/tlog", "archive/anchor"},
	"archive/wayback":                    {"warc"},
	"archive/wayback/waybacktest":        {},
	"archive/terms":                      {"crawler/declaration"},
	"archive":                            {"warc", "crawler/declaration", "archive/terms", "archive/store", "archive/catalog", "archive/tlog", "archive/anchor", "archive/evidence", "archive/wayback"},
	"cmd/fineprint-verify":               {"archive/evidence", "archive/anchor"},
	"cmd/fineprint":                      {"warc", "crawler", "crawler/declaration", "archive", "archive/terms", "archive/tlog", "archive/anchor", "archive/anchor/anchortest", "archive/evidence", "archive/store", "archive/store/s3", "archive/catalog", "archive/wayback", "archive/wayback/waybacktest", "cmd/fineprint/demoweb"},
	"cmd/fineprint/demoweb":              {"archive/wayback/waybacktest"},
}

// heavy names outside modules that only one package may link.
var heavy = map[string][]string{
	"github.com/aws/":         {"archive/store/s3", "archive/store/storetest/s3server"},
	"github.com/gocolly/":     {"crawler"},
	"github.com/nlnwa/gowarc": {"warc"},
	"github.com/riverqueue/":  {"cmd/fineprint"},
	"modernc.org/sqlite":      {"archive/catalog"},
	"github.com/jackc/pgx":    {"archive/catalog", "archive/catalog/pgtest", "cmd/fineprint"},
	"github.com/spf13/":       {"cmd/fineprint"},
	"github.com/sigstore/":    {"archive/anchor"},
	"github.com/digitorus/":   {"archive/anchor", "archive/anchor/anchortest"},
	"filippo.io/torchwood":    {"archive/tlog", "archive/anchor", "archive/evidence"},
	"github.com/versity/":     {"archive/store/storetest/s3gateway"},
	"znkr.io/diff":            {"archive/terms"},
	"github.com/ledongthuc/":  {"archive/terms"},
	"github.com/clipperhouse": {"archive/terms"},
}

// TestImports parses the files itself: a test that asks `go list` would be
// served stale from the test cache.
func TestImports(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		seen++
		checkFile(t, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("read %d files: the walk does not see the house", seen)
	}
}

func checkFile(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	pkg := path.Dir(name)
	mine, known := allowed[pkg]
	if !known {
		t.Errorf("%s: package %s is not in the table of allowed imports: add a row and say in docs/ARCHITECTURE.md what it is for", name, pkg)
		return
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if ours, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(mine, ours) {
			t.Errorf("%s imports %s: the table of allowed imports says no", name, ours)
		}
		for prefix, owners := range heavy {
			if strings.HasPrefix(imported, prefix) && !slices.Contains(owners, pkg) {
				t.Errorf("%s imports %s: only %v may", name, imported, owners)
			}
		}
	}
}
