package waybacktest

import (
	"fmt"
	"net/http"
	"slices"
)

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
	// RetryAfter is what the answers that are an error document tell in seconds; "" for none.
	RetryAfter string
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
