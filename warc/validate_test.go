package warc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// findings returns severity and rule of everything that Validate says.
func findings(t testing.TB, data []byte, opt ValidateOptions) (short, full []string) {
	t.Helper()
	for f, err := range Validate(NewReader(bytes.NewReader(data)), opt) {
		if err != nil {
			t.Fatal(err)
		}
		short = append(short, string(f.Severity)+" "+f.Rule)
		full = append(full, f.String())
	}
	return short, full
}

func TestValidateOwn(t *testing.T) {
	data, _ := sample(t)
	if short, full := findings(t, data, ValidateOptions{}); len(short) > 0 {
		t.Errorf("findings about a good file:\n%s", strings.Join(full, "\n"))
	}
	report, err := Check(bytes.NewReader(data), ValidateOptions{}, func(Finding) error { return nil })
	if want := (Report{Records: 10, Looks: 2, Digests: 12}); err != nil || report != want {
		t.Errorf("Check = %+v, %v, want %+v", report, err, want)
	}
}

// split returns the decompressed records of a file.
func split(t testing.TB, data []byte) []string {
	t.Helper()
	var all []string
	rd := NewReader(bytes.NewReader(data))
	for rec, err := range rd.Records() {
		if err != nil {
			t.Fatal(err)
		}
		block := must[[]byte](t)(io.ReadAll(rec.Block()))
		if err := rec.Finish(); err != nil {
			t.Fatal(err)
		}
		var header strings.Builder
		header.WriteString(rec.Version + "\r\n")
		for _, f := range rec.Header {
			header.WriteString(f.Name + ": " + f.Value + "\r\n")
		}
		all = append(all, header.String()+"\r\n"+string(block)+"\r\n\r\n")
	}
	return all
}

