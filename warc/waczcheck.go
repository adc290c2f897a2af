package warc

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Bounds of what CheckWACZ reads into memory or expands.
const (
	waczMaxFiles    = 10_000
	waczMaxPackage  = 16 << 20 // bytes of datapackage.json
	waczMaxExpanded = 4 << 30  // bytes of a deflated file
	waczMaxLine     = 1 << 20  // bytes of a line of pages.jsonl
)

// CheckWACZ checks a WACZ file (1.1.1 and 1.2.0): names that would leave the
// folder, files that expand beyond all measure, the digests of datapackage.json,
// files that it does not list, the pages, every index line against the record
// that it names, and each WARC as Check does. Findings go to found; the error is
// that of found or of reading. Nothing is extracted.
func CheckWACZ(r io.ReaderAt, size int64, found func(Finding) error) (Report, error) {
	c := &waczChecker{found: found, files: map[string]*zip.File{}, captures: map[string]bool{}, urls: map[string]bool{}}
	z, err := zip.NewReader(r, size)
	if err != nil {
		err = c.error("zip", "not a readable ZIP file: %v", err)
		return c.report, err
	}
	for _, step := range []func(*zip.Reader) error{c.names, c.datapackage, c.warcs, c.indexes, c.pages} {
		if err := step(z); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

type waczChecker struct {
	found    func(Finding) error
	report   Report
	files    map[string]*zip.File // by name, those that are safe to read
	captures map[string]bool      // of all WARCs: file, offset, length and address; true once an index names it
	urls     map[string]bool      // addresses of all captures
}

func (c *waczChecker) add(f Finding) error {
	c.report.count(f)
	return c.found(f)
}

func (c *waczChecker) error(rule, format string, args ...any) error {
	return c.add(Finding{Severity: SeverityError, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// names checks the directory of the ZIP; later steps read only what passed.
func (c *waczChecker) names(z *zip.Reader) error {
	if len(z.File) > waczMaxFiles {
		return c.error("zip", "%d files, at most %d are read", len(z.File), waczMaxFiles)
	}
	for _, f := range z.File {
		var reason string
		switch name := f.Name; {
		case strings.HasSuffix(name, "/") && path.Clean(name) == strings.TrimSuffix(name, "/"):
			continue // a folder
		case name == "" || path.Clean(name) != name || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\:\x00"):
			reason = "the name leads out of the package"
		case c.files[name] != nil:
			reason = "the name stands twice"
		case !f.Mode().IsRegular():
			reason = "not a regular file"
		case f.Flags&1 != 0:
			reason = "encrypted"
		case f.Method != zip.Store && f.Method != zip.Deflate:
			reason = fmt.Sprintf("compression method %d", f.Method)
		case f.Method == zip.Deflate && f.UncompressedSize64 > waczMaxExpanded:
			reason = fmt.Sprintf("expands to %d bytes", f.UncompressedSize64)
		default:
			c.files[name] = f
			if strings.HasPrefix(name, "archive/") && f.Method != zip.Store {
				if err := c.add(Finding{Severity: SeverityWarning, Rule: "zip", Message: name + ": compressed again, no part of it can be read alone"}); err != nil {
					return err
				}
			}
			continue
		}
		if err := c.error("zip", "%.200q: %s", f.Name, reason); err != nil {
			return err
		}
	}
	return nil
}

// open returns a reader of a file that passed names, bounded by the size that
// the directory says. The ZIP's checksum is verified at the end.
func (c *waczChecker) open(f *zip.File) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, int64(min(f.UncompressedSize64, 1<<62))+1), r}, nil
}

// sum reads a file and returns its digest and size.
func (c *waczChecker) sum(f *zip.File) (d Digest, n int64, err error) {
	r, err := c.open(f)
	if err != nil {
		return d, 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256Pool.get()
	defer sha256Pool.put(h)
	n, err = copyBuffered(h, r)
	return h.digest(), n, err
}

func (c *waczChecker) datapackage(z *zip.Reader) error {
	f := c.files[waczPackage]
	if f == nil {
		return c.error("wacz", "no %s", waczPackage)
	}
	data, err := c.small(f)
	if err != nil {
		return c.error("wacz", "%s: %v", waczPackage, err)
	}
	var d waczDataPackage
	if err := json.Unmarshal(data, &d); err != nil {
		return c.error("wacz", "%s: %v", waczPackage, err)
	}
	if !strings.HasPrefix(d.Version, "1.") || d.Profile == "" {
		if err := c.error("wacz", "%s: profile %.40q, wacz_version %.40q", waczPackage, d.Profile, d.Version); err != nil {
			return err
		}
	}
	listed := map[string]bool{waczPackage: true, waczDigest: true}
	for _, res := range d.Resources {
		listed[res.Path] = true
		if err := c.resource(res); err != nil {
			return err
		}
	}
	for _, f := range z.File {
		if c.files[f.Name] == f && !listed[f.Name] {
			if err := c.error("wacz", "%s is not listed in %s", f.Name, waczPackage); err != nil {
				return err
			}
		}
	}
	return c.packageDigest(data)
}

// small reads a description file into memory.
func (c *waczChecker) small(f *zip.File) (_ []byte, err error) {
	if f.UncompressedSize64 > waczMaxPackage {
		return nil, fmt.Errorf("%d bytes, at most %d are read", f.UncompressedSize64, waczMaxPackage)
	}
	r, err := c.open(f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

func (c *waczChecker) resource(res waczResource) error {
	f := c.files[res.Path]
	if f == nil {
		return c.error("wacz", "%.200q is listed and not in the package", res.Path)
	}
	found, n, err := c.sum(f)
	if err != nil {
		return c.error("wacz", "%s: %v", res.Path, err)
	}
	if n != res.Bytes {
		if err := c.error("wacz", "%s has %d bytes, %s says %d", res.Path, n, waczPackage, res.Bytes); err != nil {
			return err
		}
	}
	d, err := ParseDigest(res.Hash)
	if err != nil || d.Algorithm != SHA256 {
		return c.error("wacz", "%s: hash %.100q is not a SHA-256", res.Path, res.Hash)
	}
	c.report.Digests++
	if d != found {
		return c.error("digest", "%s has %s, %s says %s", res.Path, found, waczPackage, d)
	}
	return nil
}

func (c *waczChecker) packageDigest(data []byte) error {
	f := c.files[waczDigest]
	if f == nil {
		return c.add(Finding{Severity: SeverityWarning, Rule: "wacz", Message: "no " + waczDigest})
	}
	text, err := c.small(f)
	var d waczPackageDigest
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return c.error("wacz", "%s: %v", waczDigest, err)
	}
	c.report.Digests++
	if want, err := ParseDigest(d.Hash); err != nil || d.Path != waczPackage || want != SumSHA256(data) {
		return c.error("digest", "%s says %.40s %.100s, %s has %s", waczDigest, d.Path, d.Hash, waczPackage, SumSHA256(data))
	}
	return nil
}

// warcs checks each WARC and notes its captures.
func (c *waczChecker) warcs(z *zip.Reader) error {
	seen := false
	for _, f := range z.File {
		if c.files[f.Name] != f || !strings.HasPrefix(f.Name, "archive/") {
			continue
		}
		seen = true
		if err := c.warc(f); err != nil {
			return err
		}
	}
	if !seen {
		return c.error("wacz", "no WARC in archive/")
	}
	return nil
}

func (c *waczChecker) warc(f *zip.File) (err error) {
	r, err := c.open(f)
	if err != nil {
		return c.error("zip", "%s: %v", f.Name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	before := c.report.Errors
	err = check(r, ValidateOptions{Extract: true}, &c.report, func(finding Finding) error {
		finding.Message = f.Name + ": " + finding.Message
		return c.found(finding)
	})
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) {
		return c.error("zip", "%s: %v", f.Name, err)
	}
	if err != nil || c.report.Errors > before {
		return err // an index of damaged records would only repeat it
	}
	again, err := c.open(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, again.Close()) }()
	lines, err := Index(NewReader(again), path.Base(f.Name))
	for _, l := range lines {
		c.captures[captureKey(l)] = false
		c.urls[l.URL] = true
	}
	return err
}

func captureKey(l CDXJLine) string {
	return fmt.Sprintf("%s\n%d\n%d\n%s", path.Base(l.Filename), l.Offset, l.Length, l.URL)
}

// indexes compares the index with the records.
func (c *waczChecker) indexes(z *zip.Reader) error {
	if c.report.Errors > 0 {
		return nil
	}
	seen := false
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".gz")
		if c.files[f.Name] != f || !strings.HasPrefix(name, "indexes/") || !strings.HasSuffix(name, ".cdx") && !strings.HasSuffix(name, ".cdxj") {
			continue
		}
		seen = true
		if err := c.index(f); err != nil {
			return err
		}
	}
	if !seen {
		return c.error("wacz", "no index in indexes/")
	}
	missing := 0
	for _, named := range c.captures {
		if !named {
			missing++
		}
	}
	if missing > 0 {
		return c.add(Finding{Severity: SeverityWarning, Rule: "index", Message: fmt.Sprintf("%d captures are in no index", missing)})
	}
	return nil
}

func (c *waczChecker) index(f *zip.File) (err error) {
	r, err := c.open(f)
	if err != nil {
		return c.error("zip", "%s: %v", f.Name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var text io.Reader = r
	if strings.HasSuffix(f.Name, ".gz") {
		gz, err := gzip.NewReader(r)
		if err != nil {
			return c.error("index", "%s: %v", f.Name, err)
		}
		text = io.LimitReader(gz, waczMaxExpanded)
	}
	for line, err := range ReadCDXJ(text) {
		if err != nil {
			return c.error("index", "%s: %v", f.Name, err)
		}
		key := captureKey(line)
		if _, ok := c.captures[key]; !ok {
			if err := c.error("index", "%s: no record of %.200s at %d+%d in %s", f.Name, line.URL, line.Offset, line.Length, line.Filename); err != nil {
				return err
			}
			continue
		}
		c.captures[key] = true
	}
	return nil
}

// pages checks that each page has an address and a time, and was captured.
func (c *waczChecker) pages(*zip.Reader) (err error) {
	f := c.files[waczPages]
	if f == nil {
		return c.error("wacz", "no %s", waczPages)
	}
	r, err := c.open(f)
	if err != nil {
		return c.error("zip", "%s: %v", f.Name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, waczMaxLine)
	for n := 1; lines.Scan(); n++ {
		var p waczPage
		var head waczPagesHead
		switch err := json.Unmarshal(lines.Bytes(), &p); {
		case n == 1 && json.Unmarshal(lines.Bytes(), &head) == nil && head.Format != "":
			continue
		case err != nil || p.URL == "" || p.TS.IsZero():
			if err := c.error("pages", "%s: line %d is no page with url and ts", f.Name, n); err != nil {
				return err
			}
		case len(c.urls) > 0 && !c.urls[p.URL]:
			if err := c.add(Finding{Severity: SeverityWarning, Rule: "pages", Message: fmt.Sprintf("%s: line %d: no capture of %.200s", f.Name, n, p.URL)}); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return c.error("pages", "%s: %v", f.Name, err)
	}
	return nil
}
