package s3

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/google/go-cmp/cmp"
)

func static(key, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(key, secret, "")
}

// naive is an S3 server that lacks what it is told to lack.
type naive struct {
	noIfNoneMatch, noIfMatch, noDigest, noSum, reversed, corrupt, noRange bool

	mu      sync.Mutex
	objects map[string][]byte // guarded by mu
	meta    map[string]http.Header
}

func (s *naive) start(t *testing.T) *Bucket {
	t.Helper()
	s.objects, s.meta = make(map[string][]byte), make(map[string]http.Header)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return openBucket(t, Config{Bucket: "bucket", Endpoint: srv.URL, Credentials: static("AKID", "secret"), RetryDelay: time.Millisecond})
}

func (s *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	data, exists := s.objects[key]
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	switch {
	case strings.HasPrefix(r.URL.Path, "/bucket") && len(r.URL.Path) <= len("/bucket/"):
		if r.Method == http.MethodGet {
			s.list(w, r)
		}
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		match := r.Header.Get("If-Match")
		switch {
		case !s.noIfNoneMatch && r.Header.Get("If-None-Match") == "*" && exists,
			!s.noIfMatch && match != "" && (!exists || match != etag):
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		case !s.noDigest && r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]):
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if s.corrupt && len(body) > 0 {
			body[0]++
		}
		s.objects[key], s.meta[key] = body, r.Header.Clone()
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(body)))
	case !exists:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		if match := r.Header.Get("If-Match"); !s.noIfMatch && match != "" && match != etag {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.read(w, r, key, data, etag)
	}
}

func (s *naive) read(w http.ResponseWriter, r *http.Request, key string, data []byte, etag string) {
	w.Header().Set("ETag", etag)
	for _, name := range []string{"X-Amz-Meta-Sha256", "X-Amz-Meta-Write-Id"} {
		if v := s.meta[key].Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	if sum := sha256.Sum256(data); !s.noSum {
		w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
	}
	var from int
	if !s.noRange {
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
	w.Write(data[from:])
}

func (s *naive) list(w http.ResponseWriter, r *http.Request) {
	type object struct {
		Key          string
		Size         int
		LastModified time.Time
	}
	var result struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		IsTruncated bool
		Contents    []object
	}
	keys := slices.Sorted(maps.Keys(s.objects))
	if s.reversed {
		slices.Reverse(keys)
	}
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil {
		limit = 1000
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("start-after") && !s.reversed {
			continue
		}
		if len(result.Contents) == limit {
			result.IsTruncated = true
			break
		}
		result.Contents = append(result.Contents, object{key, len(s.objects[key]), time.Now().UTC()})
	}
	xml.NewEncoder(w).Encode(result)
}

// SelfTest finds each fault of a server, and says what to do.
func TestSelfTestNaive(t *testing.T) {
	for _, tc := range []struct {
		server *naive
		bad    []string // names of the checks that fail
		fatal  bool     // the bucket must not be used
	}{
		{&naive{}, nil, false},
		{&naive{noIfNoneMatch: true}, []string{"create only"}, true},
		{&naive{noIfMatch: true}, []string{"compare and swap", "conditional delete"}, true},
		{&naive{noDigest: true}, []string{"SHA-256 checked"}, true},
		{&naive{noSum: true}, []string{"SHA-256 kept"}, false},
		{&naive{reversed: true}, []string{"ordered listing"}, true},
	} {
		b := tc.server.start(t)
		r, err := b.SelfTest(t.Context())
		if err != nil {
			t.Errorf("%v: SelfTest: %v", tc.bad, err)
			continue
		}
		var bad []string
		for _, c := range r.Checks {
			if !c.OK {
				bad = append(bad, c.Name)
			}
			if c.OK != (c.Remedy == "") {
				t.Errorf("%s: OK = %v with the remedy %q", c.Name, c.OK, c.Remedy)
			}
		}
		if diff := cmp.Diff(tc.bad, bad); diff != "" {
			t.Errorf("failed checks differ (-want +got):\n%s", diff)
		}
		if fatal := r.Err() != nil; fatal != tc.fatal {
			t.Errorf("%v: Report.Err = %v, fatal should be %v", tc.bad, r.Err(), tc.fatal)
		}
		if len(tc.server.objects) != 0 {
			t.Errorf("%v: %d probes left", tc.bad, len(tc.server.objects))
		}
	}
}

// Even where the server checks nothing, Put is never wrong about what is there.
func TestPutNaive(t *testing.T) {
	s := naive{noIfNoneMatch: true, noDigest: true, noSum: true}
	b := s.start(t)
	if err := putBytes(t.Context(), b, "a", []byte("first")); err != nil {
		t.Fatalf("Put that must be read back: %v", err)
	}
	if err := putBytes(t.Context(), b, "a", []byte("other")); err == nil {
		t.Error("Put over an object gave no error")
	}
	if got := string(s.objects["a"]); got != "first" {
		t.Errorf("the object became %q", got)
	}
	s.corrupt = true
	if err := putBytes(t.Context(), b, "b", []byte("bytes")); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("Put to a server that corrupts: error = %v, want one that says so", err)
	}
	// What the uploader said is shown, never trusted.
	info, err := b.Stat(t.Context(), "b")
	if err != nil || store.CheckDigest(info.SHA256) != nil {
		t.Errorf("Stat = %+v, %v", info, err)
	}
}

// A server that ignores Range must not pass off other bytes.
func TestGetNoRange(t *testing.T) {
	s := naive{noRange: true}
	b := s.start(t)
	if err := putBytes(t.Context(), b, "a", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if rc, err := b.Get(t.Context(), "a", 5, -1); err == nil || !strings.Contains(err.Error(), "from 0 were sent") {
		if err == nil {
			rc.Close()
		}
		t.Errorf("Get from 5: error = %v, want one about the bytes sent", err)
	}
	rc, err := b.Get(t.Context(), "a", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if got, err := io.ReadAll(rc); err != nil || string(got) != "012" {
		t.Errorf("Get(a, 0, 3) = %q, %v, want 012", got, err)
	}
}
