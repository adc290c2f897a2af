package wayback

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte("[" + columns + "," + row(1, page, strings.Repeat("A", 32)) + `,[],["k+1%21"]]`))
	f.Add([]byte("[[]]"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseIndex(b)
		if err != nil {
			return
		}
		for _, r := range p.Rows {
			if Timestamp(r.Time()) != r.Timestamp || r.Timestamp > p.Last || !webAddress(r.Original) || !SameAddress(r.Original, r.Original) {
				t.Errorf("row %+v, last %q", r, p.Last)
			}
		}
	})
}

func FuzzReadLinks(f *testing.F) {
	f.Add(`<http://x/web/` + stamp + `/http://y/>; rel="memento"; datetime="` + moment + `", <a,b>;rel=original`)
	f.Add(`,,<a>;;x;y="\"",`)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		for l, err := range ReadLinks(strings.NewReader(s)) {
			if n++; n > len(s)+1 || err == nil && len(l.Target) > len(s) {
				t.Fatal("more links than text")
			}
		}
		parseTimeMap(&Answered{Status: 200, Body: []byte(s)})
	})
}

func FuzzParseReplay(f *testing.F) {
	f.Add(200, moment, `<`+page+`>; rel="original"`, "", "")
	f.Add(302, "", "", "/web/20250101000000id_/http://x/", "")
	f.Add(403, "", "", "", "AccessControlException")
	f.Fuzz(func(t *testing.T, status int, at, link, location, body string) {
		a := &Answered{Status: status, Header: http.Header{}, Body: []byte(body)}
		for name, value := range map[string]string{"Memento-Datetime": at, "Link": link, "Location": location} {
			a.Header.Set(name, value)
		}
		r, e := parseReplay(stamp, page, a)
		if r.Found && (e != nil || at == "" || Timestamp(r.At) != stamp || r.Original != "" && !SameAddress(r.Original, page)) || r.Found && r.Other != "" {
			t.Errorf("found %+v, %v", r, e)
		}
		parseGate(a)
	})
}

func FuzzParseReplayURL(f *testing.F) {
	f.Add(mementoURL(DefaultBaseURL, stamp, "id_", page))
	f.Add("/web/20260102030405/http://x/web/20260102030405/http://y/")
	f.Fuzz(func(t *testing.T, s string) {
		ts, address, ok := ParseReplayURL(s)
		if !ok {
			return
		}
		address, _, _ = strings.Cut(address, "#")
		if ts2, again, ok := ParseReplayURL(mementoURL(DefaultBaseURL, ts, "", address)); webAddress(address) && (!ok || ts2 != ts || again != address) {
			t.Errorf("ParseReplayURL(%q) = %q, %q; again %q, %q, %v", s, ts, address, ts2, again, ok)
		}
		if !SameAddress(address, address) {
			t.Errorf("%q is not itself", address)
		}
	})
}

func FuzzParseAvailability(f *testing.F) {
	f.Add([]byte(`{"archived_snapshots":{"closest":{"available":true,"url":"http://x/web/` + stamp + `/` + page + `","timestamp":"` + stamp + `"}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, e := parseAvailability(&Answered{Status: 200, Body: b})
		if e != nil && !reflect.DeepEqual(got, Availability{}) {
			t.Errorf("%+v with %v", got, e)
		}
		if got.Found {
			if _, err := ParseTimestamp(got.Timestamp); err != nil || !webAddress(got.Original) {
				t.Errorf("found %+v", got)
			}
		}
	})
}
