package s3

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, tc := range []struct {
		address string
		want    Config
	}{
		{"s3://bucket", Config{Bucket: "bucket"}},
		{"s3://bucket/", Config{Bucket: "bucket"}},
		{"s3://my.bucket-1/a/b/", Config{Bucket: "my.bucket-1", Prefix: "a/b"}},
		{"s3://bucket/p?endpoint=http://127.0.0.1:9000&region=us-east-1", Config{Bucket: "bucket", Prefix: "p", Endpoint: "http://127.0.0.1:9000", Region: "us-east-1"}},
		{"s3://bucket?endpoint=https%3A%2F%2Fs3.example%2F", Config{Bucket: "bucket", Endpoint: "https://s3.example"}},
		{"s3://bucket?endpoint=http://[::1]:9000&lock_mode=governance", Config{Bucket: "bucket", Endpoint: "http://[::1]:9000", ObjectLockMode: governance}},
	} {
		got, err := ParseURL(tc.address)
		if err != nil {
			t.Errorf("ParseURL(%q): %v", tc.address, err)
			continue
		}
		if got != tc.want {
			t.Errorf("ParseURL(%q) = %+v, want %+v", tc.address, got, tc.want)
		}
		if again, err := ParseURL(got.String()); err != nil || again != got {
			t.Errorf("ParseURL(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
	}
}

func TestParseURLBad(t *testing.T) {
	for address, want := range map[string]string{
		"":                   "form s3://",
		"bucket":             "form s3://",
		"http://bucket/p":    "form s3://",
		"s3:bucket":          "form s3://",
		"s3://":              "no bucket",
		"s3:///p":            "no bucket",
		"s3://Bucket":        "bucket name",
		"s3://b":             "bucket name",
		"s3://桶桶桶":           "bucket name",
		"s3://bucket:9000/p": "bucket name",
		"s3://-bucket":       "bucket name",
		"s3://bucket/a//b":   "prefix",
		"s3://bucket/../x":   "prefix",
		"s3://bucket/条款":     "prefix",
		"s3://bucket/" + strings.Repeat("a/", 200): "prefix",
		"s3://bucket?region=":                      "region",
		"s3://bucket?region=a&region=b":            "region",
		"s3://bucket?region=us%20east":             "region",
		"s3://bucket?regoin=us-east-1":             `unknown parameter "regoin"`,
		"s3://bucket?endpoint=127.0.0.1:9000":      "endpoint",
		"s3://bucket?endpoint=ftp://x":             "endpoint",
		"s3://bucket?endpoint=http://x/path":       "endpoint",
		"s3://bucket?endpoint=http://x?y":          "endpoint",
		"s3://bucket?lock_mode=forever":            "lock mode",
		"s3://bucket#x":                            "form s3://",
		"s3://bucket?a=%zz":                        "cannot be read",
	} {
		if _, err := ParseURL(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseURL(%q) error = %v, want one that says %q", address, err, want)
		}
	}
}

// Credentials in an address are refused and not repeated.
func TestParseURLCredentials(t *testing.T) {
	for _, address := range []string{
		"s3://AKID:hunter2@bucket/p",
		"s3://hunter2@bucket",
		"s3://AKID:hunter2@bucket/p?%zz",
		"AKID:hunter2@bucket",
		"s3://bucket?access_key=AKID&secret_key=hunter2",
		"s3://bucket?AWSSecretAccessKey=hunter2",
		"s3://bucket?X-Amz-Signature=hunter2",
		"s3://bucket?sess%69on_t%6fken=hunter2",
		"s3://bucket?endpoint=http://AKID:hunter2@127.0.0.1:9000",
		"s3://bucket?endpoint=http%3A%2F%2FAKID%3Ahunter2%40127.0.0.1",
	} {
		_, err := ParseURL(address)
		if !errors.Is(err, errCredentials) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
			t.Errorf("ParseURL(%q) error = %v, want errCredentials without the secret", address, err)
		}
	}
}

