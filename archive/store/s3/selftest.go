package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/fineprint-archive/fineprint/archive/store"
)

const (
	selfTestFolder = "selftest/" // objects there come and go with a SelfTest
	selfTestRacers = 8
	selfTestLock   = time.Minute // how long the probe of Object Lock stays
)

// SelfTest finds out whether the server keeps what this package relies on, by
// trying each property on small objects below "selftest/", which it removes
// (with Object Lock one of them stays for a minute and then may be deleted).
// It is for start-up and for people: an S3-compatible server that silently
// ignores a condition would let two writers win.
//
// The error says that the test could not be made; what was found is in the
// Report, whose Err is nil if the bucket may be used.
func (b *Bucket) SelfTest(ctx context.Context) (store.Report, error) {
	t := &selfTest{b: b, folder: selfTestFolder + strings.ToLower(rand.Text()) + "/"}
	t.report.Store = b.String()
	if err := b.Check(ctx); err != nil {
		return t.report, fmt.Errorf("self-test: %w", err)
	}
	t.report.Add(store.Check{Name: "reachable", OK: true, Required: true, Found: "the bucket answers"})
	defer t.clean(context.WithoutCancel(ctx))
	for _, probe := range []func(context.Context) error{t.createOnly, t.ifMatch, t.digest, t.listing, t.deleteIfMatch, t.objectLock} {
		if err := probe(ctx); err != nil {
			return t.report, fmt.Errorf("self-test: %w", err)
		}
	}
	return t.report, nil
}

// selfTest is one run.
type selfTest struct {
	b      *Bucket
	folder string
	report store.Report

	mu   sync.Mutex
	made map[string]bool // keys to remove; guarded by mu
}

// try puts a probe under conditions and tells the status: 200, or that of the
// refusal. No answer is an error.
func (t *selfTest) try(ctx context.Context, name, content string, change func(*s3.PutObjectInput)) (etag string, status int, err error) {
	key := t.folder + name
	t.mu.Lock()
	if t.made == nil {
		t.made = make(map[string]bool)
	}
	t.made[key] = true
	t.mu.Unlock()
	digest := sha256.Sum256([]byte(content))
	for n := 1; ; n++ {
		in := &s3.PutObjectInput{
			Bucket: &t.b.cfg.Bucket, Key: t.b.key(key), Body: bytes.NewReader([]byte(content)),
			ContentLength:  aws.Int64(int64(len(content))),
			ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(digest[:])),
		}
		change(in)
		out, f, err := once(ctx, t.b, 0, func(ctx context.Context) (*s3.PutObjectOutput, error) {
			return t.b.client.PutObject(ctx, in, signedAs(hex.EncodeToString(digest[:])))
		})
		switch {
		case err != nil:
			return "", 0, err
		case f == nil:
			return aws.ToString(out.ETag), http.StatusOK, nil
		case f.kind() == store.ErrDenied:
			return "", 0, f
		case !f.retriable() && f.status != http.StatusConflict || f.status == http.StatusNotImplemented:
			return "", f.status, nil
		case n >= t.b.cfg.Attempts:
			return "", 0, f
		}
		if err := t.b.pause(ctx, n, f); err != nil {
			return "", 0, err
		}
	}
}

