package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// CheckDigest returns nil if s is a SHA-256 as this package writes it: 64
// lower-case hexadecimal digits.
func CheckDigest(s string) error {
	ok := len(s) == 2*sha256.Size
	for i := 0; ok && i < len(s); i++ {
		ok = '0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'f'
	}
	if !ok {
		return fmt.Errorf("SHA-256 %q is not 64 lower-case hexadecimal digits", shorten(s))
	}
	return nil
}

// CheckPut returns nil if the arguments of a Put are well formed. It is for
// implementations of Store.
func CheckPut(key string, size int64, sha256hex string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	if err := CheckDigest(sha256hex); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if size < 0 {
		return fmt.Errorf("%s: size %d is negative", key, size)
	}
	return nil
}

// CopyVerified copies r from its start to w and checks that it has size bytes
// with the SHA-256 sha256hex; otherwise the error is *DigestError, or says
// that the size is another. It looks at ctx between pieces of 256 KiB. It is
// for implementations of Store; w may be io.Discard.
func CopyVerified(ctx context.Context, w io.Writer, key string, r io.ReadSeeker, size int64, sha256hex string) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind the body: %w", err)
	}
	h := sha256.New()
	var n int64
	buf := make([]byte, min(256<<10, size+1))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := r.Read(buf)
		n += int64(m)
		if n > size {
			return fmt.Errorf("body has more than the %d bytes announced", size)
		}
		h.Write(buf[:m])
		if _, werr := w.Write(buf[:m]); werr != nil {
			return werr
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
	}
	if n != size {
		return fmt.Errorf("body has %d bytes, %d were announced", n, size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sha256hex {
		return &DigestError{Object: key, Want: sha256hex, Got: got}
	}
	return nil
}

// sum returns the SHA-256 of data in hexadecimal digits.
func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
