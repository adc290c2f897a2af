package archive_test

import (
	"testing"
)

// TestDeriveOutcomes makes looks at one page and wants what each comes to, the
// versions, and that a rebuilt catalog says the same.
func TestDeriveOutcomes(t *testing.T) {
	t.Parallel()
	a, b := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	noise := func(p, id string) string { return p + "<!-- " + id + " --><script>var id = '" + id + "'</script>" }
	challenge := "<html><head><title>Just a moment...</title></head><body><h1>Checking your browser before accessing</h1></body></html>"
	links := func(to string) string {
		return page("Terms of Service", `See <a href="`+to+`">our other terms</a> as well.`)
	}
	volatile := func(i string) string { return page("Terms of Service", "Trace id "+i+".") }
	tests := []struct {
		name           string
		visits         []visit
		want, versions string
	}{
		{"noise in the bytes", []visit{{body: noise(a, "1")}, {body: noise(a, "2")}, {body: noise(a, "3")}}, "1  first, 2-3  unchanged", "first 1"},
		{"confirmed", []visit{{body: a}, {body: b}, {body: b}, {body: b}}, "1  first, 2  changed, 3-4  unchanged", "first 1, changed 2"},
		{"not confirmed", []visit{{body: a}, {body: b}}, "1  first, 2  unconfirmed", "first 1"},
		{"gone again", []visit{{body: a}, {body: b}, {body: a}}, "1  first, 2  unconfirmed, 3  unchanged", "first 1"},
		{"reverted", []visit{{body: a}, {body: b}, {body: b}, {body: a}, {body: a}, {body: a}, {body: a}},
			"1  first, 2  changed, 3  unchanged, 4  reverted, 5  known-variant, 6-7  unchanged", "first 1, changed 2, reverted 4"},
		{"alternating", []visit{{body: a}, {body: b}, {body: b}, {body: a}, {body: b}, {body: a}, {body: b}},
			"1  first, 2  changed, 3  unchanged, 4  known-variant, 5  unchanged, 6  known-variant, 7  unchanged", "first 1, changed 2"},
		{"volatile", []visit{{body: volatile("a1")}, {body: volatile("b2")}, {body: volatile("c3")}, {body: volatile("d4")}, {body: volatile("e5")}, {body: volatile("a1")}},
			"1  first, 2  unconfirmed, 3  unconfirmed, 4  volatile-only, 5  volatile-only, 6  unchanged", "first 1"},
		{"links", []visit{{body: links("/a")}, {body: links("/b")}, {body: links("/b")}}, "1  first, 2  links-only, 3  unchanged", "first 1"},
		{"challenge", []visit{{body: a}, {body: challenge}, {body: challenge}, {body: a}}, "1  first, 2-3 blocked suspect, 4  unchanged", "first 1"},
		{"shrunk", []visit{{body: a}, {body: "<h1>Terms of Service</h1><p>We are sorry: something here went wrong, and we are at work on it now.</p>"}, {body: a}},
			"1  first, 2  suspect, 3  unchanged", "first 1"},
		{"failed", []visit{{body: a}, {body: "not here", status: 404, failed: "http-status"}, {failed: "-"}, {body: a}},
			"1  first, 2 error-page , 3 none , 4  unchanged", "first 1"},
		{"truncated", []visit{{body: a}, {body: b[:500], failed: "truncated"}, {body: a}}, "1  first, 2 truncated , 3  unchanged", "first 1"},
		{"not modified", []visit{{body: a}, {same: true}, {same: true}, {body: b}, {same: true}}, "1  first, 2-3  unchanged, 4  changed, 5  unchanged", "first 1, changed 4"},
		{"not modified before anything", []visit{{same: true}, {body: a}}, "1 none , 2  first", "first 2"},
		{"a challenge that is not modified", []visit{{body: a}, {body: challenge}, {same: true}}, "1  first, 2-3 blocked suspect", "first 1"},
		{"an error page between", []visit{{body: a}, {body: "not here", status: 404, failed: "http-status"}, {same: true}}, "1  first, 2 error-page , 3  unchanged", "first 1"},
		{"the same bytes after others", []visit{{body: a}, {body: b}, {body: b}, {body: a}, {body: a}, {body: a}, {body: b}, {body: b}, {body: b}},
			"1  first, 2  changed, 3  unchanged, 4  reverted, 5  known-variant, 6  unchanged, 7  reverted, 8  known-variant, 9  unchanged",
			"first 1, changed 2, reverted 4, reverted 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			once, each := newDeriveBench(t, oneDocument), newDeriveBench(t, oneDocument)
			for i, v := range test.visits {
				v.hour = float64(i)
				once.look(t, v)
				each.look(t, v)
				each.derive(t)
			}
			once.derive(t)
			for how, b := range map[string]*deriveBench{"at once": once, "one by one": each} {
				if got := b.outcomes(t); got != test.want {
					t.Errorf("%s: outcomes\n got %s\nwant %s", how, got, test.want)
				}
				if got := b.kinds(t); got != test.versions {
					t.Errorf("%s: versions %s, want %s", how, got, test.versions)
				}
				b.check(t)
			}
		})
	}
}
