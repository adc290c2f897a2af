package archive

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// declaredPrivate learns which sources are private now.
func (u *uploader) declaredPrivate(ctx context.Context) error {
	u.private = map[string]bool{}
	return u.cfg.Catalog.EachCanonical(ctx, func(source string, canonical []byte) error {
		if declaredPrivate(canonical) {
			u.private[source] = true
		}
		return nil
	})
}

// prepare reads a file once, for its size and MD5, and makes the row refused if it
// must not leave the archive. The error is about the store.
func (u *uploader) prepare(ctx context.Context, row *catalog.UploadRow) error {
	refuse := func(class, format string, args ...any) error {
		row.State, row.Class, row.Error = catalog.UploadRefused, class, fmt.Sprintf(format, args...)
		return nil
	}
	sums, reason, err := u.read(ctx, row)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return refuse(classDamaged, "the object is missing: run `fineprint audit`")
	case err != nil:
		return fmt.Errorf("read %s: %w", row.Key, err)
	}
	row.Size, row.MD5, row.SHA256 = sums.n, hex.EncodeToString(sums.md5.Sum(nil)), sums.digest()
	want, err := u.sealedAs(ctx, row)
	switch {
	case err != nil:
		return err
	case !want.IsZero() && want != row.SHA256:
		return refuse(classDamaged, "its SHA-256 is %s and was %s: run `fineprint audit`", row.SHA256.Hex(), want.Hex())
	case reason != "":
		return refuse(classPrivate, "%s", reason)
	}
	return nil
}

// sealedAs is the SHA-256 that a file must have; zero where nobody noted it.
func (u *uploader) sealedAs(ctx context.Context, row *catalog.UploadRow) (warc.Digest, error) {
	if row.Name == row.WARC {
		return u.warcs[row.WARC].SHA256, nil
	}
	info, err := u.cfg.Store.Stat(ctx, row.Key)
	if err != nil || info.SHA256 == "" {
		return warc.Digest{}, err
	}
	return warc.ParseDigest("sha256:" + info.SHA256)
}

// sums are the digests of what was read.
type sums struct {
	n           int64
	md5, sha256 hash.Hash
}

func (s *sums) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	s.md5.Write(p)
	s.sha256.Write(p)
	return len(p), nil
}

func (s *sums) digest() warc.Digest {
	d, err := warc.ParseDigest("sha256:" + hex.EncodeToString(s.sha256.Sum(nil)))
	if err != nil {
		panic(err) // of 64 hexadecimal digits
	}
	return d
}

// read reads an object to its end. For a WARC, reason says why it must not be
// public, "" if it may.
func (u *uploader) read(ctx context.Context, row *catalog.UploadRow) (s *sums, reason string, err error) {
	r, err := u.cfg.Store.Get(ctx, row.Key, 0, -1)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s = &sums{md5: md5.New(), sha256: sha256.New()}
	tee := &teeReader{r: r, w: s}
	if row.Name == row.WARC {
		var broken error
		if reason, broken = u.privateIn(tee); broken != nil && tee.err == nil {
			// What cannot be read cannot be known to be public.
			reason = "it cannot be read to its end, so that private looks in it could be missed: " + broken.Error()
		}
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return nil, "", err
	}
	return s, reason, nil
}

// teeReader hands all that is read to w, and keeps the reader's own error.
type teeReader struct {
	r   io.Reader
	w   io.Writer
	err error
}

func (t *teeReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.w.Write(p[:n]) // digests take everything
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

// privateIn looks for a look at a source that was private then, or is now. Bodies
// are not held in memory.
func (u *uploader) privateIn(r io.Reader) (reason string, err error) {
	for rec, err := range warc.NewReader(r).Records() {
		if err != nil {
			return "", err
		}
		if reason, err = u.privateRecord(rec); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// privateRecord judges one record. Sources are not named: the reason may be shown
// to others.
func (u *uploader) privateRecord(rec *warc.Record) (string, error) {
	const then, now = "it holds a look at a source that was declared private", "it holds a look at a source that is declared private now"
	if source, _, ok := rec.Look(); ok && u.private[source] {
		return now, nil
	}
	switch rec.Header.Get("Content-Type") {
	case warc.MediaDeclaration:
		data, err := readBlock(rec)
		if err == nil && declaredPrivate(data) {
			return then, nil
		}
		return "", err
	case warc.MediaManifest:
		data, err := readBlock(rec)
		if err != nil {
			return "", err
		}
		m, err := warc.ParseManifest(data)
		switch {
		case err != nil:
			return "", err
		case m.Private:
			return then, nil
		case u.private[m.Source] || m.Memento != nil && u.private[m.Memento.Source]:
			return now, nil
		}
	}
	return "", nil
}
