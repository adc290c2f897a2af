package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/storetest"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
	"github.com/google/go-cmp/cmp"
)

// config returns the configuration of a server's bucket below a new prefix,
// with little patience.
func testConfig(srv *s3server.Server) Config {
	return Config{
		Bucket: srv.Bucket, Endpoint: srv.Endpoint, Region: srv.Region, Prefix: "p-" + strings.ToLower(rand.Text()),
		Credentials: srv.Credentials(), Timeout: 10 * time.Second, RetryDelay: time.Millisecond,
	}
}

func openBucket(t testing.TB, cfg Config) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putBytes(ctx context.Context, b *Bucket, key string, data []byte) error {
	return b.Put(ctx, key, bytes.NewReader(data), int64(len(data)), storetest.Sum(data), store.PutOptions{})
}

// suites runs both suites below new prefixes of a bucket.
func suites(t *testing.T, cfg Config, without ...string) {
	storetest.TestStore(t, func(t *testing.T) store.Store { return next(t, cfg) })
	storetest.TestMutable(t, func(t *testing.T) (store.Store, store.Mutable) {
		b := next(t, cfg)
		return b, b.Mutable()
	}, without...)
}

// next opens a new prefix below that of cfg.
func next(t *testing.T, cfg Config) *Bucket {
	cfg.Prefix = strings.TrimPrefix(cfg.Prefix+"/test-"+strings.ToLower(rand.Text()), "/")
	return openBucket(t, cfg)
}

func TestBucket(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		suites(t, testConfig(s3server.Start(t, s3server.Options{})))
	})
	t.Run("object lock, small pages", func(t *testing.T) {
		cfg := testConfig(s3server.Start(t, s3server.Options{ObjectLock: true}))
		cfg.ObjectLockDays = 1
		cfg.pageSize = 3
		suites(t, cfg, "made again") // see phantom
	})
	// FINEPRINT_TEST_S3=s3://bucket/prefix?endpoint=... runs them anywhere.
	if address, ok := os.LookupEnv("FINEPRINT_TEST_S3"); ok {
		t.Run("environment", func(t *testing.T) {
			cfg, err := ParseURL(address)
			if err != nil {
				t.Fatal(err)
			}
			r, err := openBucket(t, cfg).SelfTest(t.Context())
			if err := errors.Join(err, r.Err()); err != nil {
				t.Error(err)
			}
			suites(t, cfg)
		})
	}
}

// A server that refuses to make again what was deleted is named as the culprit.
func TestPhantom(t *testing.T) {
	b := openBucket(t, testConfig(s3server.Start(t, s3server.Options{ObjectLock: true})))
	m := b.Mutable()
	tag, err := m.PutIfMatch(t.Context(), "a", []byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(t.Context(), "a", tag); err != nil {
		t.Fatal(err)
	}
	_, err = m.PutIfMatch(t.Context(), "a", []byte("x"), "")
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "deleted version") {
		t.Errorf("PutIfMatch error = %v, want ErrUnavailable that names the reason", err)
	}
}

// An object has its SHA-256, type and retention on the server.
func TestPutProperties(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{ObjectLock: true})
	cfg := testConfig(srv)
	cfg.ObjectLockDays = 30
	cfg.ObjectLockMode = governance
	b := openBucket(t, cfg)
	data := []byte("WARC/1.1")
	for key, opt := range map[string]store.PutOptions{
		"kept": {Retain: true, ContentType: "application/warc"}, "free": {},
	} {
		if err := b.Put(t.Context(), key, bytes.NewReader(data), 8, storetest.Sum(data), opt); err != nil {
			t.Fatalf("Put(%s): %v", key, err)
		}
	}
	kept, err := b.head(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	free, err := b.head(t.Context(), "free")
	if err != nil {
		t.Fatal(err)
	}
	days := time.Until(aws.ToTime(kept.ObjectLockRetainUntilDate)).Hours() / 24
	if kept.ObjectLockMode != governance || days < 29 || days > 31 {
		t.Errorf("retention = %s for %.1f days, want GOVERNANCE for 30", kept.ObjectLockMode, days)
	}
	if free.ObjectLockMode != "" || aws.ToString(free.ContentType) != defaultType {
		t.Errorf("an object without options has mode %q and type %q", free.ObjectLockMode, aws.ToString(free.ContentType))
	}
	if aws.ToString(kept.ContentType) != "application/warc" || wholeSHA256(kept) != storetest.Sum(data) || kept.Metadata[metaSHA256] != storetest.Sum(data) {
		t.Errorf("type %q, SHA-256 %q, metadata %q", aws.ToString(kept.ContentType), wholeSHA256(kept), kept.Metadata)
	}
}

