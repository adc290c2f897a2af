package waybacktest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ItemsConfig configures Items. The zero value takes any keys and lists a file at
// once.
type ItemsConfig struct {
	// Access and Secret are the only keys accepted, if set.
	Access, Secret string
	// Lag is how long after its PUT a file is listed in the item's metadata.
	Lag time.Duration
	// TimeScale divides Lag and the day in which items are counted; 0 means 1.
	TimeScale float64
	// Now is the service's clock; time.Now if nil.
	Now func() time.Time
	// NewItemsPerDay is how many new items in 24 hours are more than a spammer's;
	// default 5.
	NewItemsPerDay int
}

// Items is a stand-in for archive.org's items, written from their public
// documentation (https://archive.org/developers/ias3.html,
// https://archive.org/developers/md-read.html). It speaks
//
//	PUT /ITEM/FILE                                   with "Authorization: LOW access:secret"
//	GET /?check_limit=1&accesskey=ACCESS&bucket=ITEM
//	GET /metadata/ITEM                               {} if the item is not there
//
// It keeps of a file its size and MD5, not its bytes: those are hashed as they
// come. It counts what a client must not do ([Items.Breaches]). It is an
// http.Handler, safe for concurrent use.
type Items struct {
	cfg ItemsConfig

	mu       sync.Mutex
	items    map[string]*item
	faults   []*ItemsFault
	breaches map[string]int
	puts     []ItemPut
	node     string          // base URL of another host of the service, for redirects
	asked    map[string]bool // items that a limit was asked for since their last PUT
	spam     bool            // a PUT was called spam
	running  int             // PUTs at the moment
	begun    []time.Time     // when items were made
	stopped  chan struct{}   // closed when the server ends
}

type item struct {
	meta  map[string][]string
	files map[string]*storedFile
	dark  bool
}

// storedFile is what is kept of a file.
type storedFile struct {
	size     int64
	md5      string
	listed   time.Time
	versions int
}

// ItemPut is a PUT that arrived whole and was stored.
type ItemPut struct {
	Item, Name string
	Size       int64
	MD5        string // of what came
	Header     http.Header
}

// ItemsKind is a way for Items to go wrong.
type ItemsKind string

// The kinds. Those without another word concern a PUT, before it has an effect.
const (
	ItemsSlowDown  ItemsKind = "slow-down"  // 503 SlowDown
	ItemsOverLimit ItemsKind = "over-limit" // check_limit says over_limit
	ItemsSpam      ItemsKind = "spam"       // 503 with the words about spam
	ItemsForbidden ItemsKind = "forbidden"  // 403 AccessDenied
	ItemsBadKeys   ItemsKind = "bad-keys"   // 403 InvalidAccessKeyId
	ItemsRedirect  ItemsKind = "redirect"   // 307 to another host of the service
	ItemsElsewhere ItemsKind = "elsewhere"  // 307 to a host that is not the service's
	ItemsReset     ItemsKind = "reset"      // cuts the connection after ItemsFault.After bytes
	ItemsLost      ItemsKind = "lost"       // stores the file and cuts the connection
	ItemsStall     ItemsKind = "stall"      // reads ItemsFault.After bytes and nothing more, until the server ends
	ItemsHTML      ItemsKind = "html"       // 502 with a page of HTML
	ItemsCorrupt   ItemsKind = "corrupt"    // stores other bytes: another MD5 in the metadata
	ItemsShort     ItemsKind = "short"      // stores a byte less
	ItemsUnlisted  ItemsKind = "unlisted"   // never lists the file
	ItemsDown      ItemsKind = "down"       // metadata: 200 with a page of HTML
	ItemsBadDigest ItemsKind = "bad-digest" // reads all and says that the MD5 differs
	ItemsBadBucket ItemsKind = "bad-bucket" // 400 InvalidBucketName
	ItemsNotFound  ItemsKind = "not-found"  // 404 NoSuchBucket
	ItemsDark      ItemsKind = "dark"       // metadata: the item was taken from the public, from then on
)

