package warc

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// skipOrFail skips for want of a tool, except in CI, which must have it.
func skipOrFail(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// warcio returns the folder with the script and the installed npm package.
func warcio(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		skipOrFail(t, "node is not installed: %v", err)
	}
	here := filepath.Join("testdata", "npm")
	if _, err := os.Stat(filepath.Join(here, "node_modules", "warcio")); err == nil {
		return here
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		data := must[[]byte](t)(os.ReadFile(filepath.Join(here, name)))
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		skipOrFail(t, "npm ci: %v\n%.2000s", err, out)
	}
	return dir
}

// warciojsDisagrees lists the exchanges of TestWarcioAgrees where warcio.js, as
// expected, does not come to our payload digest, with the reason. Everything
// else must agree.
var warciojsDisagrees = map[string]string{
	"chunked":      "its raw payload counts the chunks; the standard means the entity body",
	"chunked-gzip": "likewise",
	"chunked-cut":  "likewise",
}

// TestWarcioAgrees reads a file of ours with the npm package warcio and compares
// count, offsets, lengths, ids and the SHA-1 of every payload.
func TestWarcioAgrees(t *testing.T) {
	dir := warcio(t)
	const site = "https://x.example/"
	zip := gzipped(t, terms(30_000))
	bodies := []struct{ name, block string }{
		{"plain", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + terms(5000)},
		{"empty", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zip},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("服务", "条款")},
		{"chunked-gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + chunked(zip[:500], zip[500:])},
		{"chunked-cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "a0\r\nhalf"},
		{"redirect", "HTTP/1.1 301 Moved Permanently\r\nLocation: /tos\r\n\r\n" + strings.Repeat("moved ", 5000)},
		{"large", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + terms(1_300_000)},
	}
	f := newFile(t)
	warcinfo := must[*Record](t)(WarcinfoRecord(Meta{Date: began}, Warcinfo{Filename: f.Name(), Software: "fineprint"}))
	must[[]Placed](t)(f.Append(pack(t, warcinfo)...))
	var exchanges []*Exchange
	for _, b := range bodies {
		ex := exchange(t, site+b.name, Bytes(b.block))
		if b.name == "chunked-cut" {
			ex.Truncated = TruncatedDisconnect
		}
		exchanges = append(exchanges, ex)
	}
	opt := RecordOptions{WarcinfoID: warcinfo.ID()}
	m := writeLook(t, f, NewLook("x", 1, nil), exchanges, opt, must[*Record](t)(CertificateChain(Meta{Date: began}, [][]byte{{1}})))
	opt.Revisit = &Reference{Record: m.Exchanges[0].Response, URI: exchanges[0].URI, Date: began}
	writeLook(t, f, NewLook("x", 2, nil), exchanges[:1], opt)
	must[Summary](t)(f.Close())
	if short, full := findings(t, must[[]byte](t)(os.ReadFile(published(f))), ValidateOptions{}); len(short) > 0 {
		t.Errorf("our own validator:\n%s", strings.Join(full, "\n"))
	}

	cmd := exec.CommandContext(t.Context(), "node", "check.mjs", must[string](t)(filepath.Abs(published(f))))
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("check.mjs: %v\n%s", err, &stderr)
	}
	theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
	file := must[*os.File](t)(os.Open(published(f)))
	defer file.Close()
	n := 0
	for rec, err := range NewReader(file).Records() {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(theirs) {
			t.Fatalf("warcio.js read %d records, there are more", n)
		}
		compareWarcio(t, file, rec, theirs[n])
		n++
	}
	if n != len(theirs) {
		t.Errorf("warcio.js read %d records, we %d", len(theirs), n)
	}
}

// compareWarcio compares one record with a line of check.mjs.
func compareWarcio(t *testing.T, file io.ReaderAt, rec *Record, line string) {
	t.Helper()
	var their struct {
		ID, Type, URI, Raw, Decoded string
		Status, Offset, Length      int64
	}
	if err := json.Unmarshal([]byte(line), &their); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	payload := must[io.Reader](t)(rec.Payload())
	sum := sha1.New()
	if _, err := io.Copy(sum, payload); err != nil && !(isCut(err) && rec.Header.Get("WARC-Truncated") != "") {
		t.Fatal(err)
	}
	if err := rec.Finish(); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(bracket(rec.ID()), rec.Type(), rec.TargetURI(), rec.Offset, rec.Length)
	if want := fmt.Sprint(their.ID, their.Type, their.URI, their.Offset, their.Length); got != want {
		t.Errorf("warcio.js says %s, we %s", want, got)
	}
	name := strings.TrimPrefix(rec.TargetURI(), "https://x.example/")
	reason, expected := warciojsDisagrees[name]
	agree := hex.EncodeToString(sum.Sum(nil)) == their.Raw
	isResponse := rec.Type() == TypeResponse
	if agree == (isResponse && expected) {
		t.Errorf("%s %s: payloads agree: %v; expected disagreement: %q", rec.Type(), name, agree, reason)
	}
	if label := rec.Header.Get("WARC-Payload-Digest"); isResponse && label != (Digest{SHA1, string(sum.Sum(nil))}).String() {
		t.Errorf("%s: the record says %s, its payload has %x", name, label, sum.Sum(nil))
	}
	// What a browser would be shown must be the same, except for the cut body, of
	// which warcio.js also hands out the size line.
	again := must[*Record](t)(ReadRecordAt(file, rec.Offset, rec.Length))
	if decoded, err := again.Decoded(10 << 20); isResponse && name != "chunked-cut" && err == nil {
		body, err := io.ReadAll(decoded)
		if s := sha1.Sum(body); hex.EncodeToString(s[:]) != their.Decoded {
			t.Errorf("%s: decoded bodies differ (ours has %d bytes, %v)", name, len(body), err)
		}
	}
}

// TestReadsWget reads a WARC of GNU Wget.
func TestReadsWget(t *testing.T) {
	wget, err := exec.LookPath("wget")
	if err != nil {
		skipOrFail(t, "wget is not installed: %v", err)
	}
	page := terms(20_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/tos", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	})
	mux.HandleFunc("/old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/tos", http.StatusFound) })
	server := httptest.NewServer(mux)
	defer server.Close()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), wget, "--quiet", "--no-config", "--no-proxy", "--warc-file=site", "--output-document=/dev/null", server.URL+"/old", server.URL+"/missing")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 8 { // 8: a server said 404
			t.Fatalf("wget: %v\n%s", err, out)
		}
	}
	path := filepath.Join(dir, "site.warc.gz")
	lines := must[[]CDXJLine](t)(Index(NewReader(must[*os.File](t)(os.Open(path))), "site.warc.gz"))
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprint(strings.TrimPrefix(l.URL, server.URL), " ", l.Status))
	}
	if want := "/old 302,/tos 200,/missing 404"; strings.Join(got, ",") != want {
		t.Errorf("captures %v, want %s", got, want)
	}
	file := must[*os.File](t)(os.Open(path))
	defer file.Close()
	for _, l := range lines {
		if l.Status != 200 {
			continue
		}
		rec := must[*Record](t)(ReadRecordAt(file, l.Offset, l.Length))
		if body := must[[]byte](t)(io.ReadAll(must[io.Reader](t)(rec.Payload()))); string(body) != page {
			t.Errorf("the page came back with %d bytes, want %d", len(body), len(page))
		}
	}
	for f, err := range Validate(NewReader(file), ValidateOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Severity == SeverityError {
			t.Errorf("finding about wget's file: %s", f)
		}
	}
}