// TestValidateFindsEachFault breaks a good file in one way at a time. Digests
// that the change would make wrong are put right where the fault is another.
func TestValidateFindsEachFault(t *testing.T) {
	data, _ := sample(t)
	good := split(t, data)
	const (
		warcinfo = iota
		chain
		robotsRequest
		robotsResponse
		request
		response
		manifest
		request2
		revisit
		manifest2
	)
	replace := func(i int, old, new string) func(r []string) []string {
		return func(r []string) []string {
			if !strings.Contains(r[i], old) {
				t.Fatalf("record %d has no %q:\n%s", i, old, r[i])
			}
			r[i] = strings.Replace(r[i], old, new, 1)
			return r
		}
	}
	field := func(i int, line string) func(r []string) []string {
		return replace(i, "WARC-Date:", line+"\r\nWARC-Date:")
	}
	drop := func(i int) func(r []string) []string {
		return func(r []string) []string { return slices.Delete(r, i, i+1) }
	}
	id := func(i int) string {
		_, rest, _ := strings.Cut(good[i], "WARC-Record-ID: <")
		id, _, _ := strings.Cut(rest, ">")
		return id
	}
	for _, tc := range []struct {
		name   string
		change func(r []string) []string
		want   []string // at least these, and no other errors
	}{
		{"nothing", func(r []string) []string { return r }, nil},
		{"block byte", replace(request, "Accept-Language: en", "Accept-Language: de"), []string{"error digest", "error member"}},
		{"payload byte", replace(response, "terms ", "Terms "), []string{"error digest", "error digest", "error member", "error payload", "error payload"}},
		{"record id twice", replace(robotsResponse, id(robotsResponse), id(robotsRequest)), []string{"error unique", "error member"}},
		{"no date", replace(chain, "WARC-Date: 2024-10-17T08:30:00.123456789Z\r\n", ""), []string{"error mandatory"}},
		{"bad date", replace(chain, "WARC-Date: 2024-10-17T", "WARC-Date: 2024-10-17 "), []string{"error value"}},
		{"zone", replace(chain, "56789Z", "56789+00:00"), []string{"error value"}},
		{"no target", replace(chain, "WARC-Target-URI", "X-Target"), []string{"error mandatory"}},
		{"not a URI", replace(chain, "WARC-Target-URI: ", "WARC-Target-URI: no scheme "), []string{"error value"}},
		{"filename on a resource", field(chain, "WARC-Filename: a"), []string{"error forbidden"}},
		{"target on warcinfo", field(warcinfo, "WARC-Target-URI: urn:a"), []string{"error forbidden"}},
		{"refers on a resource", field(chain, "WARC-Refers-To: <"+id(warcinfo)+">"), []string{"error forbidden"}},
		{"date twice", field(chain, "WARC-Date: 2024-10-17T08:30:00Z"), []string{"error repeated"}},
		{"id without brackets", field(chain, "WARC-Concurrent-To: urn:uuid:1"), []string{"error value", "note outside"}},
		{"odd digest", field(chain, "WARC-Payload-Digest: xyz"), []string{"error value", "note digest"}},
		{"digest nobody knows", field(chain, "WARC-Payload-Digest: blake3:abc"), []string{"note digest"}},
		{"odd address", field(chain, "WARC-IP-Address: 1.2.3"), []string{"error value"}},
		{"odd truncation", field(chain, "WARC-Truncated: yes"), []string{"error value"}},
		{"control character", field(chain, "X-Note: a\x01b"), []string{"error field-syntax"}},
		{"not UTF-8", field(chain, "X-Note: a\xff"), []string{"error field-syntax"}},
		{"name with a space", field(chain, "X Note: a"), []string{"error field-syntax"}},
		{"line without colon", field(chain, "nothing"), []string{"error field-syntax"}},
		{"line feed", replace(chain, "\r\n", "\n"), []string{"error crlf"}},
		{"version", replace(chain, "WARC/1.1", "WARC/7.0"), []string{"warning version"}},
		{"type", replace(chain, "WARC-Type: resource", "WARC-Type: recipe"), []string{"warning type"}},
		{"no content type", replace(chain, "Content-Type", "X-Type"), []string{"error mandatory"}},
		{"reference away", field(chain, "WARC-Concurrent-To: <urn:uuid:0>"), []string{"note outside"}},
		{"warcinfo id of another record", replace(manifest2, "WARC-Warcinfo-ID: <"+id(warcinfo), "WARC-Warcinfo-ID: <"+id(chain)), []string{"error reference"}},
		{"no warcinfo", drop(warcinfo), []string{"warning order", "note outside"}},
		{"member gone", drop(robotsResponse), []string{"error member"}},
		{"manifest gone", drop(manifest), []string{"error manifest"}},
		{"payload's record gone", drop(response), []string{"error member", "error payload", "note outside"}},
		{"record behind its manifest", func(r []string) []string {
			late := r[request2]
			return append(slices.Delete(r, request2, request2+1), late)
		}, []string{"error member", "error order"}},
		{"unlisted record", func(r []string) []string {
			other := id(robotsRequest)[:len(id(robotsRequest))-4] + "00ff"
			extra := strings.Replace(r[robotsRequest], id(robotsRequest), other, 1)
			return slices.Insert(r, manifest, extra)
		}, []string{"error member"}},
		{"record of an unknown look", func(r []string) []string {
			extra := strings.Replace(r[response], id(response), "urn:uuid:99999999-9999-8999-8999-999999999999", 1)
			return slices.Insert(r, manifest, extra)
		}, []string{"error manifest"}},
		{"record of no look", func(r []string) []string {
			extra := strings.Replace(r[response], id(response), "urn:uuid:99999999-9999-4999-8999-999999999999", 1)
			return slices.Insert(r, manifest, extra)
		}, []string{"error member"}},
		{"request of another look", replace(request2, "Fineprint-Look: x.tos 2", "Fineprint-Look: x.tos 3"), []string{"error manifest", "error member"}},
		{"look without a number", replace(chain, "WARC-Date:", "Fineprint-Look: x.tos\r\nWARC-Date:"), []string{"error value"}},
		{"manifest with an id of no look", replace(manifest2, id(manifest2), otherVersion(id(manifest2))), []string{"error manifest", "error manifest", "error member"}},
		{"manifest changed", replace(manifest2, `"status":200`, `"status":201`), []string{"error digest"}},
		{"manifest unreadable", replace(manifest2, `"status":200`, `"status":2e2`), []string{"error digest", "error manifest"}},
		{"revisit of another date", replace(revisit, "Refers-To-Date: 2024-10-17T08:30:00.1", "Refers-To-Date: 2024-10-17T08:30:00.2"), []string{"error revisit", "error member"}},
		{"revisit of another address", replace(revisit, "Refers-To-Target-URI: https://x.example/tos", "Refers-To-Target-URI: https://x.example/tom"), []string{"error revisit", "error member"}},
		{"revisit of another payload", replace(revisit, "Payload-Digest: sha1:", "Payload-Digest: sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\nX-Was: "), []string{"error revisit", "error member"}},
		{"revisit without digest", replace(revisit, "WARC-Payload-Digest", "X-Payload-Digest"), []string{"error revisit", "error member"}},
		{"revisit without profile", replace(revisit, "WARC-Profile", "X-Profile"), []string{"error mandatory", "warning revisit", "error member"}},
		{"no status line", replace(revisit, "HTTP/1.1 200", "HTTQ/1.1 200"), []string{"error http", "error digest", "error member"}},
		{"broken chunk", replace(response, "a;ext=1", "z;ext=1"), []string{"error http", "error digest", "error digest", "error member", "error payload", "error payload", "error payload"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			records := tc.change(slices.Clone(good))
			short, full := findings(t, []byte(gzipAll(t, records...)), ValidateOptions{Extract: true})
			got := slices.DeleteFunc(short, func(s string) bool { return s == "note position" })
			want := slices.Clone(tc.want)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, strings.Join(full, "\n"))
			}
		})
	}
}