func ifNew(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// createOnly: If-None-Match: * refuses a taken name, and of eight who create
// at once one wins.
func (t *selfTest) createOnly(ctx context.Context) error {
	c := store.Check{Name: "create only", Required: true,
		Remedy: "the server ignores If-None-Match: use another server, or a version that honours it"}
	for i, want := range []int{http.StatusOK, http.StatusPreconditionFailed} {
		_, status, err := t.try(ctx, "create", fmt.Sprint("probe ", i), ifNew)
		if err != nil {
			return err
		}
		if status != want {
			c.Found = fmt.Sprintf("creation number %d under one key was answered with %d, want %d", i+1, status, want)
			t.report.Add(c)
			return nil
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	wins, failed := 0, error(nil)
	for i := range selfTestRacers {
		wg.Go(func() {
			_, status, err := t.try(ctx, "race", fmt.Sprint("racer ", i), ifNew)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			}
			if status == http.StatusOK {
				wins++
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	c.Found = fmt.Sprintf("of %d who created an object at once %d won", selfTestRacers, wins)
	if wins == 1 {
		c.OK, c.Remedy = true, ""
	}
	t.report.Add(c)
	return nil
}

// ifMatch: If-Match replaces with the newest tag and refuses an old one.
func (t *selfTest) ifMatch(ctx context.Context) error {
	c := store.Check{Name: "compare and swap", Required: true,
		Remedy: "the server ignores If-Match: use another server, or a version that honours it"}
	first, status, err := t.try(ctx, "swap", "one", ifNew)
	if err != nil {
		return err
	}
	second, fresh, err := t.try(ctx, "swap", "two", func(in *s3.PutObjectInput) { in.IfMatch = &first })
	if err != nil {
		return err
	}
	_, stale, err := t.try(ctx, "swap", "three", func(in *s3.PutObjectInput) { in.IfMatch = &first })
	if err != nil {
		return err
	}
	c.Found = fmt.Sprintf("a write with the newest tag was answered with %d, one with an old tag with %d", fresh, stale)
	if status == http.StatusOK && fresh == http.StatusOK && stale == http.StatusPreconditionFailed && first != second {
		c.OK, c.Remedy = true, ""
	}
	t.report.Add(c)
	return nil
}

// digest: a wrong SHA-256 is refused, and a right one is kept.
func (t *selfTest) digest(ctx context.Context) error {
	wrong := sha256.Sum256([]byte("something else"))
	_, status, err := t.try(ctx, "digest", "probe", func(in *s3.PutObjectInput) {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(wrong[:]))
	})
	if err != nil {
		return err
	}
	c := store.Check{Name: "SHA-256 checked", Required: true, OK: status >= 400 && status < 500,
		Found: fmt.Sprintf("an upload with a wrong SHA-256 was answered with %d", status)}
	if !c.OK {
		c.Remedy = "the server does not check x-amz-checksum-sha256: use another server, or a version that does"
	}
	t.report.Add(c)
	if _, _, err := t.try(ctx, "kept", "probe", ifNew); err != nil {
		return err
	}
	head, err := t.b.head(ctx, t.folder+"kept")
	if err != nil {
		return err
	}
	want := sha256.Sum256([]byte("probe"))
	c = store.Check{Name: "SHA-256 kept", OK: wholeSHA256(head) == hex.EncodeToString(want[:]),
		Found: "the server tells an object's SHA-256 later"}
	if !c.OK {
		c.Found = "the server does not tell an object's SHA-256 later"
		c.Remedy = "nothing need be done: each upload is read back as a whole, which costs its traffic"
	}
	t.report.Add(c)
	return nil
}

// listing: keys come in byte order and all of them, over several pages.
func (t *selfTest) listing(ctx context.Context) error {
	var want []string
	for _, name := range []string{"list/a+b", "list/a-b/c", "list/a.b", "list/a/b", "list/a0"} {
		if _, _, err := t.try(ctx, name, "probe", ifNew); err != nil {
			return err
		}
		want = append(want, t.folder+name)
	}
	var got []string
	found := ""
	for info, err := range t.b.list(ctx, t.folder+"list/", "", 2) {
		if err != nil {
			found = err.Error()
			break
		}
		got = append(got, info.Key)
	}
	c := store.Check{Name: "ordered listing", Required: true, OK: found == "" && strings.Join(got, " ") == strings.Join(want, " "),
		Found: "keys are listed in byte order"}
	if !c.OK {
		c.Found = "keys are not listed in byte order, or not all of them: " + found
		c.Remedy = "use a server whose ListObjectsV2 sorts keys and honours StartAfter"
	}
	t.report.Add(c)
	return nil
}

// deleteIfMatch: a delete with an old tag is refused.
func (t *selfTest) deleteIfMatch(ctx context.Context) error {
	old, _, err := t.try(ctx, "delete", "one", ifNew)
	if err != nil {
		return err
	}
	if _, _, err := t.try(ctx, "delete", "two", func(in *s3.PutObjectInput) { in.IfMatch = &old }); err != nil {
		return err
	}
	_, f, err := call(ctx, t.b, 0, func(ctx context.Context) (*s3.DeleteObjectOutput, error) {
		return t.b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.b.cfg.Bucket, Key: t.b.key(t.folder + "delete"), IfMatch: &old})
	})
	if err != nil {
		return err
	}
	c := store.Check{Name: "conditional delete", OK: f != nil && f.status == http.StatusPreconditionFailed,
		Found: "a delete with an old tag is refused"}
	if !c.OK {
		c.Found = "a delete with an old tag is not refused as such"
		c.Remedy = "let one process at a time write to this archive; deletes are then checked by reading first"
	}
	t.report.Add(c)
	return nil
}

// objectLock: where it is configured, a protected version cannot be deleted.
func (t *selfTest) objectLock(ctx context.Context) error {
	if t.b.cfg.ObjectLockDays == 0 {
		return nil
	}
	c := store.Check{Name: "object lock", Required: true,
		Remedy: "make a bucket with Object Lock on a server that has it, or set store.object_lock_days to 0"}
	_, status, err := t.try(ctx, "locked", "probe", func(in *s3.PutObjectInput) {
		in.ObjectLockMode = types.ObjectLockMode(t.b.cfg.ObjectLockMode)
		in.ObjectLockRetainUntilDate = aws.Time(time.Now().UTC().Add(selfTestLock))
	})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		c.Found = fmt.Sprintf("an upload with retention was answered with %d", status)
		t.report.Add(c)
		return nil
	}
	head, err := t.b.head(ctx, t.folder+"locked")
	if err != nil {
		return err
	}
	if aws.ToString(head.VersionId) == "" || string(head.ObjectLockMode) != t.b.cfg.ObjectLockMode {
		c.Found = fmt.Sprintf("an upload with retention has version %q and mode %q", aws.ToString(head.VersionId), head.ObjectLockMode)
		t.report.Add(c)
		return nil
	}
	_, f, err := call(ctx, t.b, 0, func(ctx context.Context) (*s3.DeleteObjectOutput, error) {
		return t.b.client.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: &t.b.cfg.Bucket, Key: t.b.key(t.folder + "locked"), VersionId: head.VersionId,
		})
	})
	if err != nil {
		return err
	}
	c.Found = "a protected version can be deleted"
	if f != nil && f.status >= 400 && f.status < 500 {
		c.OK, c.Found, c.Remedy = true, fmt.Sprintf("deleting a protected version was refused with %d", f.status), ""
	}
	t.report.Add(c)
	return nil
}

// clean removes the probes. It is best effort: what stays are some bytes below
// "selftest/".
func (t *selfTest) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.b.limit(0))
	defer cancel()
	for key := range t.made {
		_, f, err := once(ctx, t.b, 0, func(ctx context.Context) (*s3.DeleteObjectOutput, error) {
			return t.b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.b.cfg.Bucket, Key: t.b.key(key)})
		})
		if err != nil || f != nil {
			t.b.cfg.Logger.DebugContext(ctx, "probe not removed", "object", key)
		}
	}
}
