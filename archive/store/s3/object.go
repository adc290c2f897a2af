package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/fineprint-archive/fineprint/archive/store"
)

const (
	maxObject = 5 << 30 // bytes of a single PutObject

	metaSHA256 = "sha256"   // user metadata of immutable objects
	metaWrite  = "write-id" // user metadata of mutable objects

	defaultType = "application/octet-stream"
)

// Put implements store.Store by the steps of the package comment. An object
// put with Retain gets the retention that is configured.
func (b *Bucket) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, opt store.PutOptions) error {
	if err := store.CheckPut(key, size, sha256hex); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if size > maxObject {
		return fmt.Errorf("put %s: %w: %d bytes, the limit of S3 for one upload is %d: write smaller files "+
			"(for WARCs: seal.max_bytes)", key, store.ErrTooLarge, size, int64(maxObject))
	}
	there, err := b.compare(ctx, key, size, sha256hex)
	if err == nil && there == absent {
		err = store.CopyVerified(ctx, io.Discard, key, r, size, sha256hex)
		if err == nil {
			there, err = b.create(ctx, key, r, size, sha256hex, opt)
		}
	}
	if err == nil && there == other {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// presence is what a key holds, compared with the bytes that it should.
type presence int

const (
	absent presence = iota
	same
	other
)

// create uploads an object until it is certain what is there: same or other.
func (b *Bucket) create(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, opt store.PutOptions) (presence, error) {
	for n := 1; ; n++ {
		f, err := b.upload(ctx, key, r, size, sha256hex, opt)
		if err != nil {
			return absent, err
		}
		if f == nil {
			return b.confirm(ctx, key, size, sha256hex)
		}
		// 412: the key was taken before this try, perhaps by an earlier try
		// whose answer was lost. 409: someone is writing it at this moment.
		clash := f.status == http.StatusPreconditionFailed || f.status == http.StatusConflict
		last := !clash && !f.retriable() || n >= b.cfg.Attempts
		if clash || last && f.kind() == store.ErrUnavailable {
			there, err := b.compare(ctx, key, size, sha256hex)
			if err != nil {
				return absent, errors.Join(f, err)
			}
			if there != absent {
				return there, nil
			}
		}
		if last && clash {
			return absent, b.phantom(f)
		}
		if last {
			return absent, f.aboutBucket()
		}
		if err := b.pause(ctx, n, f); err != nil {
			return absent, err
		}
	}
}

// aboutBucket returns a failure for which a 404 can only be about the bucket.
func (f *failure) aboutBucket() error {
	if f.absent() {
		f.code = "NoSuchBucket"
	}
	return f
}

// phantom is the error for a condition that was refused although it holds.
// versitygw 1.8.0, for one, takes what was deleted in a bucket with versions
// for an object and refuses to create it again.
func (b *Bucket) phantom(f *failure) error {
	return fmt.Errorf("%w: %s answered %d although the condition of the write holds, %d times: it may take a deleted "+
		"version for an object: use another key or a bucket without versions", store.ErrUnavailable, b.where(), f.status, b.cfg.Attempts)
}

// confirm looks at an object after its upload was acknowledged.
func (b *Bucket) confirm(ctx context.Context, key string, size int64, sha256hex string) (presence, error) {
	there, err := b.compare(ctx, key, size, sha256hex)
	switch {
	case err != nil:
		return absent, fmt.Errorf("uploaded, not confirmed: %w", err)
	case there == absent:
		return absent, fmt.Errorf("%w: %s acknowledged the upload, then did not have the object", store.ErrUnavailable, b.where())
	case there == other:
		return absent, fmt.Errorf("%s acknowledged the upload, then had other bytes: it cannot be used, see fineprint doctor", b.where())
	}
	return same, nil
}

// upload makes one PutObject.
func (b *Bucket) upload(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, opt store.PutOptions) (*failure, error) {
	digest, err := hex.DecodeString(sha256hex)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind the body: %w", err)
	}
	lent := &body{r: r}
	defer lent.revoke()
	in := &s3.PutObjectInput{
		Bucket: &b.cfg.Bucket, Key: b.key(key), Body: lent, ContentLength: &size,
		ContentType:    aws.String(contentType(opt)),
		IfNoneMatch:    aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(digest)),
		Metadata:       map[string]string{metaSHA256: sha256hex},
	}
	if opt.Retain && b.cfg.ObjectLockDays > 0 {
		in.ObjectLockMode = types.ObjectLockMode(b.cfg.ObjectLockMode)
		in.ObjectLockRetainUntilDate = aws.Time(time.Now().UTC().AddDate(0, 0, b.cfg.ObjectLockDays))
	}
	_, f, err := once(ctx, b, size, func(ctx context.Context) (*s3.PutObjectOutput, error) {
		return b.client.PutObject(ctx, in, signedAs(sha256hex))
	})
	return f, err
}

func contentType(opt store.PutOptions) string {
	if opt.ContentType == "" {
		return defaultType
	}
	return opt.ContentType
}