// ItemsFault is something to go wrong.
type ItemsFault struct {
	Kind  ItemsKind
	Name  string // of the file that it concerns; empty for all
	Times int    // 0 means once, below 0 for ever
	After int64  // bytes, see the kinds
}

// NewItems returns a stand-in without items.
func NewItems(cfg ItemsConfig) *Items {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if !(cfg.TimeScale > 0) {
		cfg.TimeScale = 1
	}
	if cfg.NewItemsPerDay <= 0 {
		cfg.NewItemsPerDay = 5
	}
	return &Items{cfg: cfg, items: map[string]*item{}, breaches: map[string]int{}, asked: map[string]bool{}, stopped: make(chan struct{})}
}

// StartItems serves a new stand-in for the time of a test, on two ports: the
// second is the node that redirects lead to.
func StartItems(t TB, cfg ItemsConfig) (s *Items, address string) {
	t.Helper()
	s = NewItems(cfg)
	address, stop, err := s.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, address
}

// Start serves s on two loopback ports until stop and returns the address of the
// first.
func (s *Items) Start(ctx context.Context) (address string, stop func(), err error) {
	var servers []*http.Server
	var wg sync.WaitGroup
	stop = sync.OnceFunc(func() {
		close(s.stopped)
		for _, srv := range servers {
			srv.Close() // the connections' errors concern their clients
		}
		wg.Wait()
	})
	var addresses [2]string
	for i := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			stop()
			return "", nil, fmt.Errorf("start archive.org stand-in: %w", err)
		}
		addresses[i] = "http://" + l.Addr().String()
		srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, srv)
		wg.Go(func() { _ = srv.Serve(l) }) // it ends when it is closed
	}
	s.mu.Lock()
	s.node = addresses[1]
	s.mu.Unlock()
	return addresses[0], stop, nil
}

// Inject adds faults.
func (s *Items) Inject(faults ...ItemsFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.faults = append(s.faults, &f)
	}
}

// Forgive takes back that a PUT was called spam, as a letter to the Archive does.
func (s *Items) Forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spam = false
}

// Drop removes a file from an item.
func (s *Items) Drop(itemName, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[itemName]; it != nil {
		delete(it.files, file)
	}
}

// Breaches returns how often each rule was broken. It is empty for a client
// without fault. The keys:
//
//	chunked, no-length, no-md5, no-continue   of the headers of a PUT
//	keys-elsewhere    keys were sent to a host that is not the service's
//	keys-to-reads     keys in the headers of a question
//	user-agent        none, or that of a library
//	unchecked         a PUT without a question for the limit before it
//	parallel          two PUTs at once
//	new-items         more new items in 24 hours than a person makes
//	after-spam        a PUT after one was called spam
//	stored-again      a PUT of bytes that the item lists already
func (s *Items) Breaches() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.breaches)
}

// Puts returns what was stored, in order.
func (s *Items) Puts() []ItemPut {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.puts)
}

// Meta returns the metadata of an item by name, nil if it is not there.
func (s *Items) Meta(itemName string) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[itemName]; it != nil {
		return maps.Clone(it.meta)
	}
	return nil
}

// ServeHTTP answers as the service does.
func (s *Items) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.checkRequest(r)
	name, isMeta := strings.CutPrefix(r.URL.Path, "/metadata/")
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodGet && isMeta:
		s.serveMetadata(w, name)
	case r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Get("check_limit") == "1":
		s.serveLimit(w, r.URL.Query())
	case r.Method == http.MethodPut && len(parts) == 2 && parts[1] != "":
		s.servePut(w, r, parts[0], parts[1])
	default:
		itemsError(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
}

// checkRequest counts what a request breaks by its headers.
func (s *Items) checkRequest(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		s.breaches["user-agent"]++
	}
	if r.Header.Get("Authorization") == "" {
		return
	}
	if r.Method != http.MethodPut {
		s.breaches["keys-to-reads"]++
	}
	if host, _, err := net.SplitHostPort(r.Host); err == nil && host == "localhost" {
		s.breaches["keys-elsewhere"]++
	}
}

