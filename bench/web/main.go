// Command web serves pages for benchmarks on loopback: 2,000 distinct legal-like
// pages of about 80 KB on 50 hosts (127.0.1.1 to 127.0.1.50, one port), gzip
// coded to those who accept it, and one body of any size at /big. It prints the
// list of addresses and serves until it is killed. The pages are made from a
// fixed seed, so that every run measures the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const hosts = 50

type page struct{ plain, gzip []byte }

func main() {
	port := flag.Int("port", 8899, "port on 127.0.1.1 to 127.0.1.50")
	pages := flag.Int("pages", 2000, "number of pages")
	size := flag.Int("size", 83<<10, "bytes of a page")
	list := flag.String("list", "", "write the addresses into this file")
	flag.Parse()
	made := make([]page, *pages)
	for i := range made {
		made[i] = makePage(i, *size)
	}
	if err := writeList(*list, *port, *pages); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page/{n}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, made) })
	mux.HandleFunc("GET /big/{bytes}", serveBig)
	errs := make(chan error)
	for h := 1; h <= hosts; h++ {
		addr := fmt.Sprintf("127.0.1.%d:%d", h, *port)
		go func() { errs <- http.ListenAndServe(addr, mux) }()
	}
	log.Fatal(<-errs)
}

func writeList(name string, port, pages int) error {
	var b strings.Builder
	for i := range pages {
		fmt.Fprintf(&b, "http://127.0.1.%d:%d/page/%d\n", i%hosts+1, port, i)
	}
	if name == "" {
		_, err := io.WriteString(os.Stdout, b.String())
		return err
	}
	return os.WriteFile(name, []byte(b.String()), 0o644)
}

var words = strings.Fields(`the terms of service agreement you we may use content personal data privacy
information account rights licence grant shall not liable damages including without limitation
third party services notice change effective date consent processing legal basis cookies retention
request access delete rectify transfer countries safeguards contact dispute arbitration court law`)

// makePage returns text of mixed words in paragraphs: it compresses about as
// real terms do.
func makePage(n, size int) page {
	rng := rand.New(rand.NewPCG(uint64(n), 2024))
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!doctype html><html><head><title>Terms %d</title></head><body>", n)
	for b.Len() < size {
		fmt.Fprintf(&b, "<p id=\"s%d\">", rng.Uint32())
		for range 60 {
			b.WriteString(words[rng.IntN(len(words))])
			b.WriteByte(' ')
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("</body></html>")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b.Bytes()) // into memory
	w.Close()
	return page{b.Bytes(), z.Bytes()}
}

func servePage(w http.ResponseWriter, r *http.Request, made []page) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(made) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	body := made[n].plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		body = made[n].gzip
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // the client's end of the connection is its own matter
}

// serveBig sends so many bytes that do not compress.
func serveBig(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("bytes"), 10, 64)
	if err != nil || n < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	io.CopyN(w, rand.NewChaCha8([32]byte{1}), n) // likewise
}