// An object larger than one part of a download, over Expect: 100-continue.
func TestLarge(t *testing.T) {
	b := openBucket(t, testConfig(s3server.Start(t, s3server.Options{})))
	data := bytes.Repeat([]byte("fineprint "), 1<<20)
	if err := putBytes(t.Context(), b, "large", data); err != nil {
		t.Fatal(err)
	}
	rc, err := b.Get(t.Context(), "large", 5, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil || !bytes.Equal(got, data[5:]) {
		t.Errorf("Get(large, 5) = %d bytes, %v, want %d", len(got), err, len(data)-5)
	}
	err = b.Put(t.Context(), "too-large", bytes.NewReader(nil), maxObject+1, storetest.Sum(nil), store.PutOptions{})
	if !errors.Is(err, store.ErrTooLarge) || !strings.Contains(err.Error(), "seal.max_bytes") {
		t.Errorf("Put of more than 5 GiB: error = %v, want ErrTooLarge with the remedy", err)
	}
}

func TestPresign(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	b := openBucket(t, testConfig(srv))
	if err := putBytes(t.Context(), b, "warc/a@b+c.warc.gz", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	address, err := b.Presign(t.Context(), "warc/a@b+c.warc.gz", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(got) != "hello" {
		t.Errorf("download = %d, %q, %v, want hello", resp.StatusCode, got, err)
	}
	if strings.Contains(address, srv.SecretKey) {
		t.Error("the address holds the secret key")
	}
	for _, ttl := range []time.Duration{0, -time.Hour, 8 * 24 * time.Hour} {
		if _, err := b.Presign(t.Context(), "a", ttl); err == nil {
			t.Errorf("Presign for %v gave no error", ttl)
		}
	}
	if _, err := b.Presign(t.Context(), "../a", time.Minute); !errors.Is(err, store.ErrKey) {
		t.Errorf("Presign of a bad key: error = %v, want ErrKey", err)
	}
}

func TestSelfTest(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{ObjectLock: true})
	cfg := testConfig(srv)
	cfg.ObjectLockDays = 1
	b := openBucket(t, cfg)
	r, err := b.SelfTest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
		if !c.OK || c.Remedy != "" {
			t.Errorf("%s: found %q, remedy %q, want it good", c.Name, c.Found, c.Remedy)
		}
	}
	want := []string{"reachable", "create only", "compare and swap", "SHA-256 checked", "SHA-256 kept", "ordered listing", "conditional delete", "object lock"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("checks differ (-want +got):\n%s", diff)
	}
	for info, err := range b.List(t.Context(), "", "") {
		t.Errorf("left behind: %v, %v", info.Key, err)
	}
}

// Without Object Lock in the bucket, asking for it is found out.
func TestSelfTestNoLock(t *testing.T) {
	cfg := testConfig(s3server.Start(t, s3server.Options{}))
	cfg.ObjectLockDays = 1
	r, err := openBucket(t, cfg).SelfTest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "object lock") || !strings.Contains(err.Error(), "store.object_lock_days") {
		t.Errorf("Report.Err = %v, want object lock with its remedy", err)
	}
}

// What another program put into the bucket is not listed as ours.
func TestListForeign(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	b := openBucket(t, testConfig(srv))
	if err := putBytes(t.Context(), b, "a", nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"with space", "条款.txt", ".hidden"} {
		if _, err := srv.Client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &srv.Bucket, Key: b.key(key), Body: strings.NewReader("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for info, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
	}
	if diff := cmp.Diff([]string{"a"}, got); diff != "" {
		t.Errorf("List differs (-want +got):\n%s", diff)
	}
}
