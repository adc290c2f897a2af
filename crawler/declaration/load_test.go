package declaration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const oneService = "name: One\nterms:\n  Imprint:\n    - url: https://one.example/imprint\n"

// writeTree writes files below a new folder and returns it.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadProblems loads a folder and returns its problems, the folder's name left out.
func loadProblems(t *testing.T, dir string, paths ...string) (*Set, []string) {
	t.Helper()
	set, err := Load(context.Background(), paths, Options{})
	if set == nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range set.Problems {
		lines = append(lines, strings.ReplaceAll(p.String(), dir, "DIR"))
	}
	if (err != nil) != slices.ContainsFunc(set.Problems, func(p Problem) bool { return p.Severity == SeverityError }) {
		t.Errorf("Load error is %v with the problems %q", err, lines)
	}
	checkSet(t, set)
	return set, lines
}

func TestLoadFilesystem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files     map[string]string
		prepare   func(dir string) error
		documents int
		problems  []string
	}{
		"files and folders below": {
			files: map[string]string{
				"one.yaml": oneService, "a/b/two.yml": strings.ReplaceAll(oneService, "One", "Two"),
				".git/x.yaml": "broken", "notes.txt": "not read",
			},
			documents: 2,
		},
		"no declarations": {
			files:    map[string]string{"readme.txt": "x"},
			problems: []string{"DIR: folder holds no declarations; put .yaml or .json files into it, or name another folder"},
		},
		"link to a folder above": {
			files:     map[string]string{"one.yaml": oneService, "sub/two.txt": ""},
			prepare:   func(dir string) error { return os.Symlink(dir, filepath.Join(dir, "sub", "loop")) },
			documents: 1,
			problems:  []string{"DIR/sub/loop: symbolic link leads back to a folder above it; remove the link"},
		},
		"link to itself": {
			files:     map[string]string{"one.yaml": oneService},
			prepare:   func(dir string) error { return os.Symlink("self.yaml", filepath.Join(dir, "self.yaml")) },
			documents: 1,
			problems:  []string{"DIR/self.yaml: symbolic link leads nowhere: too many levels of symbolic links; remove or mend the link"},
		},
		"link to nothing": {
			files:     map[string]string{"one.yaml": oneService},
			prepare:   func(dir string) error { return os.Symlink("gone.yaml", filepath.Join(dir, "b.yaml")) },
			documents: 1,
			problems:  []string{"DIR/b.yaml: symbolic link leads nowhere: no such file or directory; remove or mend the link"},
		},
		"second link to a file": {
			files:     map[string]string{"one.yaml": oneService},
			prepare:   func(dir string) error { return os.Symlink("one.yaml", filepath.Join(dir, "b.yaml")) },
			documents: 1,
		},
		"name not UTF-8": {
			files:    map[string]string{"\xff.yaml": oneService},
			problems: []string{`"DIR/\xff.yaml": file name is not UTF-8; rename the file`},
		},
		"bytes not UTF-8": {
			files:    map[string]string{"a.yaml": "name: One\nterms:\n  Imprint: \xe9\n"},
			problems: []string{"DIR/a.yaml:3: byte 0xE9 is not UTF-8; save the file as UTF-8"},
		},
		"UTF-16": {
			files:    map[string]string{"a.yaml": "\xff\xfen\x00"},
			problems: []string{"DIR/a.yaml:1: byte 0xFF is not UTF-8; save the file as UTF-8"},
		},
		"byte order mark": {
			files:     map[string]string{"a.yaml": "\uFEFF" + oneService, "b.json": "\uFEFF" + `{"name": "B", "terms": {}}`},
			documents: 1,
		},
		"too large": {
			files:    map[string]string{"a.yaml": "# " + strings.Repeat("x", maxFile)},
			problems: []string{"DIR/a.yaml: file has more than 16 MiB; split it into several files"},
		},
		"same file copied": {
			files:     map[string]string{"a.yaml": oneService, "b.yaml": oneService},
			documents: 1,
			problems:  []string{"DIR/b.yaml:4: terms.Imprint: document one/imprint/und is declared alike at DIR/a.yaml:4; delete one of them"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, tt.files)
			if tt.prepare != nil {
				if err := tt.prepare(dir); err != nil {
					t.Fatal(err)
				}
			}
			set, problems := loadProblems(t, dir, dir)
			if len(set.Documents) != tt.documents {
				t.Errorf("loaded %d documents, want %d", len(set.Documents), tt.documents)
			}
			if diff := cmp.Diff(tt.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadPaths(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"a/one.yaml": oneService, "b.txt": "x"})
	one := filepath.Join(dir, "a", "one.yaml")

	set, problems := loadProblems(t, dir, one, filepath.Join(dir, "a"), dir, one)
	if len(set.Documents) != 1 || len(problems) != 0 {
		t.Errorf("a file named four times: %d documents, problems %q", len(set.Documents), problems)
	}
	_, problems = loadProblems(t, dir, filepath.Join(dir, "gone"), filepath.Join(dir, "b.txt"))
	want := []string{
		"DIR/b.txt: file is neither YAML nor JSON by its name; name it .yaml, .yml or .json",
		"DIR/gone: cannot be opened: no such file or directory; check the path under declarations:",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if set, err := Load(context.Background(), nil, Options{}); err == nil || set != nil {
		t.Errorf("Load without paths = %v, %v", set, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, []string{dir}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Load under a cancelled context: %v", err)
	}
	for _, opt := range []Options{{Lang: "not a language"}, {Vantage: "a\nb"}} {
		if _, err := Load(context.Background(), []string{dir}, opt); err == nil {
			t.Errorf("Load with %+v succeeded", opt)
		}
	}
}

// All errors of all files are joined, and each is a Problem.
func TestLoadJoinsErrors(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"a.yaml": {Data: []byte("name: A\nterms: {Imprint: [{url: x}]}\n")},
		"b.yaml": {Data: []byte("name: B\nterms: {Imprnt: [{url: 'https://b.example/'}]}\n")},
		"c.json": {Data: []byte("{")},
	}
	set, err := Load(context.Background(), []string{"."}, Options{FS: files})
	want := "a.yaml:2: terms.Imprint[0].url: address \"x\" does not begin with https:// or http://; write the whole address, such as https://example.org/terms\n" +
		"c.json:1: not JSON: unexpected end of JSON input; correct the JSON"
	if err == nil || err.Error() != want {
		t.Errorf("Load error is %v, want %s", err, want)
	}
	if p, ok := errors.AsType[Problem](err); !ok || p.File != "a.yaml" || p.Line != 2 {
		t.Errorf("error holds the problem %+v, %v", p, ok)
	}
	if len(set.Documents) != 1 || set.Documents[0].ID != "b/imprnt/und" {
		t.Errorf("documents beside the errors: %+v", set.Documents)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("name: Bomb\nterms:\n  T0: &l\n")
	for range 2000 {
		b.WriteString("  - &e {select: [a, b, c, d, e, f, g, h]}\n")
	}
	for i := range 2000 {
		b.WriteString("  T" + string(rune('a'+i%26)) + strings.Repeat("x", 1+i/26) + ": *l\n")
	}
	set, err := Parse("bomb.yaml", []byte(b.String()), Options{})
	if err == nil || len(set.Problems) > maxErrors+2000 {
		t.Errorf("expanding aliases: %d problems, %v", len(set.Problems), err != nil)
	}

	b.Reset()
	b.WriteString("name: Bomb\nterms:\n  T0: &l\n")
	for i := range 2000 {
		b.WriteString("  - {url: https://b.example/" + strings.Repeat("x", 1+i%50) + ", select: &s [a, b, c, d]}\n")
	}
	b.WriteString("  Imprint: {combine: &c [")
	for range 1000 {
		b.WriteString("{url: https://b.example/, select: *s},")
	}
	b.WriteString("]}\n")
	for i := range 2000 {
		b.WriteString("  U" + string(rune('a'+i%26)) + strings.Repeat("x", 1+i/26) + ": {combine: *c}\n")
	}
	_, err = Parse("bomb.yaml", []byte(b.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "aliases expand to too much; write the repeated parts out, or use fewer aliases") {
		t.Errorf("expanding aliases: %.300v", err)
	}
	_, err = Parse("loop.yaml", []byte("name: Loop\nterms: &t\n  Imprint: *t\n"), Options{})
	if err == nil {
		t.Error("an alias within its own anchor was accepted")
	}
}

func TestPartsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("name: A\nterms:\n  Imprint:\n    combine:\n")
	for range maxParts + 1 {
		b.WriteString("      - url: https://a.example/\n")
	}
	_, err := Parse("a.yaml", []byte(b.String()), Options{})
	want := "a.yaml:5: terms.Imprint.combine: document has 1001 parts, more than 1000; make several documents of it"
	if err == nil || err.Error() != want {
		t.Errorf("error is %.300v, want %s", err, want)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	set, err := Parse("a.yaml", []byte("name: A\nterms:\n  Imprint:\n"+strings.Repeat("    - 1\n", 5000)), Options{})
	if err == nil || len(set.Problems) != maxErrors+1 {
		t.Fatalf("%d problems, want %d", len(set.Problems), maxErrors+1)
	}
	last := set.Problems[maxErrors]
	if want := "the rest of the file was not read after 1000 errors"; last.Message != want {
		t.Errorf("last problem is %s, want %s", last, want)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(files fstest.MapFS, opt Options) string {
		opt.FS = files
		d, err := Digest(context.Background(), []string{"."}, opt)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	files := fstest.MapFS{"a.yaml": {Data: []byte(oneService)}, "b.txt": {Data: []byte("1")}}
	first := digest(files, Options{})
	files["b.txt"] = &fstest.MapFile{Data: []byte("2")}
	if got := digest(files, Options{}); got != first {
		t.Error("digest changed with a file that is not read")
	}
	if got := digest(files, Options{Vantage: "v"}); got == first {
		t.Error("digest is the same for another vantage")
	}
	files["a.yaml"] = &fstest.MapFile{Data: []byte(oneService + "\n")}
	if got := digest(files, Options{}); got == first {
		t.Error("digest is the same for other bytes")
	}
	if _, err := Digest(context.Background(), []string{"gone"}, Options{FS: files}); err == nil {
		t.Error("digest of a path that is not there")
	}
}
