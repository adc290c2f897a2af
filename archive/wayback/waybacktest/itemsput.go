package waybacktest

import (
	"crypto/md5"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var itemIdentifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,99}$`)

// servePut answers a PUT.
func (s *Items) servePut(w http.ResponseWriter, r *http.Request, itemName, name string) {
	defer s.enterPut(r, itemName)()
	if f := s.fault(name, ItemsSlowDown, ItemsSpam, ItemsForbidden, ItemsBadKeys, ItemsBadBucket, ItemsNotFound, ItemsHTML, ItemsRedirect, ItemsElsewhere); f != nil {
		s.answerPut(w, r, f)
		return
	}
	if !s.authorized(r) {
		itemsError(w, http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
		return
	}
	if !itemIdentifier.MatchString(itemName) {
		itemsError(w, http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
		return
	}
	if r.ContentLength < 0 {
		itemsError(w, http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		return
	}
	if f := s.fault(name, ItemsReset, ItemsStall); f != nil {
		_, _ = io.CopyN(io.Discard, r.Body, f.After) // a shorter body is cut as well
		if f.Kind == ItemsStall {
			<-s.stopped
		}
		panic(http.ErrAbortHandler)
	}
	sum := md5.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil || n != r.ContentLength {
		return // the client went away
	}
	s.storePut(w, r, itemName, name, n, sum)
}

// enterPut counts a PUT while it lasts, and what it breaks.
func (s *Items) enterPut(r *http.Request, itemName string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	breach := func(name string, broken bool) {
		if broken {
			s.breaches[name]++
		}
	}
	h := r.Header
	breach("chunked", len(r.TransferEncoding) > 0)
	breach("no-length", r.ContentLength < 0)
	breach("no-md5", len(h.Get("Content-Md5")) != 2*md5.Size)
	breach("no-continue", r.ContentLength > 0 && h.Get("Expect") != "100-continue")
	breach("after-spam", s.spam)
	s.running++
	breach("parallel", s.running > 1)
	if s.node == "" || "http://"+r.Host != s.node { // a redirected one was asked for before
		breach("unchecked", !s.asked[itemName])
		delete(s.asked, itemName)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running--
	}
}

// answerPut answers a PUT before its body is read.
func (s *Items) answerPut(w http.ResponseWriter, r *http.Request, f *ItemsFault) {
	switch f.Kind {
	case ItemsRedirect:
		s.mu.Lock()
		node := s.node
		s.mu.Unlock()
		w.Header().Set("Location", node+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	case ItemsElsewhere:
		_, port, _ := net.SplitHostPort(r.Host) // an empty port is no place either
		w.Header().Set("Location", "http://localhost:"+port+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	case ItemsHTML:
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "<html><body>Temporarily Offline</body></html>")
		return
	case ItemsSpam:
		s.mu.Lock()
		s.spam = true
		s.mu.Unlock()
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	a := itemsAnswers[f.Kind]
	itemsError(w, a.status, a.code, a.message)
}

// authorized compares the keys.
func (s *Items) authorized(r *http.Request) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "LOW ")
	return ok && (s.cfg.Access == "" && len(got) > 2 || got == s.cfg.Access+":"+s.cfg.Secret)
}

// storePut keeps a file whose body came whole.
func (s *Items) storePut(w http.ResponseWriter, r *http.Request, itemName, name string, n int64, sum hash.Hash) {
	came := hex.EncodeToString(sum.Sum(nil))
	if want := r.Header.Get("Content-Md5"); want != "" && want != came || s.fault(name, ItemsBadDigest) != nil {
		itemsError(w, http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		return
	}
	file := &storedFile{size: n, md5: came, listed: s.cfg.Now().Add(s.scaled(s.cfg.Lag)), versions: 1}
	if f := s.fault(name, ItemsCorrupt, ItemsShort, ItemsUnlisted); f != nil {
		switch f.Kind {
		case ItemsCorrupt:
			other := md5.Sum([]byte("not " + came))
			file.md5 = hex.EncodeToString(other[:])
		case ItemsShort:
			file.size--
		case ItemsUnlisted:
			file.listed = s.cfg.Now().Add(1 << 60)
		}
	}
	s.mu.Lock()
	s.keep(itemName, name, file, r.Header)
	s.puts = append(s.puts, ItemPut{Item: itemName, Name: name, Size: n, MD5: came, Header: cleanHeader(r.Header)})
	s.mu.Unlock()
	if s.fault(name, ItemsLost) != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusOK)
}

// keep makes the item if it is not there and puts the file into it. s.mu is held.
func (s *Items) keep(itemName, name string, file *storedFile, h http.Header) {
	it := s.items[itemName]
	now := s.cfg.Now()
	if it == nil {
		it = &item{meta: itemMeta(h), files: map[string]*storedFile{}}
		s.items[itemName] = it
		s.begun = append(slices.DeleteFunc(s.begun, func(t time.Time) bool { return now.Sub(t) >= s.scaled(24*time.Hour) }), now)
		if len(s.begun) > s.cfg.NewItemsPerDay {
			s.breaches["new-items"]++
		}
	}
	if old := it.files[name]; old != nil {
		if old.md5 == file.md5 && old.size == file.size && !now.Before(old.listed) {
			s.breaches["stored-again"]++
		}
		file.versions = old.versions + 1
	}
	it.files[name] = file
}

// cleanHeader is a header without the keys.
func cleanHeader(h http.Header) http.Header {
	h = h.Clone()
	if h.Get("Authorization") != "" {
		h.Set("Authorization", "LOW")
	}
	return h
}

var itemMetaHeader = regexp.MustCompile(`^X-Archive-Meta(\d*)-(.+)$`)

// itemMeta reads x-archive-meta-NAME headers: "--" is "_", uri(…) is decoded.
func itemMeta(h http.Header) map[string][]string {
	meta := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(h)) {
		m := itemMetaHeader.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		name, value := strings.ReplaceAll(strings.ToLower(m[2]), "--", "_"), h.Get(key)
		if inner, ok := strings.CutPrefix(value, "uri("); ok {
			if text, err := url.PathUnescape(strings.TrimSuffix(inner, ")")); err == nil {
				value = text
			}
		}
		meta[name] = append(meta[name], value)
	}
	return meta
}
