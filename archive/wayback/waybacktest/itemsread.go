package waybacktest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

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