// fault returns the fault that a request meets, nil for none.
func (s *Items) fault(name string, kinds ...ItemsKind) *ItemsFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Times == 0 || f.Name != "" && f.Name != name || !slices.Contains(kinds, f.Kind) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f
	}
	return nil
}

// itemsError answers with the error document of S3.
func itemsError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>%s</Code><Message>%s</Message><Resource>none</Resource><RequestId>0</RequestId></Error>", code, message)
}

// itemsAnswers are the faults that are an answer and nothing more.
var itemsAnswers = map[ItemsKind]struct {
	status        int
	code, message string
}{
	ItemsSlowDown:  {503, "SlowDown", "Please reduce your request rate."},
	ItemsSpam:      {503, "SlowDown", "Your upload of this item appears to be spam. If you believe this is a mistake, write to us."},
	ItemsForbidden: {403, "AccessDenied", "Access Denied - You lack sufficient privileges to write to this collection"},
	ItemsBadKeys:   {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
	ItemsBadBucket: {400, "InvalidBucketName", "The specified bucket is not valid."},
	ItemsNotFound:  {404, "NoSuchBucket", "The specified bucket does not exist."},
}

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

func (s *Items) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.TimeScale)
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

// serveLimit answers whether a file would be taken.
func (s *Items) serveLimit(w http.ResponseWriter, q url.Values) {
	over := 0
	if s.fault("", ItemsOverLimit) != nil {
		over = 1
	}
	s.mu.Lock()
	s.asked[q.Get("bucket")] = over == 0
	s.mu.Unlock()
	writeItemsJSON(w, map[string]any{"bucket": q.Get("bucket"), "accesskey": q.Get("accesskey"), "over_limit": over, "detail": map[string]any{
		"accesskey_tasks_queued": 3, "accesskey_ration": 75, "bucket_tasks_queued": 1, "bucket_ration": 25,
		"total_tasks_queued": 1000, "total_global_limit": 9000, "limit_reason": "", "rationing_engaged": over, "rationing_level": 1000,
	}})
}

// serveMetadata answers what is listed of an item.
func (s *Items) serveMetadata(w http.ResponseWriter, name string) {
	if s.fault(name, ItemsDown) != nil {
		io.WriteString(w, "<html><body>Temporarily Offline</body></html>")
		return
	}
	dark := s.fault(name, ItemsDark) != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items[name]
	if it == nil {
		io.WriteString(w, "{}")
		return
	}
	it.dark = it.dark || dark
	if it.dark {
		writeItemsJSON(w, map[string]any{"created": s.cfg.Now().Unix(), "is_dark": true, "nodownload": true, "metadata": map[string]any{"identifier": name}})
		return
	}
	meta := map[string]any{"identifier": name, "uploader": "operator@example.org"}
	for key, values := range it.meta {
		meta[key] = values
		if len(values) == 1 {
			meta[key] = values[0]
		}
	}
	files := []map[string]any{}
	for _, file := range slices.Sorted(maps.Keys(it.files)) {
		f := it.files[file]
		if s.cfg.Now().Before(f.listed) {
			continue
		}
		files = append(files, map[string]any{"name": file, "source": "original", "size": strconv.FormatInt(f.size, 10), "md5": f.md5,
			"mtime": strconv.FormatInt(f.listed.Unix(), 10), "format": "Web ARChive GZ"})
	}
	if len(files) == 0 {
		io.WriteString(w, "{}") // the task that makes the item has not run
		return
	}
	writeItemsJSON(w, map[string]any{"created": s.cfg.Now().Unix(), "files": files, "files_count": len(files), "metadata": meta, "server": "ia600000.us.archive.org"})
}

func writeItemsJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	_ = enc.Encode(v) // a client that went away is no matter of the server
}
