package warc

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"time"
)

// The files of a WACZ that this package writes (WACZ 1.1.1, Webrecorder).
const (
	waczVersion = "1.1.1"
	waczWARC    = "data.warc.gz"
	waczArchive = "archive/" + waczWARC
	waczIndex   = "indexes/index.cdx"
	waczPages   = "pages/pages.jsonl"
	waczPackage = "datapackage.json"
	waczDigest  = "datapackage-digest.json"
)

// WACZ says what goes into a web archive collection; see WriteWACZ.
type WACZ struct {
	// Records yields gzip members, each reader one or several whole ones, in the
	// order in which they are to lie. A reader is read to its end before the
	// next is asked for. What revisits refer to must be among them.
	Records iter.Seq2[io.Reader, error]

	Pages    []Page
	Title    string    // "" for none
	Software string    // that made the file
	Created  time.Time // as the file says it; zero leaves it out
}

// Page is an entry point of a collection.
type Page struct {
	URL   string
	TS    time.Time // of the capture
	Title string    // "" for none
}

// WriteWACZ writes a WACZ 1.1.1 file: the records copied byte for byte, an index
// made of them, the pages, and SHA-256 digests of all. The same input gives the
// same bytes. Nothing is compressed again, so that range reads work, and all is
// written in one pass. Records that cannot be read end it with an error.
func WriteWACZ(w io.Writer, c WACZ) error {
	z := &waczWriter{zip: zip.NewWriter(w), created: c.Created.UTC()}
	err := z.write(c)
	if err != nil {
		return fmt.Errorf("write WACZ: %w", err)
	}
	return nil
}

type waczWriter struct {
	zip       *zip.Writer
	created   time.Time
	resources []waczResource
}

type waczResource struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	Hash  string `json:"hash"`
	Bytes int64  `json:"bytes"`
}

type waczDataPackage struct {
	Profile     string         `json:"profile"`
	Version     string         `json:"wacz_version"`
	Title       string         `json:"title,omitempty"`
	Created     *time.Time     `json:"created,omitempty"`
	Software    string         `json:"software,omitempty"`
	MainPageURL string         `json:"mainPageUrl,omitempty"`
	MainPageTS  *time.Time     `json:"mainPageDate,omitempty"`
	Resources   []waczResource `json:"resources"`
}

type waczPackageDigest struct {
	Path string `json:"path"`
	Hash string `json:"hash"`
}

type waczPagesHead struct {
	Format string `json:"format"`
	ID     string `json:"id"`
	Title  string `json:"title"`
}

type waczPage struct {
	URL   string    `json:"url"`
	TS    time.Time `json:"ts"`
	Title string    `json:"title,omitempty"`
}

func (z *waczWriter) write(c WACZ) error {
	lines, err := z.archive(c.Records)
	if err != nil {
		return err
	}
	var index bytes.Buffer
	if err := WriteCDXJ(&index, lines); err != nil {
		return err
	}
	pages, err := pagesFile(c.Pages)
	if err != nil {
		return err
	}
	if err := errors.Join(z.file(waczIndex, index.Bytes(), true), z.file(waczPages, pages, true)); err != nil {
		return err
	}
	return z.describe(c)
}

// archive copies the records and indexes them on the way.
func (z *waczWriter) archive(records iter.Seq2[io.Reader, error]) ([]CDXJLine, error) {
	entry, err := z.create(waczArchive)
	if err != nil {
		return nil, err
	}
	src := &joinedReader{}
	next, stop := iter.Pull2(records)
	defer stop()
	src.next = next
	h := sha256Pool.get()
	defer sha256Pool.put(h)
	count := &countingWriter{w: io.MultiWriter(entry, h)}
	lines, err := Index(NewReader(io.TeeReader(src, count)), waczWARC)
	if err != nil {
		return nil, err
	}
	z.resources = append(z.resources, waczResource{waczWARC, waczArchive, h.digest().String(), count.n})
	return lines, nil
}

// joinedReader reads readers one behind the other.
type joinedReader struct {
	next func() (io.Reader, error, bool)
	cur  io.Reader
}

func (j *joinedReader) Read(p []byte) (int, error) {
	for {
		if j.cur == nil {
			r, err, ok := j.next()
			if !ok {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			j.cur = r
		}
		n, err := j.cur.Read(p)
		if err == io.EOF {
			j.cur, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// create begins a file that is stored as it is.
func (z *waczWriter) create(name string) (io.Writer, error) {
	return z.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: z.created})
}

// file writes a file that is in memory.
func (z *waczWriter) file(name string, data []byte, listed bool) error {
	entry, err := z.create(name)
	if err != nil {
		return err
	}
	if listed {
		z.resources = append(z.resources, waczResource{path.Base(name), name, SumSHA256(data).String(), int64(len(data))})
	}
	_, err = entry.Write(data)
	return err
}

// describe writes the two description files and ends the ZIP.
func (z *waczWriter) describe(c WACZ) error {
	d := waczDataPackage{Profile: "data-package", Version: waczVersion, Title: c.Title, Software: c.Software, Resources: z.resources}
	if !z.created.IsZero() {
		d.Created = &z.created
	}
	if len(c.Pages) > 0 {
		ts := c.Pages[0].TS.UTC()
		d.MainPageURL, d.MainPageTS = c.Pages[0].URL, &ts
	}
	data, err := jsonLine(d)
	if err != nil {
		return err
	}
	digest, err := jsonLine(waczPackageDigest{waczPackage, SumSHA256(data).String()})
	if err != nil {
		return err
	}
	return errors.Join(z.file(waczPackage, data, false), z.file(waczDigest, digest, false), z.zip.Close())
}

func pagesFile(pages []Page) ([]byte, error) {
	all, err := jsonLine(waczPagesHead{"json-pages-1.0", "pages", "All Pages"})
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		line, err := jsonLine(waczPage{p.URL, p.TS.UTC(), p.Title})
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", p.URL, err)
		}
		all = append(all, line...)
	}
	return all, nil
}

// jsonLine encodes v with a line end, characters like & as they are.
func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
