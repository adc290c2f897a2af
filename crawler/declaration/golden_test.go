package declaration

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// TestGolden loads the files of each archive in testdata and compares what came
// of it: "want/problems" has every problem as it is printed, after its severity,
// "want/canonical" the canonical line of every source.
func TestGolden(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("archives in testdata: %v, %v", archives, err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want := fstest.MapFS{}, make(map[string]string)
			kept := a.Files[:0]
			for _, f := range a.Files {
				if strings.HasPrefix(f.Name, "want/") {
					want[f.Name] = string(f.Data)
					continue
				}
				files[f.Name] = &fstest.MapFile{Data: f.Data}
				kept = append(kept, f)
			}
			set, err := Load(context.Background(), []string{"."}, Options{FS: files, Vantage: "test"})
			if set == nil {
				t.Fatal(err)
			}
			got := map[string]string{"want/problems": problemLines(set), "want/canonical": canonicalLines(set)}
			if hasErrors := strings.Contains("\n"+got["want/problems"], "\nerror "); hasErrors != (err != nil) {
				t.Errorf("Load error is %v, problems of severity error: %v", err, hasErrors)
			}
			checkSet(t, set)
			if *update {
				for _, part := range []string{"want/problems", "want/canonical"} {
					kept = append(kept, txtar.File{Name: part, Data: []byte(got[part])})
				}
				a.Files = kept
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func problemLines(s *Set) string {
	var b strings.Builder
	for _, p := range s.Problems {
		b.WriteString(p.Severity + " " + p.String() + "\n")
	}
	return b.String()
}

func canonicalLines(s *Set) string {
	var b bytes.Buffer
	for _, source := range s.Sources {
		b.Write(s.Canonical(source.ID))
		b.WriteByte('\n')
	}
	return b.String()
}

// checkSet checks what must hold of every set, whatever it was read from.
func checkSet(t interface{ Errorf(string, ...any) }, s *Set) {
	for _, d := range s.Documents {
		if len(d.Parts) == 0 {
			t.Errorf("document %s has no parts", d.ID)
		}
		if got, ok := s.Document(d.ID); !ok || got.ID != d.ID {
			t.Errorf("Document(%q) = %q, %v", d.ID, got.ID, ok)
		}
		if found := s.Find(d.ID); len(found) != 1 || found[0].ID != d.ID {
			t.Errorf("Find(%q) = %v", d.ID, found)
		}
		for _, p := range d.Parts {
			if _, ok := s.Source(p.Source); !ok {
				t.Errorf("document %s has the part %s, which is no source", d.ID, p.Source)
			}
		}
	}
	for _, source := range s.Sources {
		if want := SourceID(source.URL, source.AcceptLanguage, source.Vantage); source.ID != want {
			t.Errorf("source %s has the id %s, want %s", source.URL, source.ID, want)
		}
		if u, err := Normalize(source.URL); err != nil || u != source.URL {
			t.Errorf("source %s is not normalised: %s, %v", source.URL, u, err)
		}
		if source.IgnoreRobots != (source.RobotsReason != "") {
			t.Errorf("source %s ignores robots: %v, for the reason %q", source.URL, source.IgnoreRobots, source.RobotsReason)
		}
		documents := s.DocumentsOf(source.ID)
		if len(documents) == 0 {
			t.Errorf("source %s is used by no document", source.URL)
		}
		line := s.Canonical(source.ID)
		gotSource, gotDocuments, err := ParseCanonical(line)
		if err != nil {
			t.Errorf("ParseCanonical(%s): %v", line, err)
			continue
		}
		if diff := cmp.Diff(source, gotSource); diff != "" {
			t.Errorf("source from canonical line (-want +got):\n%s", diff)
		}
		byID := make(map[string]Document)
		for _, d := range documents {
			byID[d.ID] = d
		}
		for _, d := range gotDocuments {
			if diff := cmp.Diff(byID[d.ID], d); diff != "" {
				t.Errorf("document from canonical line (-want +got):\n%s", diff)
			}
		}
		if len(gotDocuments) != len(documents) {
			t.Errorf("canonical line has %d documents, want %d", len(gotDocuments), len(documents))
		}
	}
}
