package waybacktest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFetchFrom: what a server sends is what a capture holds, in its coding.
func TestFetchFrom(t *testing.T) {
	t.Parallel()
	zipped := zip([]byte("words"))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "text/plain")
		switch r.URL.Path {
		case "/moved":
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusFound)
			return
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped)
			return
		case "/chunked":
			w.WriteHeader(http.StatusNotFound)
			http.NewResponseController(w).Flush()
		}
		w.Write([]byte(r.Header.Get("Accept-Encoding")))
	}))
	defer web.Close()
	plain := http.Header{"Content-Type": {"text/plain"}}
	with := func(name, value string) http.Header { h := plain.Clone(); h.Set(name, value); return h }
	withLength := func(h http.Header, n string) http.Header { h.Set("Content-Length", n); return h }
	for path, want := range map[string]Page{
		"/":        {Status: 200, Header: with("Content-Length", "4"), Body: []byte("gzip")},
		"/moved":   {Status: 302, Header: withLength(with("Location", "/"), "0"), Body: []byte{}},
		"/gzip":    {Status: 200, Header: withLength(with("Content-Encoding", "gzip"), "29"), Body: zipped},
		"/chunked": {Status: 404, Header: plain, Body: []byte("gzip"), Chunked: true},
	} {
		if diff := cmp.Diff(want, FetchFrom(nil)(web.URL+path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, address := range []string{"http://127.0.0.1:1/", "://"} {
		if p := FetchFrom(http.DefaultTransport)(address); p.Status != 502 {
			t.Errorf("%s = %+v, want 502", address, p)
		}
	}
}
