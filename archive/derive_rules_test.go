package archive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// selected declares the page with a selector.
func selected(css string) string {
	return `{name: Example, terms: {Terms of Service: [{url: "https://example.org/terms", lang: en, select: "` + css + `"}]}}`
}

// framed is a policy in an element with an id, beside text that is none of it.
func framed(id string, paragraphs ...string) string {
	p := strings.ReplaceAll(page("Terms of Service", paragraphs...), "<main>", "<p>Our help centre answers what people ask most, in four languages.</p><div id="+id+">")
	return strings.ReplaceAll(p, "</main>", "</div>")
}

// TestDeriveRules changes how pages are read while looks are made: that is never a
// change of the policy, and hides none.
func TestDeriveRules(t *testing.T) {
	t.Parallel()
	const sold = "We sell what you post to others."
	type step struct {
		declared string // from this look on, "" as before
		body     string
	}
	old, changed := framed("policy"), framed("policy", sold)
	tests := []struct {
		name  string
		steps []step
		want  string // kinds of versions
		told  int
	}{
		{"a selector is declared", []step{{oneDocument, old}, {selected("#policy"), old}, {"", old}, {"", old}}, "first 1, rules 2", 0},
		{"a selector is declared as the policy changes", []step{{oneDocument, old}, {selected("#policy"), changed}, {"", changed}, {"", changed}},
			"first 1, changed 2, rules 2", 1},
		{"a selector stops matching and matches again", []step{{selected("#policy"), old}, {"", framed("other")}, {"", framed("other")}, {"", old}, {"", old}},
			"first 1, rules 2, rules 4", 0},
		{"it stops matching as the policy changes", []step{{selected("#policy"), old}, {"", framed("other", sold)}, {"", framed("other", sold)}},
			"first 1, changed 2, rules 2", 1},
		{"it matches again as the policy changes", []step{{selected("#policy"), old}, {"", framed("other")}, {"", framed("other")}, {"", changed}, {"", changed}},
			"first 1, rules 2, changed 4, rules 4", 1},
		{"rules change while a change is not confirmed", []step{{oneDocument, old}, {"", changed}, {selected("#policy"), changed}, {"", changed}},
			"first 1, changed 2, rules 3", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			once, each := newDeriveBench(t, oneDocument), newDeriveBench(t, oneDocument)
			for how, b := range map[string]*deriveBench{"at once": once, "one by one": each} {
				told := 0
				for i, s := range test.steps {
					if s.declared != "" {
						b.declare(t, s.declared)
					}
					b.look(t, visit{hour: float64(i), body: s.body})
					if b == each {
						told += len(b.derive(t).News)
					}
				}
				told += len(b.derive(t).News)
				if got := b.kinds(t); got != test.want {
					t.Errorf("%s: versions %s, want %s; outcomes %s", how, got, test.want, b.outcomes(t))
				}
				if told != test.told {
					t.Errorf("%s: %d changes were told, want %d", how, told, test.told)
				}
				for _, c := range b.changes(t) {
					if !strings.Contains(c.Summary, sold) || c.AddedWords != 7 || c.RemovedWords != 0 || !c.From.Before(c.Time) {
						t.Errorf("%s: a change of more than the policy: from %v to %v: +%d -%d %s", how, c.From, c.Time, c.AddedWords, c.RemovedWords, c.Summary)
					}
				}
				versions := b.versions(t, "")
				last := versions[len(versions)-1]
				if current, ok, err := b.db.VersionAt(t.Context(), last.Document, hours(1000), false); err != nil || !ok || !current.LastSeen.Equal(hours(float64(len(test.steps)-1))) {
					t.Errorf("%s: the version in force was last seen %v, %v", how, current.LastSeen, err)
				}
				b.check(t)
			}
		})
	}
}

// TestDeriveRulesAfterNotModified has the rules change after looks that brought no
// bytes: the earlier text is read anew from those that it came with.
func TestDeriveRulesAfterNotModified(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, oneDocument)
	b.look(t, visit{hour: 0, body: framed("policy")})
	b.look(t, visit{hour: 1, same: true})
	b.declare(t, selected("#policy"))
	for i := range 2 {
		b.look(t, visit{hour: float64(2 + i), body: framed("policy", "We sell what you post to others.")})
	}
	b.derive(t)
	if got := b.kinds(t); got != "first 1, changed 3, rules 3" {
		t.Errorf("versions %s; outcomes %s", got, b.outcomes(t))
	}
	b.check(t)
}

