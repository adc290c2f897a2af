package wayback

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxErrorXML bounds what is read of an error's text.
const maxErrorXML = 64 << 10

// ItemClass says what an unwelcome answer about an item means for us. The list is
// closed; Meaning describes each.
type ItemClass string

// The classes.
const (
	ItemSlowDown  ItemClass = "slow-down"
	ItemSpam      ItemClass = "spam"
	ItemKeys      ItemClass = "keys-refused"
	ItemForbidden ItemClass = "forbidden"
	ItemBad       ItemClass = "bad-request"
	ItemBadDigest ItemClass = "bad-digest"
	ItemNotFound  ItemClass = "not-found"
	ItemOutage    ItemClass = "outage"
	ItemLost      ItemClass = "lost"
	ItemChanged   ItemClass = "changed"
)

var itemMeanings = map[ItemClass]string{
	ItemSlowDown:  "archive.org has too many tasks at the moment; the upload waits",
	ItemSpam:      "archive.org takes the upload for spam: nothing more is sent until a person has settled it with the Archive (info@archive.org)",
	ItemKeys:      "archive.org does not accept the keys: make new ones at https://archive.org/account/s3.php",
	ItemForbidden: "the account may not write there: the item belongs to another account (choose another wayback.item), or the collection is closed to this one (wayback.collection: opensource is open)",
	ItemBad:       "archive.org does not accept the request: check wayback.item",
	ItemBadDigest: "what arrived was not what was sent; it is sent again",
	ItemNotFound:  "there is no such item",
	ItemOutage:    "archive.org does not answer, or not with an answer",
	ItemLost:      "the answer did not arrive; the file may be there",
	ItemChanged:   "our file is not what it was; it is not sent: run `fineprint audit`",
}

// Meaning returns one sentence for operators.
func (c ItemClass) Meaning() string { return itemMeanings[c] }

// Passing tells whether waiting may help.
func (c ItemClass) Passing() bool {
	switch c {
	case ItemSlowDown, ItemBadDigest, ItemNotFound, ItemOutage, ItemLost:
		return true
	}
	return false
}

// ItemError is an unwelcome answer about an item, or the lack of one. It holds no
// key and no control characters, and is safe to log and to store.
type ItemError struct {
	Op         string // "put NAME", "check limit", "metadata"
	Class      ItemClass
	Code       string // the service's own, may be empty
	Message    string // the service's or the network's words, cleaned and bounded
	HTTPStatus int    // 0 when there was no answer
	RetryAfter time.Duration

	cause error // for errors.Is; never printed, since only Message is redacted
}

// Error describes the answer in one line.
func (e *ItemError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Class)
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.HTTPStatus)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// Unwrap returns the network's error, if any.
func (e *ItemError) Unwrap() error { return e.cause }

// fault makes an error without keys in it.
func (c *Items) fault(class ItemClass, op string, status int, code, message string, cause error) *ItemError {
	return &ItemError{Op: op, Class: class, Code: clean(c.redact(code), maxCode), Message: clean(c.redact(message), maxMessage), HTTPStatus: status, cause: cause}
}

// refused judges an answer that is not the wanted one.
func (c *Items) refused(op string, resp *http.Response, body []byte) *ItemError {
	code, message := parseErrorXML(body)
	e := c.fault(itemClass(resp.StatusCode, code, body), op, resp.StatusCode, code, message, nil)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return e
}

// itemClass is the one table of answers. The words about spam count whatever the
// status and the code say.
func itemClass(status int, code string, body []byte) ItemClass {
	if bytes.Contains(bytes.ToLower(body), []byte("appears to be spam")) {
		return ItemSpam
	}
	switch code {
	case "SlowDown":
		return ItemSlowDown
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken":
		return ItemKeys
	case "BadDigest", "IncompleteBody":
		return ItemBadDigest
	}
	switch status {
	case http.StatusUnauthorized:
		return ItemKeys
	case http.StatusForbidden:
		return ItemForbidden
	case http.StatusNotFound:
		return ItemNotFound
	case http.StatusTooManyRequests:
		return ItemSlowDown
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusConflict:
		return ItemBad
	}
	return ItemOutage
}

// parseErrorXML reads the S3-like error document: <Error><Code/><Message/>….
// What is no such document gives its beginning as the message.
func parseErrorXML(body []byte) (code, message string) {
	var doc struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
		Message string   `xml:"Message"`
	}
	body = body[:min(len(body), maxErrorXML)]
	if err := xml.Unmarshal(body, &doc); err != nil {
		return "", clean(string(body), maxMessage)
	}
	return clean(doc.Code, maxCode), clean(doc.Message, maxMessage)
}
