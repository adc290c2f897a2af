package wayback

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// ItemLimit says whether archive.org takes more files now.
type ItemLimit struct {
	Over   bool   // wait before the next file
	Reason string // the service's word for why, "" for none
	// Tasks that wait, and how many of them are allowed: of the account and of the
	// item. -1 is not told.
	AccountTasks, AccountRation, ItemTasks, ItemRation int64
}

// CheckLimit asks whether a file for the item would be taken now. It is asked
// before each one. Errors are *ItemError, or ctx's.
func (c *Items) CheckLimit(ctx context.Context, item string) (ItemLimit, error) {
	q := url.Values{"check_limit": {"1"}, "accesskey": {c.keys.Access}, "bucket": {item}}
	_, body, err := c.get(ctx, "check limit", c.s3+"/?"+q.Encode(), maxAnswer)
	if err != nil {
		return ItemLimit{}, err
	}
	l, ok := parseItemLimit(body)
	if !ok {
		return ItemLimit{}, c.fault(ItemOutage, "check limit", 200, "", "the answer is not what was asked for", nil)
	}
	l.Reason = c.redact(l.Reason)
	return l, nil
}

// parseItemLimit reads {"over_limit":0|1,"limit_reason":…,"detail":{…}}.
func parseItemLimit(body []byte) (ItemLimit, bool) {
	var m, detail map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || len(m["over_limit"]) == 0 || string(m["over_limit"]) == "null" {
		return ItemLimit{}, false
	}
	// An absent or odd detail is no detail: over_limit is the answer.
	if json.Unmarshal(m["detail"], &detail) != nil {
		detail = nil
	}
	l := ItemLimit{
		Over:         looseInt(m["over_limit"]) != 0 && string(m["over_limit"]) != "false",
		AccountTasks: looseInt(detail["accesskey_tasks_queued"]), AccountRation: looseInt(detail["accesskey_ration"]),
		ItemTasks: looseInt(detail["bucket_tasks_queued"]), ItemRation: looseInt(detail["bucket_ration"]),
	}
	for _, raw := range []json.RawMessage{m["limit_reason"], detail["limit_reason"]} {
		if l.Reason == "" {
			l.Reason = clean(looseText(raw), maxMessage)
		}
	}
	return l, true
}

// StoredFile is a file of an item, as archive.org describes it.
type StoredFile struct {
	Size int64  // bytes, -1 if it is not told
	MD5  string // lower-case hexadecimal digits, "" if it is not told
}

// ItemMetadata is what archive.org says of an item.
type ItemMetadata struct {
	Exists bool // false: there is no such item, or it is not known yet
	// Dark is an item that was taken from the public, by its owner or by the
	// Archive; its files are not told.
	Dark       bool
	MediaType  string
	Collection []string
	Uploader   string
	Files      map[string]StoredFile // by name
}

// Metadata reads what is stored of an item: of a new file minutes to hours after
// it was put. Errors are *ItemError, or ctx's.
func (c *Items) Metadata(ctx context.Context, item string) (ItemMetadata, error) {
	if err := CheckItem(item); err != nil {
		return ItemMetadata{}, err
	}
	_, body, err := c.get(ctx, "metadata of "+item, c.meta+"/metadata/"+item, maxMetadata)
	if err != nil {
		return ItemMetadata{}, err
	}
	m, err := parseItemMetadata(body)
	if err != nil {
		return ItemMetadata{}, c.fault(ItemOutage, "metadata of "+item, 200, "", err.Error(), err)
	}
	return m, nil
}

// parseItemMetadata reads {"files":[…],"metadata":{…},…}; {} is an item that is not
// there. A file without a name is left out; of two of a name the last counts.
func parseItemMetadata(body []byte) (ItemMetadata, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil || m == nil {
		return ItemMetadata{}, fmt.Errorf("the answer is not a JSON object")
	}
	if len(m) == 0 {
		return ItemMetadata{}, nil
	}
	if problem := looseText(m["error"]); problem != "" {
		return ItemMetadata{}, fmt.Errorf("error: %s", problem)
	}
	out := ItemMetadata{Exists: true, Dark: string(m["is_dark"]) == "true", Files: map[string]StoredFile{}}
	var about map[string]json.RawMessage
	var files []map[string]json.RawMessage
	if raw := m["metadata"]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &about); err != nil {
			return ItemMetadata{}, fmt.Errorf("its metadata is no JSON object")
		}
	}
	if raw := m["files"]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &files); err != nil {
			return ItemMetadata{}, fmt.Errorf("its list of files is none")
		}
	} else if !out.Dark {
		return ItemMetadata{}, fmt.Errorf("there is no list of files")
	}
	out.MediaType, out.Uploader = clean(looseText(about["mediatype"]), maxMessage), clean(looseText(about["uploader"]), maxMessage)
	out.Collection = looseList(about["collection"])
	for _, f := range files {
		name := looseText(f["name"])
		if name == "" {
			continue
		}
		out.Files[name] = StoredFile{Size: looseInt(f["size"]), MD5: strings.ToLower(clean(looseText(f["md5"]), 64))}
	}
	return out, nil
}

// looseText is a JSON string, "" for anything else.
func looseText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// looseInt is a whole number of 0 or more, also one written as a string, -1 for
// anything else.
func looseInt(raw json.RawMessage) int64 {
	s := strings.TrimSpace(string(raw))
	if strings.HasPrefix(s, `"`) {
		s = strings.TrimSpace(looseText(raw))
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 1<<53 && f == math.Trunc(f) {
		return int64(f)
	}
	return -1
}

// looseList is a list of strings, or one string.
func looseList(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if s := looseText(raw); s != "" {
		return []string{s}
	}
	return nil
}
