// Package s3server runs a real S3 server (versitygw over a folder) for tests.
//
//	func TestUpload(t *testing.T) {
//		srv := s3server.Start(t, s3server.Options{})
//		... srv.URL("prefix"), srv.Env() or srv.Credentials()
//	}
//
// The server is the program s3gateway beside this package, a tool of the module:
// the go command builds it once and keeps it.
//
// The server keeps metadata in extended attributes: the temporary folder must
// be on a filesystem that has them (ext4, xfs, btrfs, APFS; tmpfs since Linux
// 6.6). It listens on 127.0.0.1 only and ends with the test, also when the
// test process is killed. It does not sync: never use it to judge durability.
package s3server

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	region    = "us-east-1"
	readyLine = "listening on "
)

// Options are the properties of a server.
type Options struct {
	ObjectLock bool // the bucket has versioning and Object Lock
	NoBucket   bool // do not make the bucket
}

// Server is a running server with one bucket.
type Server struct {
	Endpoint  string // "http://127.0.0.1:port"
	Region    string
	AccessKey string
	SecretKey string
	Bucket    string
	Folder    string // where the server keeps the objects of the bucket as files

	stop func()
}

// gateway returns the path of the built s3gateway.
var gateway = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "tool", "-n", "s3gateway").Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("go tool -n s3gateway: %w: %s", err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
})

// Start runs a server until the test ends and makes its bucket. It fails the
// test if the server does not come up within 30 seconds.
func Start(t testing.TB, opt Options) *Server {
	t.Helper()
	base := t.TempDir()
	s := &Server{
		Region:    region,
		AccessKey: "AKIDTEST" + rand.Text()[:12],
		SecretKey: "secret-" + rand.Text(),
		Bucket:    "archive-test",
	}
	objects, versions := filepath.Join(base, "objects"), filepath.Join(base, "versions")
	for _, dir := range []string{objects, versions} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatalf("start S3 server: %v", err)
		}
	}
	s.Folder = filepath.Join(objects, s.Bucket)
	s.Endpoint = "http://" + s.run(t, objects, versions)
	if !opt.NoBucket {
		s.makeBucket(t, opt)
	}
	return s
}

// run starts the gateway and returns the address it listens on.
func (s *Server) run(t testing.TB, objects, versions string) (addr string) {
	t.Helper()
	path, err := gateway()
	if err != nil {
		t.Fatalf("build S3 server: %v", err)
	}
	cmd := exec.Command(path, objects, versions, s.Region)
	cmd.Env = append(os.Environ(), s.Env()...)
	stdin, err := cmd.StdinPipe() // its end tells the gateway to stop
	if err != nil {
		t.Fatalf("start S3 server: %v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("start S3 server: %v", err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatalf("start S3 server: %v", err)
	}
	var stopped bool
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait() // "signal: killed" is what is meant to happen
	}
	t.Cleanup(s.stop)
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		for lines := bufio.NewScanner(stdout); lines.Scan(); { // the gateway talks, too
			if addr, ok := strings.CutPrefix(lines.Text(), readyLine); ok {
				ready <- addr
			}
		}
	}()
	select {
	case addr, ok := <-ready:
		if !ok {
			s.stop()
			t.Fatalf("start S3 server: it ended, saying %q", errs.String())
		}
		return addr
	case <-time.After(30 * time.Second):
		s.stop()
		t.Fatalf("start S3 server: not ready after 30 s: %s", errs.String())
	}
	return ""
}

// makeBucket makes the bucket of a server that just started.
func (s *Server) makeBucket(t testing.TB, opt Options) {
	t.Helper()
	_, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                     aws.String(s.Bucket),
		ObjectLockEnabledForBucket: aws.Bool(opt.ObjectLock),
	})
	if err != nil {
		t.Fatalf("make bucket %s: %v", s.Bucket, err)
	}
}

// Client returns an SDK client of the server, for what tests do behind the
// back of the code under test.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  s.Credentials(),
		UsePathStyle: true,
		HTTPClient:   &http.Client{Timeout: 30 * time.Second},

		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// URL names a place in the bucket as the configuration key "archive" does.
func (s *Server) URL(prefix string) string { return s.URLAt(s.Endpoint, prefix) }

// URLAt is URL with another endpoint, such as that of a proxy before the server.
func (s *Server) URLAt(endpoint, prefix string) string {
	q := url.Values{"endpoint": {endpoint}, "region": {s.Region}}
	return "s3://" + s.Bucket + "/" + prefix + "?" + q.Encode()
}

// Env returns the environment variables that give a process the credentials.
func (s *Server) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + s.SecretKey,
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=",
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Credentials returns the credentials for the SDK.
func (s *Server) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")
}

// Stop ends the server before the test ends.
func (s *Server) Stop() { s.stop() }

// String names the server without its secret.
func (s *Server) String() string { return fmt.Sprintf("S3 server at %s", s.Endpoint) }
