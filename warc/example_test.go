package warc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// A look of one exchange is written into a file, and the file read back.
func Example() {
	dir, err := os.MkdirTemp("", "warc-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := warc.FileName("run1", time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), 1)
	if err := writeExample(dir, name); err != nil {
		fmt.Println(err)
		return
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for rec, err := range warc.NewReader(f).Records() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s <%s>\n", rec.Type(), rec.TargetURI())
	}
	// Output:
	// warcinfo <>
	// request <https://example.org/terms>
	// response <https://example.org/terms>
	// metadata <https://example.org/terms>
}

// writeExample writes one look at https://example.org/terms.
func writeExample(dir, name string) error {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	f, err := warc.Create(dir, name)
	if err != nil {
		return err
	}
	info, err := warc.WarcinfoRecord(warc.Meta{Date: at}, warc.Warcinfo{Filename: name, Software: "example/1", Run: "run1"})
	if err != nil {
		return err
	}
	if _, err := add(f, info); err != nil {
		return err
	}
	const head, body = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", "Photographs are yours. They stay."
	ex := &warc.Exchange{
		Kind: warc.KindPage, URI: "https://example.org/terms", Began: at, Ended: at, Method: "GET", Status: 200, MIME: "text/plain",
		Request:  warc.Bytes("GET /terms HTTP/1.1\r\nHost: example.org\r\n\r\n"),
		Response: warc.Bytes(head + body), Head: int64(len(head)),
		PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256([]byte(body)), PayloadSHA1: warc.SumSHA1([]byte(body)),
	}
	look := warc.NewLook("483fc9547b4470bc", 1, nil)
	records, stored, err := look.Records(ex, warc.RecordOptions{WarcinfoID: info.ID()})
	if err != nil {
		return err
	}
	members, err := add(f, records...)
	if err != nil {
		return err
	}
	manifest, err := warc.ManifestRecord(warc.Meta{Look: look, Date: at, WarcinfoID: info.ID()}, &warc.Manifest{
		Source: look.Source, URL: ex.URI, Time: at, Ended: at, N: 1, Result: warc.Captured, Status: 200,
		Exchanges: []warc.ExchangeNote{{Response: stored.ResponseID}}, Members: members,
	})
	if err != nil {
		return err
	}
	if _, err := add(f, manifest); err != nil {
		return err
	}
	_, err = f.Close() // syncs and publishes
	return err
}

// add appends records to a file and lists them as members of a look.
func add(f *warc.File, records ...*warc.Record) ([]warc.Member, error) {
	var members []warc.Member
	for _, r := range records {
		packed, err := warc.Compress(r)
		if err != nil {
			return nil, err
		}
		placed, err := f.Append(packed)
		if err != nil {
			return nil, err
		}
		members = append(members, warc.Member{
			Record: r.ID(), Type: r.Type(), SHA256: placed[0].SHA256, Offset: placed[0].Offset, Length: placed[0].Length,
		})
	}
	return members, nil
}

// A key finds captures of an address however it was written.
func ExampleSURT() {
	key, err := warc.SURT("https://www.Example.org:443/Terms/?b=2&a=1#top")
	fmt.Println(key, err)
	// Output: org,example)/terms?a=1&b=2 <nil>
}

func ExampleDigest() {
	body := []byte("Photographs are yours. They stay.")
	fmt.Println(warc.SumSHA1(body))
	d, err := warc.ParseDigest(warc.SumSHA256(body).String())
	fmt.Println(d == warc.SumSHA256(body), err)
	// Output:
	// sha1:T3MDQHV3Z5RFCHDOMXMREWKX4MOB5FYM
	// true <nil>
}