// Whatever is read is a configuration that can be opened and written again.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1", "s3://a:b@bucket", "s3://bucket?lock_mode=GOVERNANCE",
		"s3://bucket/a//b", "s3://bucket?endpoint=%68ttp://x", "s3://[::1]/x", "s3://bucket/%2e%2e/x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c, err := ParseURL(address)
		if err != nil {
			return
		}
		if err := c.check(); err != nil {
			t.Errorf("ParseURL(%q) = %+v, which is not valid: %v", address, c, err)
		}
		again, err := ParseURL(c.String())
		if err != nil || again != c {
			t.Errorf("ParseURL(%q) = %+v, written %q, read %+v, %v", address, c, c.String(), again, err)
		}
		if c.Prefix != "" && store.ValidKey(c.Prefix+"/a") != nil {
			t.Errorf("ParseURL(%q): prefix %q gives bad keys", address, c.Prefix)
		}
	})
}

// cleanEnv takes away what the machine has of AWS settings.
func cleanEnv(t *testing.T) (folder string) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	folder = t.TempDir()
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "credentials"))
	return folder
}

func TestOpenCredentials(t *testing.T) {
	cfg := Config{Bucket: "bucket", Endpoint: "http://127.0.0.1:1"}
	t.Run("none", func(t *testing.T) {
		cleanEnv(t)
		start := time.Now()
		_, err := Open(t.Context(), cfg)
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
			t.Errorf("Open error = %v, want ErrDenied with the remedy", err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("Open took %v: it asked a metadata service", d)
		}
	})
	t.Run("environment", func(t *testing.T) {
		cleanEnv(t)
		t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
		t.Setenv("AWS_REGION", "eu-west-3")
		b, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if b.cfg.Region != "eu-west-3" || b.redact("hunter2") == "hunter2" || strings.Contains(b.String(), "hunter2") {
			t.Errorf("region %q, address %q", b.cfg.Region, b)
		}
	})
	t.Run("profile", func(t *testing.T) {
		folder := cleanEnv(t)
		if err := os.WriteFile(filepath.Join(folder, "credentials"), []byte("[archive]\naws_access_key_id=AKID\naws_secret_access_key=hunter2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_PROFILE", "archive")
		if b, err := Open(t.Context(), cfg); err != nil || b.cfg.Region != defaultRegion {
			t.Errorf("Open with a profile: %v", err)
		}
		t.Setenv("AWS_PROFILE", "typo")
		if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `"typo"`) {
			t.Errorf("Open error = %v, want one that names the profile", err)
		}
	})
	t.Run("broken file", func(t *testing.T) {
		folder := cleanEnv(t)
		if err := os.WriteFile(filepath.Join(folder, "credentials"), []byte("aws_secret_access_key=hunter2\n[x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open error = %v, want one without the secret", err)
		}
	})
	for _, bad := range []Config{{}, {Bucket: "bucket", ObjectLockDays: -1}, {Bucket: "bucket", ObjectLockMode: "x"}, {Bucket: "bucket", Prefix: "a/"}, {Bucket: "bucket", Attempts: -1}} {
		if _, err := Open(t.Context(), bad); err == nil {
			t.Errorf("Open(%+v) gave no error", bad)
		}
	}
}

// A server with a CA of its own is trusted by AWS_CA_BUNDLE.
func TestCABundle(t *testing.T) {
	folder := cleanEnv(t)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	bundle := filepath.Join(folder, "ca.pem")
	t.Setenv("AWS_CA_BUNDLE", bundle)
	cfg := Config{Bucket: "bucket", Endpoint: srv.URL, Credentials: static("AKID", "secret")}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("Open with a missing bundle: error = %v", err)
	}
	if err := os.WriteFile(bundle, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), bundle) {
		t.Errorf("Open with an empty bundle: error = %v", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(bundle, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openBucket(t, cfg).Check(t.Context()); err != nil {
		t.Errorf("Check with the bundle: %v", err)
	}
}

func TestConfigString(t *testing.T) {
	c := Config{Bucket: "bucket", Prefix: "a/b", Endpoint: "http://127.0.0.1:9000", Region: "us-east-1", ObjectLockMode: compliance}
	want := "s3://bucket/a/b?endpoint=http%3A%2F%2F127.0.0.1%3A9000&lock_mode=compliance&region=us-east-1"
	if diff := cmp.Diff(want, c.String()); diff != "" {
		t.Errorf("String differs (-want +got):\n%s", diff)
	}
}