// TestDeriveUpgrade has other rules of this program than those by which a document
// was derived: all of it is derived again at its next look, silently, with every
// source that it has.
func TestDeriveUpgrade(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, sharedPage)
	terms, more := "https://example.org/terms", "https://example.org/more"
	old, changed := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	b.look(t, visit{url: more, hour: 0, body: page("More terms", "More is said here.")})
	for i, p := range []string{old, changed, changed} {
		b.look(t, visit{url: terms, hour: float64(1 + i), body: p})
	}
	submit := func(c *archive.DeriveConfig) { c.Submit = true }
	if stats := b.derive(t, submit); len(stats.News) != 2 {
		t.Fatalf("%d changes told, want 2", len(stats.News))
	}
	times, outbox := derivedTimes(t, b.db), b.outbox(t)
	must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE tracked SET rules = 'extract 0, track 0'")
		return err
	}))
	b.look(t, visit{url: terms, hour: 10, body: changed})
	stats := b.derive(t, submit)
	if stats.Redone != 2 || stats.Looks != 9 || len(stats.News) > 0 {
		t.Errorf("%d documents redone with %d looks, %d changes told, want 2, 9, 0", stats.Redone, stats.Looks, len(stats.News))
	}
	if got := derivedTimes(t, b.db); got != times {
		t.Errorf("changes were found at %s, before at %s", got, times)
	}
	if got := b.outbox(t); got != outbox {
		t.Errorf("the outbox holds %s, before %s", got, outbox)
	}
	b.check(t)
}

// TestDeriveCombined makes a document of two pages.
func TestDeriveCombined(t *testing.T) {
	t.Parallel()
	const declared = `{name: Example, terms: {Terms of Service: [{lang: en, combine: [{url: "https://example.org/1"}, {url: "https://example.org/2"}]}]}}`
	one, two := "https://example.org/1", "https://example.org/2"
	first, second, changed := page("Terms of Service, part 1"), page("Terms of Service, part 2"), page("Terms of Service, part 2", "We show your posts to others.")
	b := newDeriveBench(t, declared)
	b.look(t, visit{url: two, hour: 0, body: second})
	b.derive(t)
	if got := len(b.versions(t, "")); got > 0 {
		t.Errorf("%d versions while a part is missing", got)
	}
	if reason := query(t, b.db, 1, "SELECT reason FROM readings"); reason != "waits for a good capture of "+b.source(t, one).ID {
		t.Errorf("reason %q", reason)
	}
	b.look(t, visit{url: one, hour: 1, body: "no such page", status: 404, failed: "http-status"})
	b.look(t, visit{url: one, hour: 2, body: first})
	b.look(t, visit{url: two, hour: 3, body: changed})
	b.look(t, visit{url: one, hour: 4, body: first})
	b.look(t, visit{url: two, hour: 5, failed: "-"})
	b.derive(t)
	versions := b.versions(t, "")
	if len(versions) != 2 || versions[0].Kind != "first" || versions[1].Kind != "changed" {
		t.Fatalf("versions %s; outcomes %s", b.kinds(t), b.outcomes(t))
	}
	plain := b.plain(t, versions[1].Document, versions[1].Text)
	at := strings.Index(plain, "part 1")
	if next := strings.Index(plain, "part 2"); at < 0 || next < at || strings.Count(plain, "Clause 1 ") != 2 || !strings.Contains(plain, "We show") {
		t.Errorf("text:\n%s", plain)
	}
	for i, want := range []string{fmt.Sprintf("%s 2, %s 1", b.source(t, one).ID, b.source(t, two).ID), fmt.Sprintf("%s 2, %s 2", b.source(t, one).ID, b.source(t, two).ID)} {
		var parts []struct {
			Source string
			N      int64
		}
		must(t, json.Unmarshal([]byte(versions[i].Parts), &parts))
		var got []string
		for _, p := range parts {
			got = append(got, fmt.Sprint(p.Source, " ", p.N))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("version %d is made of %s, want %s", i+1, s, want)
		}
	}
	if got := versions[0].URL; got != one {
		t.Errorf("the document's address is %s, want that of its first part", got)
	}
	b.check(t)
}
