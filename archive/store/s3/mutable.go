package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// maxMutable limits what a Get holds in memory.
const maxMutable = 256 << 20 // bytes

// Mutable returns the mutable objects of the bucket. A tag is the ETag without
// its quotes. The bucket must pass SelfTest: a server that ignores If-Match
// would let two writers win. In a bucket with versions each replacement leaves
// an old version; a lifecycle rule of the bucket can expire those.
func (b *Bucket) Mutable() store.Mutable { return mutable{b} }

type mutable struct{ b *Bucket }

// state is what a mutable object was when it was read.
type state struct {
	data  []byte
	tag   string
	write string // id of the write that made it
}

// Get implements store.Mutable.
func (m mutable) Get(ctx context.Context, key string) ([]byte, string, error) {
	if err := store.ValidKey(key); err != nil {
		return nil, "", fmt.Errorf("get: %w", err)
	}
	s, err := m.read(ctx, key)
	if err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	return s.data, s.tag, nil
}

// read gets an object and refuses an immutable one. All of it is one answer,
// so content and tag belong together.
func (m mutable) read(ctx context.Context, key string) (state, error) {
	s, f, err := call(ctx, m.b, maxMutable, func(ctx context.Context) (state, error) {
		out, err := m.b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &m.b.cfg.Bucket, Key: m.b.key(key)})
		if err != nil {
			return state{}, err
		}
		defer out.Body.Close() // read only
		if out.Metadata[metaSHA256] != "" {
			return state{}, &bodyError{store.ErrImmutable}
		}
		data, err := io.ReadAll(io.LimitReader(out.Body, maxMutable+1))
		if err == nil && len(data) > maxMutable {
			err = &bodyError{fmt.Errorf("%w: more than %d bytes cannot be a mutable object", store.ErrTooLarge, maxMutable)}
		}
		return state{data: data, tag: unquote(out.ETag), write: out.Metadata[metaWrite]}, err
	})
	if err != nil {
		return state{}, err
	}
	if f != nil {
		return state{}, m.b.missing(ctx, f)
	}
	if s.tag == "" {
		return state{}, fmt.Errorf("%s sends no ETag: it cannot keep mutable objects", m.b.where())
	}
	return s, nil
}

// PutIfMatch implements store.Mutable.
func (m mutable) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	if err := store.ValidKey(key); err != nil {
		return "", fmt.Errorf("put: %w", err)
	}
	newTag, err := m.put(ctx, key, data, tag)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	return newTag, nil
}

// put writes until it is certain what became of it. Repeating is safe: a write
// that did take place changed the tag (or made the object), so that its
// repetition, and a first try that arrives late, can only fail.
func (m mutable) put(ctx context.Context, key string, data []byte, tag string) (string, error) {
	if tag != "" {
		if err := m.look(ctx, key, tag); err != nil {
			return "", err
		}
	}
	id := rand.Text()
	lost := false // an earlier try may have taken place without our knowing
	for n := 1; ; n++ {
		newTag, f, err := m.write(ctx, key, data, tag, id)
		if err != nil || f == nil {
			return newTag, err
		}
		clash := f.status == http.StatusPreconditionFailed || f.status == http.StatusConflict ||
			f.absent() && tag != ""
		last := !f.retriable() && !clash || n >= m.b.cfg.Attempts
		if clash || last {
			s, err := m.read(ctx, key)
			gone := errors.Is(err, store.ErrNotExist)
			changed := gone && tag != "" || err == nil && s.tag != tag
			switch {
			case err == nil && s.write == id:
				return s.tag, nil
			case err != nil && !gone:
				return "", err // ErrImmutable, or no way to know
			case changed && !lost:
				return "", store.ErrPrecondition
			case changed:
				// Our write may have come and gone already.
				return "", fmt.Errorf("%w: an answer was lost and someone else has written since: read again", store.ErrUnavailable)
			case last && clash:
				return "", m.b.phantom(f)
			case last:
				return "", f.aboutBucket()
			}
		}
		lost = lost || !clash
		if err := m.b.pause(ctx, n, f); err != nil {
			return "", err
		}
	}
}

// look compares a tag before the condition of the write does. It finds what
// servers were seen not to: a tag with quotes in it that they strip, and an
// object that was deleted in a bucket with versions, whose last tag still
// matches.
func (m mutable) look(ctx context.Context, key, tag string) error {
	head, err := m.b.head(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return fmt.Errorf("%w: it is gone", store.ErrPrecondition)
	case err != nil:
		return err
	case head.Metadata[metaSHA256] != "":
		return store.ErrImmutable
	case unquote(head.ETag) != tag:
		return store.ErrPrecondition
	}
	return nil
}

// write makes one conditional PutObject.
func (m mutable) write(ctx context.Context, key string, data []byte, tag, id string) (string, *failure, error) {
	digest := sha256.Sum256(data)
	in := &s3.PutObjectInput{
		Bucket: &m.b.cfg.Bucket, Key: m.b.key(key), Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
		ContentType:    aws.String(defaultType),
		CacheControl:   aws.String("no-cache"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(digest[:])),
		Metadata:       map[string]string{metaWrite: id},
	}
	if tag == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = quote(tag)
	}
	out, f, err := once(ctx, m.b, int64(len(data)), func(ctx context.Context) (*s3.PutObjectOutput, error) {
		return m.b.client.PutObject(ctx, in, signedAs(hex.EncodeToString(digest[:])))
	})
	if err != nil || f != nil {
		return "", f, err
	}
	newTag := unquote(out.ETag)
	if newTag == "" {
		return "", nil, fmt.Errorf("%s sends no ETag: it cannot keep mutable objects", m.b.where())
	}
	return newTag, nil, nil
}

// Delete implements store.Mutable. A server that answers that it has no
// conditional delete (501) gets a plain one after the tag was compared.
func (m mutable) Delete(ctx context.Context, key, tag string) error {
	if err := store.ValidKey(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := m.delete(ctx, key, tag); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

func (m mutable) delete(ctx context.Context, key, tag string) error {
	condition := quote(tag)
	for n := 1; ; n++ {
		head, err := m.b.head(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotExist) && n > 1:
			return nil // an earlier try took place, or someone else's
		case err != nil:
			return err
		case head.Metadata[metaSHA256] != "":
			return store.ErrImmutable
		case unquote(head.ETag) != tag:
			return store.ErrPrecondition
		}
		_, f, err := once(ctx, m.b, 0, func(ctx context.Context) (*s3.DeleteObjectOutput, error) {
			return m.b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &m.b.cfg.Bucket, Key: m.b.key(key), IfMatch: condition})
		})
		if err != nil || f == nil {
			return err
		}
		switch {
		case f.status == http.StatusNotImplemented && condition != nil:
			condition = nil
			continue
		case f.status == http.StatusPreconditionFailed:
			// The next look tells whether that is so.
		case f.status == http.StatusNotFound:
			return m.b.missing(ctx, f)
		case !f.retriable() && f.status != http.StatusConflict:
			return f
		}
		if n >= m.b.cfg.Attempts {
			return f
		}
		if err := m.b.pause(ctx, n, f); err != nil {
			return err
		}
	}
}

func quote(tag string) *string { return aws.String(`"` + tag + `"`) }

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
