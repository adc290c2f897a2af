package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// TestScripts runs the command line as its users do. Each script has a web of
// its own that serves the folder site: $WEB and $WEB2 are two hosts of it, $SPN
// is a stand-in for the Wayback Machine. Commands beside those of testscript:
//
//	exits CODE COMMAND…             run a command and want its exit code
//	jsonq FILE LINE KEY WANT        value of a dotted KEY in a line (0…, last) of JSON lines; -count for LINE counts them
//	fill FILE…                      replace $WEB, $WEB2, $SPN in files
//	tamper FROM TO OLD NEW          copy a WARC with a text in its records replaced
//	first NAME GLOB                 set a variable to the one file that matches
//	tobytes FILE…                   replace \xHH in files by the byte
//	outside KEYFILE                 start a timestamp authority, $TSA with root one.pem, and the witness of witness.policy for the log of the key; other.pem is another root, $LOGKEY the public key
//	savejson NAME FILE LINE KEY     set a variable to such a value
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits, "settle": cmdSettle, "jsonq": cmdJSONQ, "savejson": cmdSaveJSON, "fill": cmdFill, "tamper": cmdTamper, "first": cmdFirst, "tobytes": cmdToBytes, "outside": cmdOutside,
		},
	})
}

func setupScript(env *testscript.Env) error {
	handler := func(rw http.ResponseWriter, r *http.Request) {
		name := filepath.Join(env.WorkDir, "site", filepath.FromSlash(strings.Trim(r.URL.Path, "/")))
		data, err := os.ReadFile(name)
		if err != nil {
			http.Error(rw, "there is no such page", http.StatusNotFound)
			return
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.Write(data) // a client that went away is no matter of the server
	}
	for _, name := range []string{"WEB", "WEB2"} {
		s := httptest.NewServer(http.HandlerFunc(handler))
		env.Defer(s.Close)
		env.Setenv(name, s.URL)
	}
	s := httptest.NewServer(waybacktest.New(waybacktest.Config{Access: "test-access-key", Secret: "test-secret-key", TimeScale: 600, FetchPage: waybacktest.FetchFrom(http.DefaultTransport)}))
	env.Defer(s.Close)
	env.Setenv("SPN", s.URL)
	// A Wayback Machine for which a day is a second.
	fast := httptest.NewServer(waybacktest.New(waybacktest.Config{Access: "test-access-key", Secret: "test-secret-key", TimeScale: 86400,
		IndexLag: -1, ReplayLag: -1, FetchPage: waybacktest.FetchFrom(http.DefaultTransport)}))
	env.Defer(fast.Close)
	env.Setenv("SPNFAST", fast.URL)
	env.Setenv("HOME", env.WorkDir) // no keys in ia.ini there
	name, value, _ := strings.Cut(raceEnv, "=")
	env.Setenv(name, value)
	return nil
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// jsonLines parses a file of JSON lines; each must be an object.
func jsonLines(ts *testscript.TestScript, file string) []map[string]any {
	var list []map[string]any
	for i, line := range strings.Split(strings.TrimSuffix(ts.ReadFile(file), "\n"), "\n") {
		var m map[string]any
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			ts.Fatalf("%s: line %d is no JSON object: %v: %q", file, i+1, err, line)
		}
		list = append(list, m)
	}
	return list
}

// jsonValue returns the text of a dotted key in one of the lines.
func jsonValue(ts *testscript.TestScript, file, line, key string) string {
	list := jsonLines(ts, file)
	n := len(list) - 1
	if line != "last" {
		var err error
		n, err = strconv.Atoi(line)
		ts.Check(err)
	}
	if n < 0 || n >= len(list) {
		ts.Fatalf("%s has %d lines", file, len(list))
	}
	var v any = list[n]
	for part := range strings.SplitSeq(key, ".") {
		switch at := v.(type) {
		case map[string]any:
			value, ok := at[part]
			if !ok {
				ts.Fatalf("%s: line %s has no %s", file, line, key)
			}
			v = value
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%s: line %s: %s has %d elements", file, line, key, len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%s: line %s: %s ends before %s", file, line, key, part)
		}
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(v)
	ts.Check(err)
	return string(text)
}

// cmdSettle runs `wayback submit` until its last line has a value, for at most a
// minute: how much one call gets done depends on the machine.
func cmdSettle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: settle KEY WANT")
	}
	end := time.Now().Add(time.Minute)
	for {
		ts.Check(ts.Exec("fineprint", "--json", "wayback", "submit"))
		got := jsonValue(ts, "stdout", "last", args[0])
		if got == args[1] {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s is %q after a minute, want %q", args[0], got, args[1])
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func cmdJSONQ(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 3 && args[1] == "-count" {
		if n := len(jsonLines(ts, args[0])); strconv.Itoa(n) != args[2] == !neg {
			ts.Fatalf("%s has %d lines, want %s", args[0], n, args[2])
		}
		return
	}
	if len(args) != 4 {
		ts.Fatalf("usage: jsonq FILE LINE KEY WANT")
	}
	if got := jsonValue(ts, args[0], args[1], args[2]); (got == args[3]) == neg {
		ts.Fatalf("%s of line %s is %q, want %q (not: %v)", args[2], args[1], got, args[3], neg)
	}
}

func cmdSaveJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: savejson NAME FILE LINE KEY")
	}
	ts.Setenv(args[0], jsonValue(ts, args[1], args[2], args[3]))
}

func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: fill FILE…")
	}
	r := strings.NewReplacer("$WEB2", ts.Getenv("WEB2"), "$WEB", ts.Getenv("WEB"), "$TSA", ts.Getenv("TSA"), "$SPNFAST", ts.Getenv("SPNFAST"), "$SPN", ts.Getenv("SPN"))
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(r.Replace(ts.ReadFile(name))), 0o644))
	}
}

func cmdToBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: tobytes FILE…")
	}
	hex := regexp.MustCompile(`\\x[0-9a-f]{2}`)
	for _, name := range args {
		data := hex.ReplaceAllFunc([]byte(ts.ReadFile(name)), func(b []byte) []byte {
			n, err := strconv.ParseUint(string(b[2:]), 16, 8)
			ts.Check(err)
			return []byte{byte(n)}
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o644))
	}
}

func cmdFirst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: first NAME GLOB")
	}
	found, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s matches %q, want one file", args[1], found)
	}
	ts.Setenv(args[0], found[0])
}

func cmdTamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: tamper FROM TO OLD NEW")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	out, n, err := tamper(data, args[2], args[3])
	ts.Check(err)
	if n == 0 {
		ts.Fatalf("%s does not hold %q", args[0], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out, 0o644))
}

// tamper replaces a text in the members of a WARC and compresses them again.
func tamper(data []byte, from, to string) (out []byte, n int, err error) {
	var b bytes.Buffer
	r := bytes.NewReader(data)
	z, err := gzip.NewReader(r)
	for ; err == nil; err = z.Reset(r) {
		z.Multistream(false)
		begin := len(data) - r.Len()
		record, err := io.ReadAll(z)
		if err != nil {
			return nil, 0, fmt.Errorf("member before %d: %w", begin, err)
		}
		n += bytes.Count(record, []byte(from))
		w := gzip.NewWriter(&b)
		if _, err := w.Write(bytes.ReplaceAll(record, []byte(from), []byte(to))); err != nil {
			return nil, 0, err
		}
		if err := w.Close(); err != nil {
			return nil, 0, err
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return b.Bytes(), n, nil
}
