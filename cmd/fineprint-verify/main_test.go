package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectors = "../../archive/evidence/testdata"

// bundle unpacks one bundle of the vectors.
func bundle(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(vectors, "bundles.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("no vector %s", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != name {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func TestRun(t *testing.T) {
	at := func(name string) string { return filepath.Join(vectors, name) }
	key, err := os.ReadFile(at("log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	full, bare, changed := bundle(t, "full.evidence.zip"), bundle(t, "bare.evidence.zip"), bundle(t, "record-changed.evidence.zip")
	all := []string{"--policy", at("policy.txt"), "--tsa-roots", at("tsa-roots.pem"), "--tls-roots", at("tls-roots.pem")}
	none := filepath.Join(t.TempDir(), "no.zip")
	for _, c := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"full", append(all, full), 0, "between 2024-10-17 08:09:59 UTC and", ""},
		{"key", []string{"--key", strings.TrimSpace(string(key)), bare}, 0, "ok           log", ""},
		{"key file", []string{"--key", at("log.vkey"), bare}, 0, "ok           log", ""},
		{"key and policy", append(all[:len(all):len(all)], "--key", at("log.vkey"), full), 0, "ok           log", ""},
		{"nobody", []string{full}, 4, `unknown log "log.example/policies"`, ""},
		{"changed", append(all, changed), 1, "false        records", ""},
		{"json", append([]string{"--json"}, append(all, full)...), 0, `{"kind":"bundle","exit":0,`, ""},
		{"help", []string{"-h"}, 0, "", "--key"},
		{"no path", nil, 2, "", "fineprint-verify [flags] PATH"},
		{"two paths", []string{full, bare}, 2, "", "PATH"},
		{"flag", []string{"--trust-me", full}, 2, "", "trust-me"},
		{"no file", []string{none}, 2, "", none},
		{"folder", []string{t.TempDir()}, 4, "", "not a file"},
		{"bad key", []string{"--key", "log.example", full}, 2, "", "log key"},
		{"no policy file", []string{"--policy", none, full}, 2, "", none},
		{"no roots", []string{"--tsa-roots", none, full}, 2, "", none},
		{"roots without certificate", []string{"--tls-roots", at("policy.txt"), full}, 2, "", "no PEM certificate"},
	} {
		var out, talk bytes.Buffer
		code := run(t.Context(), c.args, &out, &talk)
		if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(talk.String(), c.err) {
			t.Errorf("%s: exit %d, want %d; want %q in\n%s\nand %q in\n%s", c.name, code, c.code, c.out, out.String(), c.err, talk.String())
		}
		if c.name == "json" {
			for line := range strings.Lines(out.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("not JSON: %s", line)
				}
			}
		}
	}
}
