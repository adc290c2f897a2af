package declaration

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

const many = 100_000

// manyInOne returns one file with n sources, each a document of its own in
// services of 40.
func manyInOne(n int) []byte {
	var b bytes.Buffer
	types := TermsTypes()[:40]
	for i := range n {
		if i%len(types) == 0 {
			fmt.Fprintf(&b, "---\nname: Service %d\nterms:\n", i/len(types))
		}
		fmt.Fprintf(&b, "  %s:\n    - url: https://host%d.example/terms/%d\n      lang: en\n", types[i%len(types)], i/len(types), i)
	}
	return b.Bytes()
}

// manyFiles returns files with ten sources each.
func manyFiles(n int) fstest.MapFS {
	files := make(fstest.MapFS, n)
	for i := range n {
		var b bytes.Buffer
		fmt.Fprintf(&b, "name: Service %d\nterms:\n  Terms of Service:\n", i)
		for j, lang := range []string{"en", "de", "fr", "ja", "ko", "zh-CN", "zh-TW", "ar", "ru", "hi"} {
			fmt.Fprintf(&b, "    - url: https://host%d.example/%d\n      lang: %s\n      select: main\n", i, j, lang)
		}
		files[fmt.Sprintf("%05d.yaml", i)] = &fstest.MapFile{Data: b.Bytes()}
	}
	return files
}

// BenchmarkLoad measures the loading of 100,000 sources from one file and from
// 10,000 in memory. BenchmarkYAML is the lower bound: the YAML parser alone.
func BenchmarkLoad(b *testing.B) {
	one := fstest.MapFS{"one.yaml": &fstest.MapFile{Data: manyInOne(many)}}
	for name, files := range map[string]fstest.MapFS{"one-file": one, "10000-files": manyFiles(many / 10)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set, err := Load(context.Background(), []string{"."}, Options{FS: files})
				if err != nil {
					b.Fatal(err)
				}
				if len(set.Sources) != many {
					b.Fatalf("loaded %d sources, want %d", len(set.Sources), many)
				}
			}
		})
	}
}

func BenchmarkYAML(b *testing.B) {
	data := manyInOne(many)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		dec := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var n yaml.Node
			if dec.Decode(&n) != nil {
				break
			}
		}
	}
}

// BenchmarkDigest measures what telling that nothing changed takes instead.
func BenchmarkDigest(b *testing.B) {
	files := manyFiles(many / 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Digest(context.Background(), []string{"."}, Options{FS: files}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind measures one look-up among 100,000 sources.
func BenchmarkFind(b *testing.B) {
	set, _ := Parse("many.yaml", manyInOne(many), Options{})
	source := set.Sources[many/2]
	for name, query := range map[string]string{
		"source": source.ID, "address": source.URL, "document": set.Documents[many/2].ID,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(set.Find(query)) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkCanonical measures one canonical line.
func BenchmarkCanonical(b *testing.B) {
	set, err := Load(context.Background(), []string{"."}, Options{FS: Starter()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(set.Canonical(set.Sources[0].ID)) == 0 {
			b.Fatal("no line")
		}
	}
}
