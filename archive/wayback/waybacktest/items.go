package waybacktest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
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

func (s *Items) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.TimeScale)
}