// compare finds out what a key holds. Only a SHA-256 that the server computed,
// or that we compute from what it sends, counts; metadata is what an uploader
// said.
func (b *Bucket) compare(ctx context.Context, key string, size int64, sha256hex string) (presence, error) {
	out, err := b.head(ctx, key)
	if errors.Is(err, store.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	if aws.ToInt64(out.ContentLength) != size {
		return other, nil
	}
	got := wholeSHA256(out)
	if got == "" {
		if got, err = b.hash(ctx, key, out); err != nil {
			return absent, fmt.Errorf("read back: %w", err)
		}
	}
	if got != sha256hex {
		return other, nil
	}
	return same, nil
}

// head asks for an object's properties.
func (b *Bucket) head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	out, f, err := call(ctx, b, 0, func(ctx context.Context) (*s3.HeadObjectOutput, error) {
		return b.client.HeadObject(ctx, &s3.HeadObjectInput{
			Bucket: &b.cfg.Bucket, Key: b.key(key), ChecksumMode: types.ChecksumModeEnabled,
		})
	})
	if err == nil && f != nil {
		err = b.missing(ctx, f)
	}
	return out, err
}

// missing returns a failure as an error, making sure that a 404 is about the
// object: one about the bucket must never look like an empty archive.
func (b *Bucket) missing(ctx context.Context, f *failure) error {
	if f.absent() {
		if !b.answered.Load() {
			if err := b.Check(ctx); err != nil {
				return err
			}
		}
		return store.ErrNotExist
	}
	return f
}

// wholeSHA256 returns the SHA-256 that the server keeps of a whole object, ""
// if it has none (that of a multipart upload is one of digests, "...-3").
func wholeSHA256(out *s3.HeadObjectOutput) string {
	if out.ChecksumType == types.ChecksumTypeComposite {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(out.ChecksumSHA256))
	if err != nil || len(raw) != sha256.Size {
		return ""
	}
	return hex.EncodeToString(raw)
}

// hash reads an object and returns the SHA-256 of its bytes.
func (b *Bucket) hash(ctx context.Context, key string, head *s3.HeadObjectOutput) (string, error) {
	rc, err := b.open(ctx, key, 0, aws.ToInt64(head.ContentLength), aws.ToString(head.ETag))
	if err != nil {
		return "", err
	}
	defer rc.Close() // read only
	h := sha256.New()
	if _, err := io.Copy(h, rc); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Stat implements store.Store. SHA256 is the one the server keeps, or else the
// one the uploader said.
func (b *Bucket) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := store.ValidKey(key); err != nil {
		return store.Info{}, fmt.Errorf("stat: %w", err)
	}
	out, err := b.head(ctx, key)
	if err != nil {
		return store.Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	info := store.Info{Key: key, Size: aws.ToInt64(out.ContentLength), SHA256: wholeSHA256(out), Modified: aws.ToTime(out.LastModified).UTC()}
	if said := out.Metadata[metaSHA256]; info.SHA256 == "" && store.CheckDigest(said) == nil {
		info.SHA256 = said
	}
	return info, nil
}

// List implements store.Store, a page at a time. SHA256 is not known.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return b.list(ctx, prefix, after, b.cfg.pageSize)
}

// list lists in pages of so many keys, 0 for the server's limit.
func (b *Bucket) list(ctx context.Context, prefix, after string, pageSize int32) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if shown(prefix) != prefix {
			return // no key begins with it
		}
		last := b.prefix + shown(after)
		for more := true; more; {
			out, err := b.page(ctx, prefix, last, pageSize)
			if err != nil {
				yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			more = aws.ToBool(out.IsTruncated)
			if more && len(out.Contents) == 0 {
				yield(store.Info{}, fmt.Errorf("list %q: %w: an empty page that is not the last", prefix, store.ErrUnavailable))
				return
			}
			for _, o := range out.Contents {
				full := aws.ToString(o.Key)
				if full <= last && last > b.prefix {
					yield(store.Info{}, fmt.Errorf("list %q: %s sent %q after %q: keys must come in byte order", prefix, b.where(), full, last))
					return
				}
				last = full
				key, ours := strings.CutPrefix(full, b.prefix)
				if !ours || store.ValidKey(key) != nil || !strings.HasPrefix(key, prefix) || key <= after {
					continue
				}
				if !yield(store.Info{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified).UTC()}, nil) {
					return
				}
			}
		}
	}
}

// page asks for size keys with a prefix that come after last.
func (b *Bucket) page(ctx context.Context, prefix, last string, size int32) (*s3.ListObjectsV2Output, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.cfg.Bucket, Prefix: b.key(prefix)}
	if last != b.prefix {
		in.StartAfter = &last
	}
	if size > 0 {
		in.MaxKeys = &size
	}
	out, f, err := call(ctx, b, 0, func(ctx context.Context) (*s3.ListObjectsV2Output, error) {
		return b.client.ListObjectsV2(ctx, in)
	})
	if err != nil {
		return nil, err
	}
	if f != nil {
		return nil, f.aboutBucket() // nothing else can be missing here
	}
	return out, nil
}

// shown returns s up to its first byte that is not printable ASCII: all keys
// are, and other bytes do not survive XML.
func shown(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return s[:i]
		}
	}
	return s
}