func TestValidateForm(t *testing.T) {
	data, ends := sample(t)
	good := split(t, data)
	for _, tc := range []struct {
		name string
		data string
		want string
	}{
		{"cut", string(data[:len(data)-3]), "error format"},
		{"moved", gzipAll(t, good...), "error position"},
		{"several in a member", gzipAll(t, good[0]+good[1]), "error gzip-member"},
		{"garbage at the end", string(data) + "x", "error format"},
		{"line end", gzipAll(t, strings.TrimSuffix(good[0], "\r\n")), "error record-end"},
		{"a member twice", string(data[:ends[0]]) + string(data[:ends[0]]), "error unique"},
	} {
		short, full := findings(t, []byte(tc.data), ValidateOptions{})
		if !slices.Contains(short, tc.want) {
			t.Errorf("%s: no finding %q in\n%s", tc.name, tc.want, strings.Join(full, "\n"))
		}
	}
	broken := errors.New("disk gone")
	for _, err := range Validate(NewReader(io.MultiReader(bytes.NewReader(data[:ends[3]]), errReader{broken})), ValidateOptions{}) {
		if err != nil && !errors.Is(err, broken) {
			t.Errorf("Validate = %v, want the error of the source", err)
		}
	}
	stop := errors.New("enough")
	if _, err := Check(strings.NewReader("x"), ValidateOptions{}, func(Finding) error { return stop }); err != stop {
		t.Errorf("Check = %v, want the error of its callback", err)
	}
}

// TestValidateChunkCounters takes the digest of writers that count the chunks.
func TestValidateChunkCounters(t *testing.T) {
	ex := exchange(t, "https://x.example/", message(chunked("terms"), "HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
	_, body, _ := bytes.Cut(ex.Response.(Bytes), []byte("\r\n\r\n"))
	ex.PayloadSHA1 = SumSHA1(body)
	records, _, err := NewLook("s", 1, nil).Records(ex, RecordOptions{})
	if err != nil {
		t.Fatal(err)
	}
	short, full := findings(t, plain(t, records[1]), ValidateOptions{})
	if !slices.Contains(short, "warning payload-digest") || slices.Contains(short, "error digest") {
		t.Errorf("findings:\n%s", strings.Join(full, "\n"))
	}
}

func TestIndex(t *testing.T) {
	data, _ := sample(t)
	lines := must[[]CDXJLine](t)(Index(NewReader(bytes.NewReader(data)), "sample.warc.gz"))
	var got []string
	for _, l := range lines {
		if l.Length == 0 || l.RecordID == "" || l.Filename != "sample.warc.gz" || !l.Timestamp.Equal(began) || !strings.HasPrefix(l.Digest, "sha1:") {
			t.Errorf("line %+v", l)
		}
		got = append(got, fmt.Sprint(l.SURT, " ", l.Status, " ", l.MIME))
		if rec := must[*Record](t)(ReadRecordAt(bytes.NewReader(data), l.Offset, l.Length)); rec.ID() != l.RecordID {
			t.Errorf("at %d lies %s, the line says %s", l.Offset, rec.ID(), l.RecordID)
		}
	}
	want := []string{"example,x)/robots.txt 404 ", "example,x)/tos 200 text/html", "example,x)/tos 200 warc/revisit"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if _, err := Index(NewReader(bytes.NewReader(data[:len(data)-1])), "x"); err == nil {
		t.Error("Index of a cut file = nil error")
	}
}

func TestDates(t *testing.T) {
	for _, s := range []string{"2024-10-17T08:30:00Z", "2024-10-17T08:30:00.1Z", "2024-10-17T08:30:00.123456789Z"} {
		if d, err := ParseDate(s); err != nil || FormatDate(d) != s {
			t.Errorf("%s came back as %s, %v", s, FormatDate(d), err)
		}
	}
	if got := FormatDate(time.Date(2024, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))); got != "2024-01-01T00:00:00Z" {
		t.Errorf("FormatDate in another zone = %s", got)
	}
}

// otherVersion returns a record id of a look with the version of a random one.
func otherVersion(id string) string {
	at := len(uuidPrefix) + len("00000000-0000-")
	return id[:at] + "4" + id[at+1:]
}
